"""Which of several methods differ: paired tests over classes, corrected for their number, and what they can resolve.

As in `zsarbench.evaluation.bootstrap` classes are what was sampled, with all of their clips and over all rounds. To
first order a class adds a fixed amount to a figure; the difference of two methods has the variance of the sum of the
differences of these amounts, n / (n - 1) times the sum of their squares. The difference over its standard error is held
against Student's distribution with n - 1 degrees of freedom. n is the number of classes, where their weights are
unequal the number of equal ones that vary as little (Kish's). Shares of bootstrap replicates are not such a test: they
are drawn around the observed difference, not around none. `benchmarks/statistics/boards.py` measures how often this
tells equal methods apart, and unequal ones not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsarbench.evaluation import student
from zsarbench.evaluation.arrays import Values
from zsarbench.evaluation.bootstrap import MIN_CLASSES, ClassEffects, Interval, ScoredRound, class_effects
from zsarbench.evaluation.settings import Average

LEVEL = 0.05
"""Of all tests of one comparison together."""
POWER = 0.8
BOARD = 6
"""Methods of a board of usual size, for which it is stated what a protocol can tell apart."""
CLASS_DEVIATION = 0.25
"""Standard deviation over classes of the difference of two methods' accuracies: the median over all pairs of committed
rows of one protocol (benchmarks/statistics/boards.md); a quarter of the pairs is below 0.18, a quarter above 0.32."""
_NOTHING = 1e-12  # what rounding alone makes of a difference or an error
_BLOCK_ROWS = 256  # of methods that are compared with all others at once


@dataclass(frozen=True, kw_only=True)
class Effects:
    """A figure of one method and what each class adds to it.

    value: mean over rounds. classes: (C,) sorted names. of_class: (C,), sums to 0. n_classes: how many classes of equal
    weight vary as little. testable: whether there are `MIN_CLASSES` classes, on each side of a harmonic mean.
    """

    value: float
    classes: NDArray[Any]
    of_class: Values
    n_classes: float
    testable: bool


class Comparison(NamedTuple):
    """How far the first of two methods is above the second: difference, its standard error, two-sided p.

    error and p are None where there are fewer than `MIN_CLASSES` classes.
    """

    difference: float
    error: float | None
    p: float | None


def accuracy_effects(rounds: Sequence[ScoredRound], classes: NDArray[Any], *, average: Average) -> Effects:
    """Return the mean accuracy over rounds with what each class adds; see `class_effects` for the arguments."""
    return mean_effects(class_effects(rounds, classes, average=average))


def mean_effects(found: ClassEffects) -> Effects:
    """Return the mean over rounds of an accuracy with what each class adds to it."""
    return Effects(
        value=float(found.values.mean()),
        classes=found.classes,
        of_class=found.effects.mean(axis=1),
        n_classes=found.n_classes,
        testable=len(found.classes) >= MIN_CLASSES,
    )


def harmonic_effects(
    seen: Sequence[ScoredRound], unseen: Sequence[ScoredRound], classes: NDArray[Any], *, average: Average
) -> Effects:
    """Return the mean over rounds of the harmonic mean of seen and unseen accuracy, with what each class adds."""
    sides = [class_effects(rounds, classes, average=average) for rounds in (seen, unseen)]
    (s, u), every = (side.values for side in sides), np.union1d(sides[0].classes, sides[1].classes)
    total = np.where(s + u > 0, s + u, 1.0)
    effects = np.zeros((len(every), len(s)))
    for side, other in zip(sides, (u, s), strict=True):
        effects[np.searchsorted(every, side.classes)] += 2 * np.square(other / total) * side.effects
    of_class = effects.mean(axis=1)
    return Effects(
        value=float((2 * s * u / total).mean()),
        classes=every,
        of_class=of_class - of_class.mean(),  # rounds weigh differently here, which leaves a rest
        n_classes=min(side.n_classes for side in sides),
        testable=min(len(side.classes) for side in sides) >= MIN_CLASSES,
    )


def compare(first: Effects, second: Effects) -> Comparison:
    """Return how far the first is above the second, which are of the same clips of the same rounds.

    Raises:
        ValueError: they are of other classes.
    """
    found = compare_all([first, second])
    if not first.testable:
        return Comparison(first.value - second.value, None, None)
    return Comparison(first.value - second.value, float(found.errors[0, 1]), float(found.p[0, 1]))


class Comparisons(NamedTuple):
    """All pairs of M methods: differences of the row's to the column's (M, M), standard errors, p; NaN for no test."""

    differences: Values
    errors: Values
    p: Values


def compare_all(methods: Sequence[Effects]) -> Comparisons:
    """Return the comparisons of all pairs of methods, which are of the same clips of the same rounds.

    Raises:
        ValueError: they are of other classes.
    """
    values, errors = np.array([one.value for one in methods]), errors_of(methods)
    differences = values[:, None] - values[None, :]
    if not methods[0].testable:
        return Comparisons(differences, errors, errors)
    return Comparisons(differences, errors, _p(differences, errors, max(methods[0].n_classes, 2.0) - 1))


def errors_of(methods: Sequence[Effects]) -> Values:
    """Return the standard error (M, M) of the difference of every two methods alone; NaN for no test.

    Raises:
        ValueError: they are of other classes.
    """
    first = methods[0]
    if any(not np.array_equal(one.classes, first.classes) for one in methods):
        raise ValueError("a paired comparison needs methods that were tested on the same classes")
    if not first.testable:
        return np.full((len(methods), len(methods)), np.nan)
    effects = np.array([one.of_class for one in methods])
    n = max(first.n_classes, 2.0)
    squares = np.array([np.square(effects - one).sum(axis=1) for one in effects])
    return np.asarray(np.sqrt(n / (n - 1) * squares))


def _p(differences: Values, errors: Values, freedom: float) -> Values:
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(np.abs(differences) < _NOTHING, 0.0, differences / np.where(errors < _NOTHING, 0.0, errors))
    return student.two_sided(t, freedom)


def compare_intervals(values: Sequence[float], intervals: Sequence[Interval | tuple[float, float] | None]) -> Values:
    """Return p (M, M) of methods of which only 95 % intervals are known, as if they were independent; NaN for none.

    The half of an interval that faces the other method is its error. What is hard for both methods does not cancel, so
    this finds less than a paired test does.
    """
    middle = np.asarray(values, dtype=np.float64)
    above, below = _errors_towards(middle, intervals)
    differences = middle[:, None] - middle[None, :]
    errors = np.where(
        differences > 0, np.hypot(above[:, None], below[None, :]), np.hypot(below[:, None], above[None, :])
    )
    return np.where(np.isnan(errors), np.nan, _p(differences, errors, 1e7))


def _errors_towards(
    middle: Values, intervals: Sequence[Interval | tuple[float, float] | None]
) -> tuple[Values, Values]:
    """Return the standard error (M,) of each method towards worse ones, and towards better ones; NaN for none."""
    ends = np.array([(np.nan, np.nan) if one is None else one for one in intervals], dtype=np.float64)
    return (middle - ends[:, 0]) / 1.96, (ends[:, 1] - middle) / 1.96


def holm(p: Values) -> Values:
    """Return p-values (n,) adjusted for their number by Holm's method; NaN stays and does not count.

    Where all adjusted values below 0.05 are taken for differences, the chance of a single false one is at most 5 %.

    >>> holm(np.array([0.01, 0.04, 0.03, np.nan])).round(2).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return adjusted


