"""Paired tests over classes: equal methods rarely differ significantly, unequal ones do, and corrections hold."""

from __future__ import annotations

import numpy as np
import pytest

from zsarbench.evaluation import significance, student
from zsarbench.evaluation.bootstrap import ScoredRound, paired_interval
from zsarbench.evaluation.significance import (
    Effects,
    accuracy_effects,
    compare,
    compare_all,
    compare_intervals,
    holm,
    rank_ranges,
    rank_ranges_of_many,
)

CLASSES = np.repeat(np.arange(20), 6)


def drawn(rng: np.random.Generator, skill: float = 0.0, classes: int = 20) -> Effects:
    """Return a method whose accuracy in each class is drawn around 0.5 + skill."""
    labels = np.repeat(np.arange(classes), 6)
    chance = np.clip(0.5 + skill + rng.normal(0, 0.15, classes), 0, 1)
    correct = (rng.random(len(labels)) < chance[labels]).astype(float)
    return accuracy_effects([ScoredRound(correct)], labels, average="per_video")


@pytest.mark.parametrize("freedom", [1.0, 2.5, 9.0, 100.0])
def test_tails_of_student_are_those_of_scipy(freedom: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.array([0.0, 0.001, 0.5, 2.0, 10.0, 100.0])
    assert student.two_sided(values, freedom) == pytest.approx(2 * stats.t.sf(values, freedom), rel=1e-8)
    assert student.quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-3)


def test_the_test_of_one_round_is_the_paired_t_test_over_classes() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 20, 6))
    effects = [accuracy_effects([ScoredRound(one.ravel())], CLASSES, average="per_class") for one in (first, second)]
    found = compare(*effects)
    expected = stats.ttest_rel(first.mean(axis=1), second.mean(axis=1))
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert found.difference == pytest.approx(first.mean() - second.mean())
    assert compare(effects[1], effects[0]).difference == -found.difference


def test_classes_of_unequal_size_and_overlapping_rounds_agree_with_the_bootstrap() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(30), rng.integers(2, 20, 30))
    rounds = [np.flatnonzero(np.isin(labels, rng.permutation(30)[:15])) for _ in range(10)]
    sides = []
    for _ in range(2):
        right = (rng.random(len(labels)) < rng.random(30)[labels]).astype(float)
        sides.append([ScoredRound(right[clips], clips) for clips in rounds])
    found = compare(*(accuracy_effects(side, labels, average="per_video") for side in sides))
    interval = paired_interval(*sides, labels, average="per_video", rng=rng)
    assert interval.low is not None
    assert interval.high is not None
    assert found.difference == pytest.approx(interval.difference)
    assert found.error is not None
    assert 2 * 2.05 * found.error == pytest.approx(interval.high - interval.low, rel=0.15)


def test_equal_methods_are_rarely_told_apart_and_far_ones_are() -> None:
    rng = np.random.default_rng(2)
    equal = [compare(drawn(rng), drawn(rng)).p or 0.0 for _ in range(400)]
    assert 0.02 < np.mean(np.array(equal) < 0.05) < 0.08
    far = [compare(drawn(rng, 0.3), drawn(rng)).p or 1.0 for _ in range(50)]
    assert np.mean(np.array(far) < 0.05) > 0.95


def test_the_same_predictions_do_not_differ_and_few_classes_have_no_test() -> None:
    rng = np.random.default_rng(3)
    one = drawn(rng)
    assert compare(one, one) == (0.0, 0.0, 1.0)
    few = compare(drawn(rng, classes=9), drawn(rng, classes=9))
    assert (few.error, few.p) == (None, None)
    with pytest.raises(ValueError, match="the same classes"):
        compare(one, drawn(rng, classes=12))


def test_harmonic_means_move_by_the_effects_of_their_classes() -> None:
    rng = np.random.default_rng(4)
    correct = (rng.random(len(CLASSES)) < 0.6).astype(float)
    seen, unseen = np.flatnonzero(CLASSES < 10), np.flatnonzero(CLASSES >= 10)
    sides = [[ScoredRound(correct[clips], clips)] for clips in (seen, unseen)]
    found = significance.harmonic_effects(*sides, CLASSES, average="per_class")
    s, u = correct[seen].mean(), correct[unseen].mean()
    assert found.value == pytest.approx(2 * s * u / (s + u))
    assert found.of_class.sum() == pytest.approx(0.0)
    of_one = correct[CLASSES == 3].mean() - s  # one of ten seen classes moves the mean along its slope
    assert found.of_class[3] == pytest.approx(2 * (u / (s + u)) ** 2 * of_one / 10)


