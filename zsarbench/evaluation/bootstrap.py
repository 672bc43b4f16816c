"""Intervals and comparisons over rounds, for clips that are not independent of each other.

Clips of one class share its text, clips of one source video share almost everything, and rounds that are half splits of
the same data set share classes and clips. So nothing here counts clips, source videos or rounds as independent draws: a
bootstrap replicate draws the underlying classes with replacement, each with all of its clips, and applies that one draw
to every round; its value is the mean over rounds. Whatever depends on each other inside a class stays together, so the
spread over replicates holds the effects of class, source video and clip, each once. (To draw source videos within the
drawn classes too would count what lies inside a class twice.)

The bare percentiles of such replicates are too narrow where classes are few: their variance lacks n / (n - 1), and
their tails are those of the normal distribution. So replicates are spread about the estimate by sqrt(n / (n - 1)) times
the ratio of Student's quantile to the normal one; see `widening`. Below `MIN_CLASSES` classes no interval is given.
`benchmarks/statistics/intervals.py` measures coverage and false positives of all this.

All functions work on sums and counts per class, so cost and memory do not grow with clips. Pass distinct rounds: a
round that repeats another's class list adds no information and would only weigh it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsarbench.evaluation import student
from zsarbench.evaluation.arrays import Values
from zsarbench.evaluation.settings import Average

MIN_CLASSES = 10
"""With fewer classes there is no interval: no method reaches its coverage there."""
TOO_FEW_CLASSES = f"fewer than {MIN_CLASSES} classes"

N_RESAMPLES = 2000
"""Replicates of an interval, unless another number is requested."""

# Resamples drawn at once are limited to this many class weights (8 bytes each).
BLOCK_WEIGHTS = 2_000_000


class ScoredRound(NamedTuple):
    """One round: correctness (n,) in [0, 1], and the clips (n,) that it belongs to, as indices into all N clips.

    `clips` None means all N clips in order, which is the form of a single round.
    """

    correct: Values
    clips: NDArray[np.integer[Any]] | None = None


class Interval(NamedTuple):
    """The two ends of an interval."""

    low: float
    high: float


class PairedInterval(NamedTuple):
    """A difference of two accuracies (first minus second), its interval, and how the replicates are distributed.

    `share_not_better` is the share of replicates in which the first is not above the second: near 0, the first is
    better whatever classes are drawn; near 1, the second is. It is not a p-value under a null hypothesis. All but the
    difference are None where there are fewer than `MIN_CLASSES` classes.
    """

    difference: float
    low: float | None
    high: float | None
    share_not_better: float | None


def bootstrap_interval(
    rounds: Sequence[ScoredRound],
    classes: NDArray[Any],
    *,
    average: Average,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
) -> Interval | None:
    """Return the interval of the mean accuracy over rounds, in [0, 1]; None below `MIN_CLASSES` classes.

    `classes` (N,) names the class of every clip of the data set (any sortable values); those that any round scores are
    resampled. `average` is that of the accuracy.

    Raises:
        ValueError: shapes disagree, nothing is scored, or `level` is not between 0 and 1.

    >>> classes = np.repeat(np.arange(20), 6)
    >>> one_round = ScoredRound((classes % 2 == 0).astype(float))  # half of the classes right, the others wrong
    >>> interval = bootstrap_interval([one_round], classes, average="per_class", rng=np.random.default_rng(0))
    >>> 0.2 < interval.low < 0.3 < 0.7 < interval.high < 0.8
    True
    """
    sampled = _Sampled.of(rounds, classes, average)
    replicates = sampled.replicates(_mean_over_rounds, [sampled.n_rounds], n_resamples, level, rng)
    return None if replicates is None else _percentiles(replicates, level, lowest=0.0)


def harmonic_interval(
    seen: Sequence[ScoredRound],
    unseen: Sequence[ScoredRound],
    classes: NDArray[Any],
    *,
    average: Average,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
) -> Interval | None:
    """Return the interval of the mean over rounds of the harmonic mean of seen and unseen accuracy, in [0, 1].

    Round r is given as its clips of seen classes in `seen[r]` and of unseen classes in `unseen[r]`; both are
    resampled jointly, and the side with fewer classes decides how far the interval is widened, and whether there is
    one. The other arguments are those of `bootstrap_interval`, which serves the seen and the unseen accuracy alone.

    Raises:
        ValueError: the number of rounds differs, or as `bootstrap_interval` does.
    """
    if len(seen) != len(unseen):
        raise ValueError(f"every round needs both kinds of clips, got {len(seen)} seen and {len(unseen)} unseen rounds")

    def harmonic(means: Values) -> Values:
        s, u = means[:, : len(seen)], means[:, len(seen) :]
        with np.errstate(invalid="ignore"):  # 0 / 0 where both accuracies are 0: the harmonic mean is 0 there
            return _mean_over_rounds(np.where(s + u == 0, 0.0, 2 * s * u / (s + u)))

    sampled = _Sampled.of([*seen, *unseen], classes, average)
    replicates = sampled.replicates(harmonic, [len(seen), len(unseen)], n_resamples, level, rng)
    return None if replicates is None else _percentiles(replicates, level, lowest=0.0)


def paired_interval(
    first: Sequence[ScoredRound],
    second: Sequence[ScoredRound],
    classes: NDArray[Any],
    *,
    average: Average,
    rng: np.random.Generator,
    n_resamples: int = N_RESAMPLES,
    level: float = 0.95,
) -> PairedInterval:
    """Return how far the first method is above the second on the same rounds, with the interval of the difference.

    Both are evaluated on the same draws of classes, so what makes a class hard for both cancels. Where the methods were
    trained with several seeds, pass the rounds of every seed. The other arguments are those of `bootstrap_interval`.

    Raises:
        ValueError: the two do not hold the same rounds over the same clips, or as `bootstrap_interval` does.
    """
    if len(first) != len(second) or not all(_same_clips(a, b) for a, b in zip(first, second, strict=True)):
        raise ValueError("a paired comparison needs the same rounds over the same clips, in the same order")

    def difference(means: Values) -> Values:
        return _mean_over_rounds(means[:, : len(first)] - means[:, len(first) :])

    sampled = _Sampled.of([*first, *second], classes, average)
    observed = sampled.observed(difference)
    replicates = sampled.replicates(difference, [len(first), len(second)], n_resamples, level, rng)
    if replicates is None:
        return PairedInterval(observed, None, None, None)
    low, high = _percentiles(replicates, level, lowest=-1.0)
    return PairedInterval(observed, low, high, float((replicates <= 0).mean()))


def draws(n_classes: int, n_resamples: int, rng: np.random.Generator) -> Iterator[Values]:
    """Yield how often each of C classes is drawn in each replicate (S, C), in blocks of replicates.

    The counts depend on the number of classes and the generator alone, so pairs of results share them.
    """
    block = max(1, BLOCK_WEIGHTS // n_classes)
    for start in range(0, n_resamples, block):
        size = min(block, n_resamples - start)
        yield rng.multinomial(n_classes, np.full(n_classes, 1 / n_classes), size=size).astype(np.float64)


def widening(n_classes: float, level: float = 0.95) -> float:
    """Return by what replicates of a mean over n classes are spread about the estimate before percentiles are taken.

    sqrt(n / (n - 1)), which the variance of bootstrap replicates lacks, times Student's quantile with n - 1 degrees of
    freedom over the normal one. `n_classes` may be the effective number of classes of unequal weight.

    Raises:
        ValueError: `level` is not between 0 and 1.

    >>> [round(widening(n), 3) for n in (10, 34, 101)]
    [1.217, 1.054, 1.017]
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, but must lie between 0 and 1, such as 0.95")
    n = max(n_classes, 2.0)
    probability = (1 + level) / 2
    return float(np.sqrt(n / (n - 1)) * student.quantile(probability, n - 1) / NormalDist().inv_cdf(probability))


