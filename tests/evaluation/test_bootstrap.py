"""Tests of zsarbench.evaluation.bootstrap: the bootstrap of classes over rounds and paired differences."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import scipy.stats
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
    return rounds, classes, correct


def expected_accuracy(mean, deviation):
    """Return the mean of the logistic function of a normal variable, by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    return (weights / (1 + np.exp(-(mean + deviation * nodes)))).sum() / weights.sum()


def test_interval_covers_where_clips_as_independent_do_not():
    rng = np.random.default_rng(20160516)
    trials, covered, covered_binomial = 150, 0, 0
    for _ in range(trials):
        rounds, classes, _ = planted(rng)
        low, high = bootstrap.bootstrap_interval(rounds, classes, average="per_class", rng=rng, n_resamples=300)
        covered += low <= 0.5 <= high
        # The binomial over clips is given every scored clip once, the widest it can honestly claim.
        scored = np.unique(np.concatenate([r.clips for r in rounds]))
        mean = np.mean([r.correct.mean() for r in rounds])
        covered_binomial += abs(mean - 0.5) <= 1.96 * np.sqrt(mean * (1 - mean) / len(scored))
    assert covered / trials >= 0.9
    assert covered_binomial / trials <= 0.6


@pytest.mark.parametrize("average", ["per_video", "per_class"])
def test_replicates_equal_a_bootstrap_that_copies_clips(average):
    """The interval is that of drawing classes and really concatenating their clips, widened about the estimate."""
    rng = np.random.default_rng(5)
    classes = rng.integers(0, 12, 400)
    correct = (rng.random(400) < 0.2 + 0.05 * classes).astype(float)
    copies = []
    for _ in range(4000):
        instances = [correct[classes == drawn] for drawn in rng.choice(np.unique(classes), 12)]
        if average == "per_video":
            copies.append(np.concatenate(instances).mean())
        else:
            copies.append(np.mean([i.mean() for i in instances]))
    interval = bootstrap.bootstrap_interval([ScoredRound(correct)], classes, average=average, rng=rng, n_resamples=4000)
    value = metrics.averaged(correct, classes, average)
    weights = np.bincount(classes) / 400 if average == "per_video" else np.full(12, 1 / 12)
    n = 1 / np.square(weights).sum()
    widen = np.sqrt(n / (n - 1)) * scipy.stats.t.ppf(0.975, n - 1) / scipy.stats.norm.ppf(0.975)
    expected = value + widen * (np.quantile(copies, [0.025, 0.975]) - value)
    assert interval == pytest.approx(tuple(expected), abs=0.012)


@pytest.mark.once
@pytest.mark.parametrize("n_classes", [10, 15, 34])
def test_intervals_of_few_classes_cover_and_paired_ones_seldom_exclude_no_difference(n_classes):
    """Benchmarks measure this with more trials and many more cases (benchmarks/statistics)."""
    rng, trials, covered, excluded = np.random.default_rng(n_classes), 400, 0, 0
    classes = np.repeat(np.arange(n_classes), 50)
    for _ in range(trials):
        logits = rng.normal(-0.4, 1.8, n_classes)
        both = [
            (rng.random(len(classes)) < 1 / (1 + np.exp(-(logits + rng.normal(0, 0.5, n_classes))[classes]))) * 1.0
            for _ in range(2)
        ]
        kwargs = {"average": "per_video", "rng": rng, "n_resamples": 400}
        low, high = bootstrap.bootstrap_interval([ScoredRound(both[0])], classes, **kwargs)
        covered += low <= expected_accuracy(-0.4, np.hypot(1.8, 0.5)) <= high
        paired = bootstrap.paired_interval([ScoredRound(both[0])], [ScoredRound(both[1])], classes, **kwargs)
        excluded += not paired.low <= 0 <= paired.high
    assert 0.92 <= covered / trials <= 0.98
    assert 0.02 <= excluded / trials <= 0.08


