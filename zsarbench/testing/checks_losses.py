"""Checks of losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zsarbench.testing import checks_constructors
from zsarbench.testing.checking import Check, ComponentUnderTest, expect, is_tensor, same_bits, shape_of
from zsarbench.utils import seeding

if TYPE_CHECKING:
    from torch import Tensor

LOSS = "zsarbench.interfaces.Loss"
K = 3
ROUNDING = 1e-4
"""Relative; sums of a batch in another order differ by less in float32."""
DESCENT = 0.05
"""Length of a step along the gradient, of videos whose rows have a length of about 3."""


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


def pairs_count(subject: ComponentUnderTest) -> None:
    """The loss is lower where each video lies at its own positive than where it lies at that of another row."""
    rng = seeding.generator(3, "conformance", "triplets")
    video = torch.nn.functional.normalize(torch.randn(6, 8, generator=rng), dim=1).to(subject.device)
    negative = _triplets(subject, seed=1)[2].detach()
    with torch.no_grad():
        own = float(subject.component(video.clone(), video.clone(), negative.clone()))
        others = float(subject.component(video.clone(), video.roll(1, 0), negative.clone()))
    expect(
        own < others, "a lower loss where each row has its own positive", f"it is {own}, and {others} where it has not"
    )


def gradient_descends(subject: ComponentUnderTest) -> None:
    """A small step of the videos against their gradient does not raise the loss."""
    for seed in range(3):
        video, positive, negative = _triplets(subject, seed=seed)
        before = subject.component(video, positive, negative)
        before.backward()
        if video.grad is None or not bool(video.grad.any()):
            continue
        step = video.detach() - DESCENT * video.grad / video.grad.norm()
        with torch.no_grad():
            after = float(subject.component(step, positive.detach(), negative.detach()))
        value = float(before.detach())
        room = ROUNDING * max(1.0, abs(value))
        expect(after <= value + room, "a loss that falls along its gradient", f"it rose from {value} to {after}")


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


def loss_checks() -> tuple[Check, ...]:
    """Return the checks of losses."""
    return (
        *checks_constructors.checks("loss"),
        Check("loss", "is-finite-scalar", LOSS, is_finite_scalar),
        Check("loss", "gradient-flows", LOSS, gradient_flows),
        Check("loss", "is-finite-on-ties", LOSS, is_finite_on_ties),
        Check("loss", "order-does-not-matter", LOSS, order_does_not_matter),
        Check("loss", "prefers-the-positive", LOSS, prefers_the_positive),
        Check("loss", "pairs-count", LOSS, pairs_count),
        Check("loss", "gradient-descends", LOSS, gradient_descends),
        Check("loss", "every-input-counts", LOSS, every_input_counts),
        Check("loss", "is-finite-at-extremes", LOSS, is_finite_at_extremes),
    )
