"""A text encoder that encodes every sentence once: rows are kept in the feature store, and few of them in memory."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zsarbench.errors import ZsarbenchError
from zsarbench.features.key import FeatureKey
from zsarbench.features.store.makers import CodeChange, Makers, code_changes
from zsarbench.features.store.store import FeatureStore
from zsarbench.interfaces import TextEncoder
from zsarbench.plugins.distributions import distributions_of
from zsarbench.plugins.guarding import checked_tensor

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from torch import Tensor

    from zsarbench.plugins.parts import PartSpec

# About twenty seconds of a small sentence model on two cores: what a kill may cost.
SENTENCES_PER_SHARD = 4096
# Rows that are kept in memory of one call: 200 MB at 768 features. A larger corpus is requested once per fit.
MAX_KEPT = 65_536


class CachedTextEncoder:
    """A text encoder whose rows are stored, the same bits as without: row i depends on sentence i alone.

    encoder: computes what the store lacks. part: what the encoder was built from, part of the key. max_kept: a call
    for more new sentences than this reads them from the store each time. code_changes: what is installed in another
    version or commit than the one that encoded stored sentences which were read.
    """

    def __init__(self, encoder: TextEncoder, store: FeatureStore, part: PartSpec, *, max_kept: int = MAX_KEPT) -> None:
        self.encoder = encoder
        self.dim = encoder.dim
        self.space: str | None = encoder.space
        self.fingerprint: Mapping[str, str] = dict(encoder.fingerprint)
        self.max_kept = max_kept
        self.code_changes: tuple[CodeChange, ...] = ()
        self._compared: set[Makers] = set()
        self._plugin = part.plugin
        self._who = f"text encoder '{part.name}' of plugin '{part.plugin}'"
        self._stored = store.open(FeatureKey("sentences", "", part.identity(), self.fingerprint), self.dim)
        self._rows: dict[str, Tensor] = {}
        self._writable = True

    @property
    def n_kept(self) -> int:
        """The number of rows kept in memory."""
        return len(self._rows)

    @cached_property
    def _makers(self) -> list[dict[str, Any]]:
        """Whose code encodes here: the one that was loaded, whatever is committed or installed while it runs."""
        return [asdict(one) for one in distributions_of([self._plugin])]

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, D) float32, encoding only sentences that are not stored yet.

        Raises:
            ZsarbenchError: the encoder returned something else than finite rows (N, D), or the store cannot be read
                or written.
        """
        import torch

        ids = [hashlib.sha256(text.encode()).hexdigest()[:32] for text in texts]
        unknown = {text_id: text for text_id, text in zip(ids, texts, strict=True) if text_id not in self._rows}
        if unknown:
            self._encode_missing(unknown)
        if len(unknown) > self.max_kept:
            place = {text_id: number for number, text_id in enumerate(dict.fromkeys(ids))}
            rows = self._read(list(place))
            return rows if len(rows) == len(ids) else rows[[place[text_id] for text_id in ids]]
        if unknown:
            self._rows.update(zip(unknown, self._read(list(unknown)), strict=True))
        return torch.stack([self._rows[text_id] for text_id in ids]) if ids else torch.zeros(0, self.dim)

    def _encode_missing(self, texts: Mapping[str, str]) -> None:
        """Encode and store those of these sentences, by id, that the store lacks."""
        stored = self._stored.stored_ids()
        missing = [text_id for text_id in texts if text_id not in stored and text_id not in self._rows]
        for start in range(0, len(missing), SENTENCES_PER_SHARD):
            ids = missing[start : start + SENTENCES_PER_SHARD]
            values = self.encoder.encode([texts[text_id] for text_id in ids])
            kept = checked_tensor(values, self._who, "vectors", (len(ids), self.dim))
            self._keep({text_id: row[None] for text_id, row in zip(ids, kept, strict=True)})

    def _keep(self, rows: Mapping[str, Tensor]) -> None:
        """Store rows (1, D); where nothing can be written they are kept in memory."""
        if self._writable:
            try:
                self._stored.adopt(self._stored.write(rows, provenance={"distributions": self._makers}))
                return
            except ZsarbenchError as error:
                _log.warning("%s. Sentences are encoded again by the next run", error)
                self._writable = False
        self._rows.update((text_id, row[0]) for text_id, row in rows.items())

    def _compare_code(self, ids: Sequence[str]) -> None:
        """Note, and say once, whose code of another version encoded these stored sentences."""
        if made_by := self._stored.index.makers_of(ids) - self._compared:
            self._compared |= made_by
            changes = code_changes(made_by, self._stored.folder.name)
            self.code_changes += changes
            for change in changes:
                _log.warning("%s. %s", change, change.advice)

    def _read(self, ids: Sequence[str]) -> Tensor:
        """Return the rows (N, D) of different ids, stored or in memory."""
        import torch

        stored = [text_id for text_id in ids if text_id not in self._rows]
        self._compare_code(stored)
        rows = self._stored.clips(stored).rows(range(len(stored))).values[:, 0] if stored else torch.zeros(0, self.dim)
        if len(stored) == len(ids):
            return rows
        place = {text_id: number for number, text_id in enumerate(stored)}
        return torch.stack([rows[place[text_id]] if text_id in place else self._rows[text_id] for text_id in ids])
