"""Batches of a corpus for training: read a step ahead in a thread, each clip once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor

from zsarbench.features.store.clips import StoredClips
from zsarbench.interfaces import ClipFeatures, Steps
from zsarbench.utils.compute import copy_to_device
from zsarbench_cezsar.model import fit_steps
from zsarbench_cezsar.pairs import Pairs

Read = TypeVar("Read")
MAX_SHARE_KEPT = 0.5  # of the free memory of a GPU, for rows that every epoch reads again


@dataclass(frozen=True)
class Corpus:
    """What is learnt from: the clips, their pairs with sentences, and the sentences' embeddings (U, E) float32."""

    clips: ClipFeatures
    pairs: Pairs
    embeddings: Tensor


class ClipsOnDevice:
    """Clips whose rows are read for one device; a GPU with room for all of them keeps each once it was read.

    Stored values go to a GPU as they are stored and are widened there. One thread uses it, on one stream.
    """

    def __init__(self, clips: ClipFeatures, device: torch.device, max_share_kept: float = MAX_SHARE_KEPT) -> None:
        self._clips = clips
        self._device = device
        self._stored = clips if device.type == "cuda" and isinstance(clips, StoredClips) else None
        self._kept: Tensor | None = None
        self._place = torch.full((len(clips),), -1)  # of each clip in what is kept
        self._n_kept = 0
        if self._stored is not None:
            shape, dtype = (len(clips), clips.max_steps, clips.dim), self._stored.dtype
            self._mask = torch.zeros(shape[:2], dtype=torch.bool)
            if math.prod(shape) * dtype.itemsize <= max_share_kept * torch.cuda.mem_get_info(device)[0]:
                self._kept = torch.empty(shape, dtype=dtype, device=device)

    def rows(self, index: Tensor) -> Steps:
        """Return the steps of different clips (B,): values (B, T, D) float32 on the device, mask (B, T) on the CPU.

        Raises:
            ZsarbenchError: as `ClipFeatures.rows`.
        """
        if self._stored is None:
            steps = self._clips.rows(index)
            return Steps(steps.values.to(self._device), steps.mask)
        if self._kept is None:
            steps = self._stored.pinned_rows(index)
            return Steps(steps.values.to(self._device, non_blocking=True).float(), steps.mask)
        new = index[self._place[index] < 0]
        if len(new):
            steps = self._stored.pinned_rows(new)
            places = torch.arange(self._n_kept, self._n_kept + len(new))
            self._kept[self._n_kept : self._n_kept + len(new)].copy_(steps.values, non_blocking=True)
            self._place[new], self._mask[new] = places, steps.mask
            self._n_kept += len(new)
        return Steps(self._kept[copy_to_device(self._place[index], self._device)].float(), self._mask[index])


@dataclass(frozen=True)
class Shown:
    """What the pairs of a batch show: values (V, T, D) and mask (V, T) of its clips, and which of them each pair (B,).

    A clip occurs once, unless its pairs must not see the same steps. The values are on the device that computes, the
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
    clips: ClipsOnDevice | None = None,
) -> Shown:
    """Read what a batch of pairs (B,) shows; where a step's place says nothing, hidden steps need not be `in_order`.

    clips: those of the corpus on another device than the CPU.
    """
    index, of_pair = corpus.pairs.clip[batch].unique(return_inverse=True)
    steps = (clips or corpus.clips).rows(index)
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
            content = following.result()
            if number + 1 < len(batches):
                following = reader.submit(read, batches[number + 1])
            yield batch, content
