"""Captions that give the class of their clip away: they name it, or hold the path of its file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from unicodedata import normalize

from zsarbench.utils.class_names import readable
from zsarbench.utils.schema import Count

MAX_OWN_SHARE = 0.2
"""Of captions that name the class of their clip, above which they are a finding. An observer who describes what is done
names some classes: 4.4 % of the 39,960 machine captions of UCF-101 do. Captions generated from the label always do."""
MIN_TIMES_OTHERS = 3.0
"""A finding also takes that the own class is named so many times as often as each other class: a caption that lists all
classes gives none away."""
MIN_ID_CHARACTERS = 6  # of a clip's id that is looked for; a shorter one may be a word
_NO_ALIASES: Mapping[str, str] = MappingProxyType({})
_PATH = re.compile(
    r"(?:^|\s)(?:[A-Za-z]:)?[\\/]\S*\w|\S+\\\S+|[^\s/]+/[^\s/]+/\S+|"
    r"\w\.(?:avi|mp4|mkv|webm|mov|m4v|mpe?g|wmv|flv|3gp|npy|npz|jpe?g|png|txt|csv|json)\b",
    re.IGNORECASE,
)


class ClassMentions:
    """Finds the classes that a text names: word by word, as words or written together, or by an alias.

    A text that has the action in another form ("brushes his teeth") names none: what is found is a lower bound.
    """

    def __init__(self, classes: Sequence[str], aliases: Mapping[str, str] = _NO_ALIASES) -> None:
        self._named: dict[tuple[str, ...], set[str]] = {}
        spellings = [(name, name) for name in classes]
        spellings += [(alias, official) for alias, official in aliases.items() if official in set(classes)]
        for spelling, name in spellings:
            for form in (spelling, readable(spelling)):
                if words := _words(form):
                    self._named.setdefault(words, set()).add(name)
        self._lengths = sorted({len(words) for words in self._named})

    def of(self, text: str) -> set[str]:
        """Return the classes that a text names."""
        return {name for _, _, names in self._stretches(_words(text)) for name in names}

    def longest(self, text: str) -> set[str]:
        """Return the classes that a text names by words that are not part of a longer name there, nor denied.

        >>> sorted(ClassMentions(["Punch", "Boxing Punching Bag", "Punching Bag"]).longest("Boxing: punching bag"))
        ['Boxing Punching Bag']
        >>> sorted(ClassMentions(["archery", "golf"]).longest("Not archery but golf"))
        ['golf']
        """
        words, found = _words(text), set()
        reached = 0  # the end of the longest name that begins before, or there
        for start, end, names in sorted(self._stretches(words), key=lambda one: (one[0], -one[1])):
            if end > reached and not _denied(words[max(0, start - 4) : start]):
                found |= names
            reached = max(reached, end)
        return found

    def _stretches(self, words: tuple[str, ...]) -> Iterator[tuple[int, int, set[str]]]:
        """Yield the first word, the word behind the last one, and the classes of every name in a text."""
        for length in self._lengths:
            for at in range(len(words) - length + 1):
                if names := self._named.get(words[at : at + length]):
                    yield at, at + length, names


@dataclass(frozen=True)
class CaptionNaming:
    """How often captions give the class of their clip away.

    n_sentences: captions of the clips. n_own: of these, that name the class of their own clip. n_others: mentions of
    any other class in them. n_classes: that a caption could name. n_paths: captions that hold a path, or the id of
    their clip.
    """

    n_sentences: Count
    n_own: Count
    n_others: Count
    n_classes: Count
    n_paths: Count

    @property
    def problem(self) -> str:
        """What gives the class away, in words; "" where nothing does."""
        texts = []
        if self.n_sentences:
            others = self.n_others / max(1, self.n_classes - 1)  # mentions of each other class
            if self.n_own > MAX_OWN_SHARE * self.n_sentences and self.n_own > MIN_TIMES_OTHERS * others:
                own, other = (100 * count / self.n_sentences for count in (self.n_own, others))
                text = f"{self.n_own:,} of {self.n_sentences:,} captions name the class of their clip"
                texts.append(f"{text} ({own:.1f} %; any other class {other:.2f} %)")
        if self.n_paths:
            texts.append(f"{self.n_paths:,} of {self.n_sentences:,} captions hold a path or the id of their clip")
        return "; ".join(texts)


@dataclass(frozen=True, kw_only=True)
class CaptionFinding:
    """A caption that gives its clip's class away."""

    clip_id: str
    label: str
    problem: Literal["names its class", "path"]
    text: str


def naming(
    captions: Mapping[str, Sequence[str]],
    labels: Mapping[str, str],
    classes: Sequence[str],
    aliases: Mapping[str, str] = _NO_ALIASES,
) -> tuple[CaptionNaming, list[CaptionFinding]]:
    """Return how often the captions of labelled clips give their class away, and each that does.

    captions: by clip id; of clips without a label nothing is counted. labels: official class names by clip id. aliases:
    other spelling to class name.
    """
    mentions = ClassMentions(classes, aliases)
    found: list[CaptionFinding] = []
    n_sentences = n_own = n_others = n_paths = 0
    for clip_id, label in labels.items():
        for text in captions.get(clip_id, ()):
            named, path = mentions.of(text), holds_path(text, clip_id)
            n_sentences += 1
            n_own += label in named
            n_others += len(named - {label})
            n_paths += path
            if path or label in named:
                problem: Literal["names its class", "path"] = "path" if path else "names its class"
                found.append(CaptionFinding(clip_id=clip_id, label=label, problem=problem, text=text))
    return CaptionNaming(n_sentences, n_own, n_others, len(classes), n_paths), found


def holds_path(text: str, clip_id: str = "") -> bool:
    """Return whether a caption holds the path or name of a file, or the id of its clip.

    >>> [holds_path(text) for text in ("Archery/v_1.avi", "/data/Archery/1", r"bow\\\\1", "his and/or her bow, 24/7")]
    [True, True, True, False]
    """
    return bool(_PATH.search(text)) or (len(clip_id) >= MIN_ID_CHARACTERS and clip_id.lower() in text.lower())


def sentences_naming(
    classes: Sequence[str], sentences: Iterable[str], *, aliases: Mapping[str, str] = _NO_ALIASES
) -> dict[str, int]:
    """Return how many sentences name a class, by class, those that none names left out; see `ClassMentions`.

    >>> sentences_naming(["BrushingTeeth", "Punch"], ["A boy is brushing teeth.", "He punches a bag."])
    {'BrushingTeeth': 1}
    """
    mentions = ClassMentions(classes, aliases)
    counts = dict.fromkeys(classes, 0)
    for sentence in sentences:
        for name in mentions.of(sentence):
            counts[name] += 1
    return {name: count for name, count in counts.items() if count}


def _denied(before: tuple[str, ...]) -> bool:
    """Return whether the words before a name deny it: "not", "neither … nor", "isn't", "rather than", "instead of"."""
    last = [word for word in before if word not in ("a", "an", "the")][-2:]
    return bool(last) and (
        last[-1] in ("not", "nor", "neither", "never", "without")
        or last in (["rather", "than"], ["instead", "of"])
        or (len(last) == 2 and last[1] == "t" and last[0].endswith("n"))
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", normalize("NFKC", text).lower()))
