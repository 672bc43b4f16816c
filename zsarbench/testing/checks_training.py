"""Checks of negative samplers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from zsarbench.errors import NoNegatives
from zsarbench.interfaces import NegativeDraw, Recording, SamplesTexts, TextDraw
from zsarbench.testing import checks_constructors
from zsarbench.testing.checking import (
    Check,
    ComponentUnderTest,
    ContractViolation,
    expect,
    expect_unchanged,
    is_tensor,
    same_bits,
    shape_of,
)
from zsarbench.testing.randomness import global_states, other_randomness
from zsarbench.utils import schema, seeding

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE = "zsarbench.interfaces.NegativeSampler.sample"
K = 3


def drawn(draw: NegativeDraw, sampler: Any, *, k: int = K, seed: int = 0) -> Tensor:
    """Return what a sampler draws under a seed, on the CPU."""
    rng = seeding.generator(seed, "conformance", "negatives")
    rows: Tensor = sampler.sample(replace(draw, k=k, rng=rng))
    return rows.cpu() if isinstance(rows, torch.Tensor) else rows


def tensors_of(draw: NegativeDraw) -> tuple[Tensor, ...]:
    """Return the tensors of a draw."""
    return draw.anchors, draw.positives, draw.pool, draw.anchor_groups, draw.pool_groups


def toy_draw(subject: ComponentUnderTest, *, columns: int = 2, sources: int = 8, n_anchors: int = 24) -> NegativeDraw:
    """Return a draw over 24 texts, three of each of 8 source videos; some texts occur twice.

    A corpus sampler has anchors in a space of their own, a batch sampler gets the batch's positives as its pool, on
    the device of training.
    """
    rng = seeding.generator(0, "conformance", "pool")
    # A direction that all texts share keeps them at the distances of real sentences, about 0.3, and not at 1.
    texts = torch.randn(24, 8, generator=rng) + 1.5
    texts[20:] = texts[:4]
    groups = torch.stack([torch.arange(24), torch.arange(24) // 3 % sources, torch.arange(24) // 3 % 7], dim=1)
    groups[20:, 0] = groups[:4, 0]
    if subject.component.when == "batch":
        anchors = texts[:n_anchors] + 0.3 * torch.randn(n_anchors, 8, generator=rng)
        anchors, texts = anchors.to(subject.device), texts.to(subject.device)
        pool, pool_groups = texts[:n_anchors], groups[:n_anchors]
    else:
        anchors = torch.randn(n_anchors, 12, generator=rng)
        pool, pool_groups = texts, groups
    return NegativeDraw(
        anchors=anchors, positives=texts[:n_anchors].clone(), pool=pool.clone(),
        anchor_groups=groups[:n_anchors, :columns].clone(), pool_groups=pool_groups[:, :columns].clone(), k=K, rng=rng,
    )  # fmt: skip


def draws_indices(subject: ComponentUnderTest) -> None:
    """`sample` returns (B, K) int64 indices into the pool, for any K."""
    for k in (1, K, 40):
        draw = toy_draw(subject)
        rows = drawn(draw, subject.make(), k=k)
        shape = (len(draw.anchors), k)
        expect(is_tensor(rows, shape, torch.int64), f"indices {shape} int64", shape_of(rows))
        inside = bool(((rows >= 0) & (rows < len(draw.pool))).all())
        expect(inside, f"indices from 0 to {len(draw.pool) - 1}", f"they reach from {rows.min()} to {rows.max()}")


def never_its_own(subject: ComponentUnderTest) -> None:
    """No negative shares the anchor's value in any column of the groups, be it text or source video."""
    for columns in (1, 2, 3):
        draw = toy_draw(subject, columns=columns)
        for seed in range(5):
            rows = drawn(draw, subject.make(), k=8, seed=seed)
            same = draw.anchor_groups[:, None] == draw.pool_groups[rows]
            shared = [int(column) for column in same.any(0).any(0).nonzero().flatten()]
            described = f"with {columns} columns some are the anchor's own by column {shared}"
            expect(not shared, "negatives of other groups in every column", described)


def repeats_where_few(subject: ComponentUnderTest) -> None:
    """An anchor with one admissible text gets that one K times."""
    draw = _with_groups(toy_draw(subject), n_others=1)
    rows = drawn(draw, subject.make())
    other = int((draw.pool_groups[:, 1] == 1).nonzero().flatten()[0])
    drawn_rows = rows[draw.anchor_groups[:, 1] == 0]
    expect(
        bool((drawn_rows == other).all()),
        f"the one admissible text, {other}, {K} times",
        f"it drew {drawn_rows[0].tolist()}",
    )


def says_when_there_are_none(subject: ComponentUnderTest) -> None:
    """An anchor without an admissible text raises `NoNegatives`, and never causes an endless loop."""
    draw = _with_groups(toy_draw(subject), n_others=0)
    try:
        rows = drawn(draw, subject.make())
    except NoNegatives:
        return
    except Exception as error:
        raised = f"it raised {type(error).__name__}: {error}"
        raise ContractViolation("zsarbench.errors.NoNegatives where no text is admissible", raised) from error
    raise ContractViolation(
        "zsarbench.errors.NoNegatives where no text is admissible", f"it returned {rows[0].tolist()}"
    )