def test_there_is_no_interval_of_fewer_than_ten_classes():
    classes = np.repeat(np.arange(12), 4)
    correct = (np.arange(48) % 3 == 0).astype(float)
    kwargs = {"average": "per_class", "rng": np.random.default_rng(0), "n_resamples": 50}

    def part(*some):
        clips = np.flatnonzero(np.isin(classes, some))
        return ScoredRound(correct[clips], clips)

    ten, nine, three = part(*range(10)), part(*range(9)), part(9, 10, 11)
    assert bootstrap.bootstrap_interval([ten], classes, **kwargs) is not None
    assert bootstrap.bootstrap_interval([nine], classes, **kwargs) is None
    # What counts is the classes of all rounds together, and of a harmonic mean those of the smaller side.
    assert bootstrap.bootstrap_interval([nine, three], classes, **kwargs) is not None
    assert bootstrap.harmonic_interval([ten], [part(10, 11)], classes, **kwargs) is None
    assert bootstrap.harmonic_interval([ten, part(*range(2, 12))], [part(10, 11), part(*range(9))], classes, **kwargs)
    reverse = ScoredRound(1 - nine.correct, nine.clips)
    paired = bootstrap.paired_interval([nine], [reverse], classes, **kwargs)
    assert paired == (pytest.approx(2 * metrics.per_class(nine.correct, classes[nine.clips], 9) - 1), None, None, None)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("n_classes", [2, 10, 22.5, 101])
def test_the_widening_is_that_of_student(n_classes, level):
    tail = (1 + level) / 2
    ratio = scipy.stats.t.ppf(tail, n_classes - 1) / scipy.stats.norm.ppf(tail)
    expected = np.sqrt(n_classes / (n_classes - 1)) * ratio
    assert bootstrap.widening(n_classes, level) == pytest.approx(expected, rel=1e-5)


def test_classes_of_unequal_size_widen_the_interval_of_clips_alone():
    """One class holds half of all clips: it is worth far fewer classes of equal size than there are."""
    rng = np.random.default_rng(3)
    classes = np.concatenate([np.repeat(np.arange(20), 20), np.full(400, 20)])
    correct = np.where(classes == 20, rng.random(800) < 0.5, rng.random(800) < 0.5).astype(float)

    def width(average):
        low, high = bootstrap.bootstrap_interval(
            [ScoredRound(correct)], classes, average=average, rng=np.random.default_rng(0)
        )
        return high - low

    n = 1 / (np.square(np.append(np.full(20, 1 / 40), 0.5)).sum())
    assert n < 4
    assert width("per_video") > 1.5 * width("per_class")


def test_ends_of_intervals_stay_where_accuracies_and_differences_lie():
    classes = np.repeat(np.arange(10), 2)
    one = [ScoredRound(np.repeat([1.0, 0.0], [2, 18]))]
    most = [ScoredRound(np.repeat([0.0, 1.0], [2, 18]))]
    kwargs = {"average": "per_class", "rng": np.random.default_rng(0)}
    assert bootstrap.bootstrap_interval(one, classes, **kwargs).low == 0.0
    assert bootstrap.bootstrap_interval(most, classes, **kwargs).high == 1.0
    assert bootstrap.harmonic_interval(most, most, classes, **kwargs).high == 1.0
    difference = bootstrap.paired_interval(one, most, classes, **kwargs)
    assert difference.difference == pytest.approx(-0.8)
    assert difference.low == -1.0


def test_more_overlapping_rounds_do_not_shrink_the_interval_as_independent_ones_would():
    rng = np.random.default_rng(7)
    rounds, classes, correct = planted(rng, n_rounds=40)

    def width(some):
        low, high = bootstrap.bootstrap_interval(some, classes, average="per_video", rng=rng)
        return high - low

    assert width(rounds) > 0.8 * width([ScoredRound(correct)])


