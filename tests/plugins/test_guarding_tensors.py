"""What plugins return as tensors: which are taken, and what is said of others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from zsarbench.errors import ZsarbenchError
from zsarbench.plugins.guarding import check_tensor, checked_columns, checked_tensor

torch = pytest.importorskip("torch", reason="tensors need torch")


def test_a_tensor_is_returned_as_float32_apart_from_its_gradient() -> None:
    kept = checked_tensor(torch.tensor([[1.0, 2.0]], dtype=torch.float64, requires_grad=True), "m", "scores", (1, 2))
    assert kept.dtype == torch.float32
    assert not kept.requires_grad
    assert kept.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((2, 3), dtype=np.float32), r"m returned scores as numpy\.ndarray; a dense torch\.Tensor of floats"),
        (None, r"m returned scores as builtins\.NoneType; a dense"),
        (torch.zeros(3, 2), r"m returned scores \(3, 2\), not \(2, 3\)"),
        (torch.zeros(2, 3, dtype=torch.int64), r"m returned scores as torch\.int64, torch\.strided; a dense"),
        (torch.zeros(2, 3).to_sparse(), r"m returned scores as torch\.float32, torch\.sparse_coo; a dense"),
        (torch.zeros(2, 3, device="meta"), "m returned scores on the device meta, without values; a dense"),
    ],
)
def test_what_is_no_dense_tensor_of_floats_of_the_shape_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        checked_tensor(value, "m", "scores", (2, 3))
    with pytest.raises(ZsarbenchError, match=message):
        check_tensor(value, "m", "scores", (2, 3))


def test_values_that_are_no_finite_numbers_of_float32_are_refused_and_nan_where_it_may_not_be() -> None:
    gaps = torch.tensor([[0.0, math.nan, math.nan]])
    assert checked_tensor(gaps, "m", "scores", (1, 3), nan=True).isnan().sum() == 2
    with pytest.raises(ZsarbenchError) as found:
        checked_tensor(gaps, "m", "scores", (1, 3))
    assert str(found.value) == "m returned scores of which 2 of 3 are not finite numbers of float32, e.g. nan"
    large = torch.tensor([[0.0, 1e300, -1e301]], dtype=torch.float64)
    with pytest.raises(ZsarbenchError) as found:
        checked_tensor(large, "m", "scores", (1, 3), nan=True)
    assert str(found.value) == (
        "m returned scores of which 2 of 3 are not finite numbers of float32, e.g. 1e+300; "
        "NaN is for clips that have no scores"
    )


def test_a_tensor_is_no_column() -> None:
    assert checked_columns({"a": torch.tensor(1.0), "b": 1}) == (
        {"b": 1}, ["the column 'a' holds tensor(1.), which is neither text nor a finite number"],
    )  # fmt: skip
