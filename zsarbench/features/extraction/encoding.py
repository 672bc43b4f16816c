"""Encoding of clips in groups: clips that are decoded, ahead of the model and on every core, and others."""

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
from zsarbench.data.video.failures import Failure, FileState
from zsarbench.data.video.workers import in_order
from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Clips, ClipSource, IndependentSteps, Sampling, StepBatches, Steps, VisualEncoder
from zsarbench.plugins.guarding import check_tensor
from zsarbench.utils.cores import cores

if TYPE_CHECKING:
    from torch import Tensor

    from zsarbench.interfaces import Prepare

MAX_BATCHES_PER_GROUP = 8  # the last batch is padded, which wastes half the steps of a clip on average
BATCHES_PER_PASS = 1  # of independent steps: clips are cut between them, so that nothing is padded
MAX_CLIPS_PER_GROUP = 512  # of clips that are not decoded
BATCH_SIZE = 32  # steps, of an encoder that states none
MAX_CLIPS_AHEAD = 128
GPU_PASSES = 2  # at a time: while the rows of one come back, the kernels of the other are queued


@dataclass(frozen=True)
class Settings:
    """How extraction uses a machine.

    device: torch's name of it. threads: of the model, by default one per core; other counts give other bits, except
    with encoders of independent steps on a CPU, which run so many passes of one thread each.
    decoders: processes; None: as many as threads. seconds_per_clip: after this long a clip counts as undecodable.
    clips_per_shard: what a kill may cost.
    ahead_bytes: memory for frames that wait for the model; those in the model, and their copies, take up to three times
    as much.
    """

    device: str = "cpu"
    threads: int = field(default_factory=cores)
    decoders: int | None = None
    seconds_per_clip: float = 300.0
    clips_per_shard: int = 64
    ahead_bytes: int = 256 * 2**20


@dataclass(frozen=True, kw_only=True)
class EncodedClip:
    """An encoded clip: rows (t, D), or a failure.

    flags: remarks on its file. seconds: spent on it, by stage. state: of its file before it was decoded.
    """

    source: ClipSource
    rows: Tensor | None = None
    failure: Failure | None = None
    flags: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    state: FileState | None = None


class Piece(NamedTuple):
    """Consecutive steps of a decoded clip: frames (t, F, 3, h, w), None where decoding failed; `last` ends the clip."""

    clip: Decoded
    frames: np.ndarray | None
    last: bool


EncodedPieces = list[tuple[Piece, "Tensor | Failure | None", float]]
"""Pieces with their rows (t, D), or why they have none, and the seconds that encoding took."""


def threads_per_pass(encoder: VisualEncoder, settings: Settings) -> int:
    """Return the number of threads of a forward pass over frames; other numbers give other bits."""
    return 1 if _one_pass_per_core(encoder, settings) else settings.threads


def _one_pass_per_core(encoder: VisualEncoder, settings: Settings) -> bool:
    """Return whether each core runs its own forward pass; a pass on all cores waits in each layer for the slowest."""
    return _independent(encoder) and settings.device == "cpu"


def _independent(encoder: VisualEncoder) -> bool:
    return isinstance(encoder, IndependentSteps) and encoder.independent_steps


