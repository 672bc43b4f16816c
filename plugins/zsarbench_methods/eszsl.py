"""ESZSL: a bilinear map from clips to classes in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from torch import Tensor

from zsarbench.interfaces import Context
from zsarbench_methods.learnt import SCALES, LearntMethod
from zsarbench_methods.representation import Scale
from zsarbench_methods.selection import Grid, Scorer, Seen, Settings, settings_of

POWERS = tuple(10.0**power for power in range(-3, 4))  # the range of the paper's section 4.2

Targets = Literal["0/1", "-1/+1"]
TARGETS: tuple[Targets, ...] = ("0/1", "-1/+1")


class ESZSL(LearntMethod):
    """Scores a clip x and a class s by x' V s, where V minimises a regularised squared error in closed form.

    Source: Romera-Paredes and Torr, An Embarrassingly Simple Approach to Zero-Shot Learning, ICML 2015, Eq. 3 to 5:
    with clips X (D, N), class vectors S (E, C) and targets Y (N, C), V minimises ||X'VS - Y||^2 + gamma ||VS||^2 +
    lam ||X'V||^2 + gamma lam ||V||^2 (Frobenius norms). With lam for the paper's lambda, its linear form; the kernel
    form is left out.

    targets: what Y holds for the other classes, where a clip's own class has 1: "0/1", as the authors' public code has
    it (github.com/bernard24/Embarrassingly-simple-ZSL, validationClasses_generalscript.m: `Y = zeros(...)`, its lines
    with -1 are commented out); "-1/+1", as the paper's section 3 has it. The figures that others print for ESZSL are of
    code like the authors'.

    Expects one vector a class, from its name or sentences; the paper takes attributes. Learns from labelled clips of
    seen classes. gamma, lam, targets and features: None chooses them on validation classes, of equals the first of
    their values, which for the targets is "0/1"; see `LearntMethod`.
    """

    name = "eszsl"
    choices: ClassVar[Grid] = {"features": SCALES, "targets": TARGETS, "gamma": POWERS, "lam": POWERS}

    def __init__(
        self,
        *,
        features: Scale | None = None,
        targets: Targets | None = None,
        gamma: float | None = None,
        lam: float | None = None,
        seen_bias: float = 0.0,
    ) -> None:
        self.features = features
        self.targets = targets
        self.gamma = gamma
        self.lam = lam
        self.seen_bias = seen_bias

    def learn(self, seen: Seen, grid: Grid, context: Context) -> Iterator[tuple[Settings, Scorer]]:
        """Yield a scorer for all targets, gamma and lam: one pair of eigendecompositions serves them all."""
        x, s = seen.features.double(), seen.vectors.double()
        a, u = torch.linalg.eigh(x.T @ x)
        b, w = torch.linalg.eigh(s.T @ s)
        inner = {targets: u.T @ _x_y(x, seen.labels, len(s), targets) @ s @ w for targets in grid["targets"]}
        for settings in settings_of(grid):
            v = u @ (inner[settings["targets"]] / ((a + settings["gamma"])[:, None] * (b + settings["lam"]))) @ w.T
            yield settings, _bilinear(v)


def _x_y(x: Tensor, labels: Tensor, n_classes: int, targets: Targets) -> Tensor:
    """Return X Y (D, C) from clips (N, D), without making Y: each class's sum, or twice that less the sum of all."""
    sums = x.new_zeros(n_classes, x.shape[1]).index_add(0, labels, x)
    return sums.T if targets == "0/1" else (2 * sums - x.sum(0)).T


def _bilinear(v: Tensor) -> Scorer:
    return lambda features, vectors: features.double() @ (v @ vectors.double().T)  # classes are fewer than clips
