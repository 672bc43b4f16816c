"""The objects that a visual encoder's own classifier sees in clips, for the methods that reason with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClipFeatures, Context, TextEncoder

READ_AT_ONCE = 64  # clips: 16 steps of 21,843 probabilities each take 90 MB

Describe = Literal["names", "definitions", "both"]


@dataclass(frozen=True)
class Classifier:
    """A visual encoder's classifier: (name, definition) of its L labels, and logits (M, L) from features (M, D)."""

    labels: tuple[tuple[str, str], ...]
    classify: Callable[[Tensor], Tensor]

    def texts(self, describe: Describe) -> list[str]:
        """Return one text a label; its name where it has no definition."""
        return [_text(name, definition, describe) for name, definition in self.labels]

    def vectors(self, encoder: TextEncoder, describe: Describe) -> Tensor:
        """Return the embeddings (L, E) of the labels."""
        return encoder.encode(self.texts(describe)).float()


def find_classifier(context: Context) -> Classifier | None:
    """Return the classifier of the run's visual part, or None where it has none or its labels have no names."""
    labels = getattr(context.parts.visual, "labels", None)
    classify = getattr(context.parts.visual, "classify", None)
    return Classifier(tuple(labels), classify) if labels is not None and classify is not None else None


def classifier(context: Context, method: str) -> Classifier:
    """Return the classifier of the run's visual part.

    Raises:
        UsageError: it has none.
    """
    found = find_classifier(context)
    if found is None:
        part = context.parts.visual
        raise UsageError(
            f"method '{method}' reads object scores, and the visual part {type(part).__name__} has no classifier with "
            "named labels. Parts that have one: efficientnet-lite0 (ImageNet-1k), bit-m-r152x2 (ImageNet-21k), timm "
            "with a model of either. Try: --visual efficientnet-lite0"
        )
    return found


@dataclass(frozen=True)
class TopObjects:
    """The k likeliest objects of each clip: probabilities (N, k), NaN for a clip not read, and labels (N, k) int64."""

    probabilities: Tensor
    labels: Tensor


def top_objects(clips: ClipFeatures, found: Classifier, k: int) -> TopObjects:
    """Return the k labels of the highest probability, which is the mean over a clip's steps of the softmax."""
    k = min(k, len(found.labels))
    rows = [_mean_probabilities(clips, index, found).topk(k) for index in torch.arange(len(clips)).split(READ_AT_ONCE)]
    if not rows:
        return TopObjects(torch.empty(0, k), torch.empty(0, k, dtype=torch.int64))
    return TopObjects(torch.cat([row.values for row in rows]), torch.cat([row.indices for row in rows]))


def _mean_probabilities(clips: ClipFeatures, index: Tensor, found: Classifier) -> Tensor:
    """Return (B, L); NaN for a clip that could not be read."""
    steps = clips.rows(index)
    likely = found.classify(steps.values[steps.mask]).float().softmax(1)
    owner = steps.mask.nonzero()[:, 0]
    sums = torch.zeros(len(index), len(found.labels)).index_add(0, owner, likely)
    return sums / steps.mask.sum(1, keepdim=True)


def _text(name: str, definition: str, describe: Describe) -> str:
    if describe == "names" or not definition:
        return name
    return definition if describe == "definitions" else f"{name}: {definition}"