def rank_ranges(values: Sequence[float], p: Values) -> list[tuple[int, int]]:
    """Return the first and the last rank that each of M methods may have, 1 for the largest value.

    A method ranks behind those that are better than it and before those that are worse, as far as tests tell after
    Holm's correction; methods that tests do not separate share their ranks. p: (M, M), symmetric, NaN for no test.

    >>> rank_ranges([0.9, 0.5, 0.4], np.array([[1, 0.001, 0.001], [0.001, 1, 0.6], [0.001, 0.6, 1]]))
    [(1, 1), (2, 3), (2, 3)]
    """
    middle = np.asarray(values, dtype=np.float64)
    upper = np.triu_indices(len(middle), 1)
    adjusted = np.full((len(middle), len(middle)), np.nan)
    adjusted[upper] = holm(np.asarray(p)[upper])
    adjusted.T[upper] = adjusted[upper]
    with np.errstate(invalid="ignore"):
        better = (adjusted < LEVEL) & (middle[:, None] > middle[None, :])
    return _ranges(better)


def rank_ranges_of_many(
    values: Sequence[float],
    intervals: Sequence[Interval | tuple[float, float] | None],
    families: Sequence[tuple[Sequence[int], Sequence[Effects]]],
) -> list[tuple[int, int]]:
    """Return the same for hundreds of methods, by Bonferroni's correction, which finds a little less than Holm's.

    The p of every pair of ten thousand methods would fill the memory. families: positions and effects of methods of
    the same clips, which are compared in pairs; all others are compared by their intervals.
    """
    middle = np.asarray(values, dtype=np.float64)
    tail = LEVEL / (len(middle) * (len(middle) - 1))  # on each side, of each pair
    above, below = _errors_towards(middle, intervals)
    needed = -NormalDist().inv_cdf(tail)
    better = np.zeros((len(middle), len(middle)), dtype=np.bool_)
    for rows in _slices(len(middle)):
        differences = middle[rows, None] - middle[None, :]
        better[rows] = differences > needed * np.hypot(above[rows, None], below[None, :])
    for positions, effects in families:
        better[np.ix_(positions, positions)] = _better_in_pairs(effects, tail)
    return _ranges(better)


