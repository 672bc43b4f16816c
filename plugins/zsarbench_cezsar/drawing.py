"""Uniform draws of admissible pool rows for every anchor: what the samplers of the whole corpus share (stage 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from zsarbench.errors import NoNegatives

BLOCK_ANCHORS = 512  # anchors that are drawn for at once; with draws "shared" they share one set of candidates
BLOCK_CELLS = 1 << 22  # anchor-candidate distances held at once: 16 MiB in float32
OWN_CELLS = 1 << 19  # the same where each anchor has candidates of its own: of a cell, groups and ranks are held too
PART = 2048  # candidates whose embeddings are gathered at once: 6 MB at 768 features
SPARE_SHARED = 4.0  # candidates per expected acceptance and negative: few anchors need a second round
SPARE_OWN = 1.6  # the same where every anchor pays for candidates of its own
GROWTH = {"shared": 16, "independent": 4}  # candidates of a round to those of the round before

Draws = Literal["shared", "independent"]
Admit = Callable[[Tensor, Tensor], Tensor]
"""Which pool rows, the same (p,) for all anchors (b,) or (b, p) for each, are admissible: (b, p) bool."""


def draw(
    admit: Admit,
    n_anchors: int,
    n_pool: int,
    k: int,
    share: float,
    rng: torch.Generator,
    *,
    what: str,
    draws: Draws = "shared",
) -> tuple[Tensor, int]:
    """Draw K admissible pool rows for every anchor, uniformly and, where there are K, without repetition.

    Anchors go in blocks. "shared": a block has one set of candidates in random order, which every anchor reads from a
    place of its own; "independent": every anchor has candidates of its own. Either way an anchor that finds fewer than
    K continues with more candidates, in the end the whole pool, so the loop ends.

    Args:
        admit: which pairs of anchor and pool row are admissible.
        share: the expected share of admissible pairs; sets the number of candidates, not the result's distribution.
        what: ends the sentence "no text …" of the error.

    Returns:
        Pool rows (n_anchors, k) int64, and how many anchors have fewer than k admissible texts.

    Raises:
        NoNegatives: an anchor has none in the whole pool.
    """
    chosen = torch.empty(n_anchors, k, dtype=torch.long)
    pending, n_short = torch.arange(n_anchors), 0
    spare = SPARE_SHARED if draws == "shared" else SPARE_OWN
    size = min(n_pool, max(64, int(spare * k / max(share, 1e-4))))
    while len(pending):
        block = _shared if draws == "shared" else _own if size < n_pool else _whole
        least = 64 if draws == "shared" else 1
        n_rows = min(BLOCK_ANCHORS, max(least, BLOCK_CELLS // size))
        complete = torch.empty(len(pending), dtype=torch.bool)
        for rows, finished in zip(pending.split(n_rows), complete.split(n_rows), strict=True):
            done, picked, count = block(admit, rows, n_pool, size, k, rng)
            if size == n_pool:
                if bool((count == 0).any()):
                    raise NoNegatives(none(int(rows[count == 0][0]), n_pool, what))
                n_short += int((count < k).sum())
            finished.copy_(done)
            chosen[rows[done]] = picked
        pending = pending[~complete]
        size = min(n_pool, GROWTH[draws] * size)
    return chosen, n_short


def count_true(cells: Tensor) -> int:
    """Return how many of these bools hold; torch's own sum takes 25 times as long."""
    return int(np.count_nonzero(cells.numpy()))


def none(anchor: int, n_pool: int, what: str) -> str:
    """Return what the error of an anchor without negatives says."""
    return f"positive {anchor} has no negative: no text of the {n_pool} in the pool is {what}"


def _shared(
    admit: Admit, rows: Tensor, n_pool: int, size: int, k: int, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return which anchors are done (b,) bool, their pool rows (done, k), and how many each found (b,)."""
    candidates = _candidates(n_pool, size, rng)
    inside = _admitted(admit, rows, candidates)
    count = inside.view(torch.uint8).sum(1, dtype=torch.int32)
    done = (count > 0) if size == n_pool else (count >= k)
    if not bool(done.all()):
        inside = inside[done]
    return done, candidates[_pick(inside, count[done], k, rng)], count


def _own(
    admit: Admit, rows: Tensor, n_pool: int, size: int, k: int, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same with candidates of each anchor's own: the first k that are admissible, where these differ.

    An anchor that drew a text twice starts again: what is kept is as likely as any other k distinct texts.
    """
    candidates = torch.randint(n_pool, (len(rows), size), generator=rng)
    n_rows = max(1, OWN_CELLS // size)
    parts = [_earliest(admit, *some, k) for some in zip(rows.split(n_rows), candidates.split(n_rows), strict=True)]
    done, picked, count = (torch.cat(part) for part in zip(*parts, strict=True))
    return done, picked, count


def _earliest(admit: Admit, rows: Tensor, candidates: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same for some anchors (b,) and their candidates (b, p)."""
    ranks = admit(rows, candidates).cumsum(1, dtype=torch.int32)
    places = torch.arange(1, k + 1, dtype=torch.int32).expand(len(rows), -1).contiguous()
    place = torch.searchsorted(ranks, places)
    count = ranks[:, -1].clone()  # not a view, which would keep the ranks
    picked = candidates.gather(1, place.clamp(max=candidates.shape[1] - 1))
    in_order = picked.sort(1).values
    done = (count >= k) & (in_order[:, 1:] != in_order[:, :-1]).all(1)
    return done, picked[done], count


def _whole(
    admit: Admit, rows: Tensor, n_pool: int, size: int, k: int, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same out of the whole pool, by a random key for each anchor and text."""
    inside = _admitted(admit, rows, torch.arange(n_pool))
    count = inside.view(torch.uint8).sum(1, dtype=torch.int32)
    keys = torch.rand(inside.shape, generator=rng).masked_fill_(~inside, -1.0)
    best = keys.topk(min(k, n_pool), dim=1).indices
    done = count > 0
    turn = torch.arange(k) % count[done, None].clamp(max=k)
    return done, best[done].gather(1, turn), count


def _admitted(admit: Admit, rows: Tensor, candidates: Tensor) -> Tensor:
    """Return which of the candidates (p,) are admissible for which anchor, (b, p) bool, asking for a part at a time."""
    inside = torch.empty(len(rows), len(candidates), dtype=torch.bool)
    for part, columns in zip(candidates.split(PART), inside.split(PART, 1), strict=True):
        columns.copy_(admit(rows, part))
    return inside


def _candidates(n_pool: int, size: int, rng: torch.Generator) -> Tensor:
    """Return about `size` distinct pool rows in random order: any subset of that size is as likely as any other."""
    if size == n_pool:
        return torch.randperm(n_pool, generator=rng)
    distinct: Tensor = torch.randint(n_pool, (size,), generator=rng).unique()
    return distinct[torch.randperm(len(distinct), generator=rng)]


def _pick(inside: Tensor, count: Tensor, k: int, rng: torch.Generator) -> Tensor:
    """Return (b, k) columns where `inside` (b, p) holds: k in a row from a random one, round and round.

    The columns are in random order already, so that neighbours are as good as a draw.
    """
    start = (torch.rand(len(count), generator=rng, dtype=torch.float64) * count).long()
    rank = (start[:, None] + torch.arange(k)) % count[:, None] + 1
    parts = [
        torch.searchsorted(some.cumsum(1, dtype=torch.int32), ranks.int())
        for some, ranks in zip(*(x.split(max(1, BLOCK_CELLS // inside.shape[1])) for x in (inside, rank)), strict=True)
    ]
    return torch.cat(parts)
