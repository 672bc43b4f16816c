"""Broken negative samplers and losses, and the check that must name the fault."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from zsarbench.errors import NoNegatives
from zsarbench.interfaces import NegativeDraw, TextDraw
from zsarbench.testing import conformance
from zsarbench.testing.toys import ToyLoss, ToyNegatives


def altered(base: type, **members: Any) -> type:
    return type(f"Broken{base.__name__}", (base,), members)


def sampler(change: Any) -> type:
    """Return a sampler that asks `ToyNegatives` otherwise, or changes what it draws."""

    class Changed(ToyNegatives):
        def sample(self, draw: NegativeDraw) -> Tensor:
            return change(ToyNegatives().sample, draw)

    return Changed


def endless(sample: Any, draw: NegativeDraw) -> Tensor:
    if (draw.anchor_groups[:, None, 1] == draw.pool_groups[None, :, 1]).all():
        for _ in itertools.repeat(None):
            pass
    return sample(draw)


def own_generator(sample: Any, draw: NegativeDraw) -> Tensor:
    return sample(replace(draw, rng=torch.Generator().manual_seed(random.randrange(10**6))))


def first_column(sample: Any, draw: NegativeDraw) -> Tensor:
    return sample(replace(draw, anchor_groups=draw.anchor_groups[:, :1], pool_groups=draw.pool_groups[:, :1]))


def changes_pool(sample: Any, draw: NegativeDraw) -> Tensor:
    draw.pool.div_(2)
    return sample(draw)


def fills_with_own(sample: Any, draw: NegativeDraw) -> Tensor:
    """Where there are fewer than K it takes what it must keep away."""
    drawn = sample(draw)
    few = (draw.anchor_groups[:, None] != draw.pool_groups[None]).all(-1).sum(1) < draw.k
    drawn[few, 1:] = 0
    return drawn


def any_error(sample: Any, draw: NegativeDraw) -> Tensor:
    try:
        return sample(draw)
    except NoNegatives as error:
        raise ValueError("empty") from error


def other_rows(self: Any, draw: TextDraw) -> Tensor:
    """Draws among the distinct texts, where the pool holds some of them twice."""
    return draw.texts[ToyNegatives().sample(draw.gathered())]


ENDLESS = sampler(endless)
NEGATIVES = [
    (altered(ToyNegatives, when="always"), "interface-is-complete"),
    (sampler(lambda sample, draw: sample(draw) + 1), "draws-indices"),
    (sampler(lambda sample, draw: sample(draw).int()), "draws-indices"),
    (sampler(first_column), "never-its-own"),
    (sampler(fills_with_own), "repeats-where-few"),
    (ENDLESS, "says-when-there-are-none"),
    (sampler(any_error), "says-when-there-are-none"),
    (sampler(own_generator), "follows-the-generator"),
    (sampler(changes_pool), "follows-the-generator"),
    (altered(ToyNegatives, sample_texts=other_rows), "draws-alike-from-rows"),
]


def loss(change: Any) -> type:
    return altered(ToyLoss, __call__=lambda self, *given: change(*given))


def weighted_rows(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    return ((video - positive).square().sum(-1) * torch.arange(len(video))).mean()


def first_negative(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    return (video * negative[:, 0]).sum(-1).mean() - (video * positive).sum(-1).mean()


class Unused(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, *given: Tensor) -> Tensor:
        return ToyLoss()(*given)


LOSS = [
    (loss(lambda v, p, n: (v - p).square().sum(-1)), "is-finite-scalar"),
    (loss(lambda v, p, n: ToyLoss()(v, p, n).log() * torch.inf), "is-finite-scalar"),
    (loss(lambda v, p, n: ToyLoss()(v.squeeze(0), p, n)), "is-finite-scalar"),  # breaks where B is 1
    (loss(lambda v, p, n: ToyLoss()(v.detach(), p.detach(), n.detach())), "gradient-flows"),
    (loss(lambda v, p, n: ToyLoss()(v.detach(), p, n)), "gradient-flows"),
    (Unused, "gradient-flows"),
    (loss(lambda v, p, n: (v - p).square().sum(-1).sqrt().mean() - n.mean()), "is-finite-on-ties"),
    (loss(weighted_rows), "order-does-not-matter"),
    (loss(first_negative), "order-does-not-matter"),
    (loss(lambda v, p, n: -ToyLoss()(v, p, n)), "prefers-the-positive"),
]


PLANTED = [
    *(("negatives", *row) for row in NEGATIVES),
    *(("loss", *row) for row in LOSS),
]


@pytest.mark.parametrize(("kind", "component"), [("negatives", ToyNegatives), ("loss", ToyLoss)])
def test_sound_ones_pass(kind: str, component: Any) -> None:
    assert conformance.run_checks(component, kind) == []


@pytest.mark.parametrize(("kind", "component", "check"), PLANTED)
def test_a_planted_bug_is_found(kind: str, component: Any, check: str, find: Callable[..., str]) -> None:
    assert find(kind, component, check, seconds=1.0 if component is ENDLESS else 60.0)


def test_every_check_has_a_planted_bug(unplanted: Callable[..., set[str]]) -> None:
    assert unplanted(["negatives", "loss"], PLANTED) == set()
