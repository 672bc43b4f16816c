"""The joint model: padding, and what attention mixes; the losses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zsarbench.errors import UsageError
from zsarbench.utils.seeding import fork_rng, generator
from zsarbench_cezsar.losses import HingeRank, InfoNCE, Sigmoid, Triplet
from zsarbench_cezsar.model import JointModel, count_parameters, fit_steps, restored, sinusoids


def make(attend_over: str = "time", **sizes: int | str) -> JointModel:
    with fork_rng(generator(0, "model")):
        return JointModel(
            24, 20, **({"d_model": 16, "feedforward": 32, "joint_dim": 8} | sizes), attend_over=attend_over
        ).eval()


def clips(lengths: list[int], steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return values (B, steps, 24) and their mask; the padding holds garbage."""
    values = torch.randn(len(lengths), max(steps, 10), 24, generator=generator(1))[:, :steps].clone()
    mask = torch.arange(steps)[None] < torch.tensor(lengths)[:, None]
    values[~mask] = 1e3
    return values, mask


@pytest.mark.parametrize("training", [False, True], ids=["test", "training"])
def test_padding_changes_nothing(training):
    model = make().train(training)
    for module in model.modules():
        if isinstance(module, (nn.Dropout, nn.MultiheadAttention)):
            module.p = module.dropout = 0.0
    short, long = clips([3, 5, 1], 5), clips([3, 5, 1], 10)
    torch.testing.assert_close(model.video(*short), model.video(*long), atol=1e-6, rtol=0)


def test_attention_over_time_isolates_clips():
    model = make()
    values, mask = clips([3, 5, 1], 5)
    together = model.video(values, mask)
    for row in range(3):
        torch.testing.assert_close(
            model.video(values[row : row + 1], mask[row : row + 1])[0], together[row], atol=1e-6, rtol=0
        )


def test_attention_over_the_batch_mixes_clips_unless_each_is_alone():
    model = make("batch")
    values, mask = clips([5, 5, 5], 5)
    one = model.video(values[:1], mask[:1])
    assert not torch.allclose(model.video(values, mask)[:1], one, atol=1e-3)
    torch.testing.assert_close(model.video(values, mask, alone=True)[:1], one, atol=1e-6, rtol=0)


@pytest.mark.parametrize("attend_over", ["time", "batch"])
def test_a_clip_without_steps_harms_no_other(attend_over):
    model = make(attend_over).train()
    values, mask = clips([4, 0], 4)
    joint = model.video(values, mask)
    joint[0].sum().backward()
    assert joint.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("attend_over", ["time", "batch"])
def test_order_of_steps_is_seen_with_positions_alone(attend_over):
    """A documented limit of the published model, which has none."""
    values, mask = clips([5], 5)
    blind, seeing = make(attend_over), make(attend_over, positions="sinusoidal")
    torch.testing.assert_close(blind.video(values, mask), blind.video(values.flip(1), mask), atol=1e-5, rtol=0)
    assert float((seeing.video(values, mask) - seeing.video(values.flip(1), mask)).detach().abs().max()) > 1e-2


def test_positions_are_the_published_sinusoids_and_are_kept_with_the_weights():
    table = sinusoids(4, 6)
    for step in range(4):
        for feature in range(6):
            angle = step / 10_000 ** (feature // 2 * 2 / 6)
            assert float(table[step, feature]) == pytest.approx([math.sin, math.cos][feature % 2](angle), abs=1e-6)
    assert sinusoids(3, 5).shape == (3, 5)
    model, (values, mask) = make(positions="sinusoidal"), clips([5], 5)
    again = restored(model.sizes, model.state_dict())
    assert torch.equal(again.video(values, mask), model.video(values, mask))


def test_the_published_size():
    model = JointModel(4096, 768)
    attention, forward = 4 * 1024**2 + 4 * 1024, 2 * 1024 * 2048 + 2048 + 1024
    video = 4096 * 1024 + 1024 + attention + forward + 2 * 2 * 1024 + 1024 * 128 + 128
    assert count_parameters(model) == video + 768 * 128 + 128 + 2 * 2 * 128


def test_fit_steps_cuts_and_leaves_unread_clips_unread():
    values, mask = clips([6, 0], 6)
    assert fit_steps(values, mask, 4, "mask")[1].sum(1).tolist() == [4, 0]
    zeros, counted = fit_steps(values, mask, 8, "zeros")
    assert zeros.shape == (2, 8, 24)
    assert counted.sum(1).tolist() == [8, 0]


def test_triplet_is_torch_s_loss():
    video, positive, negative = (torch.randn(*shape, generator=generator(4)) for shape in ((6, 8), (6, 8), (6, 3, 8)))
    expected = nn.TripletMarginLoss(margin=0.7, p=2)(
        video.repeat_interleave(3, 0), positive.repeat_interleave(3, 0), negative.flatten(0, 1)
    )
    torch.testing.assert_close(Triplet(margin=0.7)(video, positive, negative), expected)


def test_info_nce_falls_as_the_positive_comes_nearer_and_starts_at_the_logarithm():
    video, negative = torch.eye(4)[:2], torch.eye(4)[2:].expand(2, 2, 4)
    even = InfoNCE()(video, negative[:, 0], negative)
    assert float(even) == pytest.approx(torch.tensor(3.0).log().item())
    assert float(InfoNCE()(video, video, negative)) < 1e-5


def test_hinge_rank_counts_every_negative_that_comes_too_near():
    video, positive = torch.eye(3)[:1], torch.tensor([[0.6, 0.8, 0.0]])
    negative = torch.tensor([[[0.8, 0.6, 0.0], [0.55, 0.0, 0.55**0.5], [0.0, 1.0, 0.0]]])
    cosines = torch.cosine_similarity(video[:, None], negative, dim=-1)[0]
    expected = sum(max(0.0, 0.2 - 0.6 + float(cosine)) for cosine in cosines)
    assert float(HingeRank(margin=0.2)(video, positive, negative)) == pytest.approx(expected)
    assert float(cosines[2]) - 0.4 < 0  # one of them is far enough


def test_sigmoid_is_the_cross_entropy_of_each_text_alone_and_learns_scale_and_bias():
    video, positive, negative = (torch.randn(*shape, generator=generator(6)) for shape in ((5, 8), (5, 8), (5, 3, 8)))
    loss = Sigmoid(scale=4.0, bias=-1.0)
    cosine = torch.cosine_similarity(video[:, None], torch.cat([positive[:, None], negative], 1), dim=-1)
    targets = torch.tensor([1.0, 0, 0, 0]).expand(5, 4)
    expected = nn.functional.binary_cross_entropy_with_logits(4 * cosine - 1, targets, reduction="sum") / 5
    torch.testing.assert_close(loss(video, positive, negative), expected)
    loss(video, positive, negative).backward()
    assert all(parameter.grad.abs() > 0 for parameter in loss.parameters())


@pytest.mark.parametrize(
    "make_loss",
    [
        lambda: Triplet(margin=0), lambda: InfoNCE(temperature=-1), lambda: HingeRank(margin=0),
        lambda: Sigmoid(scale=0),
    ],
)  # fmt: skip
def test_impossible_losses_are_refused(make_loss):
    with pytest.raises(UsageError, match="above 0"):
        make_loss()
