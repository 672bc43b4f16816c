"""Tests of zsarbench.evaluation.metrics: ties, unread clips, averages, the settings with seen classes."""

from __future__ import annotations

import doctest
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation import metrics
from zsarbench.evaluation.settings import SETTINGS, harmonic_mean


@st.composite
def problems(draw, *, max_classes=6, values=(-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf), nan=False):
    """Scores (N, C) from few values, so that most rows hold ties, and labels (N,)."""
    n, c = draw(st.integers(1, 8)), draw(st.integers(1, max_classes))
    values = [*values, np.nan] if nan else list(values)
    rows = draw(st.lists(st.lists(st.sampled_from(values), min_size=c, max_size=c), min_size=n, max_size=n))
    labels = draw(st.lists(st.integers(0, c - 1), min_size=n, max_size=n))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return np.array(rows, dtype=dtype), np.array(labels)


def enumerated_topk(row, label, k):
    """The share of all orders that sort the row downwards in which the label is among the first k, if it is there."""
    if row[label] == -np.inf:
        return 0.0
    every = itertools.permutations(range(len(row)))
    orders = [order for order in every if all(row[a] >= row[b] for a, b in itertools.pairwise(order))]
    return sum(label in order[:k] for order in orders) / len(orders)


@given(problems(), st.data())
@settings(max_examples=60)
def test_topk_is_the_expectation_over_all_orders_of_the_ties(problem, data):
    scores, labels = problem
    k = data.draw(st.integers(1, scores.shape[1]))
    expected = [enumerated_topk(row, label, k) for row, label in zip(scores, labels, strict=True)]
    np.testing.assert_allclose(metrics.topk_expectation(scores, labels, k), expected, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(3, 12))
def test_untied_scores_agree_with_scikit_learn(seed, n, c):
    rng = np.random.default_rng(seed)
    scores, labels = rng.permutation(n * c).reshape(n, c).astype(float), rng.integers(0, c, n)
    for k in range(1, c):
        expected = top_k_accuracy_score(labels, scores, k=k, labels=np.arange(c))
        assert metrics.per_video(metrics.topk_expectation(scores, labels, k)) == pytest.approx(expected, abs=1e-12)
    correct = metrics.topk_expectation(scores, labels, 1)
    expected = np.mean([np.mean(scores.argmax(1)[labels == x] == x) for x in np.unique(labels)])
    assert metrics.per_class(correct, labels, c) == pytest.approx(expected, abs=1e-12)


def test_per_class_agrees_with_balanced_accuracy():
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.arange(7), rng.integers(0, 7, 60)])
    scores = rng.standard_normal((67, 7)) + np.eye(7)[labels]
    expected = balanced_accuracy_score(labels, scores.argmax(1))
    assert metrics.evaluate(scores, labels)["top1_per_class"] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("constant", [0.0, 1e30, -1e30, np.inf])
@pytest.mark.parametrize("n_classes", [6, 50, 101])
def test_constant_scores_give_exactly_chance(constant, n_classes):
    labels = np.random.default_rng(1).integers(0, n_classes, 64)
    scores = np.full((64, n_classes), constant, dtype=np.float32)
    for k in (1, 5):
        assert set(metrics.topk_expectation(scores, labels, k)) == {k / n_classes}
    values = metrics.evaluate(scores, labels)
    assert values["top1_per_video"] == pytest.approx(1 / n_classes, abs=1e-15)
    assert values["top5_per_class"] == pytest.approx(5 / n_classes, abs=1e-15)


@pytest.mark.parametrize("nan_at", [0, 1, slice(None)])
def test_a_row_with_any_nan_is_wrong_at_every_k(nan_at):
    scores = np.array([[9.0, 1.0, 2.0], [9.0, 1.0, 2.0]])
    scores[1, nan_at] = np.nan
    for k in (1, 2, 3):
        assert metrics.topk_expectation(scores, np.array([0, 0]), k).tolist() == [1.0, 0.0]


