"""Checks of visual encoders: shapes, padding, and that a row's bits depend on its own clip."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsarbench.features.extraction.encoding import BATCH_SIZE
from zsarbench.interfaces import (
    Clips,
    FrameEncoder,
    HasClassifier,
    IndependentSteps,
    Sampling,
    StepBatches,
    Steps,
)
from zsarbench.testing import checks_constructors
from zsarbench.testing.checking import (
    Check,
    ComponentUnderTest,
    ContractViolation,
    Unavailable,
    close,
    expect,
    farthest,
    is_tensor,
    same_bits,
    shape_of,
)
from zsarbench.utils import seeding

if TYPE_CHECKING:
    from torch import Tensor

VISUAL = "zsarbench.interfaces.VisualEncoder"
PREPARE = "zsarbench.interfaces.Prepare"
FRAME_SIZES = ((48, 64), (64, 48), (37, 91), (240, 320), (1, 1))
CAPTIONS = (
    ("a person lifts a cup", "somebody drinks"),
    ("a dog runs", "it is outdoors", "grass", "a ball is thrown"),
    (),
    ("someone opens a door",),
)
"""Of four clips; the third has none, like a clip that no observer described."""
DECLARED = ("dim", "space", "fingerprint")
MAX_STEPS = 64
"""A batch of more steps is not filled: large models would take minutes."""
_READ_PREPARE = (
    "import pickle, sys, numpy; prepare = pickle.load(sys.stdin.buffer); "
    "prepare(numpy.zeros((48, 64, 3), numpy.uint8)); sys.exit(3 if 'torch' in sys.modules else 0)"
)


def toy_batch(subject: ComponentUnderTest) -> Clips:
    """Return four clips of the content that an encoder needs; in frames the last steps of two clips are padding.

    Raises:
        Unavailable: it reads features of files that only its user has.
    """
    encoder = subject.component
    if encoder.needs == "captions":
        return Clips(tuple(f"clip{number}" for number in range(len(CAPTIONS))), captions=CAPTIONS)
    if encoder.needs == "features":
        raise Unavailable("it reads stored features, which only their owner has")
    return subject.once("batch", lambda: _frames_batch(encoder))  # type: ignore[no-any-return]


def _frames_batch(encoder: Any) -> Clips:
    rng = seeding.numpy_generator(0, "conformance", "frames")
    n_steps = min(3, encoder.sampling.max_steps)
    steps = [
        [
            encoder.prepare(rng.integers(0, 256, (*FRAME_SIZES[clip], 3), dtype=np.uint8))
            for _ in range(encoder.sampling.frames_per_step)
        ]
        for clip in range(4)
        for _ in range(n_steps)
    ]
    frames = torch.from_numpy(np.stack([np.stack(step) for step in steps]))
    lengths = torch.tensor([n_steps, 1, n_steps, max(1, n_steps - 1)])
    mask = torch.arange(n_steps) < lengths[:, None]
    frames = frames.view(4, n_steps, *frames.shape[1:])
    frames = torch.where(mask.view(*mask.shape, 1, 1, 1, 1), frames, torch.zeros_like(frames))
    return Clips(tuple("abcd"), frames=frames, mask=mask)


def part_of(batch: Clips, index: list[int], n_steps: int | None = None) -> Clips:
    """Return some clips of a batch, in this order, with at most `n_steps` steps."""
    return Clips(
        tuple(batch.ids[i] for i in index),
        None if batch.frames is None else batch.frames[index, :n_steps],
        None if batch.captions is None else tuple(batch.captions[i] for i in index),
        None if batch.mask is None else batch.mask[index, :n_steps],
    )


def encoded(subject: ComponentUnderTest) -> Steps:
    """Return the toy batch's steps, encoded once."""
    batch = toy_batch(subject)
    return subject.once("encoded", lambda: subject.component.encode(batch))  # type: ignore[no-any-return]


def prepares_any_size(subject: ComponentUnderTest) -> None:
    """`prepare` turns a frame of any size into the same shape, and leaves the frame as it was."""
    encoder = subject.component
    if encoder.needs != "frames":
        return
    has_prepare = isinstance(encoder, FrameEncoder) and callable(encoder.prepare)
    expect(has_prepare, "`prepare`, since it needs frames", "it has none")
    shapes = set()
    for size in FRAME_SIZES:
        rgb = seeding.numpy_generator(0, "conformance", "sizes").integers(0, 256, (*size, 3), dtype=np.uint8)
        before = rgb.copy()
        prepared = encoder.prepare(rgb)
        fits = isinstance(prepared, np.ndarray) and prepared.ndim == 3 and prepared.shape[0] == 3
        expect(fits, f"(3, h, w) as a numpy array of a frame ({size[0]}, {size[1]}, 3)", shape_of(prepared))
        expect(np.array_equal(rgb, before), "the given frame to stay as it was", "`prepare` changed it")
        shapes.add(prepared.shape)
    expect(len(shapes) == 1, "one h and w for every frame size", f"they are {sorted(shapes)}")


