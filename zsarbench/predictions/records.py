"""What a file of predictions says of one clip, whatever its form: one record of named fields becomes one prediction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsarbench.errors import UsageError
from zsarbench.predictions.layouts import LABELS, SCORE, Layout, Reading
from zsarbench.predictions.options import listed

_NUMBER_OF_CLASS = re.compile(r"\d+(?:\.0+)?", re.ASCII)  # whole numbers beside an empty cell are written as 3.0


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
        cells = [number(record.get(name), f"{where}, '{name:.40}'") for name in layout.classes]
        names = tuple(reading.class_at(int(name), where) if name.isdecimal() else name for name in layout.classes)
        return Prediction(where=where, clip=clip, labels=names, scores=np.array(cells))
    if layout.ranked:
        pairs = [(record.get(label), record.get(score) if score else None) for label, score in layout.ranked]
        pairs = [pair for pair in pairs if not _is_nothing(pair[0])]
        labels = tuple(label_of(label, reading, where) for label, _ in pairs)
        scored = layout.ranked[0][1] is not None
        values = [number(score, where) for _, score in pairs] if scored else None
        check_ranks(values, where)
        return _checked(where, clip, labels, values)
    labels, values = _named(record, layout, reading, where)
    return _checked(where, clip, labels, values)


def value_of(clip: str, value: Any, reading: Reading, where: str, *, matrix: bool = False) -> Prediction:
    """Return the prediction that is a value under the clip's name; matrix: whether lists of numbers are scores.

    Raises:
        UsageError: it has none of the forms of a prediction.
    """
    if reading.words:
        return Prediction(where=where, clip=clip, answer=_words(value, where))
    return _checked(where, clip, *parsed(value, reading, where, matrix=matrix))


def check_ranks(scores: Sequence[float] | NDArray[np.float64] | None, where: str) -> None:
    """Check that scores do not contradict the ranks in whose order they are.

    Raises:
        UsageError: a worse rank has a higher one.
    """
    if scores is not None and (np.diff(np.asarray(scores, dtype=np.float64)) > 0).any():
        raise UsageError(f"{where} has a higher score at a worse rank; are they distances? Try: leave the scores out")


def is_record(value: Any) -> bool:
    """Return whether a value is an object of fields, and not one of scores by class."""
    return isinstance(value, Mapping) and bool(value) and not all(_is_number(one) for one in value.values())


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

    A value is one label, a list of labels best first, a list of [label, score] or of objects with these fields, an
    object of scores by label, or with `matrix` a list of the scores of all classes. A label is a name or an index.

    Raises:
        UsageError: it is none of these, or may be both indices and scores.
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
    if value and all(isinstance(one, Mapping) for one in value):
        value = [_pair(one, where) for one in value]
    if value and all(isinstance(one, list) and len(one) == 2 for one in value):
        return tuple(label_of(one[0], reading, where) for one in value), [number(one[1], where) for one in value]
    if len(value) == len(reading.order or ()) and _repeats_a_number(value):
        raise UsageError(
            f"{where} has a whole number for each class, and one of them twice: scores, or indices of classes? "
            "Try: write scores with a decimal point, as 1.0"
        )
    return tuple(label_of(one, reading, where) for one in value if not _is_nothing(one)), None


def _pair(one: Mapping[str, Any], where: str) -> list[Any]:
    """Return label and score of an object that holds both."""
    label, score = (next((name for name in known if name in one), None) for known in (LABELS, SCORE))
    if label is None or score is None:
        raise UsageError(f"{where} has an object without label and score among its labels; it has {', '.join(one):.60}")
    return [one[label], one[score]]


def _repeats_a_number(values: Sequence[Any]) -> bool:
    return all(type(one) is int for one in values) and len(set(values)) < len(values)


def label_of(value: Any, reading: Reading, where: str) -> str:
    """Return a label as a name; a number, or text of digits that is not a known name, is an index.

    Raises:
        UsageError: it is neither, or an index without an order of the classes.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{where} has a label that is neither a name nor an index: {value!r:.60}")
    if isinstance(value, str):
        is_index = _NUMBER_OF_CLASS.fullmatch(value) and value not in (reading.order or ())
        return reading.class_at(int(value.partition(".")[0]), where) if is_index else value
    if value not in (float("inf"), float("-inf")) and value == int(value):
        return reading.class_at(int(value), where)
    raise UsageError(f"{where} has the label {value}; a label is a name or an index")


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
    if not (texts := listed(value)):
        raise UsageError(f"{where} has options that are not a list of two texts or more: {value!r:.60}")
    return texts


def _checked(where: str, clip: str, labels: tuple[str, ...], scores: list[float] | None) -> Prediction:
    return Prediction(where=where, clip=clip, labels=labels, scores=None if scores is None else np.array(scores))
