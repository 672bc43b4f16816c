"""The negatives of training pairs: drawn once over the whole corpus, or within each batch (stage 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from zsarbench.interfaces import NegativeDraw, NegativeSampler, Recording, SamplesTexts, TextDraw
from zsarbench_cezsar.negatives import differs
from zsarbench_cezsar.pairs import Pairs


@dataclass
class Tally:
    """Sums up over batches what their sampler measured, and how many pairs had no negative in their batch."""

    n_drawn: int = 0
    n_without: int = 0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, measured: Mapping[str, float], n_anchors: int) -> None:
        """Count what a sampler measured over the anchors of a batch."""
        self.n_drawn += n_anchors
        for name, value in measured.items():
            self.sums[name] = self.sums.get(name, 0.0) + n_anchors * value

    def means(self) -> dict[str, float]:
        """Return the means over anchors; nothing where no batch was drawn for."""
        if self.n_drawn == 0:
            return {}
        without = self.n_without / (self.n_drawn + self.n_without)
        means = {name: total / self.n_drawn for name, total in self.sums.items()}
        return {**means, "share_of_anchors_without_negatives": without}


class Negatives:
    """Draws K negatives for each pair from a sampler, at the time that it declares: "corpus" or "batch"."""

    def __init__(self, sampler: NegativeSampler, pairs: Pairs, k: int) -> None:
        self.sampler = sampler
        self.pairs = pairs
        self.k = k
        self.of_corpus: Tensor | None = None

    def draw(self, embeddings: Tensor, rng: torch.Generator) -> dict[str, float]:
        """Draw for all pairs where the sampler reads the whole corpus, and return what it measured.

        embeddings: (U, E) of the distinct texts.
        """
        if self.sampler.when != "corpus":
            return {}
        pairs, sampler = self.pairs, self.sampler
        draw = TextDraw(
            embeddings=embeddings, texts=pairs.text, pool_texts=pairs.pool_text, anchor_groups=pairs.groups,
            pool_groups=pairs.pool_groups, k=self.k, rng=rng,
        )  # fmt: skip
        if isinstance(sampler, SamplesTexts):
            self.of_corpus = sampler.sample_texts(draw)
        else:
            self.of_corpus = sampler.sample(draw.gathered())
        return self._record()

    def pool_rows(self, batch: Tensor) -> Tensor:
        """Return the pool rows whose sentences a batch (B,) needs: its negatives (B, K), or its own pool (M,)."""
        return self.pairs.pool_row[batch].unique() if self.of_corpus is None else self.of_corpus[batch]

    def exist(self, batch: Tensor, pool_rows: Tensor) -> Tensor:
        """Return for which pairs of a batch (B,) a text of the batch's own pool (M,) may be a negative, (B,) bool."""
        if self.of_corpus is not None:
            return torch.ones(len(batch), dtype=torch.bool)
        admit = differs(self.pairs.groups[batch], self.pairs.pool_groups[pool_rows])
        return admit(torch.arange(len(batch)), torch.arange(len(pool_rows))).any(1)

    def within(
        self, batch: Tensor, pool_rows: Tensor, video: Tensor, positive: Tensor, pool: Tensor, rng: torch.Generator,
        tally: Tally,
    ) -> Tensor:  # fmt: skip
        """Return (B, K) positions in the batch's own pool, for pairs that have a negative there."""
        draw = NegativeDraw(
            anchors=video.detach(), positives=positive.detach(), pool=pool.detach(),
            anchor_groups=self.pairs.groups[batch], pool_groups=self.pairs.pool_groups[pool_rows], k=self.k, rng=rng,
        )  # fmt: skip
        with torch.no_grad():
            chosen = self.sampler.sample(draw)
        tally.add(self._record(), len(batch))
        return chosen

    def _record(self) -> dict[str, float]:
        return dict(self.sampler.record()) if isinstance(self.sampler, Recording) else {}
