"""ESZSL: a bilinear map from clips to classes in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from zsarbench.interfaces import Context
from zsarbench_methods.learnt import SCALES, LearntMethod
from zsarbench_methods.representation import Scale
from zsarbench_methods.selection import Grid, Scorer, Seen, Settings, settings_of

POWERS = tuple(10.0**power for power in range(-3, 4))  # the range of the paper's section 4.2


class ESZSL(LearntMethod):
    """Scores a clip x and a class s by x' V s, where V minimises a regularised squared error in closed form.

    Source: Romera-Paredes and Torr, An Embarrassingly Simple Approach to Zero-Shot Learning, ICML 2015, Eq. 3 to 5:
    with clips X (D, N), class vectors S (E, C) and Y (N, C) holding 1 for the own class and -1 for the others, V
    minimises ||X'VS - Y||^2 + gamma ||VS||^2 + lam ||X'V||^2 + gamma lam ||V||^2 (Frobenius norms). With lam for the
    paper's lambda, its linear form; the kernel form is left out.

    Expects one vector a class, from its name or sentences; the paper takes attributes. Learns from labelled clips of
    seen classes. gamma, lam and features: None chooses them on validation classes; see `LearntMethod`.
    """

    name = "eszsl"
    choices: ClassVar[Grid] = {"features": SCALES, "gamma": POWERS, "lam": POWERS}

    def __init__(
        self,
        *,
        features: Scale | None = None,
        gamma: float | None = None,
        lam: float | None = None,
        seen_bias: float = 0.0,
    ) -> None:
        self.features = features
        self.gamma = gamma
        self.lam = lam
        self.seen_bias = seen_bias

    def learn(self, seen: Seen, grid: Grid, context: Context) -> Iterator[tuple[Settings, Scorer]]:
        """Yield a scorer for every gamma and lam: one pair of eigendecompositions serves them all."""
        x, s = seen.features.double(), seen.vectors.double()
        a, u = torch.linalg.eigh(x.T @ x)
        b, w = torch.linalg.eigh(s.T @ s)
        inner = u.T @ _class_contrast(x, seen.labels, len(s)) @ s @ w
        for settings in settings_of(grid):
            v = u @ (inner / ((a + settings["gamma"])[:, None] * (b + settings["lam"]))) @ w.T
            yield settings, _bilinear(v)


def _class_contrast(x: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Return X Y (D, C) from clips (N, D), without making Y: twice each class's sum less the sum of all."""
    sums = x.new_zeros(n_classes, x.shape[1]).index_add(0, labels, x)
    return (2 * sums - x.sum(0)).T


def _bilinear(v: Tensor) -> Scorer:
    return lambda features, vectors: features.double() @ (v @ vectors.double().T)  # classes are fewer than clips
