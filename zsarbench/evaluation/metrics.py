"""Metrics of scores (N, C) against labels (N,), with ties, unread clips and averages defined.

Every top-k accuracy here is the expectation under uniform tie-breaking: a clip whose true class shares its score with
others is correct with the probability that a random order of the tied classes puts it among the first k. Constant
scores therefore give exactly k/C, whatever the order of the classes. A clip whose row holds any NaN was not read (or
not scored) and is wrong at every k. So is one whose true class has minus infinity, the score of classes that were not
predicted at all: where a file names one class for a clip, the others share no places. Plus infinity is an ordinary
score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.arrays import Index, Mask, Scores, Values, check_both_kinds, checked, checked_seen, unread
from zsarbench.evaluation.ausuc import ausuc
from zsarbench.evaluation.settings import SETTINGS, Average, Metric, Setting, SettingRules, harmonic_mean
from zsarbench.interfaces import Denominator


class Ranks(NamedTuple):
    """How many of the C candidates beat the true class of each of N clips, and how many tie with it.

    `greater` (N,) counts strictly larger scores, `equal` (N,) the tied ones, the true class included. A clip that was
    not read, or whose true class was not predicted, has `greater == n_classes`: it is behind every candidate. `read`
    (N,): whether a clip was.
    """

    greater: Values
    equal: Values
    read: Mask
    n_classes: int

    def correct(self, k: int) -> Values:
        """Return the probability (N,) that the true class is among the first k under uniform tie-breaking.

        Raises:
            ValueError: k is less than 1 or more than the number of candidates.
        """
        if not 1 <= k <= self.n_classes:
            raise ValueError(f"k is {k}, but must lie between 1 and the {self.n_classes} candidate classes")
        return np.clip((k - self.greater) / self.equal, 0.0, 1.0)

    def counted(self, denominator: Denominator) -> Mask:
        """Return which clips (N,) the denominator counts: all, or those that were read."""
        return self.read if denominator == "survivors" else np.full(len(self.read), True)


def ranks(scores: Scores, labels: Index) -> Ranks:
    """Rank the true class of every clip by counting, without sorting.

    scores: (N, C), larger is better. labels: (N,), indices into the columns.

    Raises:
        ValueError: shapes disagree, a label is not a column (-1 included) or there is no clip.
    """
    scores, labels = checked(scores, labels)
    n_classes = scores.shape[1]
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    greater = np.count_nonzero(scores > own, axis=1).astype(np.float64)
    equal = np.count_nonzero(scores == own, axis=1).astype(np.float64)
    read = ~unread(scores)
    # NaN compares false with everything, which would rank unread clips first.
    greater[~read | (own[:, 0] == -np.inf)] = n_classes
    # A clip whose own score is NaN has no ties; 1 keeps the division defined and the result 0.
    return Ranks(greater, np.maximum(equal, 1.0), read, n_classes)


def topk_expectation(scores: Scores, labels: Index, k: int) -> Values:
    """Return the probability (N,) that each clip is correct at k under uniform tie-breaking.

    With g scores above the true class's and e equal to it (itself included) this is (k - g) / e, clipped to [0, 1].

    >>> topk_expectation(np.array([[0.9, 0.1, 0.0], [0.5, 0.5, 0.5], [np.nan, 0.1, 0.2]]), np.array([0, 1, 2]), 1)
    array([1.        , 0.33333333, 0.        ])
    """
    return ranks(scores, labels).correct(k)


def per_video(correct: ArrayLike) -> float:
    """Return the mean over clips of `correct` (N,).

    >>> per_video([1.0, 0.0, 0.0, 1.0])
    0.5
    """
    values = np.asarray(correct, dtype=np.float64)
    if values.size == 0:
        raise ValueError("there are no clips to average over")
    return float(values.mean())


def per_class(correct: ArrayLike, labels: Index, n_classes: int) -> float:
    """Return the mean over classes of each class's mean of `correct` (N,).

    Classes without a clip are left out of the mean; `labels` (N,) lie in [0, n_classes).

    >>> per_class([1.0, 1.0, 1.0, 0.0], np.array([0, 0, 0, 2]), n_classes=3)
    0.5
    """
    values = np.asarray(correct, dtype=np.float64)
    if values.size == 0:
        raise ValueError("there are no clips to average over")
    clips = np.bincount(labels, minlength=n_classes)
    sums = np.bincount(labels, weights=values, minlength=n_classes)
    present = clips > 0
    return float((sums[present] / clips[present]).mean())


def evaluate(
    scores: Scores,
    labels: Index,
    *,
    setting: Setting = "zsl",
    seen: Mask | None = None,
    denominator: Denominator = "all",
    metrics: Sequence[str] | None = None,
    ranked: Ranks | None = None,
) -> dict[str, float]:
    """Return the metrics of one round by name, as fractions in [0, 1].

    A top-k accuracy is left out where there are k candidates or fewer, unless k is 1.

    Args:
        scores: (N, C), larger is better, NaN where a clip was not read.
        labels: (N,), indices into the columns.
        setting: decides which metrics there are and which candidates compete for a clip; see `SETTINGS`.
        seen: (C,), the mask of seen classes, where the setting has them among the candidates. A clip counts as seen by
            its label.
        denominator: under "survivors" unread clips leave the denominator instead of counting as wrong.
        metrics: names; None: all of the setting.
        ranked: what `ranks` returns for the same scores and labels, where it is known.

    Raises:
        UsageError: the setting has no metric of a name.
        ZsarbenchError: no clip is left to average over, or the clips of one kind are missing.
        ValueError: shapes or labels are wrong, or `seen` is missing.

    >>> evaluate(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), np.array([0, 1, 1]), metrics=["top1_per_class"])
    {'top1_per_class': 0.75}
    """
    rules = SETTINGS[setting]
    requested = rules.parse(metrics)
    scores, labels = checked(scores, labels)
    seen = _seen(rules, seen, scores.shape[1])
    if rules.own_kind_only:
        scores, ranked = among_own_kind(scores, labels, seen), None
    ranked = ranked or ranks(scores, labels)
    counted = ranked.counted(denominator)
    if not counted.any():
        raise ZsarbenchError(
            f"none of the {len(counted)} test clips has scores, so the denominator 'survivors' is empty; "
            "see the result's list of failed clips, or use --denominator all"
        )
    judged = _Judged(rules, scores, labels, seen, ranked, counted)
    if rules.sides:
        check_both_kinds(seen[labels[counted]])
    n_classes = scores.shape[1]
    return {metric.name: judged.value(metric) for metric in requested if metric.k == 1 or metric.k < n_classes}


@dataclass(frozen=True)
class _Judged:
    """The clips of one round with the ranks of their true classes; counted: (N,), which of them a metric averages."""

    rules: SettingRules
    scores: Scores
    labels: Index
    seen: Mask
    ranked: Ranks
    counted: Mask

    def value(self, metric: Metric) -> float:
        if metric.kind == "ausuc":
            return ausuc(self.scores[self.counted], self.labels[self.counted], self.seen)
        if metric.kind == "harmonic_mean":
            return harmonic_mean(*map(self.value, self.rules.of_sides(metric)))
        counted = self.counted
        if metric.side is not None:
            counted = counted & (self.seen[self.labels] == metric.side.of_seen)
        return averaged(self.ranked.correct(metric.k)[counted], self.labels[counted], metric.average)


def averaged(correct: Values, labels: Index, average: Average) -> float:
    """Return the mean of `correct` (N,) over clips, or over classes first within each; see `per_class`."""
    return per_video(correct) if average == "per_video" else per_class(correct, labels, int(labels.max()) + 1)


def among_own_kind(scores: Scores, labels: Index, seen: Mask) -> Scores:
    """Return scores (N, C) with minus infinity where a clip's class is seen and the column's is not, or vice versa.

    A row that holds NaN keeps it: that clip was not read.
    """
    other = seen[labels][:, None] != seen[None, :]
    return np.where(other & ~np.isnan(scores), np.array(-np.inf, dtype=scores.dtype), scores)


def _seen(rules: SettingRules, seen: Mask | None, n_classes: int) -> Mask:
    """Return the mask (C,) of the candidates that are seen."""
    if not rules.seen_are_candidates:
        return np.zeros(n_classes, dtype=np.bool_)
    if seen is None:
        raise ValueError(f"the setting {rules.name} needs `seen`, the mask (C,) of seen classes")
    return checked_seen(seen, n_classes)
