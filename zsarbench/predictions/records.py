"""What a file of predictions says of one clip, whatever its form: one record of named fields becomes one prediction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zsarbench.errors import UsageError

CLIP: Final = ("clip", "clip_id", "clips", "clip_ids", "video", "video_id", "videos", "video_name", "video_path", "id",
               "ids", "path", "file", "filename", "file_name")  # fmt: skip
ANSWER: Final = ("answer", "answers", "response", "responses", "text", "output", "generated", "completion")
SCORES: Final = ("scores", "logits", "probabilities", "probs", "similarities")
LABELS: Final = ("predictions", "prediction", "predicted", "pred", "preds", "topk", "labels", "label", "class")
"""A file with true labels has both: what is called a prediction comes first."""
OPTIONS: Final = ("options", "choices")
CLASSES: Final = ("classes", "class_names")
FIELDS: Final = ("clip", "label", "scores", "answer", "options", "classes", "rank")
"""What we call the fields that a file may call otherwise."""
RANK: Final = ("rank", "place")
SCORE: Final = ("score", "probability", "prob", "confidence")
_NUMBERED = re.compile(r"(?P<what>label|pred|prediction|top|class|score|prob|probability)[ _-]?(?P<number>\d+)")
_OF_SCORES = ("score", "prob", "probability")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a file says of one clip.

    where: its place, for messages. clip: as the file calls it. labels: class names as the file spells them, best first
    where there are no scores. scores: one for each label, larger is better, NaN for none. answer: in words. options:
    those that the answer was a choice of, in their order. truth: the true class as the file has it, which shows whether
    the clip is the one that is meant, and is never scored; "" where it is not read. silence: the kind of why it names
    no class, one of `zsarbench.predictions.account.REASONS`; "" where it may.
    """

    where: str
    clip: str
    labels: tuple[str, ...] = ()
    scores: NDArray[np.float64] | None = None
    answer: str | None = None
    options: tuple[str, ...] = ()
    truth: str = ""
    silence: str = ""


@dataclass(frozen=True)
class Reading:
    """How the records of a file are read.

    renamed: the file's name of a field by ours ("clip", "label", "scores", "answer", "options"). order: the names that
    class indices and unnamed columns stand for; None: the file must name its classes. words: text is an answer in
    words, wherever it stands. clips: those that numbers of rows stand for; None: the file must name its clips.
    """

    renamed: Mapping[str, str]
    order: tuple[str, ...] | None = None
    words: bool = False
    clips: tuple[str, ...] | None = None

    def field(self, of: str, known: Sequence[str], names: Sequence[str]) -> str | None:
        """Return which of these field names holds what we call `of`; None where none does."""
        if of in self.renamed:
            named = self.renamed[of].lower()
            return next((name for name in names if name.lower() == named), None)
        lowered = {name.lower(): name for name in names}
        return next((lowered[name] for name in known if name in lowered), None)

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
        return self.order[index] if 0 <= index < len(self.order) else f"index {index}"

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
        if len(self.order) != n:
            raise UsageError(f"{where} holds {n} scores, but the order has {len(self.order)} classes")
        return self.order


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


def layout_of(names: Sequence[str], reading: Reading, where: str) -> Layout:
    """Return which of a record's fields hold what.

    Raises:
        UsageError: no field names the clip, or none holds a prediction.
    """
    clip = reading.field("clip", CLIP, names)
    if clip is None:
        raise UsageError(
            f"{where} has no field that names the clip, such as {', '.join(CLIP[:4])}; it has {_listed(names)}. "
            "Try: --field clip=NAME"
        )
    rest = [name for name in names if name != clip]
    options = reading.field("options", OPTIONS, rest)
    answer = reading.field("answer", ANSWER, rest)
    labels = reading.field("label", LABELS, rest)
    if answer is None and reading.words:
        answer = labels
    if answer is not None and ("label" not in reading.renamed or reading.words):
        return Layout(clip=clip, answer=answer, options=options)
    scores = reading.field("scores", SCORES, rest)
    rank = reading.field("rank", RANK, rest)
    if rank is not None and labels is not None:
        return Layout(clip=clip, labels=labels, rank=rank, scores=scores or reading.field("scores", SCORE, rest))
    if scores is not None or labels is not None:
        return Layout(clip=clip, labels=labels, scores=scores)
    if ranked := _ranked(rest):
        return Layout(clip=clip, ranked=ranked)
    if not rest:
        raise UsageError(f"{where} has no field but '{clip}'; what is predicted? Try: label, labels, scores or answer")
    return Layout(clip=clip, classes=tuple(rest))


