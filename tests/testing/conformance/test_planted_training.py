"""Broken negative samplers and losses, and the check that must name the fault."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
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


def constant_seed(sample: Any, draw: NegativeDraw) -> Tensor:
    return sample(replace(draw, rng=torch.Generator().manual_seed(0)))


def seeds_all(sample: Any, draw: NegativeDraw) -> Tensor:
    random.seed(0)
    rows: Tensor = sample(replace(draw, rng=torch.Generator().manual_seed(random.randrange(10**6))))
    return rows


class Hardest(ToyNegatives):
    """Sound: the nearest texts of other groups, chosen without drawing."""

    def sample(self, draw: NegativeDraw) -> Tensor:
        admissible = (draw.anchor_groups[:, None] != draw.pool_groups[None]).all(-1)
        if not admissible.any(1).all():
            raise NoNegatives("none")
        near = (draw.positives @ draw.pool.T).masked_fill(~admissible, -torch.inf).argsort(1, descending=True)
        index = torch.arange(draw.k) % admissible.sum(1, keepdim=True)
        return near.gather(1, index)


class InBatch(ToyNegatives):
    """Sound: drawn among the positives of a batch."""

    when = "batch"


class ByShape(ToyNegatives):
    """Gives what it drew first for a draw of this shape."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], Tensor] = {}

    def sample(self, draw: NegativeDraw) -> Tensor:
        return self.kept.setdefault((len(draw.anchors), draw.k), super().sample(draw))


def draws_globally(sample: Any, draw: NegativeDraw) -> Tensor:
    np.random.rand()  # noqa: NPY002
    rows: Tensor = sample(draw)
    return rows


class HashedDraw(ToyNegatives):
    """Mixes Python's hash of a text into the generator."""

    def sample(self, draw: NegativeDraw) -> Tensor:
        seed = int(torch.randint(1000, (1,), generator=draw.rng)) + hash("negatives") % 2**31
        return super().sample(replace(draw, rng=torch.Generator().manual_seed(seed)))


def recording(value: Any) -> type:
    """Return a sampler whose record holds a value."""
    return altered(ToyNegatives, record=lambda self: {"distance": value})


