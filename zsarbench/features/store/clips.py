"""Features of clips in the store, read when they are needed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from zsarbench.features.clips import ClipView, as_positions, digest_of
from zsarbench.features.store.makers import CodeChange
from zsarbench.features.store.reader import RowReader, RowTable
from zsarbench.interfaces import CaptionsInSteps, Steps

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class StoredClips(ClipView):
    """Features of clips in the store.

    reader: reads their rows, and closes and opens files. failures: why a clip of these has no features, by id. flags:
    remarks on the files of clips that were read, by id. code_changes: what is installed in another version or commit
    than the one that computed features of them.
    """

    def __init__(
        self,
        ids: Sequence[str],
        reader: RowReader,
        table: RowTable,
        *,
        captions: tuple[tuple[str, ...], ...] | None = None,
        captions_in_steps: CaptionsInSteps = "none",
        failures: Mapping[str, str],
        flags: Mapping[str, tuple[str, ...]],
    ) -> None:
        longest = max(1, int(table.steps.max(initial=0)))
        super().__init__(ids, dim=reader.dim, max_steps=longest, captions=captions, captions_in_steps=captions_in_steps)
        self.reader = reader
        self.failures = failures
        self.flags = flags
        self.code_changes: tuple[CodeChange, ...] = ()
        self._table = table

    @property
    def content_digest(self) -> str:
        """A digest of the steps of all clips in order, from their checksums."""
        columns = (self._table.checksum[self._positions], self._table.steps[self._positions])
        return digest_of(*(column.tobytes() for column in columns), str(self.max_steps).encode())

    def read(self, positions: np.ndarray) -> Steps:
        """Return the steps of the clips at these positions of the table.

        Raises:
            ZsarbenchError: a file of the store is missing or damaged; the message names it.
        """
        import torch

        values = torch.empty(len(positions), self.max_steps, self.dim)
        self.reader.read_batch(self._table, positions, values.numpy(), torch.get_num_threads())
        return Steps(values, self._mask(positions))

    @property
    def dtype(self) -> torch.dtype:
        """The dtype in which values are stored."""
        import torch

        dtype: torch.dtype = getattr(torch, self.reader.dtype)
        return dtype

    def pinned_rows(self, index: Sequence[int] | Tensor) -> Steps:
        """Return the same steps in page-locked memory, from which a GPU copies by itself; values in the stored dtype.

        Raises:
            ZsarbenchError: a file of the store is missing or damaged; the message names it.
        """
        import torch

        positions = self._positions[as_positions(index)]
        values = torch.empty(len(positions), self.max_steps, self.dim, dtype=self.dtype, pin_memory=True)
        as_stored = values if self.dtype == torch.float32 else values.view(torch.int16)  # numpy has no bfloat16
        # In one thread: several of them keep the thread that queues the GPU's work from the interpreter.
        self.reader.read_batch(self._table, positions, as_stored.numpy(), 1)
        return Steps(values, self._mask(positions))

    def _mask(self, positions: np.ndarray) -> Tensor:
        import torch

        return torch.arange(self.max_steps) < torch.from_numpy(self._table.steps[positions])[:, None]

    def subset(self, index: Sequence[int] | Tensor) -> Self:
        """Return the clips at these positions, in this order, without reading; `max_steps` stays that of the whole."""
        view = super().subset(index)
        kept = set(view.ids)
        view.failures = {clip_id: reason for clip_id, reason in self.failures.items() if clip_id in kept}
        view.flags = {clip_id: flags for clip_id, flags in self.flags.items() if clip_id in kept}
        return view

    def nameless(self) -> Self:
        """Return the same clips under uninformative ids, without what is known by id."""
        view = super().nameless()
        view.failures, view.flags = {}, {}
        return view

    def cut(self, max_steps: int) -> Self:
        """Return the same clips without the steps after these, which are not read once a clip was verified.

        Raises:
            ValueError: no step would be left.
        """
        if max_steps < 1:
            raise ValueError(f"clips cannot be cut to {max_steps} steps; at least 1 is needed")
        view = copy.copy(self)
        view.max_steps = min(max_steps, self.max_steps)
        return view
