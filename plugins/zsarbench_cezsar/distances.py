"""Cosine distances between positives and pool texts, in memory that does not grow with either (stage 4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zsarbench_cezsar.drawing import PART


@dataclass(frozen=True)
class Texts:
    """M texts whose embeddings are rows (M,) of `embeddings` (U, E), or all of these in order where rows is None.

    A text that occurs several times is stored once: a million rows of 768 features weigh 3 GB.
    """

    embeddings: Tensor
    rows: Tensor | None = None

    def __len__(self) -> int:
        """Return M."""
        return len(self.embeddings if self.rows is None else self.rows)

    def places(self, index: Tensor) -> Tensor:
        """Return where in `embeddings` the texts at these positions are."""
        return index if self.rows is None else self.rows[index]


class Distances:
    """Computes distances block by block, always into the same memory.

    A gather of new memory for each block would leave holes between the small results that stay, of a size that the
    next gather does not fit in.
    """

    def __init__(self, positives: Texts, pool: Texts) -> None:
        self.positives = positives
        self.pool = pool
        norms = inverse_norms(pool.embeddings)
        own = norms if positives.embeddings is pool.embeddings else inverse_norms(positives.embeddings)
        self._scale = own if positives.rows is None else own[positives.rows]
        self._pool_scale = norms if pool.rows is None else norms[pool.rows]
        like = pool.embeddings
        self._gathered = like.new_empty(min(PART, len(pool)), like.shape[1])
        self._cells = like.new_empty(0)

    def __call__(self, rows: Tensor, candidates: Tensor) -> Tensor:
        """Return distances (b, p) of positives (b,) to pool texts, at most PART for all (p,), or for each (b, p).

        The next call overwrites them.
        """
        n = len(rows) * candidates.shape[-1]
        if n > len(self._cells):
            self._cells = self._cells.new_empty(n)
        far = self._cells[:n].view(len(rows), -1)
        anchors = self.positives.embeddings.index_select(0, self.positives.places(rows))
        if candidates.dim() == 1:
            torch.mm(anchors, self._gather(candidates).T, out=far)
        else:
            for part, products in zip(candidates.split(PART, 1), far.split(PART, 1), strict=True):
                # a row at a time: its candidates stay in the processor's cache
                for anchor, pool_rows, out in zip(anchors, part, products, strict=True):
                    torch.mv(self._gather(pool_rows), anchor, out=out)
        return far.mul_(self._scale[rows, None]).mul_(self._pool_scale[candidates]).neg_().add_(1)

    def _gather(self, candidates: Tensor) -> Tensor:
        gathered = self._gathered[: len(candidates)]
        return torch.index_select(self.pool.embeddings, 0, self.pool.places(candidates), out=gathered)


def inverse_norms(vectors: Tensor) -> Tensor:
    """Return 1 / length of each row (M, D) -> (M,), 0 for a zero row.

    Distances are scaled by it, since normalising a million rows would copy 3 GB.
    """
    norms = torch.linalg.vector_norm(vectors, dim=1)
    return torch.where(norms > 0, 1 / norms.clamp(min=torch.finfo(norms.dtype).tiny), 0.0)
