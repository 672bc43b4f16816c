"""Checks of negative samplers and losses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from zsarbench.errors import NoNegatives
from zsarbench.interfaces import NegativeDraw, SamplesTexts, TextDraw
from zsarbench.testing import checks_constructors
from zsarbench.testing.checking import (
    Check,
    ComponentUnderTest,
    ContractViolation,
    expect,
    is_tensor,
    same_bits,
    shape_of,
)
from zsarbench.utils import seeding

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE = "zsarbench.interfaces.NegativeSampler.sample"
LOSS = "zsarbench.interfaces.Loss"
K = 3
ROUNDING = 1e-4
"""Relative; sums of a batch in another order differ by less in float32."""


# --- negative samplers ------------------------------------------------------------------------------------------------


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
    """The same generator gives the same draw, whatever torch's global random state is; the inputs stay as they were."""
    draw = toy_draw(subject)
    before = [tensor.clone() for tensor in tensors_of(draw)]
    draws = []
    for noise in range(3):
        with seeding.fork_rng(seeding.generator(noise, "conformance", "noise")):
            draws.append(drawn(draw, subject.make()))
    alike = all(same_bits(draws[0], other) for other in draws[1:])
    expect(alike, "the same draw from the same generator", "draws differ: another source of randomness is used")
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


# --- losses -----------------------------------------------------------------------------------------------------------


