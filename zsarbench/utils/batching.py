"""Runs a model on batches of one declared shape, so that a row's bits depend on that row alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zsarbench.interfaces.lazy import Lazy

if TYPE_CHECKING:
    import torch
else:
    torch = Lazy("torch")

__all__ = ["in_fixed_batches"]


def in_fixed_batches(
    forward: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor, batch_size: int
) -> torch.Tensor:
    """Apply a model to rows (M, ...) in batches of exactly `batch_size` rows and return its rows (M, ...).

    The last batch is padded with copies of its first row, whose results are dropped: kernels are chosen by shape, so
    the same row gives different bits in a batch of 7 than in one of 32. `batch_size` should be a multiple of 8, so that
    no row of a batch falls into the remainder loop of a kernel.

    Raises:
        ValueError: `batch_size` is below 1.
    """
    import torch

    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; at least 1 is needed")
    if len(rows) == 0:  # only the model knows the shape and dtype of its rows
        return forward(rows.new_zeros((batch_size, *rows.shape[1:])))[:0]
    outputs = []
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        kept = len(batch)
        if kept < batch_size:
            batch = torch.cat([batch, batch[:1].expand(batch_size - kept, *batch.shape[1:])])
        outputs.append(forward(batch)[:kept])
    return torch.cat(outputs)