def _with_groups(draw: NegativeDraw, n_others: int) -> NegativeDraw:
    """Return the draw with all texts of one source video but the last `n_others`, which are of another."""
    groups = torch.stack([torch.arange(len(draw.pool)), torch.zeros(len(draw.pool), dtype=torch.int64)], dim=1)
    if n_others:
        groups[-n_others:, 1] = 1
    return replace(draw, anchor_groups=groups[: len(draw.anchors)].clone(), pool_groups=groups)


def follows_the_generator(subject: ComponentUnderTest) -> None:
    """The same generator gives the same draw, whatever global random states are and whatever was drawn before.

    The inputs, and global states, stay as they were.
    """
    draw = toy_draw(subject)
    before = [tensor.clone() for tensor in tensors_of(draw)]
    draws = []
    for noise in range(3):
        with other_randomness(noise):
            states = global_states()
            draws.append(drawn(draw, subject.make()))
            expect_unchanged(states)
    alike = all(same_bits(draws[0], other) for other in draws[1:])
    expect(alike, "the same draw from the same generator", "draws differ: another source of randomness is used")
    sampler = subject.make()
    for seed in (1, 2):
        drawn(draw, sampler, seed=seed)
    again = same_bits(drawn(draw, sampler), draws[0])
    expect(again, "the same draw from the same generator", "after two other draws it differs: something is kept")
    kept = all(same_bits(*pair) for pair in zip(before, tensors_of(draw), strict=True))
    expect(kept, "the given tensors to stay as they were", "they were changed")


def draws_alike_from_rows(subject: ComponentUnderTest) -> None:
    """`sample_texts`, where the sampler has it, draws what `sample` does from the gathered embeddings."""
    sampler = subject.make()
    if not isinstance(sampler, SamplesTexts):
        return
    toy = toy_draw(subject)
    texts = torch.arange(24) % 20  # the last four are the first again
    draw = TextDraw(
        embeddings=toy.pool[:20], texts=texts, pool_texts=texts, anchor_groups=toy.pool_groups,
        pool_groups=toy.pool_groups, k=K, rng=seeding.generator(0, "conformance", "negatives"),
    )  # fmt: skip
    gathered = drawn(draw.gathered(), subject.make())
    rows = sampler.sample_texts(draw)
    alike = is_tensor(rows, (len(texts), K), torch.int64) and same_bits(rows, gathered)
    expect(alike, "the draw that `sample` gives of the gathered embeddings", f"another one, {shape_of(rows)}")


def records_numbers(subject: ComponentUnderTest) -> None:
    """`record`, where the sampler has it, gives finite numbers by name after a draw."""
    sampler = subject.make()
    if not isinstance(sampler, Recording):
        return
    drawn(toy_draw(subject), sampler)
    try:
        record = dict(sampler.record())
        schema.plain(record, "record")
    except Exception as error:
        raise ContractViolation("`record()` to be a mapping of JSON types", str(error)) from error
    bad = [name for name, value in record.items() if not isinstance(value, int | float) or not math.isfinite(value)]
    expect(not bad, "finite numbers, of which results keep the mean", f"not so: {', '.join(map(str, bad))}")


def draws_vary(subject: ComponentUnderTest) -> None:
    """Draws vary with the generator or with the embeddings: negatives are drawn or chosen, not fixed."""
    draw = toy_draw(subject)
    one = drawn(draw, subject.make(), seed=0)
    if any(not same_bits(one, drawn(draw, subject.make(), seed=seed)) for seed in (1, 2)):
        return
    turned = torch.randperm(len(draw.pool), generator=seeding.generator(0, "conformance", "turned"))
    turned = turned.to(draw.pool.device)
    others = replace(draw, pool=draw.pool[turned], positives=draw.pool[turned][: len(draw.positives)])
    others = replace(others, anchors=-draw.anchors)
    actual = "it is the same for three generators, and for other embeddings too: a seed of its own is used"
    expect(
        not same_bits(one, drawn(others, subject.make(), seed=0)), "draws that follow generator or embeddings", actual
    )


def negatives_checks() -> tuple[Check, ...]:
    """Return the checks of negative samplers."""
    return (
        *checks_constructors.checks("negatives"),
        Check("negatives", "draws-indices", SAMPLE, draws_indices),
        Check("negatives", "never-its-own", SAMPLE, never_its_own),
        Check("negatives", "repeats-where-few", SAMPLE, repeats_where_few),
        Check("negatives", "says-when-there-are-none", SAMPLE, says_when_there_are_none),
        Check("negatives", "follows-the-generator", SAMPLE, follows_the_generator),
        Check("negatives", "draws-vary", SAMPLE, draws_vary),
        Check("negatives", "draws-alike-from-rows", SAMPLE, draws_alike_from_rows),
        Check("negatives", "records-numbers", "zsarbench.interfaces.Recording", records_numbers),
    )
