"""Negative samplers: which sentences a clip is pushed away from (stage 4).

A text is kept from its anchor by identity (of the text, of the source video), never by a distance above 0: the cosine
distance of a sentence to itself is above 0 by rounding in about one case in eight.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from zsarbench.errors import NoNegatives, UsageError
from zsarbench.interfaces import NegativeDraw, TextDraw
from zsarbench_cezsar import drawing
from zsarbench_cezsar.distances import Distances, Texts, inverse_norms
from zsarbench_cezsar.drawing import Admit, Draws, none

LOW = 0.0  # cosine distance; valterlej/cezsar, stage 4
HIGH = 0.8  # cosine distance; valterlej/cezsar, stage 4
ROUNDING = 1e-6  # cosine distance; what float32 may be off at 768 features
MEASURED_TEXTS = 1024  # texts drawn on either side to measure quantiles of distances: a million pairs

TRY = ". Try a wider window (--set negatives.high=1.0, or --set negatives.high_quantile=0.5), or --negatives uniform"


class Recorded:
    """Keeps what the last draw of a sampler measured."""

    _measured: Mapping[str, float] = MappingProxyType({})

    def record(self) -> Mapping[str, float]:
        """Return what the last draw measured: of its anchors, how large a share found fewer than K texts, and more."""
        return dict(self._measured)

    def _note(self, n_short: int, n_anchors: int, **measured: float) -> None:
        self._measured = {**measured, "share_of_anchors_with_fewer_than_k": n_short / max(1, n_anchors)}


class CosineWindow(Recorded):
    """Draws uniformly among the texts whose cosine distance to the positive lies in a window (stage 4).

    low, high: bounds as cosine distances; low_quantile, high_quantile: the same as quantiles, in [0, 1], of the
    distances between the corpus' own texts, which then replace them. A lower bound of 0 excludes nothing.

    draws: "independent" draws for every anchor by itself, as the release does. "shared" gives each block of up to 512
    anchors one part of the pool as candidates, so that the distances are one matrix product; candidates come in random
    order and every anchor reads them from a place of its own, which leaves each single anchor's draw uniform over its
    window. "auto" is "independent" for up to 100,000 anchors, and "shared", which takes a tenth of the time, for more.
    Either way without repetition, and in memory bounded by the pool's own size.
    """

    when: Literal["corpus", "batch"] = "corpus"

    def __init__(
        self,
        *,
        low: float = LOW,
        high: float = HIGH,
        low_quantile: float | None = None,
        high_quantile: float | None = None,
        draws: Draws = "auto",
    ) -> None:
        if low_quantile is not None and not 0 <= low_quantile < 1:
            raise UsageError(
                f"negatives 'cosine-window' takes a low_quantile from 0 to below 1, not {low_quantile}. "
                "Try: --set negatives.low_quantile=0"
            )
        if high_quantile is not None and not 0 < high_quantile <= 1:
            raise UsageError(
                f"negatives 'cosine-window' takes a high_quantile above 0 and up to 1, not {high_quantile}. "
                "Try: --set negatives.high_quantile=0.08"
            )
        if low_quantile is None and high_quantile is None and not low < high:
            raise UsageError(
                f"the window of 'cosine-window' is empty: low={low} is not below high={high}. "
                f"Try: --set negatives.low={LOW} --set negatives.high={HIGH}"
            )
        if low_quantile is not None and high_quantile is not None and not low_quantile < high_quantile:
            raise UsageError(
                f"the window of 'cosine-window' is empty: low_quantile={low_quantile} is not below "
                f"high_quantile={high_quantile}. Try: --set negatives.low_quantile=0"
            )
        self.low = low
        self.high = high
        self.low_quantile = low_quantile
        self.high_quantile = high_quantile
        self.draws = draws

    def sample(self, draw: NegativeDraw) -> Tensor:
        """Return (B, K) pool rows inside the window of each positive; see `zsarbench.interfaces.NegativeSampler`."""
        return self._drawn(Texts(draw.positives), Texts(draw.pool), draw)

    def sample_texts(self, draw: TextDraw) -> Tensor:
        """Return the same of texts that are rows of `embeddings`; see `zsarbench.interfaces.NegativeSampler`."""
        return self._drawn(Texts(draw.embeddings, draw.texts), Texts(draw.embeddings, draw.pool_texts), draw)

    @torch.no_grad()
    def _drawn(self, positives: Texts, pool: Texts, draw: NegativeDraw | TextDraw) -> Tensor:
        distance, different = Distances(positives, pool), differs(draw.anchor_groups, draw.pool_groups)
        distances = _some(distance, different, draw.rng)
        low, high = self._window(distances)
        share = float(((distances > low - ROUNDING) & (distances < high)).float().mean())

        def admit(rows: Tensor, candidates: Tensor) -> Tensor:
            other = different(rows, candidates)
            far = distance(rows, candidates)
            return other & (far > low - ROUNDING) & (far < high)

        what = f"at a cosine distance in ({low:.3f}, {high:.3f}){TRY}"
        chosen, n_short = drawing.draw(
            admit, len(positives), len(pool), draw.k, share, draw.rng, what=what, draws=self.draws
        )
        self._note(
            n_short,
            len(positives),
            window_low=low,
            window_high=high,
            acceptance_rate=share,
            independent_draws=float(drawing.resolve(self.draws, len(positives)) == "independent"),
        )
        return chosen

    def _window(self, distances: Tensor) -> tuple[float, float]:
        """Return the bounds as cosine distances, given a sample of those of the corpus.

        Raises:
            NoNegatives: no distance lies between them.
        """
        low = self.low if self.low_quantile is None else float(distances.quantile(self.low_quantile))
        high = self.high if self.high_quantile is None else float(distances.quantile(self.high_quantile))
        if low < high:
            return low, high
        bounds = [
            f"{name}={plain}" if quantile is None else f"{name}_quantile={quantile} (a distance of {bound:.3f} here)"
            for name, plain, quantile, bound in (
                ("low", self.low, self.low_quantile, low), ("high", self.high, self.high_quantile, high),
            )
        ]  # fmt: skip
        if self.high_quantile is None and self.low_quantile is not None:
            hint = f"--set negatives.high_quantile={(1 + self.low_quantile) / 2:g}"
        elif self.low_quantile is None:
            hint = "--set negatives.low_quantile=0"
        else:
            hint = "--negatives uniform, since the texts' distances hardly differ"
        raise NoNegatives(f"the window of 'cosine-window' is empty: {bounds[0]} is not below {bounds[1]}. Try: {hint}")


class Uniform(Recorded):
    """Draws uniformly among all texts of other clips, without repetition."""

    when: Literal["corpus", "batch"] = "corpus"

    def sample(self, draw: NegativeDraw) -> Tensor:
        """Return (B, K) pool rows; the embeddings do not matter; see `zsarbench.interfaces.NegativeSampler`."""
        return self._drawn(draw)

    def sample_texts(self, draw: TextDraw) -> Tensor:
        """Return the same; see `zsarbench.interfaces.NegativeSampler`."""
        return self._drawn(draw)

    def _drawn(self, draw: NegativeDraw | TextDraw) -> Tensor:
        admit, n_anchors = differs(draw.anchor_groups, draw.pool_groups), len(draw.anchor_groups)
        chosen, n_short = drawing.draw(
            admit, n_anchors, len(draw.pool_groups), draw.k, 1.0, draw.rng, what="of another clip"
        )
        self._note(n_short, n_anchors)
        return chosen


class InBatch(Uniform):
    """Draws uniformly among the texts of other clips in the same batch, without repetition."""

    when: Literal["corpus", "batch"] = "batch"


class Hardest(Recorded):
    """Takes the K texts of other clips in the batch that lie nearest to the video, by cosine in the joint space."""

    when: Literal["corpus", "batch"] = "batch"

    def sample(self, draw: NegativeDraw) -> Tensor:
        """Return (B, K) pool rows, nearest first, repeated where there are fewer than K; D must equal E."""
        chosen, n_short = _first(_cosines(draw.anchors, draw.pool), draw)
        self._note(n_short, len(chosen))
        return chosen


class SemiHard(Recorded):
    """Takes the K texts nearest to the video among those that lie farther from it than its positive does.

    Where there are fewer, those that lie nearer than the positive follow, the farthest first. Source: FaceNet,
    arXiv:1503.03832, section 3.2.
    """

    when: Literal["corpus", "batch"] = "batch"

    def sample(self, draw: NegativeDraw) -> Tensor:
        """Return (B, K) pool rows, best first, repeated where there are fewer than K; D must equal E."""
        cosine = _cosines(draw.anchors, draw.pool)
        own = torch.nn.functional.cosine_similarity(draw.anchors, draw.positives)[:, None]
        # Cosines lie in [-1, 1], so that those shifted below -1 come last, in turned order.
        preference = torch.where(cosine < own, cosine, -2.5 - cosine)
        chosen, n_short = _first(preference, draw)
        self._note(n_short, len(chosen))
        return chosen


def differs(anchor_groups: Tensor, pool_groups: Tensor) -> Admit:
    """Return the rule that a pool text shares none of the G groups (B, G), (M, G) with the anchor."""

    def admit(rows: Tensor, candidates: Tensor) -> Tensor:
        different = torch.ones(len(rows), candidates.shape[-1], dtype=torch.bool)
        # A column at a time: candidates of each anchor's own with all their groups would be gigabytes.
        for of_anchors, of_pool in zip(anchor_groups.unbind(1), pool_groups.unbind(1), strict=True):
            different &= of_anchors[rows, None] != of_pool[candidates]
        return different

    return admit


def _cosines(anchors: Tensor, pool: Tensor) -> Tensor:
    """Return (B, M) cosines."""
    return (anchors * inverse_norms(anchors)[:, None]) @ (pool * inverse_norms(pool)[:, None]).T


def _first(preference: Tensor, draw: NegativeDraw) -> tuple[Tensor, int]:
    """Return the K admissible pool rows (B, K) that each anchor prefers (B, M), and how many anchors have fewer.

    Where there are fewer they are repeated.
    """
    n_anchors, n_pool = preference.shape
    other = differs(draw.anchor_groups, draw.pool_groups)(torch.arange(n_anchors), torch.arange(n_pool))
    count = other.sum(1)
    if bool((count == 0).any()):
        raise NoNegatives(none(int((count == 0).nonzero()[0]), n_pool, "of another clip"))
    order = preference.cpu().masked_fill(~other, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return order.gather(1, torch.arange(draw.k)[None] % count[:, None]), int((count < draw.k).sum())


def _some(distance: Distances, different: Admit, rng: torch.Generator) -> Tensor:
    """Return a sample of the distances between anchors and the texts that are not their own."""
    rows = torch.randperm(len(distance.positives), generator=rng)[:MEASURED_TEXTS]
    columns = torch.randperm(len(distance.pool), generator=rng)[:MEASURED_TEXTS]
    values = distance(rows, columns)[different(rows, columns)]
    return values if len(values) else torch.zeros(1)