def prepare_travels(subject: ComponentUnderTest) -> None:
    """`prepare` can be pickled, and works in a process without torch."""
    encoder = subject.component
    if encoder.needs != "frames":
        return
    try:
        packed = pickle.dumps(encoder.prepare)
    except Exception as error:
        raise ContractViolation("a picklable `prepare`, such as an object of a module's class", f"{error}") from error
    paths = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-P", "-c", _READ_PREPARE]
    done = subprocess.run(command, input=packed, capture_output=True, env={**os.environ, "PYTHONPATH": paths})
    expect(done.returncode != 3, "`prepare` to work without torch", "its module imports torch")
    errors = done.stderr.decode(errors="replace").strip().splitlines()
    expect(done.returncode == 0, "`prepare` to work in another process", f"it failed with {errors[-1:]}")


def gives_steps(subject: ComponentUnderTest) -> None:
    """`encode` gives a finite row per step, with the mask of the frames, and zeros on padding."""
    encoder, batch, steps = subject.component, toy_batch(subject), encoded(subject)
    expect(isinstance(steps, Steps), "zsarbench.interfaces.Steps", shape_of(steps))
    expect(steps.mask.dtype == torch.bool, "a mask of bool", f"it is {steps.mask.dtype}")
    shape = tuple(steps.mask.shape)
    if batch.mask is not None:
        expect(same_bits(steps.mask, batch.mask), "the mask of the frames", "it is a different one")
    else:
        expect(len(shape) == 2 and shape[0] == len(batch.ids), f"a mask ({len(batch.ids)}, T)", f"it is {shape}")
        has_steps = steps.mask.any(1).tolist()
        expect(
            has_steps == [bool(one) for one in CAPTIONS],
            "steps for those clips alone that have captions",
            f"clips with steps: {has_steps}",
        )
    rows = is_tensor(steps.values, (*shape, encoder.dim))
    expect(rows, f"values {(*shape, encoder.dim)} of floats, D being `dim`", shape_of(steps.values))
    expect(bool(steps.values.isfinite().all()), "finite values", "some are NaN or infinite")
    expect(bool((steps.values[~steps.mask] == 0).all()), "0 on padding", "it is not")
    limit = encoder.sampling.max_steps
    expect(shape[1] <= limit, f"at most sampling.max_steps = {limit} steps", f"it gives {shape[1]}")


def clip_alone(subject: ComponentUnderTest) -> None:
    """Row i depends on clip i alone, bit for bit, whatever else is in the batch, in whatever order and however many."""
    batch, whole = toy_batch(subject), encoded(subject)
    encoder = subject.component
    size = encoder.batch_size if isinstance(encoder, StepBatches) else BATCH_SIZE
    n_full = min(size, MAX_STEPS) // int(whole.mask.sum()) + 1  # copies that fill a batch of steps and leave some over
    for index in ([0], [3, 2, 1, 0], [1, 1, 0], [0, 1, 2, 3] * n_full):
        steps = subject.component.encode(part_of(batch, index))
        for row, clip in enumerate(index):
            alone, together = steps.values[row][steps.mask[row]], whole.values[clip][whole.mask[clip]]
            if not same_bits(alone, together):
                expect_deterministic(whole.values, lambda: subject.component.encode(batch).values)
                expected = "a clip's rows to have the same bits in every batch"
                raise ContractViolation(expected, f"in another batch {farthest(alone, together)}")


def expect_deterministic(whole: Tensor, encode: Callable[[], Tensor]) -> None:
    """Raise where encoding the same batch again gives different rows, which then do not depend on the batch."""
    again = encode()
    actual = f"encoded again {farthest(again, whole)}: random numbers are drawn, or something is kept between calls"
    expect(same_bits(again, whole), "the same rows of the same batch", actual)


def padding_stays_out(subject: ComponentUnderTest) -> None:
    """The content of padding steps, and their number, changes no row."""
    batch, whole = toy_batch(subject), encoded(subject)
    if batch.frames is None or batch.mask is None:
        return
    noise = torch.ones_like(batch.frames) * 77
    is_step = batch.mask.view(*batch.mask.shape, 1, 1, 1, 1)
    dirty = Clips(batch.ids, torch.where(is_step, batch.frames, noise), None, batch.mask)
    steps = subject.component.encode(dirty)
    expect(
        same_bits(steps.values, whole.values), "padding not to matter", f"with other frames there {_far(steps, whole)}"
    )
    short = part_of(batch, [1], n_steps=1)
    steps = subject.component.encode(short)
    difference = f"without it {farthest(steps.values[0, :1], whole.values[1, :1])}"
    expect(same_bits(steps.values[0, :1], whole.values[1, :1]), "the length of padding not to matter", difference)


