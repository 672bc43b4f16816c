from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zsarbench.utils.batching import in_fixed_batches


@settings(max_examples=30)
@given(rows=st.integers(0, 20), batch_size=st.integers(1, 8))
def test_every_batch_has_the_declared_shape_and_every_row_comes_back_once(rows: int, batch_size: int) -> None:
    shapes = []

    def forward(batch: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(batch.shape))
        return batch.sum(dim=2) + 1

    given_rows = torch.randn(rows, 3, 4)
    rows = in_fixed_batches(forward, given_rows, batch_size)
    assert set(shapes) == {(batch_size, 3, 4)}
    assert torch.equal(rows, given_rows.sum(dim=2) + 1)


def test_a_row_has_the_same_bits_whatever_its_batch() -> None:
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(16 * 900, 8)
    )
    rows = torch.randn(40, 3, 32, 32)
    with torch.inference_mode():
        whole = in_fixed_batches(model, rows, 16)
        for start, stop in ((0, 1), (5, 12), (17, 40)):
            assert torch.equal(in_fixed_batches(model, rows[start:stop], 16), whole[start:stop])


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size is 0"):
        in_fixed_batches(lambda batch: batch, torch.zeros(1, 1), 0)
