"""Student's distribution: its quantiles and tails, with numpy alone."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import ArrayLike

from zsarbench.evaluation.arrays import Values

_MAX_STEPS = 300  # of the continued fraction, which ends much earlier


@functools.lru_cache(maxsize=64)
def quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's distribution: with x = sqrt(f) tan(a), its density in a is cos(a)^(f - 1).

    >>> round(quantile(0.975, 9), 3), round(quantile(0.8, 33), 3)
    (2.262, 0.853)
    """
    angle = np.linspace(-np.pi / 2, np.pi / 2, 40_001)
    density = np.cos(angle).clip(min=0.0) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return float(np.sqrt(freedom) * np.tan(np.interp(probability * below[-1], below, angle)))


def two_sided(values: ArrayLike, freedom: float) -> Values:
    """Return the probability of values at least as far from 0 as each of these; far tails keep their digits.

    It is the regularised incomplete beta function at f / (f + t²), by its continued fraction (Lentz's method).

    >>> two_sided([0.0, 2.262, -4.0], 9).round(4).tolist()
    [1.0, 0.05, 0.0031]
    """
    t = np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        x = np.where(np.isinf(t), 0.0, freedom / (freedom + t * t))
    turned = x > (freedom / 2 + 1) / (freedom / 2 + 2.5)  # there the fraction of the complement converges fast
    part = _beta(np.where(turned, 1.0 - x, x), np.where(turned, 0.5, freedom / 2), np.where(turned, freedom / 2, 0.5))
    p = np.where(turned, 1.0 - part, part)
    return np.clip(np.where(np.isnan(t), np.nan, p), 0.0, 1.0)


def _beta(x: Values, a: Values, b: Values) -> Values:
    """Return the regularised incomplete beta function where its continued fraction converges fast."""
    small, large = sorted((float(a.flat[0]), float(b.flat[0]))) if x.size else (0.5, 0.5)
    scale = math.lgamma(small + large) - math.lgamma(small) - math.lgamma(large)
    with np.errstate(divide="ignore", invalid="ignore"):
        front = np.exp(scale + a * np.log(x) + b * np.log1p(-x)) / a
    c = np.ones_like(x)
    d = 1.0 / _away(1.0 - (a + b) * x / (a + 1))
    fraction = d.copy()
    for m in range(1, _MAX_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1.0 / _away(1.0 + even * d), _away(1.0 + even / c)
        fraction *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1.0 / _away(1.0 + odd * d), _away(1.0 + odd / c)
        step = d * c
        fraction *= step
        if np.all(np.abs(step - 1.0) < 1e-14):
            break
    return np.asarray(np.nan_to_num(front * fraction, nan=0.0))


def _away(values: Values) -> Values:
    """Return values with none so near 0 that it cannot be divided by."""
    return np.where(np.abs(values) < 1e-300, 1e-300, values)
