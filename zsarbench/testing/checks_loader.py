"""Checks of what reaches a visual encoder's model: channels and their order, orientation, values, frames and captions.

What cannot be observed from outside is not checked, such as whether a network was trained with red as first
channel, or on frames of mean 0.5. What every correct preparation preserves is: a solid colour stays solid, left stays
left, brighter stays brighter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from zsarbench.interfaces import CaptionSteps, Clips, ColourOrdered, FrameOrdered
from zsarbench.testing.checking import Check, ComponentUnderTest, expect, expect_unchanged, same_bits
from zsarbench.testing.checks_encoders import PREPARE, VISUAL, encoded, part_of, toy_batch
from zsarbench.testing.randomness import global_states
from zsarbench.utils import seeding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

SIDE = 224
"""Pixels of the frames that are prepared: square ones fill up the least."""
LEVELS = (0, 64, 128, 192, 255)
REPEATS = 32
"""How often a frame is prepared again: a transform that comes by chance one time in ten stays unseen in 3 % of runs."""
MIN_CHANGE = 0.003
"""Relative change of a row between contents as far apart as black, white and noise; values that are scaled down twice
change it by a tenth of that."""


def _prepared(subject: ComponentUnderTest, frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    prepared: NDArray[np.float64] = np.asarray(subject.component.prepare(frame)).astype(np.float64)
    return prepared


def _solid(*colour: int) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(colour, dtype=np.uint8), (SIDE, SIDE, 3)).copy()


def _centre(prepared: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the middle half of the picture, which no border of any filling reaches."""
    height, width = prepared.shape[1:]
    return prepared[:, height // 4 : height - height // 4, width // 4 : width - width // 4]


def prepare_keeps_the_picture(subject: ComponentUnderTest) -> None:
    """`prepare` keeps the picture: solid colours stay solid, left stays left, up stays up, red is in its channel."""
    if subject.component.needs != "frames":
        return
    black, white = _centre(_prepared(subject, _solid(0, 0, 0))), _centre(_prepared(subject, _solid(255, 255, 255)))
    span = float(np.abs(white - black).max())
    expect(span > 0, "another picture of a white frame than of a black one", "they are the same")
    colour = _centre(_prepared(subject, _solid(255, 128, 0)))
    uneven = float(max(channel.max() - channel.min() for channel in colour)) / span
    actual = f"its channels vary by {uneven:.0%} of their range: the axes of (H, W, 3) were reshaped, not transposed"
    expect(uneven < 0.05, "a frame of one colour to have channels of one value", actual)
    lights = [np.abs(_centre(_prepared(subject, _solid(*one))) - black).mean((1, 2)) for one in _PRIMARIES]
    for name, light in zip(("red", "green", "blue"), lights, strict=True):
        expect(bool(light.any()), f"another picture of a {name} frame than of a black one", "they are the same")
    red, green, blue = lights
    order = subject.component.colour_order if isinstance(subject.component, ColourOrdered) else None
    if order is not None and not np.allclose(red, red[0]):
        first, last = (red, blue) if order == "rgb" else (blue, red)
        ordered = [int(light.argmax()) for light in (first, green, last)] == [0, 1, 2]
        actual = f"red, green and blue are in the channels {', '.join(str(int(one.argmax())) for one in lights)}"
        expect(ordered, f"channels in the declared colour order, {order}", actual)
    for axis, side in ((1, "left"), (0, "upper")):
        halves = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
        halves[(slice(None),) * axis + (slice(0, SIDE // 2),)] = 255
        visible = np.abs(_prepared(subject, halves) - _prepared(subject, _solid(0, 0, 0))).sum(0)
        middle = visible.shape[axis] // 2
        near = np.split(visible[:, : 2 * middle] if axis else visible[: 2 * middle], 2, axis=axis)[0]
        actual = f"{near.sum() / max(1e-9, visible.sum()):.0%} of it is: the frame is turned, mirrored or transposed"
        expect(
            near.sum() > 0.75 * visible.sum(), f"the light of a frame whose {side} half is white to stay there", actual
        )


_PRIMARIES = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def prepare_keeps_the_values(subject: ComponentUnderTest) -> None:
    """A brighter frame is prepared to values that rise, or fall, with it, step by step.

    A frame is prepared the same each time, whatever was prepared before, and global states stay as they were.
    """
    if subject.component.needs != "frames":
        return
    before = global_states()
    means = [_centre(_prepared(subject, _solid(level, level, level))).mean() for level in LEVELS]
    steps = np.diff(means)
    listed = ", ".join(f"{mean:.3g}" for mean in means)
    monotone = bool((steps > 0).all() or (steps < 0).all())
    expect(monotone, f"values that follow the grey levels {LEVELS}", f"they are {listed}: they wrap or are cut off")
    even = float(np.abs(steps).max() / np.abs(steps).min())
    expect(even < 4, f"values in proportion to the grey levels {LEVELS}", f"they are {listed}: they are cut off")
    noise = seeding.numpy_generator(0, "conformance", "noise").integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    first = _prepared(subject, noise)
    expect_unchanged(before)
    fresh = np.asarray(subject.make().prepare(noise)).astype(np.float64)
    kept = "another instance, which has prepared no other frame, prepares it otherwise"
    expect(np.array_equal(first, fresh), "a frame to be prepared alike whatever came before", kept)
    same = all(np.array_equal(first, _prepared(subject, noise)) for _ in range(REPEATS))
    expect(same, "the same frame to be prepared alike each time", "it differs: random augmentation is for training")


def tells_contents_apart(subject: ComponentUnderTest) -> None:
    """Rows of black, white and noise frames differ by more than rounding, and so do those of red and blue ones.

    In a window of several frames every other one is grey, so that contents move: motion is a content too.
    """
    encoder = subject.component
    if encoder.needs != "frames":
        return
    noise = seeding.numpy_generator(1, "conformance", "noise").integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    pictures = {"black": _solid(0, 0, 0), "white": _solid(255, 255, 255), "red": _solid(255, 0, 0)}
    pictures |= {"blue": _solid(0, 0, 255), "noise": noise}
    prepared = [encoder.prepare(frame) for frame in pictures.values()]
    frames = torch.from_numpy(np.stack(prepared))[:, None, None]
    frames = frames.expand(-1, 1, encoder.sampling.frames_per_step, -1, -1, -1).contiguous()
    frames[:, :, 1::2] = torch.from_numpy(encoder.prepare(_solid(90, 90, 90)))
    rows = encoder.encode(
        Clips(tuple(pictures), frames=frames, mask=torch.ones(len(pictures), 1, dtype=torch.bool))
    ).values
    rows = rows[:, 0].double().cpu()
    norm = float(rows.norm(dim=1).max())
    names = list(pictures)
    for one, other in ((0, 1), (0, 4), (1, 4), (2, 3)):
        if np.array_equal(prepared[one], prepared[other]):
            continue  # grey frames, as a preparation without colours makes them
        change = float((rows[one] - rows[other]).norm()) / max(norm, 1e-12)
        actual = f"those of {names[one]} and {names[other]} frames differ by {change:.2g} of their length"
        expect(change > MIN_CHANGE, f"rows that differ by {MIN_CHANGE} of their length or more", actual)


def every_frame_counts(subject: ComponentUnderTest) -> None:
    """A step's row changes with its frames: with all, all but the first, the second half, or a declared order."""
    encoder, batch = subject.component, toy_batch(subject)
    if batch.frames is None or batch.mask is None:
        return
    clip, own_frames, others = part_of(batch, [0]), batch.frames[:1], batch.frames[2, 0]
    own = encoder.encode(clip).values[0]

    def changed(step: int, part: slice) -> Tensor:
        """Return the row of a step of which some frames are another clip's."""
        frames = own_frames.clone()
        frames[0, step, part] = others[part]
        row: Tensor = encoder.encode(replace(clip, frames=frames)).values[0, step]
        return row

    for step in range(int(batch.mask[0].sum())):
        actual = f"with other frames in step {step} it stays the same"
        expect(not same_bits(changed(step, slice(None)), own[step]), f"row {step} to follow its own frames", actual)
    n_steps = int(batch.mask[0].sum())
    alike = [step for step in range(1, n_steps) if same_bits(own[step], own[0])]
    expect(not alike, "rows of their own for steps of other frames", f"row {alike[:1]} equals the first")
    n_frames = batch.frames.shape[2]
    if n_frames == 1:
        return
    half = n_frames // 2
    parts = {
        "after the first": slice(1, None),
        "of the first half": slice(half),
        "of the second half": slice(half, None),
    }
    for which, part in parts.items():
        actual = f"with other frames {which} it stays the same"
        expect(not same_bits(changed(0, part), own[0]), "a step's row to follow all frames of its window", actual)
    ordered = isinstance(encoder, FrameOrdered) and encoder.frame_order_matters
    if ordered:
        turned = encoder.encode(replace(clip, frames=own_frames.flip(2))).values[0, 0]
        change = float((turned - own[0]).norm() / own[0].norm().clamp(min=1e-12))
        actual = f"with its frames in reverse a row differs by {change:.2g} of its length"
        expect(change > 1e-4, "a row that follows the declared order of frames", actual)


def every_caption_counts(subject: ComponentUnderTest) -> None:
    """A clip's rows change with its first and last caption, and with a caption's last word.

    An encoder may declare that captions make no steps; where each makes one, steps are in the order of the captions.
    """
    encoder = subject.component
    how = encoder.captions_in_steps if isinstance(encoder, CaptionSteps) else "all"
    if encoder.needs != "captions" or how == "none":
        return
    batch = toy_batch(subject)
    assert batch.captions is not None
    whole = encoder.encode(batch)
    captions = batch.captions[0]
    other, word = "a person lifts a word", f"{captions[0].rpartition(' ')[0]} box"
    cases = {
        "another last caption": (-1, (*captions[:-1], other)),
        "another first caption": (0, (other, *captions[1:])),
        "another last word of the first caption": (0, (word, *captions[1:])),
    }
    if encoder.sampling.max_steps < len(captions) and how == "one-each":
        del cases["another last caption"]
    own = whole.values[0][whole.mask[0]]
    for what, (place, others) in cases.items():
        rows = encoder.encode(replace(batch, captions=(others, *batch.captions[1:]))).values[0][: len(own)]
        same = same_bits(rows[place], own[place]) if how == "one-each" else same_bits(rows, own)
        expect(not same, "rows that follow every caption", f"with {what} they stay the same")
    if how == "one-each" and encoder.sampling.max_steps >= len(captions):
        turned = encoder.encode(replace(batch, captions=(captions[::-1], *batch.captions[1:]))).values[0]
        same = same_bits(turned[: len(own)], own.flip(0))
        expect(same, "a step for each caption, in their order", "captions in reverse do not give steps in reverse")


def other_ids_same_bits(subject: ComponentUnderTest) -> None:
    """The same frames or captions under other ids, of several spellings, give the same rows, bit for bit."""
    batch = toy_batch(subject)
    whole = encoded(subject)
    ids = ("renamed-1", "v_ApplyLipstick_g01_c01", "run/2.mp4", "RUN 3")
    steps = subject.component.encode(replace(batch, ids=ids))
    for row, clip_id in enumerate(ids):
        actual = f"under the id '{clip_id}' the rows of clip {row} differ"
        expect(same_bits(steps.values[row], whole.values[row]), "ids not to matter", actual)


def loader_checks() -> tuple[Check, ...]:
    """Return the checks of visual encoders that this file holds."""
    ordered = "zsarbench.interfaces.FrameOrdered"
    return (
        Check("visual", "prepare-keeps-the-picture", PREPARE, prepare_keeps_the_picture),
        Check("visual", "prepare-keeps-the-values", PREPARE, prepare_keeps_the_values),
        Check("visual", "tells-contents-apart", f"{VISUAL}.encode", tells_contents_apart),
        Check("visual", "every-frame-counts", ordered, every_frame_counts),
        Check("visual", "every-caption-counts", "zsarbench.interfaces.CaptionSteps", every_caption_counts),
        Check("visual", "other-ids-same-bits", f"{VISUAL}.encode", other_ids_same_bits),
    )
