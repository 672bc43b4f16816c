"""Decoding of clips in worker processes, ahead of the consumer of the frames."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from zsarbench.data.video.failures import Failure, FileState, file_state
from zsarbench.data.video.frames import PreparationError, read_steps
from zsarbench.data.video.stream import VideoError
from zsarbench.data.video.workers import Lost, WorkerPool
from zsarbench.interfaces import ClipSource, Prepare, Sampling

_PREPARE_ADVICE = (
    "The visual encoder's `prepare` must be a function, or an object of a class, at the top of a module that can be "
    "imported by name and does not import torch."
)


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A decoded clip: frames (T, F, 3, h, w) or a failure.

    flags: remarks on its file. seconds: spent on it. state: of its file, before it was read.
    """

    source: ClipSource
    frames: np.ndarray | None = None
    failure: Failure | None = None
    flags: tuple[str, ...] = ()
    seconds: float = 0.0
    state: FileState | None = None


def decode_clip(source: ClipSource, sampling: Sampling, prepare: Prepare) -> Decoded:
    """Decode a clip in this process; what is wrong with its file becomes a failure."""
    start = time.perf_counter()
    state = file_state(source.path)  # before reading: a file that changes meanwhile is tried again
    frames: np.ndarray | None = None
    failure: Failure | None = None
    flags: tuple[str, ...] = ()
    try:
        clip = read_steps(source, sampling, prepare)
        frames, flags = clip.frames, clip.flags
    except VideoError as error:
        failure = Failure(str(error), state)
    except PreparationError as error:
        failure = Failure(str(error), state, permanent=False)
    except Exception as error:  # whatever broken bytes cause is this clip's failure, not the run's
        failure = Failure(f"cannot be decoded: {type(error).__name__}: {error}", state)
    return Decoded(
        source=source,
        frames=frames,
        failure=failure,
        flags=flags,
        seconds=time.perf_counter() - start,
        state=state,
    )


def _module_of(prepare: Prepare) -> str:
    return str(getattr(prepare, "__module__", type(prepare).__module__))


@dataclass(frozen=True)
class DecodeClip:
    """The work of a decoding process."""

    sampling: Sampling
    prepare: Prepare

    def __call__(self, source: ClipSource) -> Decoded:
        """Decode a clip."""
        return decode_clip(source, self.sampling, self.prepare)


class DecodePool:
    """Decodes clips ahead of their consumer, in their order, in processes that may hang or die.

    workers: processes. seconds_per_clip: after this long a clip is a failure. max_ahead: at most so many clips are
    decoded before they are consumed, which bounds memory.
    """

    def __init__(
        self, prepare: Prepare, sampling: Sampling, *, workers: int, seconds_per_clip: float, max_ahead: int
    ) -> None:
        self._pool: WorkerPool[ClipSource, Decoded] = WorkerPool(
            DecodeClip(sampling, prepare),
            workers=workers,
            what="decoding",
            seconds_per_item=seconds_per_clip,
            max_ahead=max_ahead,
            origin=f"{_module_of(prepare)}, the module of the visual encoder's `prepare`,",
            advice=_PREPARE_ADVICE,
        )

    def decode(self, sources: Iterable[ClipSource]) -> Iterator[Decoded]:
        """Yield each clip, decoded or failed, in order."""
        for source, answer in self._pool.in_order(sources):
            if isinstance(answer, Lost):
                failure = Failure(answer.reason, file_state(source.path))
                yield Decoded(source=source, failure=failure, seconds=answer.seconds)
            else:
                yield answer

    def __enter__(self) -> DecodePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()
