"""Which field of a file of predictions holds what, by the names that people give to them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zsarbench.errors import UsageError

CLIP: Final = ("clip", "clip_id", "clips", "clip_ids", "video", "video_id", "videos", "video_name", "video_path", "id",
               "ids", "path", "file", "filename", "file_name")  # fmt: skip
ANSWER: Final = ("response", "responses", "output", "generated", "completion", "answer", "answers", "text")
"""What is called an answer may be the true one, and a text the prompt."""
SCORES: Final = ("scores", "logits", "probabilities", "probs", "similarities")
PREDICTED: Final = ("predictions", "prediction", "predicted", "pred", "preds", "topk")
LABELS: Final = ("labels", "label", "class")
"""Of classes that were predicted or of true ones: read where nothing else in the file is a prediction."""
OPTIONS: Final = ("options", "choices")
CLASSES: Final = ("classes", "class_names")
FIELDS: Final = ("clip", "label", "scores", "answer", "options", "classes", "rank")
"""What we call the fields that a file may call otherwise."""
RANK: Final = ("rank", "place")
SCORE: Final = ("score", "probability", "prob", "confidence")
TRUE_ANSWERS: Final = ("answer", "answers")
"""Of answers that a model gave or of true ones: the latter where another field is called a prediction."""
_OF_SCORES: Final = ("score", "prob", "probability", "conf", "confidence")
_WHAT = f"label|class|name|pred|prediction|{'|'.join(_OF_SCORES)}"
_NUMBERED = re.compile(
    rf"(?P<what>label|class|pred|prediction|top|score|prob|probability)[ _-]?(?P<number>\d+)"
    rf"|(?:top|rank|pred|prediction)[ _-]?(?P<place>\d+)[ _-]?(?P<of>{_WHAT})"
)
_PREDICTED = re.compile(r"pred|hypothes|guess|argmax")
_NO_CLASS = re.compile(r"score|prob|conf|logit|correct|right|acc|time|rank|loss|num|count")
_INDEX = re.compile(r"(?:^|[^a-z])(?:id|idx|index)s?$")
_UNNAMED = re.compile(r"(?:unnamed: ?\d+)?")
"""What pandas calls the column of a table's row numbers, written and read again."""


