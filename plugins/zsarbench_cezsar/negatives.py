"""Negative samplers: which sentences a clip is pushed away from (stage 4).

A text is kept from its anchor by identity (of the text, of the source video), never by a distance above 0: the cosine
distance of a sentence to itself is above 0 by rounding in about one case in eight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from zsarbench.errors import NoNegatives, UsageError
from zsarbench_cezsar.drawing import Admit, Draws, count_true, draw, none

LOW = 0.0  # cosine distance; valterlej/cezsar, stage 4
HIGH = 0.8  # cosine distance; valterlej/cezsar, stage 4
ROUNDING = 1e-6  # cosine distance; what float32 may be off at 768 features
MEASURED_TEXTS = 1024  # texts drawn on either side to measure quantiles of distances: a million pairs

TRY = ". Try a wider window (--set negatives.high=1.0, or --set negatives.high_quantile=0.5), or --negatives uniform"


class CosineWindow:
    """Draws uniformly among the texts whose cosine distance to the positive lies in a window (stage 4).

    low, high: bounds as cosine distances; low_quantile, high_quantile: the same as quantiles, in [0, 1], of the
    distances between the corpus' own texts, which then replace them. A lower bound of 0 excludes nothing.

    draws: "shared" gives each block of 512 anchors one set of candidates from the pool, so that the distances are one
    matrix product; candidates come in random order and every anchor reads them from a place of its own, which leaves
    each single anchor's draw uniform over its window. "independent" draws for every anchor by itself, as the release
    does, at about ten times the time. Either way without repetition, and in memory bounded by the pool's own size.
    """

    when: Literal["corpus", "batch"] = "corpus"

    def __init__(
        self,
        *,
        low: float = LOW,
        high: float = HIGH,
        low_quantile: float | None = None,
        high_quantile: float | None = None,
        draws: Draws = "shared",
    ) -> None:
        for name, value in (("low_quantile", low_quantile), ("high_quantile", high_quantile)):
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"negatives 'cosine-window' takes a {name} between 0 and 1, not {value}")
        if low_quantile is None and high_quantile is None and not low < high:
            raise UsageError(f"the window of 'cosine-window' is empty: low={low} is not below high={high}")
        if low_quantile is not None and high_quantile is not None and not low_quantile < high_quantile:
            raise UsageError(
                f"the window of 'cosine-window' is empty: low_quantile={low_quantile} is not below "
                f"high_quantile={high_quantile}"
            )
        self.low = low
        self.high = high
        self.low_quantile = low_quantile
        self.high_quantile = high_quantile
        self.draws = draws
        self._measured: dict[str, float] = {}

    def sample(
        self,
        anchors: Tensor,
        positives: Tensor,
        pool: Tensor,
        anchor_groups: Tensor,
        pool_groups: Tensor,
        k: int,
        rng: torch.Generator,
    ) -> Tensor:
        """Return (B, K) pool rows inside the window of each positive; see `zsarbench.interfaces.NegativeSampler`."""
        scale, pool_scale = inverse_norms(positives), inverse_norms(pool)
        different = differs(anchor_groups, pool_groups)

        def distance(rows: Tensor, candidates: Tensor) -> Tensor:
            if candidates.dim() == 1:
                cosine = positives.index_select(0, rows) @ pool.index_select(0, candidates).T
            else:  # a row at a time: its candidates stay in the processor's cache
                pairs = zip(rows.tolist(), candidates, strict=True)
                cosine = torch.stack([pool.index_select(0, theirs) @ positives[row] for row, theirs in pairs])
            return 1 - cosine * scale[rows, None] * pool_scale[candidates]

        distances = _distances(distance, different, len(positives), len(pool), rng)
        low = self.low if self.low_quantile is None else float(distances.quantile(self.low_quantile))
        high = self.high if self.high_quantile is None else float(distances.quantile(self.high_quantile))
        seen = {"admitted": 0, "examined": 0}

        def admit(rows: Tensor, candidates: Tensor) -> Tensor:
            other = different(rows, candidates)
            far = distance(rows, candidates)
            inside = other & (far > low - ROUNDING) & (far < high)
            seen["admitted"] += count_true(inside)
            seen["examined"] += count_true(other)
            return inside

        share = float(((distances > low - ROUNDING) & (distances < high)).float().mean())
        chosen, n_short = draw(
            admit,
            len(positives),
            len(pool),
            k,
            share,
            rng,
            what=f"at a cosine distance in ({low:.3f}, {high:.3f}){TRY}",
            draws=self.draws,
        )
        self._measured = {
            "window_low": low,
            "window_high": high,
            "acceptance_rate": seen["admitted"] / max(1, seen["examined"]),
            "share_of_anchors_with_fewer_than_k": n_short / len(positives),
        }
        return chosen

    def record(self) -> Mapping[str, float]:
        """Return the window in cosine distances and the measured acceptance rate of the last draw."""
        return dict(self._measured)


class Uniform:
    """Draws uniformly among all texts of other clips, without repetition."""

    when: Literal["corpus", "batch"] = "corpus"

    def sample(
        self,
        anchors: Tensor,
        positives: Tensor,
        pool: Tensor,
        anchor_groups: Tensor,
        pool_groups: Tensor,
        k: int,
        rng: torch.Generator,
    ) -> Tensor:
        """Return (B, K) pool rows; the embeddings do not matter; see `zsarbench.interfaces.NegativeSampler`."""
        admit = differs(anchor_groups, pool_groups)
        chosen, _ = draw(admit, len(positives), len(pool), k, 1.0, rng, what="of another clip")
        return chosen


class InBatch:
    """Draws uniformly among the texts of other clips in the same batch, without repetition."""

    when: Literal["corpus", "batch"] = "batch"

    def sample(
        self,
        anchors: Tensor,
        positives: Tensor,
        pool: Tensor,
        anchor_groups: Tensor,
        pool_groups: Tensor,
        k: int,
        rng: torch.Generator,
    ) -> Tensor:
        """Return (B, K) pool rows; the embeddings do not matter; see `zsarbench.interfaces.NegativeSampler`."""
        return Uniform().sample(anchors, positives, pool, anchor_groups, pool_groups, k, rng)


class Hardest:
    """Takes the K texts of other clips in the batch that lie nearest to the video, by cosine in the joint space."""

    when: Literal["corpus", "batch"] = "batch"

    def sample(
        self,
        anchors: Tensor,
        positives: Tensor,
        pool: Tensor,
        anchor_groups: Tensor,
        pool_groups: Tensor,
        k: int,
        rng: torch.Generator,
    ) -> Tensor:
        """Return (B, K) pool rows, nearest first, repeated where there are fewer than K; D must equal E."""
        return _first(_cosines(anchors, pool), anchor_groups, pool_groups, k)


class SemiHard:
    """Takes the K texts nearest to the video among those that lie farther from it than its positive does.

    Where there are fewer, those that lie nearer than the positive follow, the farthest first. Source: FaceNet,
    arXiv:1503.03832, section 3.2.
    """

    when: Literal["corpus", "batch"] = "batch"

    def sample(
        self,
        anchors: Tensor,
        positives: Tensor,
        pool: Tensor,
        anchor_groups: Tensor,
        pool_groups: Tensor,
        k: int,
        rng: torch.Generator,
    ) -> Tensor:
        """Return (B, K) pool rows, best first, repeated where there are fewer than K; D must equal E."""
        cosine = _cosines(anchors, pool)
        own = torch.nn.functional.cosine_similarity(anchors, positives)[:, None]
        # Cosines lie in [-1, 1], so that those shifted below -1 come last, in turned order.
        return _first(torch.where(cosine < own, cosine, -2.5 - cosine), anchor_groups, pool_groups, k)


def differs(anchor_groups: Tensor, pool_groups: Tensor) -> Admit:
    """Return the rule that a pool text shares none of the G groups (B, G), (M, G) with the anchor."""

    def admit(rows: Tensor, candidates: Tensor) -> Tensor:
        mine, theirs = anchor_groups[rows], pool_groups[candidates]
        different = torch.ones(len(rows), candidates.shape[-1], dtype=torch.bool)
        for column in range(mine.shape[1]):
            different &= mine[:, column, None] != theirs[..., column]
        return different

    return admit


def inverse_norms(vectors: Tensor) -> Tensor:
    """Return 1 / length of each row (M, D) -> (M,), 0 for a zero row.

    Distances are scaled by it, since normalising a million rows would copy 3 GB.
    """
    norms = torch.linalg.vector_norm(vectors, dim=1)
    return torch.where(norms > 0, 1 / norms.clamp(min=torch.finfo(norms.dtype).tiny), 0.0)


def _cosines(anchors: Tensor, pool: Tensor) -> Tensor:
    """Return (B, M) cosines."""
    return (anchors * inverse_norms(anchors)[:, None]) @ (pool * inverse_norms(pool)[:, None]).T


def _first(preference: Tensor, anchor_groups: Tensor, pool_groups: Tensor, k: int) -> Tensor:
    """Return the K admissible pool rows (B, K) that each anchor prefers (B, M), repeated where there are fewer."""
    n_anchors, n_pool = preference.shape
    other = differs(anchor_groups, pool_groups)(torch.arange(n_anchors), torch.arange(n_pool))
    count = other.sum(1)
    if bool((count == 0).any()):
        raise NoNegatives(none(int((count == 0).nonzero()[0]), n_pool, "of another clip"))
    order = preference.cpu().masked_fill(~other, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return order.gather(1, torch.arange(k)[None] % count[:, None])


def _distances(
    distance: Callable[[Tensor, Tensor], Tensor], different: Admit, n_anchors: int, n_pool: int, rng: torch.Generator
) -> Tensor:
    """Return a sample of the distances between anchors and the texts that are not their own."""
    rows = torch.randperm(n_anchors, generator=rng)[:MEASURED_TEXTS]
    columns = torch.randperm(n_pool, generator=rng)[:MEASURED_TEXTS]
    values = distance(rows, columns)[different(rows, columns)]
    return values if len(values) else torch.zeros(1)
