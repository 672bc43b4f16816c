"""Calibration: a method that knows how sure it is has no error, and abstaining leaves the right clips."""

from __future__ import annotations

import numpy as np
import pytest

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
