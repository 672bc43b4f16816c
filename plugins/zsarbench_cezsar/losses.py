"""Losses over a batch of triplets: video (B, D), positive (B, D), negative (B, K, D) -> scalar."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsarbench.errors import UsageError

MARGIN = 1.0  # distance in the joint space; valterlej/cezsar, stage 6
P = 2  # the Euclidean norm; valterlej/cezsar, stage 6
RANKING_MARGIN = 0.1  # cosine; DeViSE (Frome et al. 2013), section 3
SIGMOID_SCALE = 10.0  # multiplies cosines, at the start; SigLIP, arXiv:2303.15343, section 3.2
SIGMOID_BIAS = -10.0  # added to the scaled cosines, at the start; SigLIP, section 3.2
TEMPERATURE = 0.07  # divides cosines; Wu et al. 2018 (arXiv:1805.01978), MoCo and CLIP's starting value


class Triplet:
    """Triplet margin loss with the video as anchor: mean of max(0, margin + |v - p| - |v - n|) (stage 6)."""

    def __init__(self, *, margin: float = MARGIN, p: float = P) -> None:
        if margin <= 0 or p <= 0:
            raise UsageError(f"loss 'triplet' takes a margin and a p above 0, not margin={margin}, p={p}")
        self.margin = margin
        self.p = p

    def __call__(self, video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the mean over all B x K triplets."""
        near = F.pairwise_distance(video, positive, self.p)
        far = F.pairwise_distance(video[:, None], negative, self.p)
        return (self.margin + near[:, None] - far).clamp(min=0).mean()


class InfoNCE:
    """Cross-entropy of the positive among itself and its K negatives, by cosine (arXiv:1807.03748, Eq. 4)."""

    def __init__(self, *, temperature: float = TEMPERATURE) -> None:
        if temperature <= 0:
            raise UsageError(f"loss 'info-nce' takes a temperature above 0, not {temperature}")
        self.temperature = temperature

    def __call__(self, video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the mean over the B positives."""
        texts = torch.cat([positive[:, None], negative], 1)
        logits = F.cosine_similarity(video[:, None], texts, dim=-1) / self.temperature
        return F.cross_entropy(logits, torch.zeros(len(video), dtype=torch.long, device=video.device))


class HingeRank:
    """Hinge rank loss of cosines: the sum over K of max(0, margin - cos(v, p) + cos(v, n)) (DeViSE, Eq. 1)."""

    def __init__(self, *, margin: float = RANKING_MARGIN) -> None:
        if margin <= 0:
            raise UsageError(f"loss 'hinge-rank' takes a margin above 0, not {margin}")
        self.margin = margin

    def __call__(self, video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the mean over the B positives."""
        near = F.cosine_similarity(video, positive)
        far = F.cosine_similarity(video[:, None], negative, dim=-1)
        return (self.margin - near[:, None] + far).clamp(min=0).sum(1).mean()


class Sigmoid(nn.Module):
    """Judges each text of a video on its own, with a learnt scale and bias (SigLIP, arXiv:2303.15343)."""

    def __init__(self, *, scale: float = SIGMOID_SCALE, bias: float = SIGMOID_BIAS) -> None:
        super().__init__()
        if scale <= 0:
            raise UsageError(f"loss 'sigmoid' takes a scale above 0, not {scale}")
        self.scale = scale
        self.bias = bias
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.offset = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        """Return the mean over the B positives of the sum over their K + 1 texts."""
        texts = torch.cat([positive[:, None], negative], 1)
        logits = F.cosine_similarity(video[:, None], texts, dim=-1) * self.log_scale.exp() + self.offset
        sign = torch.cat([logits.new_ones(1), -logits.new_ones(negative.shape[1])])
        return -F.logsigmoid(sign * logits).sum(1).mean()