def test_unread_clips_stay_in_the_denominator_unless_survivors_are_requested():
    scores = np.array([[1.0, 0.0], [np.nan, np.nan], [0.0, 1.0], [1.0, 0.0]])
    labels = np.array([0, 0, 1, 1])
    assert metrics.evaluate(scores, labels)["top1_per_video"] == 0.5
    assert metrics.evaluate(scores, labels, denominator="survivors")["top1_per_video"] == pytest.approx(2 / 3)
    assert metrics.evaluate(scores, labels)["top1_per_class"] == 0.5
    assert metrics.evaluate(scores, labels, denominator="survivors")["top1_per_class"] == 0.75
    with pytest.raises(ZsarbenchError, match="none of the 1 test clips has scores"):
        metrics.evaluate(scores[1:2], labels[1:2], denominator="survivors")


def test_plus_infinity_is_an_ordinary_score_and_minus_infinity_that_of_a_class_that_was_not_predicted():
    scores = np.array([[np.inf, 1.0, np.inf], [-np.inf, -np.inf, 0.0], [np.inf, -np.inf, 0.0]])
    assert metrics.topk_expectation(scores, np.array([0, 0, 2]), 1).tolist() == [0.5, 0.0, 0.0]
    assert metrics.topk_expectation(scores, np.array([0, 0, 2]), 2).tolist() == [1.0, 0.0, 1.0]
    assert metrics.topk_expectation(scores, np.array([1, 2, 1]), 3).tolist() == [1.0, 1.0, 0.0]


@given(problems(nan=True), st.randoms(use_true_random=False))
def test_order_of_clips_and_of_classes_does_not_matter(problem, random):
    scores, labels = problem
    clips, classes = list(range(len(labels))), list(range(scores.shape[1]))
    random.shuffle(clips)
    random.shuffle(classes)
    new_label = np.argsort(classes)
    permuted = metrics.evaluate(scores[clips][:, classes], new_label[labels[clips]])
    assert permuted == pytest.approx(metrics.evaluate(scores, labels), abs=1e-12)


