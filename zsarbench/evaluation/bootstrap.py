"""Intervals and comparisons over rounds, for clips that are not independent of each other.

Clips of one class share its text, clips of one source video share almost everything, and rounds that are half splits of
the same data set share classes and clips. So nothing here counts clips, or rounds, as independent draws: a bootstrap
replicate draws the underlying classes with replacement, then source groups within each drawn class, and applies that
one draw to every round; its value is the mean over rounds. All functions work on per-group sums and counts, so cost
and memory grow with groups, not with clips.

Pass distinct rounds: a round that repeats another's class list adds no information and would only weigh it twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsarbench.evaluation.arrays import Values
from zsarbench.evaluation.settings import Average

# Resamples drawn at once are limited to this many group weights (8 bytes each).
BLOCK_WEIGHTS = 2_000_000


class ScoredRound(NamedTuple):
    """One round: correctness (n,) in [0, 1], and the clips (n,) that it belongs to, as indices into all N clips.

    `clips` None means all N clips in order, which is the form of a single round.
    """

    correct: Values
    clips: NDArray[np.integer[Any]] | None = None


class Interval(NamedTuple):
    """The two ends of a percentile interval."""

    low: float
    high: float


class PairedInterval(NamedTuple):
    """A difference of two accuracies (first minus second), its interval, and how the replicates are distributed.

    `share_not_better` is the share of replicates in which the first is not above the second: near 0, the first is
    better whatever classes and source videos are drawn; near 1, the second is. It is no p-value under a null.
    """

    difference: float
    low: float
    high: float
    share_not_better: float


def bootstrap_interval(
    rounds: Sequence[ScoredRound],
    classes: NDArray[Any],
    groups: NDArray[Any],
    *,
    average: Average,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Return the percentile interval of the mean accuracy over rounds, by classes and then source groups.

    `classes` (N,) and `groups` (N,) name class and source video of every clip of the data set (any sortable values;
    equal group names in two classes are two groups); a clip without a known source is a group of its own. The classes
    resampled are those that any round scores. `average` is that of the accuracy.

    Raises:
        ValueError: shapes disagree, or nothing is scored.

    >>> classes, groups = np.repeat(np.arange(20), 6), np.tile([0, 0, 1, 1, 2, 2], 20)
    >>> one_round = ScoredRound((classes % 2 == 0).astype(float))  # half of the classes right, the others wrong
    >>> interval = bootstrap_interval(
    ...     [one_round], classes, groups, average="per_class", rng=np.random.default_rng(0)
    ... )
    >>> 0.2 < interval.low < 0.4 < 0.6 < interval.high < 0.8
    True
    """
    means = _resampled(rounds, classes, groups, average, n_resamples, rng)
    return _percentiles(_mean_over_rounds(means), level)


