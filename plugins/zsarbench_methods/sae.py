"""SAE: a linear autoencoder whose code is the class vector, in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from zsarbench.interfaces import Context
from zsarbench_methods.learnt import SCALES, LearntMethod
from zsarbench_methods.representation import Scale
from zsarbench_methods.selection import Grid, Scorer, Seen, Settings, settings_of

Space = Literal["text", "visual"]


class SAE(LearntMethod):
    """Encodes clips into class vectors by a W whose transpose decodes them, and takes the nearest class by cosine.

    Source: Kodirov, Xiang and Gong, Semantic Autoencoder for Zero-Shot Learning, CVPR 2017, Eq. 4 to 6: with clips
    X (D, N) and their class vectors S (E, N), W minimises ||X - W'S||^2 + lam ||WX - S||^2, so it solves the Sylvester
    equation S S' W + lam W X X' = (1 + lam) S X'. Both matrices are symmetric, so their eigendecompositions solve it
    for every lam at once.

    compare: where clips and classes are compared, section 3.3 of the paper: "text", W x with s; "visual", x with W's.
    Expects one vector a class, from its name or sentences; the paper takes attributes or word vectors. Learns from
    labelled clips of seen classes. lam, compare and features: None chooses them on validation classes.
    """

    name = "sae"
    choices: ClassVar[Grid] = {
        "features": SCALES,
        "lam": tuple(10.0**power for power in range(-3, 4)),
        "compare": ("text", "visual"),
    }

    def __init__(
        self,
        *,
        features: Scale | None = None,
        lam: float | None = None,
        compare: Space | None = None,
        seen_bias: float = 0.0,
    ) -> None:
        self.features = features
        self.lam = lam
        self.compare = compare
        self.seen_bias = seen_bias

    def learn(self, seen: Seen, grid: Grid, context: Context) -> Iterator[tuple[Settings, Scorer]]:
        """Yield a scorer for every lam and space."""
        x, vectors = seen.features.double(), seen.vectors.double()
        counts = torch.bincount(seen.labels, minlength=len(vectors)).double()
        sums = x.new_zeros(len(vectors), x.shape[1]).index_add(0, seen.labels, x)
        a, u = torch.linalg.eigh(vectors.T @ (counts[:, None] * vectors))  # S S'
        b, v = torch.linalg.eigh(x.T @ x)
        a, b = a.clamp(min=0), b.clamp(min=0)
        inner = u.T @ vectors.T @ sums @ v
        for settings in settings_of(grid):
            lam = settings["lam"]
            divisor = a[:, None] + lam * b
            # Directions that neither side has are free in W; the smallest W is taken, as a pseudo-inverse does.
            scale = torch.where(divisor > divisor.max() * 1e-12, (1 + lam) / divisor, 0.0)
            yield settings, _cosine(u @ (inner * scale) @ v.T, settings["compare"])


def _cosine(w: Tensor, compare: Space) -> Scorer:
    def score(features: Tensor, vectors: Tensor) -> Tensor:
        x, s = features.double(), vectors.double()
        x, s = (x @ w.T, s) if compare == "text" else (x, s @ w)
        return F.normalize(x, dim=1) @ F.normalize(s, dim=1).T

    return score
