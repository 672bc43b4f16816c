"""Batches of a corpus for training: read a step ahead in a thread, each clip once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor

from zsarbench.clips import rows_on
from zsarbench.interfaces import ClipFeatures
from zsarbench_cezsar.model import fit_steps
from zsarbench_cezsar.pairs import Pairs

Read = TypeVar("Read")


@dataclass(frozen=True)
class Corpus:
    """What is learnt from: the clips, their pairs with sentences, and the sentences' embeddings (U, E) float32."""

    clips: ClipFeatures
    pairs: Pairs
    embeddings: Tensor


@dataclass(frozen=True)
class Shown:
    """What the pairs of a batch show: values (V, T, D) and mask (V, T) of its clips, and which of them each pair (B,).

    A clip is there once, unless its pairs must not see the same steps. The values are on the device that computes, the
    rest is on the CPU.
    """

    values: Tensor
    mask: Tensor
    of_pair: Tensor


def shown(
    corpus: Corpus,
    batch: Tensor,
    max_steps: int,
    padding: Literal["mask", "zeros"],
    *,
    in_order: bool = True,
    device: torch.device | str = "cpu",
) -> Shown:
    """Read what a batch of pairs (B,) shows; where a step's place says nothing, hidden steps need not be `in_order`."""
    clips, of_pair = corpus.pairs.clip[batch].unique(return_inverse=True)
    steps = rows_on(corpus.clips, clips, torch.device(device))
    values, mask = fit_steps(steps.values, steps.mask, max_steps, padding)
    hidden = corpus.pairs.hidden
    if hidden is None:
        return Shown(values, mask, of_pair)
    seen = mask[of_pair] & ~hidden[batch, : mask.shape[1]]
    everyone = torch.arange(len(batch))
    if in_order:
        return Shown(values[of_pair.to(values.device)], seen, everyone)
    # Steps that a pair does not see cost as much as those that it sees: of three captions, one is hidden.
    first = seen.byte().argsort(dim=1, descending=True, stable=True)[:, : max(1, int(seen.sum(1).max()))]
    chosen = of_pair[:, None].to(values.device), first.to(values.device)
    return Shown(values[chosen], seen.gather(1, first), everyone)


def read_ahead(read: Callable[[Tensor], Read], batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, Read]]:
    """Yield each batch with what is read for it, reading the next one in a thread while this one is used."""
    if not batches:
        return
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(read, batches[0])
        for number, batch in enumerate(batches):
            found = following.result()
            if number + 1 < len(batches):
                following = reader.submit(read, batches[number + 1])
            yield batch, found