class ClassEffects(NamedTuple):
    """What each class adds to how far the accuracy of every round lies from their mean, to first order.

    classes: (C,) sorted, those that any round scores. values: (R,) accuracies. effects: (C, R); a column sums to its
    value less the mean of all. (Less the value itself they would be too small where a round has few of the classes.)
    n_classes: how many of equal weight vary as little.
    """

    classes: NDArray[Any]
    values: Values
    effects: Values
    n_classes: float


def class_effects(rounds: Sequence[ScoredRound], classes: NDArray[Any], *, average: Average) -> ClassEffects:
    """Return the accuracies of rounds and what each class adds to them; the arguments are those of the intervals.

    Raises:
        ValueError: shapes disagree, or nothing is scored.
    """
    sampled = _Sampled.of(rounds, classes, average)
    return effects_of_sums(sampled.names, sampled.right, sampled.scored)


def effects_of_sums(classes: NDArray[Any], right: Values, scored: Values) -> ClassEffects:
    """Return the same of what each class has right and scored in every round, both (C, R)."""
    totals = scored.sum(axis=0)
    values = right.sum(axis=0) / totals
    return ClassEffects(classes, values, (right - values.mean() * scored) / totals, _effective(scored))


class _Sampled(NamedTuple):
    """What each class (C,) that a round scores adds to every round: right (C, R) and scored (C, R), by the average."""

    names: NDArray[Any]
    right: Values
    scored: Values

    @classmethod
    def of(cls, rounds: Sequence[ScoredRound], classes: NDArray[Any], average: Average) -> _Sampled:
        classes = np.asarray(classes)
        if classes.ndim != 1:
            raise ValueError(f"classes must be (N,), got {classes.shape}")
        if not rounds:
            raise ValueError("there are no rounds to compute an interval of")
        names, class_of = np.unique(classes, return_inverse=True)
        class_of = class_of.reshape(-1)
        right, scored = np.zeros((2, int(class_of.max(initial=-1)) + 1, len(rounds)))
        for number, item in enumerate(rounds):
            own = class_of[_clips(item, len(classes))]
            right[:, number] = np.bincount(own, weights=item.correct, minlength=len(right))
            scored[:, number] = np.bincount(own, minlength=len(right))
        if average == "per_class":
            right, scored = right / np.maximum(scored, 1.0), (scored > 0).astype(np.float64)
        # Classes that no round scores are not part of what was sampled.
        kept = scored.any(axis=1)
        return cls(names[kept], right[kept], scored[kept])

    @property
    def n_rounds(self) -> int:
        return int(self.right.shape[1])

    def observed(self, statistic: Callable[[Values], Values]) -> float:
        """Return the statistic of the clips as they are."""
        return float(statistic(_ratio(self.right.sum(axis=0), self.scored.sum(axis=0))[None])[0])

    def replicates(
        self,
        statistic: Callable[[Values], Values],
        sides: Sequence[int],
        n_resamples: int,
        level: float,
        rng: np.random.Generator,
    ) -> Values | None:
        """Return the widened replicates of a statistic of the rounds' accuracies; None with too few classes.

        statistic: takes (S, R) accuracies, NaN where a replicate left a round without clips, and returns (S,), NaN
        where none is left; such replicates are dropped. sides: how many of the rounds belong to each side; that with
        the fewest classes decides.
        """
        of_sides = np.split(self.scored, np.cumsum(sides)[:-1], axis=1)
        widen = widening(min(map(_effective, of_sides)), level)
        if min(int(side.any(axis=1).sum()) for side in of_sides) < MIN_CLASSES:
            return None
        parts = [
            statistic(_ratio(weights @ self.right, weights @ self.scored))
            for weights in draws(len(self.right), n_resamples, rng)
        ]
        values, observed = np.concatenate(parts), self.observed(statistic)
        spread: Values = observed + widen * (values[~np.isnan(values)] - observed)
        return spread


def _effective(scored: Values) -> float:
    """Return how many classes of equal weight vary as little as these (C, R), which may be of unequal size.

    Kish's number, of each class's mean share of the rounds.
    """
    shares = (scored / np.maximum(scored.sum(axis=0), 1.0)).mean(axis=1)
    return float(shares.sum() ** 2 / np.square(shares).sum())


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


def _percentiles(replicates: Values, level: float, *, lowest: float) -> Interval:
    """Return the ends of the interval, kept in [lowest, 1]."""
    tail = (1 - level) / 2
    low, high = np.clip(np.quantile(replicates, [tail, 1 - tail]), lowest, 1.0)
    return Interval(float(low), float(high))
