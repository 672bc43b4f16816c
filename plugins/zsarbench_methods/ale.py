"""ALE: a bilinear map trained by ranking, mistakes at the top of the list weighing most."""

from __future__ import annotations

import torch
from torch import Tensor

from zsarbench_methods.ranking import RankingMethod


class ALE(RankingMethod):
    """Ranks classes by x' W s, with W trained on a ranking loss that weighs a clip by the rank of its own class.

    Source: Akata, Perronnin, Harchaoui and Schmid, Label-Embedding for Image Classification, PAMI 2016 (CVPR 2013),
    section 3.3, the WARP weights of Weston et al. 2011: where r classes come within the margin of 1, the loss is
    (1 + 1/2 + ... + 1/r) / r times the sum of their violations. All classes are summed, which is what the paper's
    sampling of one violating class estimates.

    Expects one vector a class; the paper takes attributes. Learns from labelled clips of seen classes.
    learning_rate, epochs and features: None chooses them on validation classes; see `LearntMethod`.
    """

    name = "ale"

    def loss(self, violations: Tensor) -> Tensor:
        """Return the sum over classes, weighted by the rank of the own class."""
        rank = (violations > 0).sum(1)
        harmonic = (1 / torch.arange(1, violations.shape[1] + 1, device=violations.device)).cumsum(0)
        weight = harmonic[(rank - 1).clamp(min=0)] / rank.clamp(min=1)
        return weight * violations.sum(1)