def _triplets(subject: ComponentUnderTest, n_rows: int = 6, k: int = K, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return video (B, 8), positive (B, 8), negative (B, K, 8) that need gradients."""
    rng = seeding.generator(seed, "conformance", "triplets")
    shapes = ((n_rows, 8), (n_rows, 8), (n_rows, k, 8))
    video, positive, negative = (
        torch.randn(shape, generator=rng).to(subject.device).requires_grad_() for shape in shapes
    )
    return video, positive, negative


def is_finite_scalar(subject: ComponentUnderTest) -> None:
    """A loss of any batch is one finite number, and the inputs stay as they were."""
    loss = subject.component
    for n_rows, k in ((6, K), (1, 1), (1, K), (6, 1)):
        triplets = _triplets(subject, n_rows, k)
        before = [tensor.detach().clone() for tensor in triplets]
        value = loss(*triplets).detach()
        where = f"for video ({n_rows}, 8) and negative ({n_rows}, {k}, 8)"
        expect(is_tensor(value, ()), f"a scalar {where}", shape_of(value))
        expect(bool(value.isfinite()), f"a finite number {where}", f"it is {float(value)}")
        kept = all(same_bits(old, new.detach()) for old, new in zip(before, triplets, strict=True))
        expect(kept, "the given tensors to stay as they were", "they were changed")


def gradient_flows(subject: ComponentUnderTest) -> None:
    """A finite gradient reaches the video and every parameter of the loss; a loss may stop it elsewhere."""
    loss = subject.make()
    for seed in range(3):
        video, positive, negative = _triplets(subject, seed=seed)
        value = loss(video, positive, negative)
        expect(value.requires_grad, "a loss with a gradient", "it has none: something was detached")
        value.backward()
        for name, tensor in (("video", video), ("positive", positive), ("negative", negative)):
            finite = tensor.grad is None or bool(tensor.grad.isfinite().all())
            expect(finite, f"a finite gradient of {name}", "some are NaN or infinite")
    moved = video.grad is not None and bool(video.grad.any())
    expect(moved, "a gradient of the video other than 0", "it is 0 on random triplets")
    for name, parameter in loss.named_parameters() if isinstance(loss, torch.nn.Module) else ():
        expect(parameter.grad is not None, f"a gradient of the parameter {name}", "it has none")


def is_finite_on_ties(subject: ComponentUnderTest) -> None:
    """Loss and gradient are finite where a video equals its positive and a negative."""
    video = _triplets(subject)[0]
    same = video.detach().clone().requires_grad_()
    negative = video.detach()[:, None].expand(-1, K, -1).clone().requires_grad_()
    value = subject.component(video, same, negative)
    value.backward()
    finite = bool(value.isfinite()) and video.grad is not None and bool(video.grad.isfinite().all())
    expect(finite, "a finite loss and gradient where video, positive and negative are equal", "they are not")


def order_does_not_matter(subject: ComponentUnderTest) -> None:
    """The order of a batch's rows, and of a row's negatives, does not change the loss."""
    loss = subject.component
    video, positive, negative = (tensor.detach() for tensor in _triplets(subject))
    with torch.no_grad():
        value = float(loss(video, positive, negative))
        rows = float(loss(video.flip(0), positive.flip(0), negative.flip(0)))
        columns = float(loss(video, positive, negative.flip(1)))
    for which, other in (("the rows of a batch", rows), ("the negatives of a row", columns)):
        near = abs(other - value) <= ROUNDING * max(1.0, abs(value))
        expect(near, f"the same loss for {which} in another order", f"{value} became {other}")


def prefers_the_positive(subject: ComponentUnderTest) -> None:
    """The loss is lower where videos lie at their positives and far from their negatives than the reverse."""
    video = torch.nn.functional.normalize(_triplets(subject)[0].detach(), dim=1)
    far = -video
    with torch.no_grad():
        good = float(subject.component(video, video.clone(), far[:, None].expand(-1, K, -1).clone()))
        bad = float(subject.component(video, far, video[:, None].expand(-1, K, -1).clone()))
    values = f"it is {good} with the positives near and {bad} with the negatives near"
    expect(good < bad, "a lower loss where the positives are near", values)


def every_input_counts(subject: ComponentUnderTest) -> None:
    """With fixed positives, negatives near the videos raise the loss; with fixed negatives, near positives lower it."""
    rng = seeding.generator(2, "conformance", "triplets")
    video = torch.nn.functional.normalize(torch.randn(6, 8, generator=rng), dim=1).to(subject.device)
    far = -video
    middle = torch.nn.functional.normalize(torch.randn(6, 8, generator=rng), dim=1).to(subject.device)

    def value(positive: Tensor, negative: Tensor) -> float:
        wide = negative[:, None].expand(-1, K, -1).clone()
        return float(subject.component(video.clone(), positive.clone(), wide))

    with torch.no_grad():
        near, away = value(middle, video), value(middle, far)
        expect(near > away, "a higher loss where negatives are near", f"it is {near} there and {away} elsewhere")
        near, away = value(video, middle), value(far, middle)
        expect(near < away, "a lower loss where positives are near", f"it is {near} there and {away} elsewhere")


def is_finite_at_extremes(subject: ComponentUnderTest) -> None:
    """Loss and gradient are finite for features of length 100, and for rows of zeros."""
    for what, scale in (("of length 100", 100.0), ("of zeros", 0.0)):
        triplets = [(scale * torch.nn.functional.normalize(one.detach(), dim=-1)) for one in _triplets(subject)]
        video, positive, negative = (one.requires_grad_() for one in triplets)
        value = subject.component(video, positive, negative)
        expect(bool(value.isfinite()), f"a finite loss for features {what}", f"it is {value.item()}")
        value.backward()
        finite = video.grad is None or bool(video.grad.isfinite().all())
        expect(finite, f"a finite gradient for features {what}", "some are NaN or infinite")


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
    )


def loss_checks() -> tuple[Check, ...]:
    """Return the checks of losses."""
    return (
        *checks_constructors.checks("loss"),
        Check("loss", "is-finite-scalar", LOSS, is_finite_scalar),
        Check("loss", "gradient-flows", LOSS, gradient_flows),
        Check("loss", "is-finite-on-ties", LOSS, is_finite_on_ties),
        Check("loss", "order-does-not-matter", LOSS, order_does_not_matter),
        Check("loss", "prefers-the-positive", LOSS, prefers_the_positive),
        Check("loss", "every-input-counts", LOSS, every_input_counts),
        Check("loss", "is-finite-at-extremes", LOSS, is_finite_at_extremes),
    )