def test_holm_corrects_for_the_number_of_tests() -> None:
    p = np.array([0.004, 0.2, 0.01, 0.03])
    assert holm(p) == pytest.approx([0.016, 0.2, 0.03, 0.06])
    assert np.isnan(holm(np.array([np.nan, 0.01]))[0])
    assert holm(np.array([np.nan, 0.01]))[1] == 0.01
    assert len(holm(np.array([]))) == 0


def test_ranks_are_shared_by_what_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(5)
    methods = [drawn(rng, 0.45), drawn(rng), drawn(rng), drawn(rng, -0.45)]
    ranks = rank_ranges([one.value for one in methods], compare_all(methods).p)
    assert ranks == [(1, 1), (2, 3), (2, 3), (4, 4)]


def test_ranks_of_many_are_those_of_a_stricter_correction() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(0.2, 0.6, 40)
    of_class = rng.normal(scale=0.004, size=(40, 30))
    methods = [
        Effects(value=value, classes=np.arange(30), of_class=row - row.mean(), n_classes=30.0, testable=True)
        for value, row in zip(values.tolist(), of_class, strict=True)
    ]
    few = rank_ranges(values, compare_all(methods).p)
    many = rank_ranges_of_many(values, [None] * 40, [(range(40), methods)])
    assert all(one[0] >= other[0] and one[1] <= other[1] for one, other in zip(few, many, strict=True))
    assert sum(last - first for first, last in many) < 1.2 * sum(last - first for first, last in few)
    intervals = [(value - 0.01, value + 0.01) for value in values]
    few = rank_ranges(values, compare_intervals(values, intervals))
    many = rank_ranges_of_many(values, intervals, [])
    assert sum(last - first for first, last in many) < 1.2 * sum(last - first for first, last in few)
    assert set(rank_ranges_of_many(values, [None] * 40, [])) == {(1, 40)}


def test_intervals_tell_apart_what_lies_far_from_each_other() -> None:
    intervals = [(0.7, 0.9), (0.3, 0.5), (0.32, 0.52), None]
    p = significance.compare_intervals([0.8, 0.4, 0.42, 0.1], intervals)
    assert rank_ranges([0.8, 0.4, 0.42, 0.1], p) == [(1, 2), (2, 4), (2, 4), (1, 4)]
    assert np.isnan(p[3]).all()
    assert p[0, 1] == pytest.approx(p[1, 0])


def test_what_is_resolved_falls_with_the_root_of_the_classes() -> None:
    assert significance.resolvable(0.02, 34) == pytest.approx(0.02 * (2.0345 + 0.8530), rel=1e-3)
    assert significance.resolvable(0.02, 5) > significance.resolvable(0.02, 34)


def test_what_a_board_resolves_is_for_the_test_of_each_of_its_pairs() -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = 0.02 * (stats.t.ppf(1 - 0.025 / 15, 33) + stats.t.ppf(0.8, 33))
    assert significance.resolvable(0.02, 34, n_methods=6) == pytest.approx(expected, rel=1e-6)
    assert significance.resolvable(0.02, 34, n_methods=2) == significance.resolvable(0.02, 34)
    rounds = [[f"class{number}" for number in range(34)]]
    ratio = significance.resolvable_by(rounds, n_methods=6) / significance.resolvable_by(rounds)
    assert ratio == pytest.approx(expected / significance.resolvable(0.02, 34), rel=1e-6)


def test_mcnemar_is_the_binomial_test_of_the_clips_that_one_alone_has_right() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(6)
    first, second = rng.random((2, 500)) < np.array([[0.6], [0.5]])
    only_first, only_second, p = significance.mcnemar(first, second)
    assert (only_first, only_second) == ((first & ~second).sum(), (second & ~first).sum())
    assert p == pytest.approx(stats.binomtest(only_first, only_first + only_second).pvalue, rel=1e-9)
    assert significance.mcnemar(first, first) == (0, 0, 1.0)
