"""DeViSE: a linear map into the text space, trained by hinge rank loss over all classes."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from zsarbench_methods.ranking import RankingMethod
from zsarbench_methods.representation import Scale
from zsarbench_methods.selection import Grid


class DeViSE(RankingMethod):
    """Maps a clip x into the text space by M and ranks classes by the dot product of M x with their unit vectors.

    Source: Frome et al., DeViSE: A Deep Visual-Semantic Embedding Model, NIPS 2013, section 3.3: the loss of a clip is
    the sum over other classes j of max(0, margin - s_own M x + s_j M x), with margin 0.1 and Adagrad. Its linear map on
    frozen features; the paper's last phase, which trains the visual network too, is left out, and all classes are
    summed where the paper stops at the first that violates the margin.

    Expects one vector a class; the paper takes word vectors of its name. Learns from labelled clips of seen classes.
    learning_rate, epochs and features: None chooses them on validation classes; see `LearntMethod`.
    """

    name = "devise"
    optimizer = torch.optim.Adagrad
    choices: ClassVar[Grid] = {**RankingMethod.choices, "learning_rate": (0.001, 0.01, 0.1)}

    def __init__(
        self,
        *,
        margin: float = 0.1,
        features: Scale | None = None,
        learning_rate: float | None = None,
        epochs: int | None = None,
        seen_bias: float = 0.0,
    ) -> None:
        super().__init__(
            margin=margin, features=features, learning_rate=learning_rate, epochs=epochs, seen_bias=seen_bias
        )

    def loss(self, violations: Tensor) -> Tensor:
        """Return the sum over classes."""
        return violations.sum(1)
