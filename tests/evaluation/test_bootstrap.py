"""Tests of zsarbench.evaluation.bootstrap: the class-cluster bootstrap over rounds and paired differences."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsarbench.evaluation import bootstrap, metrics
from zsarbench.evaluation.bootstrap import ScoredRound
from zsarbench.evaluation.settings import harmonic_mean


def planted(rng, n_classes=40, n_groups=5, n_clips=10, n_rounds=10):
    """Correctness with class and source-group effects around a population mean of 1/2, over overlapping half splits."""
    classes = np.repeat(np.arange(n_classes), n_groups * n_clips)
    groups = np.tile(np.repeat(np.arange(n_groups), n_clips), n_classes)
    of_class = rng.beta(2, 2, n_classes)
    of_group = rng.beta(8 * of_class[:, None], 8 * (1 - of_class[:, None]), (n_classes, n_groups))
    correct = (rng.random(len(classes)) < of_group[classes, groups]).astype(float)
    rounds = []
    for _ in range(n_rounds):
        clips = np.flatnonzero(np.isin(classes, rng.permutation(n_classes)[: n_classes // 2]))
        rounds.append(ScoredRound(correct[clips], clips))
    return rounds, classes, groups, correct


def test_interval_covers_where_clips_as_independent_do_not():
    rng = np.random.default_rng(20160516)
    trials, covered, covered_binomial = 150, 0, 0
    for _ in range(trials):
        rounds, classes, groups, _ = planted(rng)
        low, high = bootstrap.bootstrap_interval(rounds, classes, groups, average="per_class", rng=rng, n_resamples=300)
        covered += low <= 0.5 <= high
        # The binomial over clips is given every scored clip once, the widest it can honestly claim.
        scored = np.unique(np.concatenate([r.clips for r in rounds]))
        mean = np.mean([r.correct.mean() for r in rounds])
        covered_binomial += abs(mean - 0.5) <= 1.96 * np.sqrt(mean * (1 - mean) / len(scored))
    assert covered / trials >= 0.85
    assert covered_binomial / trials <= 0.6


@pytest.mark.parametrize("average", ["per_video", "per_class"])
def test_replicates_equal_a_bootstrap_that_copies_clips(average):
    """The spread over replicates is that of drawing classes, then groups, and really concatenating their clips."""
    rng = np.random.default_rng(5)
    classes = rng.integers(0, 12, 400)
    groups = rng.integers(0, 4, 400)
    correct = (rng.random(400) < 0.2 + 0.05 * classes).astype(float)
    copies = []
    for _ in range(1500):
        instances = []
        for drawn in rng.choice(np.unique(classes), 12):
            names = np.unique(groups[classes == drawn])
            picks = [np.flatnonzero((classes == drawn) & (groups == g)) for g in rng.choice(names, len(names))]
            instances.append(correct[np.concatenate(picks)])
        if average == "per_video":
            copies.append(np.concatenate(instances).mean())
        else:
            copies.append(np.mean([i.mean() for i in instances]))
    low, high = bootstrap.bootstrap_interval(
        [ScoredRound(correct)], classes, groups, average=average, rng=rng, n_resamples=4000
    )
    expected_low, expected_high = np.quantile(copies, [0.025, 0.975])
    assert low == pytest.approx(expected_low, abs=0.02)
    assert high == pytest.approx(expected_high, abs=0.02)


def test_more_overlapping_rounds_do_not_shrink_the_interval_as_independent_ones_would():
    rng = np.random.default_rng(7)
    rounds, classes, groups, correct = planted(rng, n_rounds=40)

    def width(some):
        low, high = bootstrap.bootstrap_interval(some, classes, groups, average="per_video", rng=rng)
        return high - low

    assert width(rounds) > 0.8 * width([ScoredRound(correct)])


@given(st.integers(0, 2**32 - 1), st.sampled_from(["per_video", "per_class"]))
@settings(deadline=None, max_examples=25)
def test_the_observed_difference_is_that_of_metrics(seed, average):
    rng = np.random.default_rng(seed)
    classes, groups = rng.integers(0, 6, 80), rng.integers(0, 3, 80)
    clips = rng.permutation(80)[:50]
    first, second = rng.random(50), rng.random(50)

    def value(correct):
        own = classes[clips]
        return metrics.per_video(correct) if average == "per_video" else metrics.per_class(correct, own, 6)

    paired = bootstrap.paired_interval(
        [ScoredRound(first, clips)],
        [ScoredRound(second, clips)],
        classes,
        groups,
        average=average,
        rng=rng,
        n_resamples=20,
    )
    assert paired.difference == pytest.approx(value(first) - value(second), abs=1e-12)
    assert paired.low <= paired.high


def test_the_order_of_clips_and_the_names_of_classes_and_groups_do_not_matter():
    rounds, classes, groups, correct = planted(np.random.default_rng(9), n_classes=8)

    def interval(*arguments):
        return bootstrap.bootstrap_interval(*arguments, average="per_class", rng=np.random.default_rng(0))

    expected = interval(rounds, classes, groups)
    order = np.random.default_rng(1).permutation(len(classes))
    place = np.argsort(order)
    moved = [ScoredRound(correct[r.clips], place[r.clips]) for r in rounds]
    assert interval(moved, classes[order], groups[order]) == pytest.approx(expected, abs=1e-12)
    named = np.array([f"class {c}" for c in classes]), np.array([f"g{g + 1:02d}" for g in groups])
    assert interval(rounds, *named) == pytest.approx(expected, abs=1e-12)


def test_blocks_of_resamples_keep_the_interval_in_memory_bounds(monkeypatch):
    rounds, classes, groups, _ = planted(np.random.default_rng(11), n_classes=10)
    kwargs = {"average": "per_video", "n_resamples": 3000}
    whole = bootstrap.bootstrap_interval(rounds, classes, groups, rng=np.random.default_rng(0), **kwargs)
    monkeypatch.setattr(bootstrap, "BLOCK_WEIGHTS", 35)  # 7 resamples a block
    blocks = bootstrap.bootstrap_interval(rounds, classes, groups, rng=np.random.default_rng(0), **kwargs)
    assert blocks == pytest.approx(whole, abs=0.02)


def test_same_generator_state_gives_the_same_bits():
    rounds, classes, groups, _ = planted(np.random.default_rng(12), n_classes=6)
    a, b = (
        bootstrap.bootstrap_interval(rounds, classes, groups, average="per_class", rng=np.random.default_rng(4))
        for _ in range(2)
    )
    assert a == b


def test_certain_results_have_an_interval_of_no_width():
    classes, groups = np.repeat(np.arange(5), 4), np.tile([0, 0, 1, 1], 5)
    for value in (0.0, 1.0, 0.2):
        interval = bootstrap.bootstrap_interval(
            [ScoredRound(np.full(20, value))], classes, groups, average="per_class", rng=np.random.default_rng(0)
        )
        assert interval == pytest.approx((value, value), abs=1e-12)


def test_classes_that_no_round_scores_are_not_resampled():
    rounds, classes, groups, correct = planted(np.random.default_rng(13), n_classes=12, n_rounds=1)
    [only] = rounds
    alone = bootstrap.bootstrap_interval(
        [ScoredRound(correct[only.clips])],
        classes[only.clips],
        groups[only.clips],
        average="per_class",
        rng=np.random.default_rng(0),
    )
    among = bootstrap.bootstrap_interval(rounds, classes, groups, average="per_class", rng=np.random.default_rng(0))
    assert among == pytest.approx(alone, abs=1e-12)


def test_rounds_too_small_for_some_replicates_still_have_an_interval():
    """A replicate that leaves a round without a class averages the others; one that leaves none is dropped."""
    classes, groups = np.array([0, 1, 2]), np.zeros(3, dtype=int)
    rounds = [ScoredRound(np.array([float(c)]), np.array([c])) for c in (0, 1, 1)]
    low, high = bootstrap.bootstrap_interval(rounds, classes, groups, average="per_video", rng=np.random.default_rng(0))
    assert (low, high) == (0.0, 1.0)


def test_paired_interval_sees_a_small_difference_that_both_intervals_hide():
    rng = np.random.default_rng(17)
    rounds, classes, groups, correct = planted(rng)
    better = np.where(rng.random(len(correct)) < 0.1, 1.0, correct)
    improved = [ScoredRound(better[r.clips], r.clips) for r in rounds]
    paired = bootstrap.paired_interval(improved, rounds, classes, groups, average="per_class", rng=rng)
    a = bootstrap.bootstrap_interval(improved, classes, groups, average="per_class", rng=rng)
    b = bootstrap.bootstrap_interval(rounds, classes, groups, average="per_class", rng=rng)
    assert a.low < b.high  # the two intervals overlap
    assert paired.low > 0
    assert paired.share_not_better == 0.0
    reverse = bootstrap.paired_interval(rounds, improved, classes, groups, average="per_class", rng=rng)
    assert reverse.difference == pytest.approx(-paired.difference, abs=1e-12)
    assert reverse.high < 0
    assert reverse.share_not_better == 1.0
    same = bootstrap.paired_interval(rounds, rounds, classes, groups, average="per_class", rng=rng)
    assert same == (0.0, 0.0, 0.0, 1.0)


def test_harmonic_interval_holds_the_harmonic_mean_and_narrows_on_one_sided_certainty():
    rng = np.random.default_rng(19)
    rounds, classes, groups, _ = planted(rng, n_rounds=1)
    clips = rounds[0].clips
    is_seen = classes[clips] % 2 == 0
    seen = [ScoredRound(rounds[0].correct[is_seen], clips[is_seen])]
    unseen = [ScoredRound(rounds[0].correct[~is_seen], clips[~is_seen])]
    low, high = bootstrap.harmonic_interval(seen, unseen, classes, groups, average="per_video", rng=rng)
    assert low < harmonic_mean(seen[0].correct.mean(), unseen[0].correct.mean()) < high
    nothing = [ScoredRound(np.zeros(len(r.correct)), r.clips) for r in unseen]
    assert bootstrap.harmonic_interval(seen, nothing, classes, groups, average="per_class", rng=rng) == (0.0, 0.0)
    neither = [ScoredRound(np.zeros(len(r.correct)), r.clips) for r in seen]
    assert bootstrap.harmonic_interval(neither, nothing, classes, groups, average="per_class", rng=rng) == (0, 0)
    with pytest.raises(ValueError, match="both kinds of clips"):
        bootstrap.harmonic_interval(seen, [], classes, groups, average="per_class", rng=rng)


@pytest.mark.parametrize(
    ("rounds", "message"),
    [
        ([], "no rounds"),
        ([ScoredRound(np.ones(2))], "one correctness per clip"),
        ([ScoredRound(np.ones(2), np.array([0]))], "one correctness per clip"),
        ([ScoredRound(np.ones(0), np.zeros(0, dtype=int))], "one correctness per clip"),
    ],
)
def test_wrong_rounds_are_refused(rounds, message):
    with pytest.raises(ValueError, match=message):
        bootstrap.bootstrap_interval(
            rounds, np.arange(3), np.zeros(3), average="per_video", rng=np.random.default_rng(0)
        )


def test_wrong_arrays_levels_and_pairs_are_refused():
    kwargs = {"average": "per_video", "rng": np.random.default_rng(0)}
    one = [ScoredRound(np.ones(3))]
    with pytest.raises(ValueError, match="classes and groups must both be"):
        bootstrap.bootstrap_interval(one, np.arange(3), np.zeros(2), **kwargs)
    with pytest.raises(ValueError, match="level is 95"):
        bootstrap.bootstrap_interval(one, np.arange(3), np.zeros(3), level=95, **kwargs)
    for other in ([ScoredRound(np.ones(3), np.arange(3))], one * 2, [ScoredRound(np.ones(2), np.array([0, 1]))]):
        with pytest.raises(ValueError, match="same rounds over the same clips"):
            bootstrap.paired_interval(one, other, np.arange(3), np.zeros(3), **kwargs)


def test_examples_in_docstrings():
    outcome = doctest.testmod(bootstrap)
    assert outcome.attempted > 0
    assert outcome.failed == 0