def harmonic_interval(
    seen: Sequence[ScoredRound],
    unseen: Sequence[ScoredRound],
    classes: NDArray[Any],
    groups: NDArray[Any],
    *,
    average: Average,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Return the interval of the mean over rounds of the harmonic mean of seen and unseen accuracy.

    Round r is given as its clips of seen classes in `seen[r]` and of unseen classes in `unseen[r]`; both are
    resampled jointly. The other arguments are those of `bootstrap_interval`, which serves the seen and the unseen
    accuracy alone.

    Raises:
        ValueError: the number of rounds differs, shapes disagree, or nothing is scored.
    """
    if len(seen) != len(unseen):
        raise ValueError(f"every round needs both kinds of clips, got {len(seen)} seen and {len(unseen)} unseen rounds")
    means = _resampled([*seen, *unseen], classes, groups, average, n_resamples, rng)
    s, u = means[:, : len(seen)], means[:, len(seen) :]
    with np.errstate(invalid="ignore"):  # 0 / 0 where both accuracies are 0: the harmonic mean is 0 there
        harmonic = np.where(s + u == 0, 0.0, 2 * s * u / (s + u))
    return _percentiles(_mean_over_rounds(harmonic), level)


def paired_interval(
    first: Sequence[ScoredRound],
    second: Sequence[ScoredRound],
    classes: NDArray[Any],
    groups: NDArray[Any],
    *,
    average: Average,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> PairedInterval:
    """Return how far the first method is above the second on the same rounds, with the interval of the difference.

    Both are evaluated on the same draws of classes and source groups, so what makes a class hard for both cancels.
    Where the methods were trained with several seeds, pass the rounds of every seed. The other arguments are those of
    `bootstrap_interval`.

    Raises:
        ValueError: the two do not hold the same rounds over the same clips, shapes disagree, or nothing is scored.
    """
    if len(first) != len(second) or not all(_same_clips(a, b) for a, b in zip(first, second, strict=True)):
        raise ValueError("a paired comparison needs the same rounds over the same clips, in the same order")
    means = _resampled([*first, *second], classes, groups, average, n_resamples, rng)
    observed = _observed([*first, *second], classes, groups, average)
    half = len(first)
    differences = _mean_over_rounds(means[:, :half] - means[:, half:])
    low, high = _percentiles(differences, level)
    defined = differences[~np.isnan(differences)]
    return PairedInterval(float((observed[:half] - observed[half:]).mean()), low, high, float((defined <= 0).mean()))


def _resampled(
    rounds: Sequence[ScoredRound],
    classes: NDArray[Any],
    groups: NDArray[Any],
    average: Average,
    n_resamples: int,
    rng: np.random.Generator,
) -> Values:
    """Return every round's accuracy (n_resamples, R) in every replicate; NaN where a replicate left a round empty."""
    cells = _sufficient(rounds, classes, groups)
    largest = max(sums.shape[0] for sums, _ in cells)
    block = max(1, BLOCK_WEIGHTS // largest)
    parts = []
    for start in range(0, n_resamples, block):
        size = min(block, n_resamples - start)
        class_weights = rng.multinomial(len(cells), np.full(len(cells), 1 / len(cells)), size=size)
        right, scored = np.zeros((size, len(rounds))), np.zeros((size, len(rounds)))
        for number, (sums, counts) in enumerate(cells):
            drawn, n_groups = class_weights[:, number], len(sums)
            # A class drawn w times has its groups resampled w times: one multinomial of w * n_groups draws.
            weights = rng.multinomial(drawn * n_groups, np.full(n_groups, 1 / n_groups)).astype(np.float64)
            _add_class(right, scored, weights @ sums, weights @ counts, drawn[:, None], average)
        parts.append(_ratio(right, scored))
    return np.concatenate(parts)


def _observed(rounds: Sequence[ScoredRound], classes: NDArray[Any], groups: NDArray[Any], average: Average) -> Values:
    """Return every round's accuracy (R,) on the clips as they are."""
    right, scored = np.zeros((1, len(rounds))), np.zeros((1, len(rounds)))
    once = np.ones((1, 1), dtype=np.int64)
    for sums, counts in _sufficient(rounds, classes, groups):
        class_sums, class_counts = sums.sum(axis=0, keepdims=True), counts.sum(axis=0, keepdims=True)
        _add_class(right, scored, class_sums, class_counts, once, average)
    return _ratio(right, scored).reshape(-1)


def _add_class(
    right: Values, scored: Values, sums: Values, counts: Values, drawn: NDArray[np.int64], average: Average
) -> None:
    """Add one class's correct (S, R) and scored (S, R) clips, drawn (S, 1) times, to the rounds' totals in place."""
    if average == "per_video":
        right += sums
        scored += counts
    else:
        present = counts > 0
        right += np.where(present, drawn * sums / np.maximum(counts, 1.0), 0.0)
        scored += drawn * present


def _sufficient(
    rounds: Sequence[ScoredRound], classes: NDArray[Any], groups: NDArray[Any]
) -> list[tuple[Values, Values]]:
    """Return, for every class that a round scores, sums (G, R) of correctness and counts (G, R) of clips by group."""
    classes, groups = np.asarray(classes), np.asarray(groups)
    if classes.ndim != 1 or classes.shape != groups.shape:
        raise ValueError(f"classes and groups must both be (N,), got {classes.shape} and {groups.shape}")
    if not rounds:
        raise ValueError("there are no rounds to compute an interval of")
    class_of, group_of = (np.unique(names, return_inverse=True)[1].reshape(-1) for names in (classes, groups))
    pair = class_of * (int(group_of.max(initial=0)) + 1) + group_of
    # np.unique sorts by class, then group: the cells of a class are contiguous.
    _, first_clip, cell = np.unique(pair, return_index=True, return_inverse=True)
    sums, counts = np.zeros((len(first_clip), len(rounds))), np.zeros((len(first_clip), len(rounds)))
    for number, scored in enumerate(rounds):
        clips = _clips(scored, len(classes))
        cells = cell.reshape(-1)[clips]
        sums[:, number] = np.bincount(cells, weights=scored.correct, minlength=len(first_clip))
        counts[:, number] = np.bincount(cells, minlength=len(first_clip))
    # Groups that no round scores are not part of what was sampled.
    kept = counts.any(axis=1)
    sums, counts, class_of_cell = sums[kept], counts[kept], class_of[first_clip][kept]
    starts = np.flatnonzero(np.diff(class_of_cell)) + 1
    return list(zip(np.split(sums, starts), np.split(counts, starts), strict=True))


def _clips(scored: ScoredRound, n_clips: int) -> NDArray[np.integer[Any]]:
    clips = np.arange(n_clips) if scored.clips is None else np.asarray(scored.clips)
    if len(clips) == 0 or np.shape(scored.correct) != clips.shape:
        raise ValueError(f"a round needs one correctness per clip, got {np.shape(scored.correct)} for {clips.shape}")
    return clips


def _same_clips(a: ScoredRound, b: ScoredRound) -> bool:
    if a.clips is None or b.clips is None:
        return a.clips is b.clips and len(a.correct) == len(b.correct)
    return np.array_equal(a.clips, b.clips)


def _ratio(right: Values, scored: Values) -> Values:
    return np.divide(right, scored, out=np.full_like(right, np.nan), where=scored > 0)


def _mean_over_rounds(means: Values) -> Values:
    """Average (S, R) over the rounds that a replicate left with clips; NaN (dropped later) where none is."""
    defined = ~np.isnan(means)
    return _ratio(np.where(defined, means, 0.0).sum(axis=1), defined.sum(axis=1).astype(np.float64))


def _percentiles(replicates: Values, level: float) -> Interval:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, but must lie between 0 and 1, such as 0.95")
    tail = (1 - level) / 2
    low, high = np.nanquantile(replicates, [tail, 1 - tail])
    return Interval(float(low), float(high))
