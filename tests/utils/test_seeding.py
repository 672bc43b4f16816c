from __future__ import annotations

import torch

from zsarbench.utils import seeding


def test_seeds_are_the_same_on_every_machine() -> None:
    assert seeding.derive(0, "batches") == 0x1795A17DB8EC72BE
    assert seeding.derive(0, "a", "b") != seeding.derive(0, "ab")
    assert 0 <= seeding.derive(12, "x") < 2**63


def test_fork_rng_leaves_the_global_state_alone_and_repeats_itself() -> None:
    before = torch.random.get_rng_state()
    with seeding.fork_rng(seeding.generator(3, "fit")):
        first = torch.rand(4)
    with seeding.fork_rng(seeding.generator(3, "fit")):
        again = torch.rand(4)
    with seeding.fork_rng(seeding.generator(4, "fit")):
        other = torch.rand(4)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_numpy_generators_repeat_themselves() -> None:
    assert seeding.numpy_generator(1, "x").random() == seeding.numpy_generator(1, "x").random()
