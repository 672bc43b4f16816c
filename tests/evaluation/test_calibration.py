"""Calibration: a method that knows how sure it is has no error, and abstaining leaves the right clips."""

from __future__ import annotations

import numpy as np
import pytest

from records import changeable, positional
from zsarbench.evaluation import calibration as calibrations
from zsarbench.evaluation.calibration import Calibration, calibration, expected_error


def drawn(scale: float, n: int = 4000) -> Calibration:
    """Return the calibration of scores that are log-probabilities of how the labels were drawn, times a scale."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(n, 5))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random(n)[:, None] > shares.cumsum(axis=1)).sum(axis=1)
    return calibration([(scale * logits, labels, np.arange(n))], whole=True)


def test_true_probabilities_have_no_error_and_scaling_finds_their_scale() -> None:
    true = drawn(1.0)
    assert true.error is not None
    assert true.error < 0.02
    for scale in (0.01, 20.0):
        found = drawn(scale)
        assert found.error is not None
        assert found.error > 0.15
        assert found.scaled_error == pytest.approx(true.error, abs=0.02)
        assert found.temperature == pytest.approx(scale, rel=0.2)
        assert found.area == pytest.approx(true.area)  # the order of the clips has no scale


def test_abstaining_from_the_unsure_half_leaves_the_sure_one() -> None:
    scores = np.array([[5.0, 0.0], [4.0, 0.0], [0.1, 0.0], [0.2, 0.0]])
    found = calibration([(scores, np.array([0, 0, 1, 1]), np.array(list("abab")))], whole=False)
    assert (found.accuracy_at[1.0], found.accuracy_at[0.5]) == (0.5, 1.0)
    assert found.area == found.best_area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)
    assert found.error is found.scaled_error is found.temperature is None


def test_equal_margins_share_their_errors_whatever_the_order() -> None:
    scores = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.5, 0.0]])
    for labels in ([0, 0, 1, 1, 0], [1, 1, 0, 0, 0]):
        found = calibration([(scores, np.array(labels), np.array(list("ababa")))], whole=True)
        assert found.accuracy_at[0.5] == found.accuracy_at[0.2] == 0.5


@pytest.mark.parametrize("scores", [np.eye(4), np.zeros((4, 4)), np.where(np.eye(4) > 0, 0.0, -np.inf)])
def test_scores_that_make_no_clip_surer_than_another_have_no_calibration(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no confidences: in every clip the best score is as far ahead"):
        calibration([(scores, np.array([0, 1, 2, 0]), np.array(list("abab")))], whole=True)


def test_clips_that_were_not_read_are_left_out() -> None:
    scores = np.array([[3.0, 0.0], [2.0, 0.0], [np.nan, 0.0]])
    assert calibration([(scores, np.array([0, 0, 1]), np.array(list("abb")))], whole=True).accuracy_at[1.0] == 1.0
    with pytest.raises(ValueError, match="no clip was read"):
        calibration([(scores[2:], np.array([1]), np.array(["b"]))], whole=True)


def test_the_error_is_the_mean_gap_over_bins() -> None:
    assert expected_error(np.array([1.0, 1.0, 0.5, 0.5]), np.array([1.0, 0.0, 0.0, 1.0])) == pytest.approx(0.25)


def test_each_half_of_the_sources_is_scaled_by_the_temperature_of_the_other() -> None:
    """Every second source, in the order of names, is the other half: a temperature of each is fitted, 1 and 20 here."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3000, 5))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random(3000)[:, None] > shares.cumsum(axis=1)).sum(axis=1)
    sources = np.arange(3000) % 4
    scales = np.where(sources % 2, 20.0, 1.0)
    found = calibration([(scales[:, None] * logits, labels, np.array(list("abcd"))[sources])], whole=True)
    assert found.temperature == pytest.approx(np.sqrt(20), rel=0.2)
    assert found.scaled_error is not None
    assert found.scaled_error > 0.2  # either half by the temperature of the other is far too sure, or unsure


def test_one_source_has_no_other_to_fit_on_and_cut_scores_no_error() -> None:
    scores, labels = np.array([[2.0, 0.0], [1.0, 0.0]]), np.array([0, 1])
    one = calibration([(scores, labels, np.array(["a", "a"]))], whole=True)
    assert (one.scaled_error, one.temperature) == (None, None)
    assert one.error is not None
    kept = np.array([[2.0, 1.0, -np.inf], [1.0, 0.5, -np.inf]])  # the best classes alone
    cut = calibration([(kept, labels, np.array(["a", "b"]))], whole=True)
    assert (cut.error, cut.scaled_error, cut.temperature) == (None, None, None)


def test_rounds_are_averaged_and_a_round_without_errors_leaves_none() -> None:
    sure = (np.array([[4.0, 0.0], [3.0, 0.0]]), np.array([0, 0]), np.array(["a", "b"]))
    wrong = (np.array([[4.0, 0.0], [3.0, 0.0]]), np.array([1, 1]), np.array(["a", "b"]))
    lost = (np.full((2, 2), np.nan), np.array([1, 1]), np.array(["a", "b"]))
    found = calibration([sure, wrong, lost], whole=True)
    assert found.accuracy_at == {1.0: 0.5, 0.8: 0.5, 0.5: 0.5, 0.2: 0.5}
    assert (found.area, found.best_area) == (0.5, 0.5)
    single = (sure[0], sure[1], np.array(["a", "a"]))
    mixed = calibration([sure, single], whole=True)
    assert mixed.scaled_error is None  # not known of every round
    assert mixed.temperature is not None  # of those where it is known


def test_the_shares_that_are_kept_are_rounded_to_whole_clips() -> None:
    scores = np.array([[10.0 - number, 0.0] for number in range(5)])
    found = calibration([(scores, np.array([0, 1, 0, 0, 1]), np.array(list("abcde")))], whole=False)
    assert found.accuracy_at == pytest.approx({1.0: 3 / 5, 0.8: 3 / 4, 0.5: 1 / 2, 0.2: 1.0})


def test_confidences_of_one_fifteenth_share_a_bin_and_certain_ones_are_in_the_last() -> None:
    assert expected_error(np.array([0.94, 0.99]), np.array([1.0, 0.93])) == pytest.approx(0.0, abs=0.001)
    assert expected_error(np.array([0.92, 0.99]), np.array([1.0, 0.91])) == pytest.approx(0.08)
    assert expected_error(np.array([1.0, 0.95]), np.array([0.95, 1.0])) == pytest.approx(0.0, abs=1e-9)


def test_a_calibration_cannot_be_changed() -> None:
    assert (changeable(calibrations), positional(calibrations)) == ([], [])
