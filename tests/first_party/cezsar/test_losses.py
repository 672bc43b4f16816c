"""Losses by hand: two videos with two negatives each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from zsarbench.errors import UsageError
from zsarbench_cezsar.losses import HingeRank, InfoNCE, Sigmoid, Triplet

# in three dimensions, so that no two axes are equally long
VIDEO = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
POSITIVE = torch.tensor([[2.0, 0.0, 0.0], [1.0, 0.0, 0.0]])  # cosines 1 and 0, distances 1 and sqrt 5
NEGATIVE = torch.tensor(
    [[[0.0, 1.0, 0.0], [3.0, 0.0, 0.0]], [[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]]
)  # cosines 0, 1 and 1, -1


def value(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> float:
    """Return the loss of the two videos."""
    return loss(VIDEO, POSITIVE, NEGATIVE).item()


def test_a_triplet_is_a_margin_between_distances() -> None:
    near, far = (1.0, math.sqrt(5)), ((math.sqrt(2), 2.0), (1.0, 3.0))
    for margin in (1.0, 0.25):
        expected = [max(0.0, margin + near[row] - one) for row in range(2) for one in far[row]]
        assert value(Triplet(margin=margin)) == pytest.approx(sum(expected) / 4, abs=1e-4)
    assert value(Triplet()) == value(Triplet(margin=1.0, p=2))
    city = [1 + 1 - 2, 1 + 1 - 2, 1 + 3 - 1, 1 + 3 - 3]
    assert value(Triplet(p=1)) == pytest.approx(sum(map(float, city)) / 4, abs=1e-4)


def test_info_nce_is_the_cross_entropy_of_the_positive() -> None:
    for temperature in (0.07, 1.0):
        rows = ((1, 0, 1), (0, 1, -1))
        expected = [
            -row[0] / temperature + math.log(sum(math.exp(cosine / temperature) for cosine in row)) for row in rows
        ]
        assert value(InfoNCE(temperature=temperature)) == pytest.approx(sum(expected) / 2, rel=1e-5)
    assert value(InfoNCE()) == value(InfoNCE(temperature=0.07))


def test_hinge_rank_sums_over_negatives_and_averages_over_positives() -> None:
    assert value(HingeRank()) == pytest.approx((0.1 + 1.1) / 2)
    assert value(HingeRank(margin=2.0)) == pytest.approx((1 + 2 + 3 + 1) / 2)


def test_sigmoid_judges_each_text_by_a_learnt_scale_and_bias() -> None:
    def log_sigmoid(number: float) -> float:
        return -math.log1p(math.exp(-number))

    for scale, bias in ((10.0, -10.0), (2.0, 0.5)):
        rows = ((1, 0, 1), (0, 1, -1))
        expected = [
            -sum(log_sigmoid((1 if at == 0 else -1) * (scale * cosine + bias)) for at, cosine in enumerate(row))
            for row in rows
        ]
        assert value(Sigmoid(scale=scale, bias=bias)) == pytest.approx(sum(expected) / 2, rel=1e-5)
    assert value(Sigmoid()) == value(Sigmoid(scale=10.0, bias=-10.0))
    assert {name for name, one in Sigmoid().named_parameters() if one.requires_grad} == {"log_scale", "offset"}


@pytest.mark.parametrize(
    ("loss", "name"), [(Triplet, "margin"), (Triplet, "p"), (InfoNCE, "temperature"), (HingeRank, "margin"),
                       (Sigmoid, "scale")]
)  # fmt: skip
def test_what_must_be_above_zero_may_be_as_small_as_wanted(loss: Any, name: str) -> None:
    assert getattr(loss(**{name: 1e-3}), name) == 1e-3
    for number in (0.0, -1.0):
        with pytest.raises(UsageError, match=f"takes a .*{name}.* above 0, not .*{number}"):
            loss(**{name: number})
