"""Checks that compare two instances: a component depends on its options alone, not on any global state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Steps
from zsarbench.testing.checking import (
    Check,
    ComponentUnderTest,
    Unavailable,
    expect,
    expect_unchanged,
    farthest,
    same_bits,
)
from zsarbench.testing.checks_data import another, read
from zsarbench.testing.checks_encoders import VISUAL, part_of, toy_batch
from zsarbench.testing.checks_texts import TEXT, TEXTS
from zsarbench.testing.randomness import global_states, other_randomness

if TYPE_CHECKING:
    from torch import Tensor


def two_encoders_are_one(subject: ComponentUnderTest) -> None:
    """An instance built under other global random states gives the same rows, bit for bit.

    It leaves these states, and global settings; what it returns holds no graph of gradients.
    """
    inputs: Any = toy_batch(subject) if subject.kind == "visual" else list(TEXTS[:6])
    with other_randomness(1):
        before = global_states()
        rows = _rows(subject.make().encode(inputs))
        expect_unchanged(before)
    own = _rows(subject.component.encode(inputs))
    expect(same_bits(rows, own), "the same rows from two instances", farthest(rows.detach(), own.detach()))
    states = [dict(encoder.fingerprint) for encoder in (subject.component, subject.make())]
    actual = f"it was {states[1]} before and is {states[0]}"
    expect(states[0] == states[1], "the same fingerprint after `encode` as before", actual)
    expect(not rows.requires_grad, "rows without a graph of gradients", "they need one; use torch.inference_mode")


def _rows(encoded: Any) -> Tensor:
    rows: Tensor = encoded.values if isinstance(encoded, Steps) else encoded
    return rows


def leaves_frames_alone(subject: ComponentUnderTest) -> None:
    """`encode` leaves the frames and the mask that it gets as they were."""
    batch = part_of(toy_batch(subject), [0])
    if batch.frames is None or batch.mask is None:
        return
    frames, mask = batch.frames.clone(), batch.mask.clone()
    subject.component.encode(batch)
    same = torch.equal(frames, batch.frames) and torch.equal(mask, batch.mask)
    expect(same, "frames and mask to stay as they were", "`encode` changed them in place")


def two_data_sets_are_one(subject: ComponentUnderTest) -> None:
    """An instance built and read under other global random states has the same manifest, lists and captions.

    The manifest is the same when it is read again, and global states stay."""
    with other_randomness(1):
        before = global_states()
        try:
            other = another(subject)
            tables: list[Any] = [other.manifest(), dict(other.splits()), dict(other.captions())]
            again = other.manifest()
        except ZsarbenchError as error:
            raise Unavailable(str(error)) from error
        expect_unchanged(before)
    same = read(subject, "manifest").equals(tables[0])
    expect(same, "the same manifest from two instances", "they differ")
    expect(tables[0].equals(again), "the same manifest when it is read again", "it is another one")
    for what, value in (("splits", tables[1]), ("captions", tables[2])):
        expect(dict(read(subject, what)) == value, f"the same {what} from two instances", "they differ")


def instance_checks(kind: str) -> tuple[Check, ...]:
    """Return the checks of a kind that this file holds."""
    if kind == "dataset":
        return (Check(kind, "two-instances-are-one", "zsarbench.interfaces.Dataset", two_data_sets_are_one),)
    two = Check(kind, "two-instances-are-one", VISUAL if kind == "visual" else TEXT, two_encoders_are_one)
    leaves = Check(kind, "leaves-inputs-alone", f"{VISUAL}.encode", leaves_frames_alone)
    return (two, leaves) if kind == "visual" else (two,)
