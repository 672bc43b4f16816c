"""Features of clips as methods read them: from the store, or from memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zsarbench.features.store.reader import RowReader, RowTable
from zsarbench.interfaces import CaptionsInSteps, Steps

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class StoredClips:
    """Features of clips in the store; a `ClipFeatures` that reads rows when asked for them.

    failures: why a clip of these has no features, by id. flags: remarks on the files of clips that were read.
    """

    def __init__(
        self,
        ids: tuple[str, ...],
        reader: RowReader,
        table: RowTable,
        *,
        dim: int,
        captions: tuple[tuple[str, ...], ...] | None,
        captions_in_steps: CaptionsInSteps,
        failures: Mapping[str, str],
        flags: Mapping[str, tuple[str, ...]],
        positions: np.ndarray | None = None,
        most_steps: int | None = None,
    ) -> None:
        self.ids = ids
        self.dim = dim
        longest = max(1, int(table.steps.max(initial=0)))
        self.max_steps = longest if most_steps is None else min(longest, most_steps)
        self.captions = captions
        self.captions_in_steps = captions_in_steps
        self.failures = failures
        self.flags = flags
        self._reader = reader
        self._table = table
        self._positions = np.arange(len(ids)) if positions is None else positions

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, index: Sequence[int] | Tensor) -> Steps:
        """Return the steps of the clips at these positions: values (B, max_steps, D) float32, mask (B, max_steps).

        Raises:
            ZsarbenchError: a file of the store is missing or damaged; the message names it.
        """
        import torch

        chosen = self._positions[_numpy(index)]
        values = torch.empty(len(chosen), self.max_steps, self.dim)
        self._reader.read_batch(self._table, chosen, values.numpy(), torch.get_num_threads())
        return Steps(values, self._mask(chosen))

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that values are stored in."""
        import torch

        dtype: torch.dtype = getattr(torch, self._reader.dtype)
        return dtype

    def pinned_rows(self, index: Sequence[int] | Tensor) -> Steps:
        """Return the same steps in memory that a GPU copies from by itself, values in the dtype they are stored in.

        Raises:
            ZsarbenchError: as `rows`.
        """
        import torch

        chosen = self._positions[_numpy(index)]
        values = torch.empty(len(chosen), self.max_steps, self.dim, dtype=self.dtype, pin_memory=True)
        as_stored = values if self.dtype == torch.float32 else values.view(torch.int16)  # numpy has no bfloat16
        # In one thread: more of them keep the one that queues the work of the GPU from the interpreter.
        self._reader.read_batch(self._table, chosen, as_stored.numpy(), 1)
        return Steps(values, self._mask(chosen))

    def _mask(self, chosen: np.ndarray) -> Tensor:
        import torch

        return torch.arange(self.max_steps) < torch.from_numpy(self._table.steps[chosen])[:, None]

    def subset(self, index: Sequence[int] | Tensor) -> StoredClips:
        """Return the clips at these positions, in this order; `max_steps` stays that of the whole."""
        return self._view(_numpy(index), self.max_steps)

    def cut(self, max_steps: int) -> StoredClips:
        """Return the same clips without the steps after these; once a clip was verified, they are not read.

        Raises:
            ValueError: no step would be left.
        """
        if max_steps < 1:
            raise ValueError(f"clips cannot be cut to {max_steps} steps; at least 1 is needed")
        return self._view(np.arange(len(self)), min(max_steps, self.max_steps))

    def _view(self, chosen: np.ndarray, most_steps: int) -> StoredClips:
        ids = tuple(self.ids[i] for i in chosen)
        kept = set(ids)
        return StoredClips(
            ids,
            self._reader,
            self._table,
            dim=self.dim,
            captions=self.captions and tuple(self.captions[i] for i in chosen),
            captions_in_steps=self.captions_in_steps,
            failures={clip_id: reason for clip_id, reason in self.failures.items() if clip_id in kept},
            flags={clip_id: flags for clip_id, flags in self.flags.items() if clip_id in kept},
            positions=self._positions[chosen],
            most_steps=most_steps,
        )


class MemoryClips:
    """Features of clips in memory, for tests and for methods that make features themselves.

    values: one tensor (t_i, D) a clip, or one (N, T, D) with a mask (N, T) that is False on padding.
    """

    def __init__(
        self,
        ids: Sequence[str],
        values: Sequence[Tensor] | Tensor,
        mask: Tensor | None = None,
        *,
        captions: Sequence[Sequence[str]] | None = None,
        captions_in_steps: CaptionsInSteps = "none",
    ) -> None:
        import torch

        if not isinstance(values, torch.Tensor):
            lengths = torch.tensor([len(row) for row in values])
            mask = torch.arange(max([1, *lengths.tolist()])) < lengths[:, None]
            padded = torch.zeros(*mask.shape, values[0].shape[1] if len(values) else 0)
            for row, value in zip(padded, values, strict=True):
                row[: len(value)] = value
            values = padded
        if mask is None:
            mask = torch.ones(values.shape[:2], dtype=torch.bool)
        if len(ids) != len(values) or mask.shape != values.shape[:2]:
            raise ValueError(f"{len(ids)} ids, values {tuple(values.shape)} and mask {tuple(mask.shape)} do not fit")
        self.ids = tuple(ids)
        self.dim = int(values.shape[2])
        self.max_steps = int(values.shape[1])
        self.captions = None if captions is None else tuple(tuple(sentences) for sentences in captions)
        self.captions_in_steps = captions_in_steps
        self._steps = Steps(torch.where(mask[..., None], values, 0.0).float(), mask)

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, index: Sequence[int] | Tensor) -> Steps:
        """Return the steps of the clips at these positions: values (B, max_steps, D) float32, mask (B, max_steps)."""
        chosen = _numpy(index)
        return Steps(self._steps.values[chosen], self._steps.mask[chosen])

    def subset(self, index: Sequence[int] | Tensor) -> MemoryClips:
        """Return the clips at these positions, in this order; `max_steps` stays that of the whole."""
        chosen = _numpy(index)
        return MemoryClips(
            tuple(self.ids[i] for i in chosen),
            self._steps.values[chosen],
            self._steps.mask[chosen],
            captions=self.captions and tuple(self.captions[i] for i in chosen),
            captions_in_steps=self.captions_in_steps,
        )


def _numpy(index: Sequence[int] | np.ndarray | Tensor) -> np.ndarray:
    """Return positions as int64, whatever they came as; an empty list too."""
    return np.asarray(index, dtype=np.int64).reshape(-1)
