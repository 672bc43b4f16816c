"""Checks that compare two instances: a component is what its options say, whatever was drawn or kept elsewhere."""

from __future__ import annotations

from typing import Any

import torch

from zsarbench.errors import ZsarbenchError
from zsarbench.testing.checking import Check, ComponentUnderTest, Unavailable, expect, farthest, same_bits
from zsarbench.testing.checks_encoders import TEXT, TEXTS, VISUAL, toy_batch
from zsarbench.testing.randomness import other_randomness, random_states


def two_encoders_are_one(subject: ComponentUnderTest) -> None:
    """Two instances built under other global random states give the same rows, bit for bit, and leave these states.

    What they return holds no graph of gradients.
    """
    given: Any = toy_batch(subject) if subject.kind == "visual" else list(TEXTS[:6])
    rows = []
    for noise in (1, 2):
        with other_randomness(noise):
            before = random_states()
            made = subject.make().encode(given)
            kept = before == random_states()
        rows.append(made.values if subject.kind == "visual" else made)
        expect(kept, "the global random states to stay as they were", "one moved; use zsarbench.utils.seeding.fork_rng")
    expect(same_bits(*rows), "the same rows from two instances", farthest(*rows))
    expect(not rows[0].requires_grad, "rows without a graph of gradients", "they need one; use torch.inference_mode")


def leaves_frames_alone(subject: ComponentUnderTest) -> None:
    """`encode` leaves the frames and the mask that it gets as they were."""
    batch = toy_batch(subject)
    if batch.frames is None or batch.mask is None:
        return
    frames, mask = batch.frames.clone(), batch.mask.clone()
    subject.component.encode(batch)
    same = torch.equal(frames, batch.frames) and torch.equal(mask, batch.mask)
    expect(same, "frames and mask to stay as they were", "`encode` changed them in place")


def two_data_sets_are_one(subject: ComponentUnderTest) -> None:
    """Two instances, built under other global random states, have the same manifest, lists and captions."""
    try:
        found = []
        for noise in (1, 2):
            with other_randomness(noise):
                made = subject.make()
                found.append((made.manifest(), dict(made.splits()), dict(made.captions())))
    except ZsarbenchError as error:
        raise Unavailable(str(error)) from error
    (one, lists, captions), (other, other_lists, other_captions) = found
    expect(one.equals(other), "the same manifest from two instances", "they differ")
    expect(lists == other_lists, "the same official lists from two instances", "they differ")
    expect(captions == other_captions, "the same captions from two instances", "they differ")


def instance_checks(kind: str) -> tuple[Check, ...]:
    """Return the checks of a kind that this file holds."""
    if kind == "dataset":
        return (Check(kind, "two-instances-are-one", "zsarbench.interfaces.Dataset", two_data_sets_are_one),)
    two = Check(kind, "two-instances-are-one", VISUAL if kind == "visual" else TEXT, two_encoders_are_one)
    leaves = Check(kind, "leaves-inputs-alone", f"{VISUAL}.encode", leaves_frames_alone)
    return (two, leaves) if kind == "visual" else (two,)