def test_top5_is_left_out_at_five_candidates_or_fewer():
    labels = np.zeros(3, dtype=int)
    assert set(metrics.evaluate(np.zeros((3, 5)), labels)) == {"top1_per_video", "top1_per_class"}
    assert metrics.evaluate(np.zeros((3, 5)), labels, metrics=["top5_per_video"]) == {}
    assert tuple(metrics.evaluate(np.zeros((3, 6)), labels)) == SETTINGS["zsl"].names
    assert metrics.evaluate(np.zeros((3, 1)), labels) == {"top1_per_video": 1.0, "top1_per_class": 1.0}


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.zeros((2, 3)), np.array([0, -1]), "got -1 to 0"),
        (np.zeros((2, 3)), np.array([0, 3]), "got 0 to 3"),
        (np.zeros((2, 3)), np.array([0]), "labels \\(N,\\)"),
        (np.zeros(3), np.array([0, 1, 2]), "must be \\(N, C\\)"),
        (np.zeros((1, 3)), np.array([0.0]), "labels integers"),
        (np.zeros((1, 3), dtype=int), np.array([0]), "must be floats"),
        (np.zeros((0, 3)), np.zeros(0, dtype=int), "no clips"),
    ],
)
def test_wrong_arrays_are_refused(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        metrics.evaluate(scores, labels)


@pytest.mark.parametrize("k", [0, 4])
def test_k_outside_the_candidates_is_refused(k):
    with pytest.raises(ValueError, match=f"k is {k}"):
        metrics.topk_expectation(np.zeros((1, 3)), np.array([0]), k)


def test_averages_over_no_clips_are_refused():
    with pytest.raises(ValueError, match="no clips"):
        metrics.per_video([])
    with pytest.raises(ValueError, match="no clips"):
        metrics.per_class([], np.zeros(0, dtype=int), 3)


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'top1_per_video'"):
        metrics.evaluate(np.zeros((1, 3)), np.array([0]), metrics=["top1_per_vido"])
    with pytest.raises(UsageError, match="metric of the setting zsl 'ausuc'"):
        metrics.evaluate(np.zeros((1, 3)), np.array([0]), metrics=["ausuc"])


# --- the generalised setting ------------------------------------------------------------------------------------------

SEEN = np.array([True, True, False, False])


def test_generalised_accuracies_by_hand():
    scores = np.array([[3, 1, 0, 0], [3, 1, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0], [9, 0, 3, 0], [0, 0, 0, 3]], dtype=float)
    labels = np.array([0, 0, 0, 2, 2, 3])  # class 1 has no clip
    values = metrics.evaluate(scores, labels, setting="gzsl", seen=SEEN)
    assert tuple(values) == tuple(metric.name for metric in SETTINGS["gzsl"].metrics if metric.k == 1)
    assert values["top1_per_video_seen"] == values["top1_per_class_seen"] == pytest.approx(2 / 3)
    assert values["top1_per_video_unseen"] == pytest.approx(2 / 3)
    assert values["top1_per_class_unseen"] == pytest.approx(3 / 4)
    assert values["harmonic_mean"] == pytest.approx(12 / 17)
    assert values["harmonic_mean_per_video"] == pytest.approx(2 / 3)
    assert values["top1_per_video"] == pytest.approx(4 / 6)


def test_harmonic_mean_of_nothing_right_is_zero():
    assert harmonic_mean(0.0, 0.0) == 0.0
    assert harmonic_mean(0.5, 0.0) == 0.0


def test_generalised_setting_needs_both_kinds():
    scores = np.zeros((2, 4))
    with pytest.raises(ValueError, match="needs `seen`"):
        metrics.evaluate(scores, np.array([0, 2]), setting="gzsl")
    with pytest.raises(ValueError, match=r"boolean mask \(4,\)"):
        metrics.evaluate(scores, np.array([0, 2]), setting="gzsl", seen=SEEN[:3])
    with pytest.raises(ZsarbenchError, match="none is unseen"):
        metrics.evaluate(scores, np.array([0, 1]), setting="gzsl", seen=SEEN)
    with pytest.raises(ZsarbenchError, match="none is seen"):
        metrics.evaluate(scores, np.array([2, 3]), setting="gzsl", seen=SEEN)


def test_base_and_novel_classes_compete_among_themselves():
    """A row's largest score counts only where it belongs to a class of the clip's own kind."""
    scores = np.array([[1, 0, 9, 9], [0, 1, 9, 9], [9, 9, 1, 0], [9, 9, 2, 2], [np.nan] * 4], dtype=float)
    labels = np.array([0, 0, 2, 3, 1])
    values = metrics.evaluate(scores, labels, setting="base-to-novel", seen=SEEN)
    assert tuple(values) == SETTINGS["base-to-novel"].names
    assert values["top1_per_video_base"] == pytest.approx(1 / 3)  # one right, one wrong, one not read
    assert values["top1_per_class_base"] == pytest.approx(1 / 4)
    assert values["top1_per_video_novel"] == values["top1_per_class_novel"] == pytest.approx(3 / 4)  # one tie
    assert values["harmonic_mean_per_video"] == pytest.approx(harmonic_mean(1 / 3, 3 / 4))
    survivors = metrics.evaluate(scores, labels, setting="base-to-novel", seen=SEEN, denominator="survivors")
    assert survivors["top1_per_video_base"] == pytest.approx(1 / 2)
    with pytest.raises(ValueError, match="needs `seen`"):
        metrics.evaluate(scores, labels, setting="base-to-novel")


@pytest.mark.parametrize("rules", SETTINGS.values(), ids=SETTINGS)
def test_a_metric_by_itself_has_the_value_that_it_has_among_all(rules):
    rng = np.random.default_rng(2)
    seen, labels = np.arange(12) < 5, rng.permutation(np.repeat(np.arange(12), 3))
    scores = rng.normal(size=(36, 12)) + np.eye(12)[labels]
    together = metrics.evaluate(scores, labels, setting=rules.name, seen=seen)
    assert tuple(together) == rules.names
    for name, value in together.items():
        assert metrics.evaluate(scores, labels, setting=rules.name, seen=seen, metrics=[name]) == {name: value}


def test_examples_in_docstrings():
    outcome = doctest.testmod(metrics)
    assert outcome.attempted > 0
    assert outcome.failed == 0
