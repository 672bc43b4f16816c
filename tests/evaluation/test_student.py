"""Student's distribution against closed forms and tables; scipy is not needed for them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zsarbench.evaluation import student


def test_one_and_two_degrees_of_freedom_have_closed_forms() -> None:
    values = np.array([0.01, 0.3, 1.0, 2.5, 40.0, 1e6])
    assert student.two_sided(values, 1) == pytest.approx(1 - 2 / np.pi * np.arctan(values), rel=1e-9)
    exact = [1 - value / math.sqrt(2 + value * value) for value in values[:4]]
    assert student.two_sided(values[:4], 2) == pytest.approx(exact, rel=1e-9)


def test_many_degrees_of_freedom_are_the_normal_distribution() -> None:
    values = np.array([0.1, 1.0, 1.96, 5.0])
    normal = [math.erfc(value / math.sqrt(2)) for value in values]
    assert student.two_sided(values, 1e9) == pytest.approx(normal, rel=1e-5)


@pytest.mark.parametrize("freedom", [1.0, 3.0, 9.0, 34.5, 400.0])
def test_both_signs_have_one_tail_which_falls_steadily(freedom: float) -> None:
    values = np.linspace(0, 6, 400)
    tails = student.two_sided(values, freedom)
    assert student.two_sided(-values, freedom).tolist() == tails.tolist()
    assert (np.diff(tails) < 0).all()
    assert np.abs(np.diff(tails, n=2)).max() < 1e-3  # the two fractions meet without a step


def test_ends_of_the_line() -> None:
    assert student.two_sided([0.0, np.inf, -np.inf, 1e200], 9).tolist() == [1.0, 0.0, 0.0, 0.0]
    assert np.isnan(student.two_sided([np.nan, 1.0], 9)).tolist() == [True, False]
    assert student.two_sided([], 9).tolist() == []
    assert float(student.two_sided(2.262157, 9)) == pytest.approx(0.05, rel=1e-5)


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [(0.975, 1, 12.7062), (0.975, 2, 4.30265), (0.975, 9, 2.26216), (0.8, 33, 0.85265), (0.025, 9, -2.26216)],
)
def test_quantiles_are_those_of_tables(probability: float, freedom: float, expected: float) -> None:
    assert student.quantile(probability, freedom) == pytest.approx(expected, rel=1e-5)


def test_the_median_is_zero() -> None:
    assert student.quantile(0.5, 7.5) == pytest.approx(0.0, abs=1e-9)