ENDLESS = sampler(endless)
NEGATIVES = [
    (ByShape, "follows-the-generator"),
    (sampler(draws_globally), "follows-the-generator"),
    (HashedDraw, "another-process-same-bits"),
    (recording(torch.ones(3)), "records-numbers"),
    (recording("far"), "records-numbers"),
    (recording(float("nan")), "records-numbers"),
    (altered(ToyNegatives, when="always"), "interface-is-complete"),
    (sampler(lambda sample, draw: sample(draw) + 1), "draws-indices"),
    (sampler(lambda sample, draw: sample(draw).int()), "draws-indices"),
    (sampler(first_column), "never-its-own"),
    (sampler(fills_with_own), "repeats-where-few"),
    (ENDLESS, "says-when-there-are-none"),
    (sampler(any_error), "says-when-there-are-none"),
    (sampler(own_generator), "follows-the-generator"),
    (sampler(changes_pool), "follows-the-generator"),
    (sampler(constant_seed), "draws-vary"),
    (sampler(seeds_all), "draws-vary"),
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


def attracts(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Leaves the negatives out: a regression."""
    return (video - positive).square().sum(-1).mean()


def repels(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Leaves the positives out."""
    return (1 - (video[:, None] - negative).square().sum(-1)).clamp(min=-9).mean()


def unstable_softmax(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Exponentiates before it takes the logarithm."""
    near = (video * positive).sum(-1, keepdim=True)
    likely = torch.cat([near, (video[:, None] * negative).sum(-1)], dim=1).exp()
    return -(likely[:, 0] / likely.sum(1)).log().mean()


def unguarded_cosine(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Divides by lengths that may be 0."""
    video, positive, negative = (one / one.norm(dim=-1, keepdim=True) for one in (video, positive, negative))
    return (1 - (video * positive).sum(-1)[:, None] + (video[:, None] * negative).sum(-1)).clamp(min=0).mean()


class SoftMargin:
    """Sound: the softplus of squared distances."""

    def __call__(self, video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        near = (video - positive).square().sum(-1)[:, None]
        return torch.nn.functional.softplus(near - (video[:, None] - negative).square().sum(-1)).mean()


class Contrast(torch.nn.Module):
    """Sound: a softmax over the positive and its negatives, with a scale that is learnt."""

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.log_scale = torch.nn.Parameter(torch.zeros(1))

    def forward(self, video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        logits = torch.cat([(video * positive).sum(-1, keepdim=True), (video[:, None] * negative).sum(-1)], dim=1)
        target = torch.zeros(len(video), dtype=torch.int64)
        return torch.nn.functional.cross_entropy(self.scale * self.log_scale.exp() * logits, target)


class Reversal(torch.autograd.Function):
    """Turns gradients round."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return -gradient


def all_pairs(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Broadcasts (B, 1, D) against (B, D): each video lies near all positives."""
    near = (video[:, None] - positive).square().sum(-1)
    return (1 + near.mean() - (video[:, None] - negative).square().sum(-1)).clamp(min=0).mean()


def in_batch(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Sound: a softmax over the positives of the batch and the row's negatives."""
    video, positive, negative = (torch.nn.functional.normalize(one, dim=-1) for one in (video, positive, negative))
    logits = 5 * torch.cat([video @ positive.T, (video[:, None] * negative).sum(-1)], dim=1)
    return torch.nn.functional.cross_entropy(logits, torch.arange(len(video)))


def hardest_only(video: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Sound: the hinge of the hardest negative, whose texts get no gradient."""
    near = torch.cosine_similarity(video, positive.detach(), dim=-1)
    far = torch.cosine_similarity(video[:, None], negative.detach(), dim=-1).amax(1)
    return (0.2 + far - near).clamp(min=0).mean()


LOSS = [
    (loss(all_pairs), "pairs-count"),
    (loss(lambda v, p, n: ToyLoss()(*map(Reversal.apply, (v, p, n)))), "gradient-descends"),
    (loss(lambda v, p, n: ToyLoss()(v, p, n[:1].expand_as(n))), "order-does-not-matter"),
    (
        loss(lambda v, p, n: ToyLoss()(v[: len(v) // 2 + 1], p[: len(v) // 2 + 1], n[: len(v) // 2 + 1])),
        "order-does-not-matter",
    ),
    (loss(lambda v, p, n: ToyLoss()(v, p, n) + torch.rand(1)[0]), "order-does-not-matter"),
    (loss(attracts), "every-input-counts"),
    (loss(repels), "every-input-counts"),
    (loss(lambda v, p, n: ToyLoss()(v, p, n.flip(0)[:, :1] * 0)), "every-input-counts"),
    (loss(unstable_softmax), "is-finite-at-extremes"),
    (loss(unguarded_cosine), "is-finite-at-extremes"),
    (loss(lambda v, p, n: (v - p).square().sum(-1)), "is-finite-scalar"),
    (loss(lambda v, p, n: ToyLoss()(v, p, n).log() * torch.inf), "is-finite-scalar"),
    (loss(lambda v, p, n: ToyLoss()(v.squeeze(0), p, n)), "is-finite-scalar"),  # breaks where B is 1
    (loss(lambda v, p, n: ToyLoss()(v.detach(), p.detach(), n.detach())), "gradient-flows"),
    (loss(lambda v, p, n: ToyLoss()(v.detach(), p, n)), "gradient-flows"),
    (Unused, "gradient-flows"),
    (loss(lambda v, p, n: (v - p).square().sum(-1).sqrt().mean() - n.mean()), "is-finite-on-ties"),
    (loss(weighted_rows), "order-does-not-matter"),
    (loss(first_negative), "order-does-not-matter"),
    (loss(lambda v, p, n: 0.5 + 1.5e-4 * (v[0, 0] > v[-1, 0])), "order-does-not-matter"),
    (loss(lambda v, p, n: 9 + 1.5e-3 * (n[0, 0, 0] > n[0, -1, 0])), "order-does-not-matter"),
    (loss(lambda v, p, n: -ToyLoss()(v, p, n)), "prefers-the-positive"),
]


PLANTED = [
    *(("negatives", *row) for row in NEGATIVES),
    *(("loss", *row) for row in LOSS),
]


SOUND = [
    *(("negatives", one) for one in (ToyNegatives, Hardest, InBatch)),
    *(("loss", one) for one in (ToyLoss, SoftMargin, Contrast, loss(in_batch), loss(hardest_only))),
]


@pytest.mark.parametrize(("kind", "component"), SOUND)
def test_sound_ones_pass(kind: str, component: Any) -> None:
    assert conformance.run_checks(component, kind) == []


@pytest.mark.parametrize(("kind", "component", "check"), PLANTED)
def test_a_planted_bug_is_found(kind: str, component: Any, check: str, find: Callable[..., str]) -> None:
    assert find(kind, component, check, seconds=1.0 if component is ENDLESS else 60.0)


def test_every_check_has_a_planted_bug(unplanted: Callable[..., set[str]]) -> None:
    assert unplanted(["negatives", "loss"], PLANTED) == set()
