"""How the competing methods see clips and classes: one vector each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText, ClipFeatures, Parts, Steps, TextEncoder

Scale = Literal["l2", "standardised"]

READ_AT_ONCE = 1024  # clips: bounds the memory that their steps take before they are averaged


def mean_of_steps(steps: Steps) -> Tensor:
    """Return the mean (N, D) of each clip's steps (N, T, D), padding left out; NaN for a clip without a step."""
    mask = steps.mask[..., None]
    return steps.values.masked_fill(~mask, 0).sum(1) / mask.sum(1)


def pooled(clips: ClipFeatures) -> Tensor:
    """Return one vector a clip (N, D), the mean of its steps; NaN for a clip that could not be read."""
    blocks = torch.arange(len(clips)).split(READ_AT_ONCE)
    return torch.cat([mean_of_steps(clips.rows(index)) for index in blocks]) if blocks else torch.empty(0, clips.dim)


def text_encoder(parts: Parts, method: str) -> TextEncoder:
    """Return the run's text encoder.

    Raises:
        UsageError: the run has none.
    """
    if parts.text is None:
        raise UsageError(f"method '{method}' needs a text encoder. Try: --text minilm-l6")
    return parts.text


def class_vectors(classes: Sequence[ClassText], encoder: TextEncoder) -> Tensor:
    """Return one vector of length 1 a class (C, E): the mean of the embeddings of its texts, normalised."""
    encoded = encoder.encode([text for described in classes for text in described.texts]).float()
    parts = encoded.split([len(described.texts) for described in classes])
    return F.normalize(torch.stack([part.mean(0) for part in parts]), dim=1)


@dataclass(frozen=True)
class Scaling:
    """A scaling of features whose statistics come from the clips that a method may learn from, and from no others."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, features: Tensor, scale: Scale) -> Scaling:
        """Return the scaling of features (N, D): to length 1, after standardising each feature where requested.

        A feature that never varies is only centred.
        """
        if scale == "l2":
            return cls(torch.zeros(features.shape[1]), torch.ones(features.shape[1]))
        deviation = features.std(0, correction=0)
        return cls(features.mean(0), torch.where(deviation > 0, deviation, torch.ones(())))

    def __call__(self, features: Tensor) -> Tensor:
        """Return features (N, D) of length 1."""
        return F.normalize((features - self.mean) / self.deviation, dim=1)
