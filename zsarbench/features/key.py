"""The key of stored features: everything that they depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from zsarbench.interfaces import Sampling


@dataclass(frozen=True)
class FeatureKey:
    """Everything that stored rows depend on.

    part: name and all options of the encoder (`PartSpec.identity()`), so also batch shape and compute dtype.
    fingerprint: of the encoder: the sha256 of its weights and how it prepares its input. sampling and decoder: where
    frames are decoded. text: identity and fingerprint of the text part where the encoder uses it. dtype: as stored.
    dataset_options: those of the data set that are not paths.
    """

    dataset: str
    revision: str
    part: Mapping[str, Any]
    fingerprint: Mapping[str, str]
    sampling: Sampling | None = None
    decoder: str | None = None
    text: Mapping[str, Any] | None = None
    dtype: str = "float32"
    dataset_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The sha256 of the key as JSON with sorted keys."""
        return digest_of(self.to_json())

    def to_json(self) -> str:
        """Return the key as JSON, the same text for equal keys."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, allow_nan=False)

    @property
    def folder(self) -> str:
        """The name of the key's folder in the store."""
        return f"{self.dataset}-{self.part['name']}-{self.digest[:16]}".replace("/", "-")


def digest_of(key: str) -> str:
    """Return the digest of a key's JSON."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
