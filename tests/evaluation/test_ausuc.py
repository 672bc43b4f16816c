"""Tests of zsarbench.evaluation.ausuc: the exact area against the curve drawn point by point, and known curves."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import trapezoid

from zsarbench.evaluation import metrics
from zsarbench.evaluation.ausuc import ausuc

SEEN = np.array([True, True, False, False])


def swept_ausuc(scores, labels, seen):
    """The same area by drawing the curve: evaluate at every critical bias and between them, then trapezoids."""
    wide = scores.astype(np.float64)
    read = ~np.isnan(scores).any(axis=1)
    critical = np.unique(scores[read][:, seen].max(1) - scores[read][:, ~seen].max(1))
    ends = [critical[0] - 1, *((critical[:-1] + critical[1:]) / 2), critical[-1] + 1]
    points = []
    for bias in sorted([*critical, *ends]):
        values = metrics.evaluate(
            np.where(seen, wide - bias, wide),
            labels,
            setting="gzsl",
            seen=seen,
            metrics=["top1_per_class_seen", "top1_per_class_unseen"],
        )
        points.append((values["top1_per_class_unseen"], values["top1_per_class_seen"]))
    x, y = np.array(points).T
    assert x[0] == 0
    assert y[-1] == 0
    return float(trapezoid(y, x))


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_ausuc_equals_the_curve_drawn_point_by_point(seed, with_nan):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 2], rng.integers(0, 4, 20)])
    scores = rng.standard_normal((22, 4)) + np.eye(4)[labels]
    # Two clips with ties within a side; clips with equal critical values are in test_ausuc_of_known_curves.
    scores[5, 1], scores[6, 3] = scores[5, 0], scores[6, 2]
    if with_nan:
        scores[3, 1] = np.nan
    area = swept_ausuc(scores, labels, SEEN)
    assert ausuc(scores, labels, SEEN) == pytest.approx(area, abs=1e-12)
    assert metrics.evaluate(scores, labels, setting="gzsl", seen=SEEN)["ausuc"] == pytest.approx(area, abs=1e-12)


def test_ausuc_of_known_curves():
    labels = np.array([0, 1, 2, 3])
    assert ausuc(np.eye(4), labels, SEEN) == 1.0
    assert ausuc(1 - np.eye(4), labels, SEEN) == 0.0
    # Constant scores: a straight line from (0, 1/2) to (1/2, 0), since each side holds two classes.
    assert ausuc(np.zeros((4, 4)), labels, SEEN) == pytest.approx(1 / 8)
    # Right within each side, the seen side always ahead by the same amount: only the order within a side matters.
    assert ausuc(np.eye(4) + 7.0 * SEEN, labels, SEEN) == 1.0
    assert ausuc(np.full((4, 4), np.nan), labels, SEEN) == 0.0


def test_ausuc_with_infinite_scores():
    labels = np.array([0, 1, 2, 3])
    constant = np.full((4, 4), -np.inf)
    assert ausuc(constant, labels, SEEN) == pytest.approx(1 / 8)
    # Clips 0 and 2 without a preference change sides at 0, between clip 3 (at -2) and clip 1 (at 2).
    scores = np.array([[-np.inf] * 4, [0, 3, 1, 1], [-np.inf] * 4, [1, 1, 0, 3]])
    assert ausuc(scores, labels, SEEN) == pytest.approx(0.5 * 0.75 + 0.25 * (0.75 + 0.5) / 2)
    # A method that rules every seen class out is right on no seen clip at any bias.
    assert ausuc(np.where(SEEN, -np.inf, np.eye(4)), labels, SEEN) == 0.0
    # One that always prefers the true side beyond any bias has the whole square.
    sided = np.where(SEEN[labels][:, None] == SEEN, np.eye(4), -np.inf)
    assert ausuc(sided, labels, SEEN) == 1.0


def test_candidates_of_one_kind_are_refused():
    with pytest.raises(ValueError, match="candidates of both kinds"):
        ausuc(np.zeros((2, 4)), np.array([0, 1]), np.ones(4, dtype=bool))


def test_examples_in_docstrings():
    outcome = doctest.testmod(importlib.import_module("zsarbench.evaluation.ausuc"))
    assert outcome.attempted > 0
    assert outcome.failed == 0
