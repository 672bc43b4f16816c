"""The likeliest objects of whole clips, for the methods that reason with them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zsarbench.interfaces import ClipFeatures
from zsarbench.utils.classifiers import Classifier

READ_AT_ONCE = 64  # clips: 16 steps of 21,843 probabilities each take 90 MB


@dataclass(frozen=True)
class TopObjects:
    """The k likeliest objects of each clip: probabilities (N, k), NaN for a clip not read, and labels (N, k) int64."""

    probabilities: Tensor
    labels: Tensor


def top_objects(clips: ClipFeatures, classifier: Classifier, k: int) -> TopObjects:
    """Return the k labels of the highest probability, which is the mean over a clip's steps of the softmax."""
    k = min(k, len(classifier.labels))
    rows = [
        _mean_probabilities(clips, index, classifier).topk(k) for index in torch.arange(len(clips)).split(READ_AT_ONCE)
    ]
    if not rows:
        return TopObjects(torch.empty(0, k), torch.empty(0, k, dtype=torch.int64))
    return TopObjects(torch.cat([row.values for row in rows]), torch.cat([row.indices for row in rows]))


def _mean_probabilities(clips: ClipFeatures, index: Tensor, classifier: Classifier) -> Tensor:
    """Return (B, L); NaN for a clip that could not be read."""
    steps = clips.rows(index)
    likely = classifier.classify(steps.values[steps.mask]).float().softmax(1)
    owner = steps.mask.nonzero()[:, 0]
    sums = torch.zeros(len(index), len(classifier.labels)).index_add(0, owner, likely)
    return sums / steps.mask.sum(1, keepdim=True)