def encode_decoded(encoder: VisualEncoder, sources: Iterable[ClipSource], settings: Settings) -> Iterator[EncodedClip]:
    """Decode clips in worker processes, encode them in groups, and yield them in their order.

    Raises:
        ZsarbenchError: the encoder returned shapes that are not those of its interface, or no process can start.
    """
    prepare: Prepare = encoder.prepare  # type: ignore[attr-defined]
    sampling = encoder.sampling
    workers = settings.decoders or settings.threads
    clip_bytes = _clip_bytes(prepare, sampling)
    n_clips = max(1, settings.ahead_bytes // clip_bytes)
    ahead = min(MAX_CLIPS_AHEAD, max(workers + 1, n_clips))
    batch_size = encoder.batch_size if isinstance(encoder, StepBatches) else BATCH_SIZE
    independent, on_cpu = _independent(encoder), settings.device == "cpu"
    per_core = _one_pass_per_core(encoder, settings)
    n_passes, threads = (settings.threads, 1) if per_core else (GPU_PASSES if independent else 1, settings.threads)
    n_batches = BATCHES_PER_PASS if per_core else MAX_BATCHES_PER_GROUP
    if independent and not per_core:
        batch_bytes = batch_size * clip_bytes // sampling.max_steps
        n_batches = min(n_batches, max(1, settings.ahead_bytes // 4 // batch_bytes))
    n_steps = n_batches * batch_size
    encode: Callable[[list[Piece]], EncodedPieces] = partial(_encode_pieces, encoder)
    with DecodePool(
        prepare, sampling, workers=workers, seconds_per_clip=settings.seconds_per_clip, max_ahead=ahead
    ) as pool:
        clips = pool.decode(sources)
        if on_cpu and not per_core:  # in this thread, so that Ctrl-C ends a pass, which may be long
            yield from _join_pieces(map(encode, group_whole_clips(clips, n_steps, n_clips)))
            return
        # The next group is collected while one is encoded, so that a GPU does not wait for it.
        groups = (
            group_full_batches(clips, n_steps)
            if independent
            else group_whole_clips(clips, n_steps, max(1, n_clips // 2))
        )
        with _passes(n_passes, threads) as passes:
            yield from _join_pieces(in_order(passes, encode, groups, 2 * n_passes))


def group_whole_clips(clips: Iterable[Decoded], n_steps: int, n_clips: int) -> Iterator[list[Piece]]:
    """Yield groups of whole clips, with at most so many steps and clips unless the group is one clip."""
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


def group_full_batches(clips: Iterable[Decoded], n_steps: int) -> Iterator[list[Piece]]:
    """Yield groups of exactly so many steps, except for the last one, cutting clips where a group is full."""
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
    """Yield n threads for forward passes of so many threads; passes that have not begun are dropped at the end."""
    import torch

    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(n, "forward", initializer=torch.set_num_threads, initargs=(threads,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)


def _encode_pieces(encoder: VisualEncoder, group: list[Piece]) -> EncodedPieces:
    """Encode the pieces of different clips."""
    import torch

    start = perf_counter()
    decoded = [(piece.clip.source, piece.frames) for piece in group if piece.frames is not None]
    rows: dict[str, Tensor | Failure] = {}
    if decoded:
        lengths = torch.tensor([len(frames) for _, frames in decoded])
        padded = np.zeros((len(decoded), int(lengths.max()), *decoded[0][1].shape[1:]), dtype=decoded[0][1].dtype)
        for place, (_, frames) in zip(padded, decoded, strict=True):
            place[: len(frames)] = frames
        mask = torch.arange(padded.shape[1]) < lengths[:, None]
        ids = tuple(source.clip_id for source, _ in decoded)
        rows = _encode_rows(
            encoder,
            Clips(ids, torch.from_numpy(padded), None, mask),
            "the visual encoder returned no step for its frames",
        )
    seconds = (perf_counter() - start) / max(1, len(decoded))
    return [
        (piece, None, 0.0) if piece.frames is None else (piece, rows[piece.clip.source.clip_id], seconds)
        for piece in group
    ]


def _join_pieces(encoded: Iterable[EncodedPieces]) -> Iterator[EncodedClip]:
    """Yield each clip, joined from its pieces, which come in order."""
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
        rows_of_parts = [part for part in parts if part is not None and not isinstance(part, Failure)]
        seconds_by_stage = {"decode": clip.seconds, "encode": spent}
        result = failed or (torch.cat(rows_of_parts) if rows_of_parts else None)
        yield _encoded_clip(clip.source, result, clip.flags, seconds_by_stage, clip.state)
        parts, spent = [], 0.0


def encode_undecoded(
    encoder: VisualEncoder, sources: Iterable[ClipSource], settings: Settings
) -> Iterator[EncodedClip]:
    """Encode clips without decoding, by their captions or by features that are stored in files, in their order.

    Raises:
        ZsarbenchError: the encoder returned shapes that are not those of its interface.
    """
    reads_captions = encoder.needs == "captions"
    reason = "the clip has no captions" if reads_captions else "there are no features of this clip"
    group: list[ClipSource] = []
    clip_bytes = 4 * encoder.dim * encoder.sampling.max_steps
    size = max(1, min(MAX_CLIPS_PER_GROUP, settings.ahead_bytes // clip_bytes))

    def encode_group() -> Iterator[EncodedClip]:
        start = perf_counter()
        ids = tuple(source.clip_id for source in group)
        if reads_captions:
            clips = Clips(ids, captions=tuple(source.captions for source in group))
        else:
            clips = Clips(ids, sources=tuple(group))
        rows = _encode_rows(encoder, clips, reason)
        seconds = (perf_counter() - start) / len(group)
        for source in group:
            yield _encoded_clip(source, rows[source.clip_id], (), {"encode": seconds})

    for source in sources:
        group.append(source)
        if len(group) == size:
            yield from encode_group()
            group = []
    if group:
        yield from encode_group()


def _encode_rows(encoder: VisualEncoder, clips: Clips, when_none: str) -> dict[str, Tensor | Failure]:
    """Return each clip's rows (t, D), or why it has none.

    Raises:
        ZsarbenchError: the shapes are not those of the interface.
    """
    import torch

    with torch.no_grad():
        steps = encoder.encode(clips)
    who = f"visual encoder {type(encoder).__name__}"
    if not isinstance(steps, Steps) or not isinstance(steps.mask, torch.Tensor) or steps.mask.dtype != torch.bool:
        raise ZsarbenchError(f"{who} returned {type(steps).__name__}; Steps with a mask (N, T) of booleans are needed")
    mask = steps.mask.cpu()
    shape = (len(clips.ids), mask.shape[1] if clips.mask is None else clips.mask.shape[1])
    given = tuple(getattr(steps.values, "shape", ()))
    if tuple(mask.shape) != shape or given != (*shape, encoder.dim):
        raise ZsarbenchError(
            f"{who} returned values {given} and mask {tuple(mask.shape)}, not {(*shape, encoder.dim)} and {shape}"
        )
    check_tensor(steps.values, who, "values", given)
    values = steps.values.detach().float().cpu()
    results: dict[str, Tensor | Failure] = {}
    for clip_id, value, kept in zip(clips.ids, values, mask, strict=True):
        rows = value[kept]
        if not len(rows):
            results[clip_id] = Failure(steps.reasons.get(clip_id, when_none), permanent=False)
        elif not torch.isfinite(rows).all():
            results[clip_id] = Failure("the visual encoder returned values that are not finite", permanent=False)
        else:
            results[clip_id] = rows
    return results


def _encoded_clip(
    source: ClipSource,
    result: Tensor | Failure | None,
    flags: tuple[str, ...],
    seconds: Mapping[str, float],
    state: FileState | None = None,
) -> EncodedClip:
    rows, failure = (None, result) if result is None or isinstance(result, Failure) else (result, None)
    return EncodedClip(source=source, rows=rows, failure=failure, flags=flags, seconds=seconds, state=state)


def _clip_bytes(prepare: Prepare, sampling: Sampling) -> int:
    """Return the bytes of the longest clip's frames; every frame size gives the same prepared size."""
    frame = prepare(np.zeros((240, 320, 3), dtype=np.uint8))
    return frame.nbytes * sampling.max_steps * sampling.frames_per_step
