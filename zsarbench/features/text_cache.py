"""A text encoder that encodes every sentence once: rows are kept in the feature store, and few of them in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from zsarbench.errors import ZsarbenchError
from zsarbench.features import FeatureStore
from zsarbench.features.key import FeatureKey
from zsarbench.interfaces import TextEncoder

if TYPE_CHECKING:
    from torch import Tensor

    from zsarbench.plugins.parts import PartSpec

# About twenty seconds of a small sentence model on two cores: what a kill may cost.
SENTENCES_A_SHARD = 4096
# Sentences that are kept in memory of one call: 200 MB at 768 features. A corpus of more is asked for once a fit.
MOST_KEPT = 65_536


class CachedTextEncoder:
    """Wraps a text encoder; the rows are its own, bit for bit, since row i depends on sentence i alone."""

    def __init__(self, encoder: TextEncoder, store: FeatureStore, part: PartSpec) -> None:
        self.encoder = encoder
        self.dim = encoder.dim
        self.space = encoder.space
        self.fingerprint: Mapping[str, str] = dict(encoder.fingerprint)
        self._stored = store.open(FeatureKey("sentences", "", part.identity(), self.fingerprint), self.dim)
        self._rows: dict[str, Tensor] = {}

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, D) float32, encoding only sentences that were never encoded before."""
        import torch

        ids = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]
        unknown = {text_id: text for text_id, text in zip(ids, texts, strict=True) if text_id not in self._rows}
        if unknown:
            self._encode_missing(unknown)
        if len(unknown) > MOST_KEPT:
            places = {text_id: place for place, text_id in enumerate(dict.fromkeys(ids))}
            rows = self._read(list(places))
            return rows if len(rows) == len(ids) else rows[[places[text_id] for text_id in ids]]
        if unknown:
            self._rows.update(zip(unknown, self._read(list(unknown)), strict=True))
        return torch.stack([self._rows[text_id] for text_id in ids]) if ids else torch.zeros(0, self.dim)

    def _encode_missing(self, texts: dict[str, str]) -> None:
        """Encode and store those of these sentences, by id, that the store lacks."""
        stored = self._stored.stored_ids()
        missing = [text_id for text_id in texts if text_id not in stored]
        for start in range(0, len(missing), SENTENCES_A_SHARD):
            ids = missing[start : start + SENTENCES_A_SHARD]
            made = self.encoder.encode([texts[text_id] for text_id in ids])
            if tuple(made.shape) != (len(ids), self.dim):
                raise ZsarbenchError(
                    f"text encoder {type(self.encoder).__name__} returned {tuple(made.shape)} for {len(ids)} texts; "
                    f"it is ({len(ids)}, {self.dim})"
                )
            rows = {text_id: row[None] for text_id, row in zip(ids, made.detach().cpu().float(), strict=True)}
            self._stored.adopt(self._stored.write(rows))

    def _read(self, ids: Sequence[str]) -> Tensor:
        """Return the stored rows (N, D) of different ids."""
        return self._stored.clips(ids).rows(range(len(ids))).values[:, 0]