def _ranked(names: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    """Return the fields label1, label2, … in their order, each with its score's field; () where there are none."""
    found = [(match["what"], int(match["number"]), name) for name in names
             if (match := _NUMBERED.fullmatch(name.lower()))]  # fmt: skip
    scores = {number: name for what, number, name in found if what in _OF_SCORES}
    labels = sorted((number, name) for what, number, name in found if what not in _OF_SCORES)
    return tuple((name, scores.get(number)) for number, name in labels)


def prediction_of(record: Mapping[str, Any], layout: Layout, reading: Reading, where: str) -> Prediction:
    """Return the prediction of a record; one without labels and answer says nothing of its clip.

    Raises:
        UsageError: a value has another form than its field, or class indices have no order.
    """
    clip = record.get(layout.clip)
    if isinstance(clip, int) and not isinstance(clip, bool):
        clip = str(clip)
    if not isinstance(clip, str) or not clip:
        raise UsageError(f"{where} has no text in '{layout.clip}', which names the clip")
    if layout.answer is not None:
        options = _texts(record.get(layout.options), where) if layout.options else ()
        return Prediction(where=where, clip=clip, answer=_words(record.get(layout.answer), where), options=options)
    if layout.classes:
        cells = [number(record.get(name), where) for name in layout.classes]
        names = tuple(reading.class_at(int(name), where) if name.isdecimal() else name for name in layout.classes)
        return Prediction(where=where, clip=clip, labels=names, scores=np.array(cells))
    if layout.ranked:
        pairs = [(record.get(label), record.get(score) if score else None) for label, score in layout.ranked]
        pairs = [pair for pair in pairs if not _is_nothing(pair[0])]
        labels = tuple(label_of(label, reading, where) for label, _ in pairs)
        scored = layout.ranked[0][1] is not None
        return _checked(where, clip, labels, [number(score, where) for _, score in pairs] if scored else None)
    labels, values = _named(record, layout, reading, where)
    return _checked(where, clip, labels, values)


def value_of(clip: str, value: Any, reading: Reading, where: str, *, matrix: bool = False) -> Prediction:
    """Return the prediction that is a value under the clip's name; matrix: whether lists of numbers are scores.

    Raises:
        UsageError: it has none of the forms of a prediction.
    """
    if reading.words:
        return Prediction(where=where, clip=clip, answer=_words(value, where))
    if isinstance(value, Mapping) and value and not all(_is_number(one) for one in value.values()):
        record = {"clip": clip, **value}
        return prediction_of(record, layout_of(tuple(record), Reading({}, reading.order), where), reading, where)
    return _checked(where, clip, *parsed(value, reading, where, matrix=matrix))


def _named(
    record: Mapping[str, Any], layout: Layout, reading: Reading, where: str
) -> tuple[tuple[str, ...], list[float] | None]:
    """Return labels and scores of the fields that have these names."""
    scores = record.get(layout.scores) if layout.scores else None
    if isinstance(scores, Mapping):
        return parsed(scores, reading, where)
    label = record.get(layout.labels) if layout.labels else None
    if isinstance(scores, list) and not (isinstance(label, list) and len(label) == len(scores)):
        return parsed(scores, reading, where, matrix=True)
    labels, own = parsed(label, reading, where)
    if scores is None or own is not None:
        return labels, own
    values = [number(score, where) for score in (scores if isinstance(scores, list) else [scores])]
    return labels, values if len(values) == len(labels) else None


def parsed(
    value: Any, reading: Reading, where: str, *, matrix: bool = False
) -> tuple[tuple[str, ...], list[float] | None]:
    """Return the labels of a value, and their scores where it has some.

    A value is one label, a list of labels best first, a list of [label, score], an object of scores by label, or with
    `matrix` a list of the scores of all classes. A label is a name or an index.
    """
    if _is_nothing(value):
        return (), None
    if isinstance(value, Mapping):
        names = tuple(reading.class_at(int(name), where) if name.isdecimal() else name for name in value)
        return names, [number(one, where) for one in value.values()]
    if not isinstance(value, list):
        return (label_of(value, reading, where),), None
    if matrix:
        return reading.columns(len(value), where), [number(one, where) for one in value]
    if value and all(isinstance(one, list) and len(one) == 2 for one in value):
        return tuple(label_of(one[0], reading, where) for one in value), [number(one[1], where) for one in value]
    return tuple(label_of(one, reading, where) for one in value if not _is_nothing(one)), None


def label_of(value: Any, reading: Reading, where: str) -> str:
    """Return a label as a name; a number, or text of digits that is not a known name, is an index.

    Raises:
        UsageError: it is neither, or an index without an order of the classes.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{where} has a label that is neither a name nor an index: {value!r:.60}")
    if isinstance(value, str):
        return reading.class_at(int(value), where) if _is_index(value, reading) else value
    if value not in (float("inf"), float("-inf")) and value == int(value):
        return reading.class_at(int(value), where)
    raise UsageError(f"{where} has the label {value}; a label is a name or an index")


def _is_index(text: str, reading: Reading) -> bool:
    return text.isdecimal() and text.isascii() and text not in (reading.order or ())


def number(value: Any, where: str) -> float:
    """Return a score; NaN where there is none.

    Raises:
        UsageError: it is not a number.
    """
    if _is_nothing(value):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"{where} has the score {value!r:.60}, which is not a number") from None


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _is_nothing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and np.isnan(value))


def _words(value: Any, where: str) -> str:
    if _is_nothing(value):
        return ""
    if not isinstance(value, str):
        raise UsageError(f"{where} has an answer that is not text: {value!r:.60}")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if _is_nothing(value):
        return ()
    texts = value.split("|") if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{where} has options that are not a list of texts: {value!r:.60}")
    return tuple(text.strip() for text in texts)


def _checked(where: str, clip: str, labels: tuple[str, ...], scores: list[float] | None) -> Prediction:
    return Prediction(where=where, clip=clip, labels=labels, scores=None if scores is None else np.array(scores))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name:.40}'" for name in names[:6]) + (" …" if len(names) > 6 else "") if names else "none"
