"""The texts that describe each class in a run: of the data set or of a file, or sentences chosen from documents.

`--class-text FORM` takes texts as they are. `--class-text FORM:nearest-K` cuts them into sentences and keeps, for each
class, the K whose embeddings by the run's text part are nearest to that of the class's name (Estevam et al., ZSARCap,
arXiv:2112.09976, who find them in web pages).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.interfaces import ClassText, Dataset, TextEncoder
from zsarbench.utils import text_files
from zsarbench.utils.class_names import match, readable
from zsarbench.utils.documents import read_json

__all__ = [
    "MIN_WORDS",
    "choose",
    "digest",
    "load",
    "nearest",
    "parse",
    "read",
    "sentences_of",
    "without_text_part",
    "words_of",
]

MIN_WORDS = 15  # of a sentence in a document: shorter ones are headings, menus and captions; ZSARCap's figure
_RULE = re.compile(r"(?P<form>.+):nearest-(?P<count>[1-9]\d*)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def parse(class_text: str) -> tuple[str, int | None]:
    """Return the form or file of `--class-text`, and the number of sentences chosen from it; None: all are taken.

    >>> parse("documents:nearest-10"), parse("name")
    (('documents', 10), ('name', None))

    Raises:
        UsageError: what follows a colon is not a rule.
    """
    if rule := _RULE.fullmatch(class_text):
        return rule["form"], int(rule["count"])
    if ":" in Path(class_text).name:
        raise UsageError(
            f"class text '{class_text}' does not end in a rule; a rule is FORM:nearest-K, K from 1. "
            f"Try: --class-text {class_text.rpartition(':')[0]}:nearest-10"
        )
    return class_text, None


def load(dataset: Dataset, class_text: str) -> dict[str, ClassText]:
    """Return all texts of every class by name, in a form of the data set or from a file of the user.

    Raises:
        ZsarbenchError: the form or file does not exist, a class has no text, or a text is empty.
    """
    form, _ = parse(class_text)
    texts = read(dataset, class_text)
    missing = [name for name in dataset.classes if name not in texts]
    if missing:
        raise ZsarbenchError(f"class texts '{form}' lack {len(missing)} classes, e.g. '{missing[0]}'")
    for text in texts.values():
        if not text.texts or not all(sentence.strip() for sentence in text.texts):
            raise ZsarbenchError(f"class texts '{form}' of class '{text.name}' are empty")
    return texts


def read(dataset: Dataset, class_text: str) -> dict[str, ClassText]:
    """Return the texts by class name without requiring any of a class; see `load`.

    Raises:
        ZsarbenchError: the form or file does not exist, or the file is not a list of texts of these classes.
    """
    form, _ = parse(class_text)
    texts = _from_file(Path(form), dataset) if Path(form).suffix else dataset.class_texts(form)
    return {text.name: text for text in texts}


def choose(texts: Mapping[str, ClassText], class_text: str, encoder: TextEncoder | None) -> Mapping[str, ClassText]:
    """Return the texts with the rule of `--class-text` applied; unchanged where it has none.

    A class without a sentence of `MIN_WORDS` words keeps its texts.

    Raises:
        UsageError: the form has a rule, and the run has no text encoder to apply it with.
    """
    count = parse(class_text)[1]
    if count is None:
        return texts
    if encoder is None:
        raise UsageError(without_text_part(class_text))
    chosen = {}
    for name, described in texts.items():
        sentences = sentences_of(described.texts, MIN_WORDS) or list(described.texts)
        chosen[name] = ClassText(name, tuple(nearest(sentences, words_of(name), encoder, count)))
    return chosen


def digest(texts: Mapping[str, ClassText]) -> str:
    """Return the sha256 of the texts of all classes, as results state it."""
    lines = [f"{name}\t{sentence}" for name in sorted(texts) for sentence in texts[name].texts]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def without_text_part(class_text: str) -> str:
    """Return the message for a rule in a run that has no text part to apply it with."""
    form, _ = parse(class_text)
    return f"class text '{class_text}' is chosen by the text part, and this run has none. Try: --class-text {form}"


def words_of(name: str) -> str:
    """Return a class name as words in lower case.

    >>> words_of("ApplyEyeMakeup"), words_of("brush_hair")
    ('apply eye makeup', 'brush hair')
    """
    return readable(name).lower()


def sentences_of(texts: Sequence[str], min_words: int) -> list[str]:
    """Return the distinct sentences of texts with at least so many words, in their order.

    A sentence ends at a full stop, question or exclamation mark before white space, or with its line.
    """
    lines = (" ".join(line.split()) for text in texts for line in text.splitlines())
    sentences = dict.fromkeys(sentence for line in lines for sentence in _SENTENCE_END.split(line))
    return [sentence for sentence in sentences if len(sentence.split()) >= min_words]


def nearest(sentences: Sequence[str], name: str, encoder: TextEncoder, count: int) -> list[str]:
    """Return the `count` sentences of the largest cosine with a name, the nearest first; equal ones in their order."""
    import torch.nn.functional as F

    vectors = F.normalize(encoder.encode([name, *sentences]).float(), dim=1)
    order = (vectors[1:] @ vectors[0]).sort(descending=True, stable=True).indices
    return [sentences[int(i)] for i in order[:count]]


def _from_file(path: Path, dataset: Dataset) -> Sequence[ClassText]:
    """Read the texts of a file by any spelling of the classes; several of one class stay in their order."""
    by_class: dict[str, list[str]] = {}
    for where, name, text in _of_json(path) if path.suffix.lower() == ".json" else _of_table(path):
        official = match(name, dataset.classes, dataset.aliases)
        if official is None:
            raise UsageError(f"{where}: " + unknown("class", name, dataset.classes))
        by_class.setdefault(official, []).append(text)
    return [ClassText(name, tuple(texts)) for name, texts in by_class.items()]


def _of_table(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield place, class and text of each row of a CSV file with the columns `class` and `text`."""
    for where, row in text_files.rows(path, "class texts", ("class", "text")):
        yield where, row["class"], row["text"]


def _of_json(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield place, class and text of a JSON object that has, for each class, a text or a list of texts."""
    try:
        content = read_json(path, "class texts")
    except ZsarbenchError as error:
        raise UsageError(str(error)) from error
    if not isinstance(content, dict):
        raise UsageError(f"class texts {path} must be an object that has a text or a list of texts for each class")
    for name, value in content.items():
        for text in value if isinstance(value, list) else [value]:
            if not isinstance(text, str):
                raise UsageError(f"class texts {path}, '{name:.40}' has {text!r:.40}, which is not text")
            yield f"class texts {path}", name, text
