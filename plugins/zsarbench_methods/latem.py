"""LatEm: several bilinear maps, of which each pair of clip and class takes the best."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from zsarbench_methods.learnt import SCALES
from zsarbench_methods.ranking import RankingMethod
from zsarbench_methods.representation import Scale
from zsarbench_methods.selection import Grid


class LatEm(RankingMethod):
    """Ranks classes by the largest of several x' W_k s, so that kinds of clips may have maps of their own.

    Source: Xian, Akata, Sharma, Nguyen, Hein and Schiele, Latent Embeddings for Zero-Shot Classification, CVPR 2016,
    Eq. 3 to 5 and algorithm 1: the loss of a clip is the sum over other classes of max(0, 1 + score - own score), by
    stochastic gradient descent. The paper draws one of the other classes a step, which estimates that sum; its pruning
    of maps, an alternative to choosing their number by validation, is left out.

    Expects one vector a class; the paper takes attributes, word vectors and others. Learns from labelled clips of seen
    classes. n_maps, learning_rate, epochs and features: None chooses them on validation classes; see `LearntMethod`.
    """

    name = "latem"
    choices: ClassVar[Grid] = {
        "features": SCALES,
        "n_maps": (2, 4, 8),  # of the paper's 2, 4, 6, 8, 10
        "learning_rate": (1.0, 10.0),
        "epochs": (1, 2, 5, 10),  # the paper's 10 at most: a training costs as much as its maps together
    }

    def __init__(
        self,
        *,
        margin: float = 1.0,
        n_maps: int | None = None,
        features: Scale | None = None,
        learning_rate: float | None = None,
        epochs: int | None = None,
        seen_bias: float = 0.0,
    ) -> None:
        super().__init__(
            margin=margin, features=features, learning_rate=learning_rate, epochs=epochs, seen_bias=seen_bias
        )
        self.n_maps = n_maps

    def loss(self, violations: Tensor) -> Tensor:
        """Return the sum over classes."""
        return violations.sum(1)