def _better_in_pairs(effects: Sequence[Effects], tail: float) -> NDArray[np.bool_]:
    """Return whether each method (M, M) is above each other by more than a test at this tail allows to chance."""
    better = np.zeros((len(effects), len(effects)), dtype=np.bool_)
    if not effects[0].testable:
        return better
    n = max(effects[0].n_classes, 2.0)
    values, of_class = np.array([one.value for one in effects]), np.array([one.of_class for one in effects])
    squares, needed = np.square(of_class).sum(axis=1), -student.quantile(tail, n - 1)
    for rows in _slices(len(effects)):
        between = squares[rows, None] + squares[None, :] - 2 * of_class[rows] @ of_class.T
        errors = np.sqrt(n / (n - 1) * np.maximum(between, 0.0))
        better[rows] = values[rows, None] - values[None, :] > np.maximum(needed * errors, _NOTHING)
    return better


def _slices(length: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK_ROWS) for start in range(0, length, _BLOCK_ROWS))


def _ranges(better: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first and the last rank of each method from whether it is better than each other (M, M)."""
    before, behind = better.sum(axis=0), better.sum(axis=1)
    return [(1 + int(first), len(better) - int(last)) for first, last in zip(before, behind, strict=True)]


def resolvable(error: float, n_classes: float, *, n_methods: int = 2, power: float = POWER) -> float:
    """Return the true difference that a paired test at 5 % finds with this power, given a difference's standard error.

    It is (t(1 - 0.025 / pairs) + t(power)) standard errors, with n - 1 degrees of freedom. n_methods: of whose pairs
    the two are one; all tests together then keep the 5 %, as the first step of Holm's correction does.

    >>> round(resolvable(0.01, 34), 4)
    0.0289
    >>> round(resolvable(0.01, 34, n_methods=6), 4)
    0.0402
    """
    freedom, n_pairs = max(n_classes, 2.0) - 1, n_methods * (n_methods - 1) // 2
    return error * (student.quantile(1 - LEVEL / n_pairs / 2, freedom) + student.quantile(power, freedom))


def resolvable_by(
    rounds: Sequence[Sequence[str]], *, n_methods: int = 2, deviation: float = CLASS_DEVIATION
) -> float | None:
    """Return the true difference that a paired test on these rounds finds with 80 % power; None with too few classes.

    rounds: the classes that each distinct round tests. n_methods: see `resolvable`. deviation: over classes, of the
    difference of two methods' accuracies, which no protocol knows: how far two methods differ in single classes.

    >>> round(resolvable_by([[str(number) for number in range(34)]]), 3)
    0.124
    """
    every = sorted({name for classes in rounds for name in classes})
    if len(every) < MIN_CLASSES:
        return None
    shares = np.zeros(len(every))
    for classes in rounds:
        shares[np.searchsorted(every, list(classes))] += 1 / len(classes) / len(rounds)
    n_classes = float(shares.sum() ** 2 / np.square(shares).sum())
    return resolvable(deviation / float(np.sqrt(n_classes)), n_classes, n_methods=n_methods)


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[int, int, float]:
    """Return how many clips the first alone and the second alone has right, and McNemar's exact two-sided p.

    It takes clips for independent draws, which they are not: it says whether two methods differ on these clips, not
    whether they would on other classes.

    >>> mcnemar(np.array([True, True, True, False]), np.array([False, False, True, False]))
    (2, 0, 0.5)
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n = only_first + only_second
    if only_first == only_second:
        return only_first, only_second, 1.0
    heads = np.arange(min(only_first, only_second) + 1)
    logs = np.cumsum(np.concatenate([[0.0], np.log((n - heads[:-1]) / heads[1:])])) - n * np.log(2)
    return only_first, only_second, float(min(1.0, 2 * np.exp(logs).sum()))
