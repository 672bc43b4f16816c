"""Accuracy of scores (N, C) against labels (N,), with ties, unread clips and averages declared.

Every top-k figure here is the expectation under uniform tie-breaking: a clip whose true class shares its score with
others is correct with the probability that a random order of the tied classes puts it among the first k. Constant
scores therefore give exactly k/C, whatever the order of the classes. A clip whose row holds any NaN was not read (or
not scored) and is wrong at every k. Infinities are ordinary scores: they compare and tie as numbers do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsarbench.errors import UsageError, ZsarbenchError, unknown

Scores: TypeAlias = NDArray[np.floating[Any]]
Values: TypeAlias = NDArray[np.float64]
Index: TypeAlias = NDArray[np.integer[Any]]
Setting: TypeAlias = Literal["zsl", "gzsl", "base-to-novel"]
Denominator: TypeAlias = Literal["all", "survivors"]

ZSL_METRICS = ("top1_per_video", "top1_per_class", "top5_per_video", "top5_per_class")
GZSL_METRICS = (
    *ZSL_METRICS,
    "top1_per_video_seen",
    "top1_per_video_unseen",
    "top1_per_class_seen",
    "top1_per_class_unseen",
    "harmonic_mean",
    "harmonic_mean_per_video",
    "ausuc",
)
BASE_TO_NOVEL_METRICS = (
    "top1_per_video_base",
    "top1_per_video_novel",
    "top1_per_class_base",
    "top1_per_class_novel",
    "harmonic_mean_per_video",
)
_METRICS = {"zsl": ZSL_METRICS, "gzsl": GZSL_METRICS, "base-to-novel": BASE_TO_NOVEL_METRICS}
SIDES: Mapping[Setting, tuple[str, ...]] = {
    "zsl": ("",),
    "gzsl": ("_seen", "_unseen"),
    "base-to-novel": ("_base", "_novel"),
}
"""What the names of accuracies end in that are of clips of seen classes, then of unseen ones; of all in `zsl`."""


class Ranks(NamedTuple):
    """Holds, for N clips, how many of the C candidates beat the true class and how many tie with it.

    `greater` (N,) counts strictly larger scores, `equal` (N,) the tied ones, the true class included. A clip that was
    not read has `greater == n_classes`: it is behind every candidate.
    """

    greater: Values
    equal: Values
    n_classes: int

    @property
    def read(self) -> NDArray[np.bool_]:
        """Tells which of the N clips have scores."""
        return self.greater < self.n_classes

    def correct(self, k: int) -> Values:
        """Return the probability (N,) that the true class is among the first k under uniform tie-breaking."""
        if not 1 <= k <= self.n_classes:
            raise ValueError(f"k is {k}, but must lie between 1 and the {self.n_classes} candidate classes")
        return np.clip((k - self.greater) / self.equal, 0.0, 1.0)

    def take(self, clips: NDArray[Any]) -> Ranks:
        """Return the ranks of some of the clips (an index or a mask)."""
        return Ranks(self.greater[clips], self.equal[clips], self.n_classes)


def ranks(scores: Scores, labels: Index) -> Ranks:
    """Rank the true class of every clip by counting, without sorting.

    `scores` (N, C), larger is better; `labels` (N,) index the columns. Raises ValueError where shapes disagree, a
    label is no column (-1 included) or there is no clip.
    """
    scores, labels = _checked(scores, labels)
    n_classes = scores.shape[1]
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    greater = np.count_nonzero(scores > own, axis=1).astype(np.float64)
    equal = np.count_nonzero(scores == own, axis=1).astype(np.float64)
    return _unread_last(Ranks(greater, equal, n_classes), _unread(scores))


def topk_expectation(scores: Scores, labels: Index, k: int) -> Values:
    """Return the probability (N,) that each clip is correct at k under uniform tie-breaking.

    With g scores above the true class's and e equal to it (itself included) this is (k - g) / e, held within [0, 1].

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
        raise ValueError("accuracy is asked for over no clips")
    return float(values.mean())


def per_class(correct: ArrayLike, labels: Index, n_classes: int) -> float:
    """Return the mean over classes of each class's mean of `correct` (N,).

    Classes without a clip are left out of the mean; `labels` (N,) lie in [0, n_classes).

    >>> per_class([1.0, 1.0, 1.0, 0.0], np.array([0, 0, 0, 2]), n_classes=3)
    0.5
    """
    values = np.asarray(correct, dtype=np.float64)
    if values.size == 0:
        raise ValueError("accuracy is asked for over no clips")
    clips = np.bincount(labels, minlength=n_classes)
    sums = np.bincount(labels, weights=values, minlength=n_classes)
    present = clips > 0
    return float((sums[present] / clips[present]).mean())


