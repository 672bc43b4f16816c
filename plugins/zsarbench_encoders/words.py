"""Word vectors as a text encoder: a sentence is the mean of its words."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from zsarbench.errors import NotGiven, ZsarbenchError
from zsarbench.utils.text_files import numbered_lines

from .weights import file_sha256

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)
_WORD = re.compile(r"\w+(?:['’]\w+)*")
MAX_WORD = 10_000  # bytes; word2vec's longest phrases have some hundred

Entry = tuple[str, np.ndarray]
"""A word, or words joined by underscores, and its vector (D,) float32."""


class WordVectors:
    """Looks words up in a file of word2vec or GloVe vectors; a text is the mean of its words' vectors.

    Source: Mikolov et al. 2013, arXiv:1310.4546; Pennington et al., GloVe, EMNLP 2014; the mean as in Brattoli et al.,
    arXiv:2003.01455.

    The rule: a text whose words, joined by underscores, are an entry of their own takes that one (word2vec writes
    phrases so). Otherwise it is split into words, each looked up as written, then in lower case; words without a vector
    are left out of the mean. A text of which no word is known is the zero vector, whose cosine with everything is 0,
    and a warning says how many there are.

    file: `.txt`, `.vec` and others: a line for each word, with or without word2vec's first line of counts; `.bin`:
        word2vec's binary form. Of an entry that occurs twice, the first is taken.
    max_words: read no more entries than these, the most frequent ones in files as they are published; None: all.
    """

    def __init__(self, *, file: str | None = None, max_words: int | None = None) -> None:
        self.file = file
        self.max_words = max_words
        if file is None:
            raise NotGiven(
                "text part 'word-vectors' needs a file of word2vec or GloVe vectors. Try: --set text.file=FILE"
            )
        sha256 = file_sha256(Path(file))
        self._row, self._vectors = _table(Path(file), max_words)
        self.dim = self._vectors.shape[1]
        self.space = f"word-vectors-{sha256[:12]}"
        self.fingerprint: Mapping[str, str] = {
            "weights_sha256": sha256,
            "preprocessing": "whole phrase, else mean of words as written or in lower case; unknown words left out",
        }

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, D) float32; a text without a known word is zero."""
        import torch

        rows = [self._rows_of(text) for text in texts]
        if unknown := [text for text, row in zip(texts, rows, strict=True) if not row]:
            _log.warning("%d of %d texts have no known word, e.g. '%.40s'", len(unknown), len(texts), unknown[0])
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for number, row in enumerate(rows):
            if row:
                vectors[number] = self._vectors[row].mean(0)
        return torch.from_numpy(vectors)

    def _rows_of(self, text: str) -> list[int]:
        """Return the entries that a text is the mean of."""
        words = _WORD.findall(text)
        whole = self._find("_".join(words))
        places = [self._find(word) for word in words] if whole is None else [whole]
        return [row for row in places if row is not None]

    def _find(self, word: str) -> int | None:
        return self._row.get(word, self._row.get(word.lower()))


def _table(path: Path, max_words: int | None) -> tuple[dict[str, int], np.ndarray]:
    """Return the row of each entry, and the vectors (V, D) float32.

    Raises:
        ZsarbenchError: the file cannot be read, or is in none of the forms.
    """
    read = _from_binary if path.suffix.lower() == ".bin" else _from_text
    rows: dict[str, int] = {}
    vectors: list[np.ndarray] = []
    try:
        for word, vector in read(path):
            if word not in rows:
                rows[word] = len(vectors)
                vectors.append(vector)
            if len(vectors) == max_words:
                break
        if not vectors or not vectors[0].size or len({vector.shape for vector in vectors}) > 1:
            raise ValueError("it holds no vectors, or some of another length")
    except (OSError, ValueError, OverflowError) as error:
        raise ZsarbenchError(
            f"word vectors '{path}' cannot be read: {error}. A line is a word and its numbers, parted by blanks; "
            "word2vec's binary form ends in .bin"
        ) from error
    return rows, np.stack(vectors)


def _from_text(path: Path) -> Iterator[Entry]:
    """Yield the entries of a word2vec or GloVe text file, whose words may hold blanks themselves."""
    lines = numbered_lines(path, "word vectors")
    first = next(lines, (1, ""))[1].split()
    counts = len(first) == 2 and all(field.isdigit() for field in first)
    dim = int(first[1]) if counts else len(first) - 1
    if not counts and dim > 0:
        yield first[0], _numbers(first[1:], dim, 1)
    n_read = 0
    for number, line in lines:
        word, *fields = line.rstrip().rsplit(" ", dim)
        yield word, _numbers(fields, dim, number)
        n_read += 1
    if counts and n_read < int(first[0]):
        raise ValueError(f"its first line states {int(first[0]):,} words, and it holds {n_read:,}: it may be cut off")


def _numbers(fields: Sequence[str], dim: int, line: int) -> np.ndarray:
    try:
        vector = np.array(fields, dtype=np.float32)
    except ValueError:
        vector = np.empty(0, dtype=np.float32)
    if vector.shape != (dim,) or not np.isfinite(vector).all():
        raise ValueError(f"line {line} is not a word and {dim} numbers")
    return vector


def _from_binary(path: Path) -> Iterator[Entry]:
    """Yield the entries of word2vec's binary form: counts as text, then each word, a blank and its floats."""
    with path.open("rb") as file:
        counts = file.readline().split()
        if len(counts) != 2 or not all(field.isdigit() for field in counts):
            raise ValueError("its first line does not state the numbers of words and features")
        n_words, dim = int(counts[0]), int(counts[1])
        if 4 * dim > (size := path.stat().st_size):  # before memory is taken for them
            raise ValueError(f"it states {dim:,} features a word, and has {size:,} bytes")
        for number in range(n_words):
            word = _word(file)
            numbers = file.read(4 * dim)
            if len(numbers) < 4 * dim:
                raise ValueError(f"it ends in word {number + 1} of {n_words}")
            yield word, np.frombuffer(numbers, dtype="<f4").astype(np.float32)


def _word(file: BinaryIO) -> str:
    """Return the next word of a binary file, up to the blank that ends it."""
    letters = bytearray()
    while (letter := file.read(1)) not in (b" ", b""):
        letters += letter
        if len(letters) > MAX_WORD:
            raise ValueError(f"a word has more than {MAX_WORD:,} bytes")
    return letters.decode(errors="ignore").strip()
