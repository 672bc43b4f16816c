"""The key of stored features: everything that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from zsarbench.interfaces import Sampling


@dataclass(frozen=True)
class FeatureKey:
    """Everything that stored rows depend on.

    part: name and all options of the encoder (`PartSpec.identity()`), so also batch shape and compute dtype.
    fingerprint: of the encoder: the sha256 of its weights and how it prepares its input. sampling and decoder: where
    frames are decoded. text: identity and fingerprint of the text part where the encoder uses it. dtype: as stored.
    """

    dataset: str
    revision: str
    part: Mapping[str, Any]
    fingerprint: Mapping[str, str]
    sampling: Sampling | None = None
    decoder: str | None = None
    text: Mapping[str, Any] | None = None
    dtype: str = "float32"

    @property
    def digest(self) -> str:
        """The sha256 of the key as JSON with sorted keys."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Return the key as JSON, the same text for equal keys."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, allow_nan=False)

    @property
    def folder(self) -> str:
        """The name of the key's folder in the store."""
        return f"{self.dataset}-{self.part['name']}-{self.digest[:16]}".replace("/", "-")