def harmonic_mean(seen: float, unseen: float) -> float:
    """Return 2su / (s + u), the summary of seen and unseen accuracy in the generalised setting; 0 where both are 0.

    >>> harmonic_mean(0.6, 0.3)
    0.4
    """
    return 2.0 * seen * unseen / (seen + unseen) if seen + unseen > 0 else 0.0


def calibrated_stacking(scores: Scores, seen: NDArray[np.bool_], bias: float) -> Values:
    """Return scores (N, C) with `bias` taken off the seen classes' columns (Chao et al. 2016, arXiv:1605.04253).

    >>> calibrated_stacking(np.array([[0.75, 0.5]]), np.array([True, False]), bias=0.5)
    array([[0.25, 0.5 ]])
    """
    seen = _checked_seen(seen, scores.shape[1])
    wide = np.asarray(scores, dtype=np.float64)
    return np.where(seen, wide - bias, wide)


def ausuc(scores: Scores, labels: Index, seen: NDArray[np.bool_]) -> float:
    """Return the area under the seen-unseen accuracy curve, accuracies averaged per class.

    The curve is drawn by the bias of `calibrated_stacking` going from minus to plus infinity. Every clip changes sides
    at one bias, its best seen score minus its best unseen score, so the area is exact: accuracies are summed over these
    critical values, not sampled on a grid. Clips that change at the very same bias are joined by a straight line, which
    is what breaking their ties at random reaches. Where a clip's best scores on both sides are the same infinity, its
    critical value is 0. `scores` (N, C), `labels` (N,), `seen` (C,); source: Chao et al. 2016, arXiv:1605.04253.

    >>> ausuc(np.array([[0.9, 0.1], [0.2, 0.3]]), np.array([0, 1]), np.array([True, False]))
    1.0
    """
    scores, labels = _checked(scores, labels)
    seen = _checked_seen(seen, scores.shape[1])
    if seen.all() or not seen.any():
        raise ValueError("the seen-unseen curve needs candidates of both kinds")
    of_seen = seen[labels]
    _check_both_kinds(of_seen)
    unread = _unread(scores)
    known = np.where(unread[:, None], 0.0, scores).astype(np.float64)

    best_seen, best_unseen = known[:, seen].max(axis=1), known[:, ~seen].max(axis=1)
    best = np.where(of_seen, best_seen, best_unseen)
    ties = np.count_nonzero((known == best[:, None]) & (seen[None, :] == of_seen[:, None]), axis=1)
    hit = (known[np.arange(len(labels)), labels] == best) / ties
    with np.errstate(invalid="ignore"):  # inf - inf: both sides equal, decided on the next line
        critical = np.where(best_seen == best_unseen, 0.0, best_seen - best_unseen)
    # No finite bias brings these clips to the side of their class.
    hit[unread | (of_seen & (critical == -np.inf)) | (~of_seen & (critical == np.inf))] = 0.0

    clips_of_class = np.bincount(labels, minlength=len(seen))
    classes_of_kind = np.where(of_seen, (clips_of_class[seen] > 0).sum(), (clips_of_class[~seen] > 0).sum())
    share = hit / clips_of_class[labels] / classes_of_kind
    step = np.unique(critical, return_inverse=True)[1].reshape(-1)
    seen_lost = np.bincount(step, weights=share * of_seen)
    unseen_won = np.bincount(step, weights=share * ~of_seen)
    seen_after = seen_lost.sum() - np.cumsum(seen_lost)
    return float((unseen_won * (seen_after + 0.5 * seen_lost)).sum())


def evaluate(
    scores: Scores,
    labels: Index,
    *,
    setting: Setting = "zsl",
    seen: NDArray[np.bool_] | None = None,
    denominator: Denominator = "all",
    metrics: Sequence[str] | None = None,
) -> dict[str, float]:
    """Return the metrics of one round by name, as fractions in [0, 1].

    `scores` (N, C), larger is better, NaN where a clip was not read; `labels` (N,) index the columns. In `gzsl` the
    mask `seen` (C,) is needed and a clip counts as seen by its label; `harmonic_mean` is that of the per-class
    accuracies, `harmonic_mean_per_video` that of the per-video ones. In `base-to-novel` the mask is needed as well, and
    a clip is named among the classes of its own kind: the columns of the other are left out of its row. Under
    `survivors` unread clips leave the denominator instead of counting as wrong. `metrics` picks names (default: all of
    the setting); top-5 is left out at five candidates or fewer. Raises UsageError for an unknown metric,
    ZsarbenchError where no clip is left to average over, ValueError where shapes or labels are wrong.

    >>> evaluate(np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), np.array([0, 1, 1]), metrics=["top1_per_class"])
    {'top1_per_class': 0.75}
    """
    wanted = check_metrics(metrics, setting)
    scores, labels = _checked(scores, labels)
    if setting == "base-to-novel" and seen is not None:
        scores = among_own_kind(scores, labels, _checked_seen(seen, scores.shape[1]))
    ranked = ranks(scores, labels)
    if denominator == "survivors":
        keep = _survivors(ranked)
        ranked, scores, labels = ranked.take(keep), scores[keep], labels[keep]
    values = _accuracies(ranked, labels)
    if setting != "zsl":
        if seen is None:
            raise ValueError(f"the setting {setting} needs `seen`, the mask (C,) of seen classes")
        seen = _checked_seen(seen, scores.shape[1])
        values |= _of_both_kinds(ranked.correct(1), labels, seen, SIDES[setting])
        if "ausuc" in wanted:
            values["ausuc"] = ausuc(scores, labels, seen)
    return {name: values[name] for name in wanted if name in values}