@dataclass(frozen=True)
class Reading:
    """How the records of a file are read.

    renamed: the file's name of a field by ours ("clip", "label", "scores", "answer", "options"). order: the names that
    class indices and unnamed columns stand for; None: the file must name its classes. words: text is an answer in
    words, wherever it stands. clips: those that numbers of rows stand for; None: the file must name its clips.
    is_class: whether a text names a class of the data set; None: not known. indices: all that stood for a class.
    """

    renamed: Mapping[str, str]
    order: tuple[str, ...] | None = None
    words: bool = False
    clips: tuple[str, ...] | None = None
    is_class: Callable[[str], bool] | None = None
    indices: set[int] = dataclasses.field(default_factory=set, compare=False)

    def field(self, of: str, known: Sequence[str], names: Sequence[str]) -> str | None:
        """Return which of these field names holds what we call `of`; None where none does."""
        if of in self.renamed:
            named = self.renamed[of].lower()
            return next((name for name in names if name.lower() == named), None)
        lowered = {name.lower(): name for name in names}
        return next((lowered[name] for name in known if name in lowered), None)

    def label_field(self, names: Sequence[str], where: str) -> str | None:
        """Return the field of these that holds the predicted classes; None where none does.

        Raises:
            UsageError: several may.
        """
        return self.predicted_field(names, where) or self.field("label", LABELS, names)

    def predicted_field(self, names: Sequence[str], where: str) -> str | None:
        """Return the field of these that the user names, or whose name says that a class in it was predicted.

        Raises:
            UsageError: several say so.
        """
        if (known := self.field("label", PREDICTED, names)) is not None or "label" in self.renamed:
            return known
        found = [
            name
            for name in names
            if _PREDICTED.search(name.lower())
            and not _NO_CLASS.search(name.lower())
            and not _NUMBERED.fullmatch(name.lower())
            and not self.is_score(name)
        ]
        found = [name for name in found if not _INDEX.search(name.lower())] or found
        if len(found) > 1:
            raise UsageError(
                f"{where} has several fields that may hold what was predicted: {_listed(found)}. "
                "Try: --field label=NAME"
            )
        return found[0] if found else None

    def is_score(self, name: str) -> bool:
        """Return whether a field of this name holds the score of the class that is called so."""
        return name.isdecimal() if self.is_class is None else name.isdecimal() or self.is_class(name)

    def class_at(self, index: int, where: str) -> str:
        """Return the class of an index; one outside the order reads as a name that no class has.

        Raises:
            UsageError: no order of the classes is named.
        """
        if self.order is None:
            raise UsageError(
                f"{where} holds class indices, such as {index}, and their order is not known. Try: --class-order FILE "
                "(a name per line, or INDEX NAME), or --class-order dataset, the order of classes in zsarbench"
            )
        self.indices.add(index)
        return self.order[index] if 0 <= index < len(self.order) else no_class(index)

    def check_indices(self, where: str) -> None:
        """Check that the file counts classes from the same number as the order.

        Raises:
            UsageError: one of them counts from 0 and the other from 1.
        """
        if self.order is None or not self.indices:
            return
        n_classes, first, last = len(self.order), min(self.indices), max(self.indices)
        if first > 0 and last == n_classes and self.order[0] != no_class(0):
            raise UsageError(
                f"{where} has class indices from {first} to {last}, but the order has 0 to {n_classes - 1}; the file "
                "seems to count from 1. Try: --class-order FILE with lines INDEX NAME, from 1 on"
            )
        if first == 0 and last < n_classes - 1 and self.order[0] == no_class(0):
            raise UsageError(
                f"{where} has class indices from 0 to {last}, but the order has 1 to {n_classes - 1}; the file "
                "seems to count from 0. Try: --class-order FILE with a name per line"
            )

    def clip_at(self, number: Any, where: str) -> str:
        """Return the clip of the row of a number, from 0.

        Raises:
            UsageError: it is not a number, or the order ends before it.
        """
        clips = self.clips or ()
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(clips):
            raise UsageError(f"{where} is of row {number!r:.20}, but the order of clips has {len(clips):,} rows")
        return clips[number]

    def columns(self, n: int, where: str) -> tuple[str, ...]:
        """Return the classes of a row of `n` scores.

        Raises:
            UsageError: no order of the classes is named, or one of another length.
        """
        if self.order is None:
            raise UsageError(
                f"{where} holds {n} scores and does not name their classes. Try: --class-order FILE (a name per line), "
                "or --class-order dataset, the order that zsarbench has the classes in"
            )
        named = tuple(name for index, name in enumerate(self.order) if name != no_class(index))
        for order in (self.order, named):  # a list that counts from 1 is one of as many columns
            if len(order) == n:
                return order
        raise UsageError(f"{where} holds {n} scores, but the order has {len(named)} classes")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which fields of a record hold what; fields named nowhere here are not read."""

    clip: str
    answer: str | None = None
    labels: str | None = None
    scores: str | None = None
    options: str | None = None
    rank: str | None = None
    ranked: tuple[tuple[str, str | None], ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def read(self) -> frozenset[str]:
        """The fields that are read."""
        single = (self.clip, self.answer, self.labels, self.scores, self.options, self.rank)
        ranked = (name for pair in self.ranked for name in pair)
        return frozenset(name for name in (*single, *ranked, *self.classes) if name is not None)


def no_class(index: int) -> str:
    """Return what an index that stands for no class is called."""
    return f"index {index}"


def layout_of(names: Sequence[str], reading: Reading, where: str) -> Layout:
    """Return which of a record's fields hold what.

    A field that is called a prediction, fields of ranks and fields of scores by class come before one that is called
    a label: that may be the true class.

    Raises:
        UsageError: no field names the clip, none holds a prediction, or several may.
    """
    clip = reading.field("clip", CLIP, names)
    if clip is None:
        raise UsageError(
            f"{where} has no field that names the clip, such as {', '.join(CLIP[:4])}; it has {_listed(names)}. "
            "Try: --field clip=NAME"
        )
    rest = [name for name in names if name != clip and not _UNNAMED.fullmatch(name.lower())]
    options = reading.field("options", OPTIONS, rest)
    predicted = reading.predicted_field(rest, where)
    answer = _answer(rest, predicted, reading)
    if answer is None and reading.words:
        answer = reading.label_field(rest, where)
    if answer is not None and ("label" not in reading.renamed or reading.words):
        return Layout(clip=clip, answer=answer, options=options)
    scores = reading.field("scores", SCORES, rest)
    rank = reading.field("rank", RANK, rest)
    labels = predicted or reading.field("label", LABELS, rest)
    if rank is not None and labels is not None:
        return Layout(clip=clip, labels=labels, rank=rank, scores=scores or reading.field("scores", SCORE, rest))
    if predicted is None and scores is None:
        if ranked := _ranked([name for name in rest if not reading.is_score(name)]):
            return ranked_layout(clip, ranked)
        if labels is None or sum(map(reading.is_score, rest)) > 1:
            return Layout(clip=clip, classes=_classes(rest, clip, labels, reading, where))
    return Layout(clip=clip, labels=labels, scores=scores)


def ranked_layout(clip: str, ranked: tuple[tuple[str, str | None], ...]) -> Layout:
    """Return the layout of label1, label2, …; one field alone may hold a list."""
    if len(ranked) == 1:
        return Layout(clip=clip, labels=ranked[0][0], scores=ranked[0][1])
    return Layout(clip=clip, ranked=ranked)


def _answer(names: Sequence[str], predicted: str | None, reading: Reading) -> str | None:
    """Return the field of these that holds an answer in words; None where none does."""
    answer = reading.field("answer", ANSWER, names)
    if answer is None or predicted is None or "answer" in reading.renamed:
        return answer
    if answer.lower() in TRUE_ANSWERS:
        return predicted
    return None if answer.lower() == "text" else answer


def _classes(names: Sequence[str], clip: str, truth: str | None, reading: Reading, where: str) -> tuple[str, ...]:
    """Return the fields of scores by class, which all but that of the true class must be.

    Raises:
        UsageError: there is none, or one names no class of the data set.
    """
    found = [name for name in names if name != truth]
    if not found:
        raise UsageError(f"{where} has no field but '{clip}'; what is predicted? Try: label, labels, scores or answer")
    others = [] if reading.is_class is None else [name for name in found if not reading.is_score(name)]
    if len(others) == len(found):
        raise UsageError(
            f"{where} has no field that is known to hold a prediction, such as prediction, scores or answer; it has "
            f"{_listed(found)}. Try: --field label=NAME"
        )
    if others:
        raise UsageError(
            f"{where} has a column of scores for each class, and columns that name no class: {_listed(others)}. "
            "Try: leave them out; scores of a class that the data set lacks may stand in an npz, with classes"
        )
    return tuple(found)


def _ranked(names: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    """Return the fields label1, label2, … in their order, each with its score's field; () where there are none."""
    found = [(match["what"] or match["of"], int(match["number"] or match["place"]), name) for name in names
             if (match := _NUMBERED.fullmatch(name.lower()))]  # fmt: skip
    scores = {number: name for what, number, name in found if what in _OF_SCORES}
    labels = sorted((number, name) for what, number, name in found if what not in _OF_SCORES)
    return tuple((name, scores.get(number)) for number, name in labels)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name:.40}'" for name in names[:6]) + (" …" if len(names) > 6 else "") if names else "none"