def steps_alone(subject: ComponentUnderTest) -> None:
    """Where `independent_steps` is promised, a step alone has the same bits, in several threads at once too."""
    encoder, batch, whole = subject.component, toy_batch(subject), encoded(subject)
    promised = isinstance(encoder, IndependentSteps) and encoder.independent_steps
    if not promised:
        return
    frames, mask = batch.frames, batch.mask
    if frames is None or mask is None:
        raise ContractViolation("frames, where steps are independent", f"it needs {encoder.needs}")
    places = [(clip, step) for clip, step in mask[:2].nonzero().tolist()]  # some are enough
    alone = [Clips((batch.ids[i],), frames[i : i + 1, t : t + 1], None, mask[i : i + 1, t : t + 1]) for i, t in places]
    with ThreadPoolExecutor(len(places)) as pool:
        rows = list(pool.map(encoder.encode, alone))
    for (clip, step), one in zip(places, rows, strict=True):
        step_alone, step_in_batch = one.values[0, 0], whole.values[clip, step]
        expect(
            same_bits(step_alone, step_in_batch),
            "a step alone to have the same bits",
            farthest(step_alone, step_in_batch),
        )


def _far(one: Steps, other: Steps) -> str:
    return farthest(one.values, other.values)


def declares_itself(subject: ComponentUnderTest) -> None:
    """dim, space, sampling and fingerprint are of their types, and the same in another instance; none is empty."""
    encoder = subject.component
    declared = [(name, getattr(encoder, name), getattr(subject.make(), name)) for name in DECLARED]
    expect(
        isinstance(encoder.dim, int) and encoder.dim > 0, "dim to be a whole number above 0", f"it is {encoder.dim!r}"
    )
    space = encoder.space
    expect(space is None or (isinstance(space, str) and space != ""), "space to be None or a name", f"it is {space!r}")
    fingerprint = encoder.fingerprint
    texts = isinstance(fingerprint, Mapping) and all(
        isinstance(one, str) for pair in fingerprint.items() for one in pair
    )
    expect(texts and len(fingerprint) > 0, "a fingerprint of texts, such as weights_sha256", f"it is {fingerprint!r}")
    if subject.kind == "visual":
        sampling = encoder.sampling
        expect(isinstance(sampling, Sampling), "sampling to be a zsarbench.interfaces.Sampling", f"it is {sampling!r}")
        counts = (sampling.max_steps, sampling.frames_per_step, sampling.step_stride)
        above = sampling.frames_per_second > 0 and all(isinstance(count, int) and count > 0 for count in counts)
        expect(above, "sampling in whole numbers above 0", f"it is {sampling!r}")
    for name, one, other in declared:
        expect(one == other, f"the same {name} of two instances, which features are stored under", f"{one}, {other}")


def classifies(subject: ComponentUnderTest) -> None:
    """An encoder with labels has a name and definition of each; `classify` gives a logit for each, for 0 rows too."""
    encoder = subject.component
    if not isinstance(encoder, HasClassifier):
        expect(getattr(encoder, "labels", None) is None, "`classify`, since it has labels", "it has none")
        return
    labels = encoder.labels
    if labels is None:
        return
    pairs = all(len(label) == 2 and all(isinstance(text, str) for text in label) for label in labels)
    expect(pairs, "labels as pairs of a name and a definition", f"the first is {labels[0]!r}")
    rows = encoded(subject).values
    logits = encoder.classify(rows)
    step = encoder.classify(rows[:1, 0]) if is_tensor(logits, (*rows.shape[:-1], len(labels))) else logits
    expect(is_tensor(logits, (*rows.shape[:-1], len(labels))), f"(..., {len(labels)}), one per label", shape_of(logits))
    expect(close(step[0], logits[0, 0]), "the logits of a row not to depend on others", farthest(step[0], logits[0, 0]))
    logits, shape = encoder.classify(rows[:0, 0]), (0, len(labels))
    expect(is_tensor(logits, shape), f"{shape} for an empty block of clips", shape_of(logits))


def visual_checks() -> tuple[Check, ...]:
    """Return the checks of visual encoders."""
    return (
        *checks_constructors.checks("visual"),
        Check("visual", "declares-itself", VISUAL, declares_itself),
        Check("visual", "prepares-any-size", PREPARE, prepares_any_size),
        Check("visual", "prepare-travels", PREPARE, prepare_travels),
        Check("visual", "gives-steps", f"{VISUAL}.encode", gives_steps),
        Check("visual", "clip-alone", VISUAL, clip_alone),
        Check("visual", "padding-stays-out", f"{VISUAL}.encode", padding_stays_out),
        Check("visual", "steps-alone", VISUAL, steps_alone),
        Check("visual", "classifies", VISUAL, classifies),
    )