def check_metrics(metrics: Sequence[str] | None, setting: Setting) -> tuple[str, ...]:
    """Return the metric names to compute in a setting (None: all of them); UsageError for a name it does not have."""
    known = _METRICS[setting]
    for name in metrics or ():
        if name not in known:
            raise UsageError(unknown(f"metric of the setting {setting}", name, known))
    return known if metrics is None else tuple(metrics)


def _accuracies(ranked: Ranks, labels: Index) -> dict[str, float]:
    """Average top-1, and top-5 where there are more than five candidates, over clips and over classes."""
    values = {}
    for k in (1, 5):
        if k == 1 or ranked.n_classes > 5:
            correct = ranked.correct(k)
            values[f"top{k}_per_video"] = per_video(correct)
            values[f"top{k}_per_class"] = per_class(correct, labels, int(labels.max()) + 1)
    return values


def among_own_kind(scores: Scores, labels: Index, seen: NDArray[np.bool_]) -> Scores:
    """Return scores (N, C) with minus infinity where a clip's class is seen and the column's is not, or vice versa.

    A row that holds NaN keeps it: that clip was not read.
    """
    other = seen[labels][:, None] != seen[None, :]
    return np.where(other & ~np.isnan(scores), np.array(-np.inf, dtype=scores.dtype), scores)


def _of_both_kinds(correct: Values, labels: Index, seen: NDArray[np.bool_], sides: Sequence[str]) -> dict[str, float]:
    """Average top-1 over the clips of seen and of unseen classes, and take the harmonic means."""
    of_seen = seen[labels]
    _check_both_kinds(of_seen)
    values = {}
    for side, clips in zip(sides, (of_seen, ~of_seen), strict=True):
        values[f"top1_per_video{side}"] = per_video(correct[clips])
        values[f"top1_per_class{side}"] = per_class(correct[clips], labels[clips], len(seen))
    for name, average in (("harmonic_mean", "per_class"), ("harmonic_mean_per_video", "per_video")):
        values[name] = harmonic_mean(*(values[f"top1_{average}{side}"] for side in sides))
    return values


def _unread(scores: Scores) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(scores).any(axis=1))


def _unread_last(ranked: Ranks, unread: NDArray[np.bool_]) -> Ranks:
    """Put unread clips behind every candidate; NaN compares false with all, which would rank them first."""
    if unread.any():
        ranked.greater[unread] = ranked.n_classes
    # Ties of a clip whose own score is NaN number 0; 1 keeps the division defined and the result 0.
    return ranked._replace(equal=np.maximum(ranked.equal, 1.0))


def _survivors(ranked: Ranks) -> NDArray[np.bool_]:
    keep = ranked.read
    if not keep.any():
        raise ZsarbenchError(
            f"none of the {len(keep)} test clips has scores, so the denominator 'survivors' is empty; "
            "see the result's list of failed clips, or use --denominator all"
        )
    return keep


def _checked(scores: Scores, labels: Index) -> tuple[Scores, Index]:
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(f"scores must be (N, C) and labels (N,), got {scores.shape} and {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer) or not np.issubdtype(scores.dtype, np.floating):
        raise ValueError(f"scores must be floats and labels integers, got {scores.dtype} and {labels.dtype}")
    if len(labels) == 0:
        raise ValueError("accuracy is asked for over no clips")
    if labels.min() < 0 or labels.max() >= scores.shape[1]:
        raise ValueError(
            f"labels must index the {scores.shape[1]} columns of scores, got {labels.min()} to {labels.max()}"
        )
    return scores, labels


def _checked_seen(seen: NDArray[np.bool_], n_classes: int) -> NDArray[np.bool_]:
    seen = np.asarray(seen)
    if seen.dtype != np.bool_ or seen.shape != (n_classes,):
        raise ValueError(f"seen must be a boolean mask ({n_classes},), got {seen.dtype} {seen.shape}")
    return seen


def _check_both_kinds(of_seen: NDArray[np.bool_]) -> None:
    if of_seen.all() or not of_seen.any():
        lacking = "unseen" if of_seen.all() else "seen"
        raise ZsarbenchError(f"a round with seen and unseen candidates needs test clips of both; none is {lacking}")
