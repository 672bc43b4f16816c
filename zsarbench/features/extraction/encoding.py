"""Encodes clips in groups: those that are decoded, ahead of the model and on every core, and those that are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zsarbench.data.video.decoding import Decoded, DecodePool
from zsarbench.data.video.failures import Failure
from zsarbench.data.video.workers import in_order
from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Clips, ClipSource, Sampling, VisualEncoder
from zsarbench.utils.cores import cores

if TYPE_CHECKING:
    from torch import Tensor

    from zsarbench.interfaces import Prepare

BATCHES_A_GROUP = 8  # at most: the last one is filled up, which wastes half the steps of a clip on average
BATCHES_A_PASS = 1  # of steps that need no company: clips are cut between them, so that nothing is filled up
CLIPS_A_GROUP = 512  # where nothing is decoded
MAX_CLIPS_AHEAD = 128
GPU_PASSES = 2  # at a time: while the rows of one come back, the kernels of the other are queued


@dataclass(frozen=True)
class Settings:
    """How extraction uses a machine.

    device: as torch names it. threads: of the model, by default one for each core; other counts give other bits, but
    for encoders of independent steps on a CPU, which take so many passes of one thread each.
    decoders: processes; None: as many as threads. seconds_per_clip: after this long a clip counts as undecodable.
    clips_per_shard: what a kill may cost.
    ahead_bytes: memory for frames that wait for the model; those given to it, and their copies, take up to three times
    as much.
    """

    device: str = "cpu"
    threads: int = field(default_factory=cores)
    decoders: int | None = None
    seconds_per_clip: float = 300.0
    clips_per_shard: int = 64
    ahead_bytes: int = 256 * 2**20


@dataclass(frozen=True)
class Outcome:
    """What became of a clip: rows (t, D), or a failure. size: of its file, in bytes, where one was decoded."""

    source: ClipSource
    rows: Tensor | None
    failure: Failure | None
    flags: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    size: int | None = None


class Piece(NamedTuple):
    """Steps of a decoded clip from one on: frames (t, F, 3, h, w), None where it was not decoded; `last` ends it."""

    clip: Decoded
    frames: np.ndarray | None
    last: bool


Encoded = list[tuple[Piece, "Tensor | Failure | None", float]]
"""Pieces with their rows (t, D), or why there are none, and the seconds that it took."""


def threads_a_pass(encoder: VisualEncoder, settings: Settings) -> int:
    """Return with how many threads a forward pass over frames computes: other counts give other bits."""
    return 1 if _apart(encoder, settings) else settings.threads


def _apart(encoder: VisualEncoder, settings: Settings) -> bool:
    """Whether each core has a forward pass of its own; one on all cores waits for the slowest of them in each layer."""
    return bool(getattr(encoder, "independent_steps", False)) and settings.device == "cpu"


def framed(encoder: VisualEncoder, sources: Iterable[ClipSource], settings: Settings) -> Iterator[Outcome]:
    """Decode clips in worker processes and encode them in groups, in their order."""
    prepare: Prepare = encoder.prepare  # type: ignore[attr-defined]
    sampling = encoder.sampling
    workers = settings.decoders or settings.threads
    clip_bytes = _clip_bytes(prepare, sampling)
    n_clips = max(1, settings.ahead_bytes // clip_bytes)
    ahead = min(MAX_CLIPS_AHEAD, max(workers + 1, n_clips))
    batch_size = int(getattr(encoder, "batch_size", 32))
    independent, on_cpu = bool(getattr(encoder, "independent_steps", False)), settings.device == "cpu"
    apart = _apart(encoder, settings)
    n_passes, threads = (settings.threads, 1) if apart else (GPU_PASSES if independent else 1, settings.threads)
    n_batches = BATCHES_A_PASS if apart else BATCHES_A_GROUP
    if independent and not apart:
        batch_bytes = batch_size * clip_bytes // sampling.max_steps
        n_batches = min(n_batches, max(1, settings.ahead_bytes // 4 // batch_bytes))
    n_steps = n_batches * batch_size
    encode: Callable[[list[Piece]], Encoded] = partial(_encoded, encoder)
    with DecodePool(
        prepare, sampling, workers=workers, seconds_per_clip=settings.seconds_per_clip, max_ahead=ahead
    ) as pool:
        clips = pool.decode(sources)
        if on_cpu and not apart:  # here and now, so that Ctrl-C ends a pass, which may be a long one
            yield from _joined(map(encode, _whole(clips, n_steps, n_clips)))
            return
        # The next group is gathered while one is encoded: a GPU that waits for it stands idle.
        groups = _cut(clips, n_steps) if independent else _whole(clips, n_steps, max(1, n_clips // 2))
        with _passes(n_passes, threads) as passes:
            yield from _joined(in_order(passes, encode, groups, 2 * n_passes))


def _whole(clips: Iterable[Decoded], n_steps: int, n_clips: int) -> Iterator[list[Piece]]:
    """Yield groups of whole clips, of at most so many steps and clips where they are more than one clip."""
    group: list[Piece] = []
    size = 0
    for clip in clips:
        n_new = 0 if clip.frames is None else len(clip.frames)
        # One step more than whole batches costs another batch, so a group ends before it has too many.
        if group and (size + n_new > n_steps or len(group) >= n_clips):
            yield group
            group, size = [], 0
        group.append(Piece(clip, clip.frames, last=True))
        size += n_new
    if group:
        yield group


def _cut(clips: Iterable[Decoded], n_steps: int) -> Iterator[list[Piece]]:
    """Yield groups of exactly so many steps, but for the last one, cutting clips where a group is full."""
    group: list[Piece] = []
    room = n_steps
    for clip in clips:
        left = clip.frames
        while left is not None and len(left) > room:
            yield [*group, Piece(clip, left[:room], last=False)]
            left, group, room = left[room:], [], n_steps
        group.append(Piece(clip, left, last=True))
        room -= 0 if left is None else len(left)
        if room == 0 or len(group) >= n_steps:
            yield group
            group, room = [], n_steps
    if group:
        yield group


@contextmanager
def _passes(n: int, threads: int) -> Iterator[ThreadPoolExecutor]:
    """Give n threads for forward passes of so many threads; what was not begun is dropped at the end of the block."""
    import torch

    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(n, "forward", initializer=torch.set_num_threads, initargs=(threads,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def _encoded(encoder: VisualEncoder, group: list[Piece]) -> Encoded:
    """Encode the pieces of different clips."""
    import torch

    start = perf_counter()
    framed = [(piece.clip.source, piece.frames) for piece in group if piece.frames is not None]
    rows: dict[str, Tensor | Failure] = {}
    if framed:
        lengths = torch.tensor([len(frames) for _, frames in framed])
        padded = np.zeros((len(framed), int(lengths.max()), *framed[0][1].shape[1:]), dtype=framed[0][1].dtype)
        for place, (_, frames) in zip(padded, framed, strict=True):
            place[: len(frames)] = frames
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        ids = tuple(source.clip_id for source, _ in framed)
        rows = _rows(
            encoder, Clips(ids, torch.from_numpy(padded), None, mask), "the visual encoder made no step of its frames"
        )
    seconds = (perf_counter() - start) / max(1, len(framed))
    return [
        (piece, None, 0.0) if piece.frames is None else (piece, rows[piece.clip.source.clip_id], seconds)
        for piece in group
    ]


def _joined(encoded: Iterable[Encoded]) -> Iterator[Outcome]:
    """Yield what became of each clip, from its pieces in order."""
    import torch

    parts: list[Tensor | Failure | None] = []
    spent = 0.0
    for piece, rows, seconds in (item for group in encoded for item in group):
        parts.append(rows)
        spent += seconds
        if not piece.last:
            continue
        clip = piece.clip
        failed = next((part for part in parts if isinstance(part, Failure)), clip.failure)
        made = [part for part in parts if part is not None and not isinstance(part, Failure)]
        took = {"decode": clip.seconds, "encode": spent}
        yield _outcome(clip.source, failed or (torch.cat(made) if made else None), clip.flags, took, clip.size)
        parts, spent = [], 0.0


def told(encoder: VisualEncoder, sources: Iterable[ClipSource], settings: Settings) -> Iterator[Outcome]:
    """Encode clips of which nothing is decoded: their captions, or features that lie in files."""
    reads_captions = encoder.needs == "captions"
    reason = "the clip has no captions" if reads_captions else "there are no features of this clip"
    group: list[ClipSource] = []
    clip_bytes = 4 * encoder.dim * encoder.sampling.max_steps
    size = max(1, min(CLIPS_A_GROUP, settings.ahead_bytes // clip_bytes))

    def encoded() -> Iterator[Outcome]:
        start = perf_counter()
        ids = tuple(source.clip_id for source in group)
        if reads_captions:
            clips = Clips(ids, captions=tuple(source.captions for source in group))
        else:
            clips = Clips(ids, sources=tuple(group))
        rows = _rows(encoder, clips, reason)
        seconds = (perf_counter() - start) / len(group)
        for source in group:
            yield _outcome(source, rows[source.clip_id], (), {"encode": seconds})

    for source in sources:
        group.append(source)
        if len(group) == size:
            yield from encoded()
            group = []
    if group:
        yield from encoded()


def _rows(encoder: VisualEncoder, clips: Clips, when_none: str) -> dict[str, Tensor | Failure]:
    """Return each clip's rows (t, D), or why it has none.

    Raises:
        ZsarbenchError: the shapes are not those of the interface.
    """
    import torch

    with torch.no_grad():
        steps = encoder.encode(clips)
    values, mask = steps.values.detach().float().cpu(), steps.mask.cpu()
    shape = (len(clips.ids), mask.shape[1] if clips.mask is None else clips.mask.shape[1])
    if tuple(mask.shape) != shape or tuple(values.shape) != (*shape, encoder.dim):
        raise ZsarbenchError(
            f"visual encoder {type(encoder).__name__} returned values {tuple(values.shape)} and mask "
            f"{tuple(mask.shape)}; they are {(*shape, encoder.dim)} and {shape}"
        )
    found: dict[str, Tensor | Failure] = {}
    for clip_id, value, kept in zip(clips.ids, values, mask, strict=True):
        rows = value[kept]
        if not len(rows):
            found[clip_id] = Failure(steps.reasons.get(clip_id, when_none), lasting=False)
        elif not torch.isfinite(rows).all():
            found[clip_id] = Failure("the visual encoder returned values that are not finite", lasting=False)
        else:
            found[clip_id] = rows
    return found


def _outcome(
    source: ClipSource,
    made: Tensor | Failure | None,
    flags: tuple[str, ...],
    seconds: Mapping[str, float],
    size: int | None = None,
) -> Outcome:
    if made is None or isinstance(made, Failure):
        return Outcome(source, None, made, flags, seconds, size)
    return Outcome(source, made, None, flags, seconds, size)


def _clip_bytes(prepare: Prepare, sampling: Sampling) -> int:
    """Return the bytes of the longest clip's frames; every frame size gives the same prepared size."""
    frame = prepare(np.zeros((240, 320, 3), dtype=np.uint8))
    return frame.nbytes * sampling.max_steps * sampling.frames_per_step
