"""Paired tests over classes: equal methods rarely differ significantly, unequal ones do, and corrections hold."""

from __future__ import annotations

import numpy as np
import pytest

from records import changeable, positional
from zsarbench.evaluation import significance, student
from zsarbench.evaluation.bootstrap import MIN_CLASSES, ScoredRound, paired_interval
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
    ratio = significance.resolvable_by(rounds, n_methods=significance.BOARD) / significance.resolvable_by(rounds)
    assert ratio == pytest.approx(expected / significance.resolvable(0.02, 34), rel=1e-6)


def test_mcnemar_is_the_binomial_test_of_the_clips_that_one_alone_has_right() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(6)
    first, second = rng.random((2, 500)) < np.array([[0.6], [0.5]])
    only_first, only_second, p = significance.mcnemar(first, second)
    assert (only_first, only_second) == ((first & ~second).sum(), (second & ~first).sum())
    assert p == pytest.approx(stats.binomtest(only_first, only_first + only_second).pvalue, rel=1e-9)
    assert significance.mcnemar(first, first) == (0, 0, 1.0)


def test_a_harmonic_mean_is_tested_where_the_smaller_side_has_ten_classes() -> None:
    rng = np.random.default_rng(7)
    for n_seen in (9, 10):
        labels = np.repeat(np.arange(n_seen + 11), 2)
        correct = (rng.random(len(labels)) < 0.5).astype(float)
        sides = [
            [ScoredRound(correct[clips], clips)] for clips in map(np.flatnonzero, (labels < n_seen, labels >= n_seen))
        ]
        found = significance.harmonic_effects(*sides, labels, average="per_class")
        assert (found.testable, found.n_classes) == (n_seen == MIN_CLASSES, pytest.approx(n_seen))


def test_a_harmonic_mean_of_nothing_right_is_zero_and_moves_with_nothing() -> None:
    labels = np.repeat(np.arange(20), 2)
    sides = [[ScoredRound(np.zeros(20), np.arange(start, start + 20))] for start in (0, 20)]
    found = significance.harmonic_effects(*sides, labels, average="per_class")
    assert (found.value, set(found.of_class.tolist())) == (0.0, {0.0})


def flat(value: float, of_class: float, n_classes: float = 12.0) -> Effects:
    """Return a method whose classes add this much, every second one as much less."""
    signs = np.where(np.arange(12) % 2, -1.0, 1.0)
    return Effects(value=value, classes=np.arange(12), of_class=of_class * signs, n_classes=n_classes, testable=True)


def test_the_error_of_a_difference_is_that_of_the_sum_over_classes() -> None:
    found = compare(flat(0.6, 0.02), flat(0.5, 0.01))
    assert found.error == pytest.approx(np.sqrt(12 / 11 * 12 * 0.01**2))
    assert found.p == pytest.approx(float(student.two_sided(found.difference / found.error, 11)))


def test_classes_of_very_unequal_weight_count_as_two_at_least() -> None:
    for n_classes in (1.2, 2.0):
        found = compare(flat(0.6, 0.02, n_classes), flat(0.5, 0.01, n_classes))
        assert found.error == pytest.approx(np.sqrt(2 * 12 * 0.01**2))
        assert found.p == pytest.approx(float(student.two_sided(found.difference / found.error, 1)))
        assert significance.resolvable(0.01, n_classes) == pytest.approx(0.01 * (12.7062 + 1.3764), rel=1e-3)


def test_what_rounding_leaves_is_no_difference_and_differs_with_no_error_surely() -> None:
    assert compare(flat(0.6 + 1e-13, 0.02), flat(0.6, 0.01)).p == 1.0
    assert compare(flat(0.6, 0.02), flat(0.5, 0.02 + 1e-14)).p == 0.0


def test_ranks_of_few_classes_are_open() -> None:
    rng = np.random.default_rng(8)
    few = [drawn(rng, skill, classes=9) for skill in (0.45, -0.45)]
    values = [one.value for one in few]
    assert rank_ranges_of_many(values, [None, None], [((0, 1), few)]) == [(1, 2), (1, 2)]
    assert rank_ranges(values, compare_all(few).p) == [(1, 2), (1, 2)]


def test_only_methods_of_the_same_clips_are_compared_in_pairs() -> None:
    methods = [flat(0.9, 0.001), flat(0.5, 0.0), flat(0.4, 0.001)]
    values = [one.value for one in methods]
    ranks = rank_ranges_of_many(values, [None, (0.45, 0.55), None], [((0, 2), (methods[0], methods[2]))])
    assert ranks == [(1, 2), (1, 3), (2, 3)]
    pairs = rank_ranges_of_many(values, [(0.85, 0.95), (0.45, 0.55), (0.3, 0.5)], [])
    assert pairs == [(1, 1), (2, 3), (2, 3)]


def test_a_family_of_the_same_effects_is_ranked_by_values_alone() -> None:
    same = [flat(0.5, 0.02), flat(0.5, 0.02), flat(0.4, 0.02)]
    assert rank_ranges_of_many([0.5, 0.5, 0.4], [None] * 3, [(range(3), same)]) == [(1, 2), (1, 2), (3, 3)]


def test_a_board_resolves_nothing_with_fewer_than_ten_classes() -> None:
    names = [str(number) for number in range(MIN_CLASSES)]
    assert significance.resolvable_by([names[1:]]) is None
    assert significance.resolvable_by([names]) == pytest.approx(significance.resolvable(0.25 / np.sqrt(10), 10))
    assert significance.resolvable_by([names[:5], names[5:]]) == pytest.approx(significance.resolvable_by([names]))
    uneven = [names[:2], names[2:]]  # shares of a quarter and of a sixteenth: 6.4 equal classes
    assert significance.resolvable_by(uneven) == pytest.approx(significance.resolvable(0.25 / np.sqrt(6.4), 6.4))
    assert significance.resolvable_by([names], deviation=0.5) == pytest.approx(2 * significance.resolvable_by([names]))


def test_the_p_of_mcnemar_is_a_probability() -> None:
    for n in range(1, 60):
        first = np.arange(2 * n + 1) < n
        assert 0.99 < significance.mcnemar(first, ~first)[2] <= 1.0


def test_effects_cannot_be_changed() -> None:
    assert (changeable(significance), positional(significance)) == ([], [])
