"""Predictions of a file as scores of a protocol's clips and classes, with every row accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zsarbench.predictions import account as kinds
from zsarbench.predictions.account import Account, Tally
from zsarbench.predictions.records import Prediction
from zsarbench.utils.class_names import match
from zsarbench.utils.clip_names import ClipNames

if TYPE_CHECKING:
    import pandas as pd

DEPTH = 5
"""The largest k of the top-k accuracies of any setting."""


class Classes:
    """The classes of a data set as labels spell them: by name or alias, each spelling looked up once."""

    def __init__(self, names: Sequence[str], aliases: Mapping[str, str]) -> None:
        self.names = tuple(names)
        self.aliases = aliases
        self._number = {name: number for number, name in enumerate(self.names)}
        self._found: dict[str, int] = {}
        self._places: dict[tuple[str, ...], NDArray[np.int64]] = {}

    def find(self, label: str) -> int:
        """Return the position of a label's class, -1 where it is none."""
        if label not in self._found:
            official = match(label, self.names, self.aliases)
            self._found[label] = -1 if official is None else self._number[official]
        return self._found[label]

    def places(self, labels: tuple[str, ...]) -> NDArray[np.int64]:
        """Return the position of each label's class, -1 where it is none."""
        if labels not in self._places:
            self._places[labels] = np.array([self.find(label) for label in labels], dtype=np.int64)
        return self._places[labels]


@dataclass(frozen=True)
class Matched:
    """Predictions as scores.

    scores: (N, C) of the tested clips and the classes of the data set; minus infinity for a class that was not
    predicted, NaN for a clip without a prediction that counts. failures: kinds of `account.REASONS`, by clip.
    in_file: (N,) whether the file has the clip.
    """

    scores: NDArray[np.float32]
    failures: Mapping[str, str]
    in_file: NDArray[np.bool_]
    account: Account


def clip_names(manifest: pd.DataFrame) -> ClipNames:
    """Return the names of a data set's clips: ids, and the names of videos; manifest: checked."""
    ids = manifest["clip_id"]
    if "video" not in manifest:
        return ClipNames(ids)
    videos = zip(ids, manifest["video"], strict=True)
    return ClipNames(ids, {clip: video for clip, video in videos if isinstance(video, str)})


def matched(
    predictions: Iterable[Prediction],
    labels: Mapping[str, str],
    candidates: frozenset[int],
    clips: ClipNames,
    classes: Classes,
) -> Matched:
    """Return the scores of the tested clips that predictions give, with the account of all rows.

    labels: the class of each tested clip. candidates: positions of the classes that are a candidate in any round.
    """
    tally, tested = Tally(), tuple(labels)
    rows_of, n_rows = _by_clip(predictions, frozenset(tested), clips, classes, tally)
    present = {labels[clip] for clip in rows_of}
    for label in labels.values():
        if label not in present:
            tally.add(kinds.ABSENT, label)
    for clip, rows in rows_of.items():
        truths = {place for row in rows if row.truth and (place := classes.find(row.truth)) >= 0}
        if truths - {classes.find(labels[clip])}:
            tally.add(kinds.OTHER_TRUTH, clip)
    scores = np.full((len(tested), len(classes.names)), np.nan, dtype=np.float32)
    failures: dict[str, str] = {}
    for number, clip in enumerate(tested):
        found = _scores_of(rows_of.get(clip, []), classes, candidates, tally)
        if isinstance(found, str):
            failures[clip] = found
            tally.add(found, clip)
        else:
            scores[number] = found
    account = Account(
        n_rows=n_rows,
        n_expected=len(tested),
        n_predicted=len(tested) - len(failures),
        n_unscored=sum(rows[0].scores is None for clip, rows in rows_of.items() if clip not in failures),
        findings=tally.findings(),
    )
    return Matched(scores, failures, np.array([clip in rows_of for clip in tested]), account)


def _by_clip(
    predictions: Iterable[Prediction], tested: frozenset[str], clips: ClipNames, classes: Classes, tally: Tally
) -> tuple[dict[str, list[Prediction]], int]:
    """Return the predictions of each tested clip, those that are equal once, and the number of all."""
    rows_of: dict[str, list[Prediction]] = {}
    n_rows = 0
    for prediction in predictions:
        n_rows += 1
        clip = clips.find(prediction.clip)
        if clip is None:
            tally.count(kinds.UNKNOWN, prediction.clip)
        elif clip not in tested:
            tally.count(kinds.OTHER, clip)
        elif any(_equal(prediction, earlier, classes) for earlier in rows_of.get(clip, ())):
            tally.count(kinds.REPEATED, clip)
        else:
            rows_of.setdefault(clip, []).append(prediction)
    return rows_of, n_rows


def _equal(one: Prediction, other: Prediction, classes: Classes) -> bool:
    """Return whether two predictions say the same, in whatever spelling of the classes."""
    if (one.answer, one.options, one.silence) != (other.answer, other.options, other.silence):
        return False
    if one.labels != other.labels and not np.array_equal(classes.places(one.labels), classes.places(other.labels)):
        return False
    if one.scores is None or other.scores is None:
        return one.scores is other.scores
    return bool(np.array_equal(one.scores, other.scores, equal_nan=True))


def _scores_of(
    rows: Sequence[Prediction], classes: Classes, candidates: frozenset[int], tally: Tally
) -> NDArray[np.float32] | str:
    """Return the scores (C,) of a clip with these predictions, or the kind of why it has none.

    A label that is not a class keeps its place among those of the candidates: as the best one it makes the clip wrong;
    among the first five, nothing behind the fifth counts, so that none moves up into them.
    """
    if len(rows) != 1:
        return kinds.CONTRADICTORY if rows else kinds.MISSING
    [prediction] = rows
    if prediction.silence:
        return prediction.silence
    places, values = classes.places(prediction.labels), prediction.scores
    if values is None:
        values = -np.arange(len(places), dtype=np.float64)
    elif len(values) != len(places) or np.isnan(values).any():
        return kinds.EMPTY
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > -np.inf]
    if not len(order):
        return kinds.EMPTY
    known = places[order] >= 0
    if not known.all():
        for at in np.flatnonzero(places < 0):
            tally.add(kinds.UNKNOWN_LABELS, prediction.labels[at])
        competing = order[~known | np.isin(places[order], list(candidates))]
        foreign = places[competing] < 0
        if foreign[values[competing] == values[competing[0]]].any():
            return kinds.FOREIGN
        order = order[known]
        if foreign[:DEPTH].any() and len(competing) > DEPTH:
            order = order[values[order] > values[competing[DEPTH]]]
    first = np.unique(places[order], return_index=True)[1]
    for at in np.setdiff1d(np.arange(len(order)), first):
        tally.count(kinds.REPEATED_LABELS, prediction.labels[order[at]])
    kept = order[np.sort(first)]
    for at in kept[~np.isin(places[kept], list(candidates))] if len(candidates) < len(classes.names) else ():
        tally.add(kinds.NO_CANDIDATES, prediction.labels[at])
    scores = np.full(len(classes.names), -np.inf, dtype=np.float32)
    scores[places[kept]] = _as_float32(values[kept])
    return scores


def _as_float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return scores as they are stored; their order alone, where two that differ would become equal."""
    with np.errstate(over="ignore", under="ignore"):
        single = values.astype(np.float32)
    distinct, order = np.unique(values, return_inverse=True)
    if len(np.unique(single)) == len(distinct) and np.isfinite(single).all():
        return single
    return (order - len(distinct)).astype(np.float32)