@given(st.integers(0, 2**32 - 1), st.sampled_from(["per_video", "per_class"]))
@settings(max_examples=25)
def test_the_observed_difference_is_that_of_metrics(seed, average):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 6, 80)
    clips = rng.permutation(80)[:50]
    first, second = rng.random(50), rng.random(50)

    def value(correct):
        own = classes[clips]
        return metrics.per_video(correct) if average == "per_video" else metrics.per_class(correct, own, 6)

    paired = bootstrap.paired_interval(
        [ScoredRound(first, clips)],
        [ScoredRound(second, clips)],
        classes,
        average=average,
        rng=rng,
        n_resamples=20,
    )
    assert paired.difference == pytest.approx(value(first) - value(second), abs=1e-12)


def test_the_order_of_clips_and_the_names_of_classes_do_not_matter():
    rounds, classes, correct = planted(np.random.default_rng(9), n_classes=12)

    def interval(*arguments):
        return bootstrap.bootstrap_interval(*arguments, average="per_class", rng=np.random.default_rng(0))

    expected = interval(rounds, classes)
    order = np.random.default_rng(1).permutation(len(classes))
    place = np.argsort(order)
    moved = [ScoredRound(correct[r.clips], place[r.clips]) for r in rounds]
    assert interval(moved, classes[order]) == pytest.approx(expected, abs=1e-12)
    named = np.array([f"class {c:02d}" for c in classes])
    assert interval(rounds, named) == pytest.approx(expected, abs=1e-12)


def test_blocks_of_resamples_keep_the_interval_in_memory_bounds(monkeypatch):
    rounds, classes, _ = planted(np.random.default_rng(11), n_classes=10)
    kwargs = {"average": "per_video", "n_resamples": 3000}
    whole = bootstrap.bootstrap_interval(rounds, classes, rng=np.random.default_rng(0), **kwargs)
    monkeypatch.setattr(bootstrap, "BLOCK_WEIGHTS", 70)  # 7 resamples a block
    blocks = bootstrap.bootstrap_interval(rounds, classes, rng=np.random.default_rng(0), **kwargs)
    assert blocks == pytest.approx(whole, abs=0.02)


def test_same_generator_state_gives_the_same_bits():
    rounds, classes, _ = planted(np.random.default_rng(12), n_classes=12)
    a, b = (
        bootstrap.bootstrap_interval(rounds, classes, average="per_class", rng=np.random.default_rng(4))
        for _ in range(2)
    )
    assert a == b


def test_certain_results_have_an_interval_of_no_width():
    classes = np.repeat(np.arange(10), 4)
    for value in (0.0, 1.0, 0.2):
        interval = bootstrap.bootstrap_interval(
            [ScoredRound(np.full(40, value))], classes, average="per_class", rng=np.random.default_rng(0)
        )
        assert interval == pytest.approx((value, value), abs=1e-12)


def test_classes_that_no_round_scores_are_not_resampled():
    rounds, classes, correct = planted(np.random.default_rng(13), n_classes=24, n_rounds=1)
    [only] = rounds
    kwargs = {"average": "per_class"}
    alone = bootstrap.bootstrap_interval(
        [ScoredRound(correct[only.clips])], classes[only.clips], rng=np.random.default_rng(0), **kwargs
    )
    among = bootstrap.bootstrap_interval(rounds, classes, rng=np.random.default_rng(0), **kwargs)
    assert among == pytest.approx(alone, abs=1e-12)


def test_rounds_too_small_for_some_replicates_still_have_an_interval():
    """A replicate that leaves a round without a class averages the others."""
    classes = np.arange(10)
    rounds = [ScoredRound(np.array([float(c % 2)]), np.array([c])) for c in range(10)]
    low, high = bootstrap.bootstrap_interval(rounds, classes, average="per_video", rng=np.random.default_rng(0))
    assert 0 <= low < 0.4
    assert 0.6 < high <= 1


