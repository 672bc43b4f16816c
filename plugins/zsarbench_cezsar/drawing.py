"""Uniform draws of admissible pool rows for every anchor: what the samplers of the whole corpus share (stage 4).

Draws "independent" are those of the release: every anchor has candidates of its own. "shared" gives a block of anchors
one set of candidates, so that their distances are one matrix product. These sets are consecutive parts of random orders
of the whole pool, each of which is used up: so every text is a candidate equally often, and how often it is drawn over
the corpus varies no more than by independent draws. (Sets drawn afresh for each block would leave that to chance, and
a text that is a candidate at all is drawn for many anchors of the block.) What remains is that two anchors of one block
meet the same texts more often than chance has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor

from zsarbench.errors import NoNegatives

INDEPENDENT_UP_TO = 100_000  # anchors; more are drawn for together, unless requested: 1e6 take minutes one by one
BLOCK_ANCHORS = 512  # anchors that are drawn for at once, at most
SMALL_BLOCK = 128  # the fewest of a shared set of candidates; fewer would cost more by calls than by arithmetic
BLOCK_CELLS = 1 << 22  # anchor-candidate distances held at once: 16 MiB in float32
OWN_CELLS = 1 << 19  # the same where each anchor has candidates of its own: of a cell, groups and ranks are held too
PART = 2048  # candidates whose embeddings are gathered at once: 6 MB at 768 features
SPARE_SHARED = 4.0  # candidates per expected acceptance and negative: few anchors need a second round
SPARE_OWN = 1.6  # the same where every anchor pays for candidates of its own
GROWTH = {"shared": 16, "independent": 4}  # candidates of a round to those of the round before

Draws = Literal["auto", "shared", "independent"]
Admit = Callable[[Tensor, Tensor], Tensor]
"""Which pool rows, the same (p,) for all anchors (b,) or (b, p) for each, are admissible: (b, p) bool."""
Drawn = tuple[Tensor, Tensor, Tensor]
"""Which anchors are done (b,) bool, their pool rows (done, k), and how many admissible ones each found (b,)."""


def resolve(draws: Draws, n_anchors: int) -> Literal["shared", "independent"]:
    """Return how to draw: "auto" is "independent" for up to `INDEPENDENT_UP_TO` anchors, and "shared" for more."""
    if draws == "auto":
        return "independent" if n_anchors <= INDEPENDENT_UP_TO else "shared"
    return draws


def draw(
    admit: Admit,
    n_anchors: int,
    n_pool: int,
    k: int,
    share: float,
    rng: torch.Generator,
    *,
    what: str,
    draws: Draws = "auto",
) -> tuple[Tensor, int]:
    """Draw K admissible pool rows for every anchor, uniformly and, where there are K, without repetition.

    Anchors go in blocks. An anchor that finds fewer than K continues with more candidates, in the end the whole pool,
    so the loop ends.

    Args:
        admit: which pairs of anchor and pool row are admissible.
        share: the expected share of admissible pairs; sets the number of candidates, not the result's distribution.
        what: ends the sentence "no text …" of the error.
        draws: how; see `resolve`.

    Returns:
        Pool rows (n_anchors, k) int64, and how many anchors have fewer than k admissible texts.

    Raises:
        NoNegatives: an anchor has none in the whole pool.
    """
    chosen = torch.empty(n_anchors, k, dtype=torch.long)
    pending, n_short, mode = torch.arange(n_anchors), 0, resolve(draws, n_anchors)
    spare = SPARE_SHARED if mode == "shared" else SPARE_OWN
    size = min(n_pool, max(64, int(spare * k / max(share, 1e-4))))
    while len(pending):
        complete = torch.empty(len(pending), dtype=torch.bool)
        start = 0
        for rows, whole, (done, picked, count) in (_shared if mode == "shared" else _own)(
            admit, pending, n_pool, size, k, rng
        ):
            if whole:
                if bool((count == 0).any()):
                    raise NoNegatives(none(int(rows[count == 0][0]), n_pool, what))
                n_short += int((count < k).sum())
            complete[start : start + len(rows)] = done
            chosen[rows[done]] = picked
            start += len(rows)
        pending = pending[~complete]
        size = min(n_pool, GROWTH[mode] * size)
    return chosen, n_short


def none(anchor: int, n_pool: int, what: str) -> str:
    """Return what the error of an anchor without negatives says."""
    return f"positive {anchor} has no negative: no text of the {n_pool} in the pool is {what}"


def _shared(
    admit: Admit, pending: Tensor, n_pool: int, size: int, k: int, rng: torch.Generator
) -> Iterator[tuple[Tensor, bool, Drawn]]:
    """Yield blocks of anchors, whether they saw the whole pool, and what they drew from their block's candidates."""
    n_rows = min(BLOCK_ANCHORS, max(64, BLOCK_CELLS // size), max(SMALL_BLOCK, size * len(pending) // n_pool))
    blocks = pending.tensor_split(-(-len(pending) // n_rows))  # of equal size, so that no part is drawn from more
    for rows, candidates in zip(blocks, _parts_of_the_pool(n_pool, len(blocks), size, rng), strict=True):
        whole = len(candidates) == n_pool
        inside = _admitted(admit, rows, candidates)
        count = inside.view(torch.uint8).sum(1, dtype=torch.int32)
        done = (count > 0) if whole else (count >= k)
        if not bool(done.all()):
            inside = inside[done]
        yield rows, whole, (done, candidates[_pick(inside, count[done], k, rng)], count)


def _parts_of_the_pool(n_pool: int, n_blocks: int, size: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Yield for each block distinct pool rows in random order: any subset of that number is as likely as any other.

    They are about `size` each. Where the blocks need the whole pool m times they get it m times exactly, each time in
    a new order; where they need less than half of it, that stays so.
    """
    if 2 * n_blocks * size < n_pool:
        yield from torch.randperm(n_pool, generator=rng)[: n_blocks * size].split(size)
        return
    n_passes = max(1, round(n_blocks * size / n_pool))
    for turn in range(n_passes):
        n_parts = n_blocks * (turn + 1) // n_passes - n_blocks * turn // n_passes
        yield from torch.randperm(n_pool, generator=rng).tensor_split(n_parts)


def _own(
    admit: Admit, pending: Tensor, n_pool: int, size: int, k: int, rng: torch.Generator
) -> Iterator[tuple[Tensor, bool, Drawn]]:
    """Yield the same with candidates of each anchor's own: the first k that are admissible, where these differ.

    An anchor that drew a text twice starts again: what is kept is as likely as any other k distinct texts.
    """
    whole = size == n_pool
    for rows in pending.split(min(BLOCK_ANCHORS, max(1, BLOCK_CELLS // size))):
        if whole:
            yield rows, whole, _of_all(admit, rows, n_pool, k, rng)
            continue
        candidates = torch.randint(n_pool, (len(rows), size), generator=rng)
        n_rows = max(1, OWN_CELLS // size)
        parts = [_earliest(admit, *some, k) for some in zip(rows.split(n_rows), candidates.split(n_rows), strict=True)]
        done, picked, count = (torch.cat(part) for part in zip(*parts, strict=True))
        yield rows, whole, (done, picked, count)


def _earliest(admit: Admit, rows: Tensor, candidates: Tensor, k: int) -> Drawn:
    """Return the same for some anchors (b,) and their candidates (b, p)."""
    ranks = admit(rows, candidates).cumsum(1, dtype=torch.int32)
    places = torch.arange(1, k + 1, dtype=torch.int32).expand(len(rows), -1).contiguous()
    place = torch.searchsorted(ranks, places)
    count = ranks[:, -1].clone()  # not a view, which would keep the ranks
    picked = candidates.gather(1, place.clamp(max=candidates.shape[1] - 1))
    in_order = picked.sort(1).values
    done = (count >= k) & (in_order[:, 1:] != in_order[:, :-1]).all(1)
    return done, picked[done], count


def _of_all(admit: Admit, rows: Tensor, n_pool: int, k: int, rng: torch.Generator) -> Drawn:
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