def test_paired_interval_sees_a_small_difference_that_both_intervals_hide():
    rng = np.random.default_rng(17)
    rounds, classes, correct = planted(rng)
    better = np.where(rng.random(len(correct)) < 0.1, 1.0, correct)
    improved = [ScoredRound(better[r.clips], r.clips) for r in rounds]
    paired = bootstrap.paired_interval(improved, rounds, classes, average="per_class", rng=rng)
    a = bootstrap.bootstrap_interval(improved, classes, average="per_class", rng=rng)
    b = bootstrap.bootstrap_interval(rounds, classes, average="per_class", rng=rng)
    assert a.low < b.high  # the two intervals overlap
    assert paired.low > 0
    assert paired.share_not_better == 0.0
    reverse = bootstrap.paired_interval(rounds, improved, classes, average="per_class", rng=rng)
    assert reverse.difference == pytest.approx(-paired.difference, abs=1e-12)
    assert reverse.high < 0
    assert reverse.share_not_better == 1.0
    same = bootstrap.paired_interval(rounds, rounds, classes, average="per_class", rng=rng)
    assert same == (0.0, 0.0, 0.0, 1.0)


def test_harmonic_interval_holds_the_harmonic_mean_and_narrows_on_one_sided_certainty():
    rng = np.random.default_rng(19)
    rounds, classes, _ = planted(rng, n_classes=80, n_rounds=1)
    clips = rounds[0].clips
    is_seen = classes[clips] % 2 == 0
    seen = [ScoredRound(rounds[0].correct[is_seen], clips[is_seen])]
    unseen = [ScoredRound(rounds[0].correct[~is_seen], clips[~is_seen])]
    low, high = bootstrap.harmonic_interval(seen, unseen, classes, average="per_video", rng=rng)
    assert low < harmonic_mean(seen[0].correct.mean(), unseen[0].correct.mean()) < high
    nothing = [ScoredRound(np.zeros(len(r.correct)), r.clips) for r in unseen]
    assert bootstrap.harmonic_interval(seen, nothing, classes, average="per_class", rng=rng) == (0.0, 0.0)
    neither = [ScoredRound(np.zeros(len(r.correct)), r.clips) for r in seen]
    assert bootstrap.harmonic_interval(neither, nothing, classes, average="per_class", rng=rng) == (0, 0)
    with pytest.raises(ValueError, match="both kinds of clips"):
        bootstrap.harmonic_interval(seen, [], classes, average="per_class", rng=rng)


def test_the_harmonic_mean_of_an_accuracy_and_itself_has_the_interval_of_that_accuracy():
    rounds, classes, _ = planted(np.random.default_rng(23))
    kwargs = {"average": "per_class"}
    alone = bootstrap.bootstrap_interval(rounds, classes, rng=np.random.default_rng(0), **kwargs)
    both = bootstrap.harmonic_interval(rounds, rounds, classes, rng=np.random.default_rng(0), **kwargs)
    assert both == pytest.approx(alone, abs=1e-12)


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
        bootstrap.bootstrap_interval(rounds, np.arange(3), average="per_video", rng=np.random.default_rng(0))


def test_wrong_arrays_levels_and_pairs_are_refused():
    kwargs = {"average": "per_video", "rng": np.random.default_rng(0)}
    one = [ScoredRound(np.ones(3))]
    with pytest.raises(ValueError, match="classes must be"):
        bootstrap.bootstrap_interval(one, np.zeros((3, 1)), **kwargs)
    for level in (95, 0.0, 1.0):
        with pytest.raises(ValueError, match=f"level is {level}"):
            bootstrap.bootstrap_interval(one, np.arange(3), level=level, **kwargs)
    for other in ([ScoredRound(np.ones(3), np.arange(3))], one * 2, [ScoredRound(np.ones(2), np.array([0, 1]))]):
        with pytest.raises(ValueError, match="same rounds over the same clips"):
            bootstrap.paired_interval(one, other, np.arange(3), **kwargs)


def test_examples_in_docstrings():
    outcome = doctest.testmod(bootstrap)
    assert outcome.attempted > 0
    assert outcome.failed == 0
