"""Reads the frames that a clip's steps need, by sequential decoding.

Three rules, each for a reason that files in use gave:

- Never seek. AVI has no timestamps and may pack B-frames, so a seek there ends some frames off the requested one.
- Time runs from the first frame, and in a span from the start of the file, as ffmpeg's `-ss` counts it: where its
  first stream starts, which may be sound, and need not be 0 on the file's own clock. A frame's time is its timestamp;
  where a file has none (always so in AVI), or one that does not come after the frame before, it is the time of the
  frame before plus one frame at the average rate.
- The frame at time t is the one shown at t: the last whose time is not after t, and before the first frame that one. A
  clip's last frame lasts for one frame at the average rate, because the durations that MP4 stores belong to the order
  of decoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from zsarbench.data.video.orientation import upright
from zsarbench.data.video.stream import Video, VideoError, describe, exact, open_video
from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ClipSource, Prepare, Sampling

READING_RULES = 4  # to be raised with any change of which frames are read, and how they are turned


class PreparationError(ZsarbenchError):
    """A failure of the encoder's `prepare` on a frame that was read."""


@dataclass(frozen=True)
class DecodedClip:
    """The prepared frames (T, F, 3, h, w) of a clip, and remarks on what its file lacked."""

    frames: np.ndarray
    flags: tuple[str, ...]


def decoder_version() -> str:
    """Return the versions of the decoder and of the rules above, as part of the key of stored features."""
    return f"pyav {av.__version__}, ffmpeg {av.ffmpeg_version_info}, rules {READING_RULES}"


def read_steps(source: ClipSource, sampling: Sampling, prepare: Prepare) -> DecodedClip:
    """Decode a clip up to its last needed frame and return its steps.

    Only whole steps, whose frames all lie in the clip, are returned. A clip too short for one step gives one, padded
    with its last sampled frame. A frame that the decoder marks as corrupt is replaced by the sound frame before it, or
    where there is none by the first sound one after it. Each frame is prepared once, however many steps show it.

    Raises:
        VideoError: the file is missing, empty, holds no video, or nothing of the span can be decoded.
        PreparationError: `prepare` raised.
    """
    offsets = _frame_offsets(sampling)
    start = exact(source.start or 0.0)
    step = 1 / exact(sampling.frames_per_second)
    times = [start + offset * step for offset in offsets]
    if source.end is not None:
        times = [time for time in times if time < exact(source.end)]
        if not times:
            raise VideoError(f"the span from {source.start or 0.0} s to {source.end} s is empty")
    with open_video(source.path) as video:
        shown = _frames_at(video, times, prepare, from_first_frame=not _is_span(source))
        if not shown:
            raise VideoError(video.no_frame_reason(times[0]))
        flags = video.flags(times, len(shown), source)
    return DecodedClip(_in_steps(dict(zip(offsets, shown, strict=False)), sampling), flags)


def _is_span(source: ClipSource) -> bool:
    return source.start is not None or source.end is not None


def _frame_offsets(sampling: Sampling) -> list[int]:
    """Return the sampled frames of the longest clip in units of 1 / frames_per_second, ascending."""
    if not sampling.selects_frames:
        raise ZsarbenchError(f"{sampling} selects no frames: each of its numbers must be above 0")
    starts = range(0, sampling.max_steps * sampling.step_stride, sampling.step_stride)
    return sorted({start + frame for start in starts for frame in range(sampling.frames_per_step)})


def _in_steps(shown: dict[int, np.ndarray], sampling: Sampling) -> np.ndarray:
    """Return the frames (T, F, 3, h, w) of all whole steps, or of one padded with the last frame."""
    last, length = max(shown), sampling.frames_per_step
    starts = range(0, sampling.max_steps * sampling.step_stride, sampling.step_stride)
    whole = [[shown[start + frame] for frame in range(length)] for start in starts if start + length - 1 <= last]
    return np.stack([np.stack(step) for step in whole or [[shown[min(frame, last)] for frame in range(length)]]])


def _frames_at(video: Video, times: list[Fraction], prepare: Prepare, *, from_first_frame: bool) -> list[np.ndarray]:
    """Return the prepared frames shown at these ascending times, as many as the video reaches."""
    shown: list[np.ndarray] = []
    held: Any = None  # the sound frame that is shown
    prepared: np.ndarray | None = None  # the same frame after `prepare`, once it is needed

    def show_until(end: Fraction, *, including: bool) -> None:
        nonlocal prepared
        while len(shown) < len(times) and (times[len(shown)] < end or (including and times[len(shown)] == end)):
            if prepared is None:
                prepared = _prepare(held, prepare)
            shown.append(prepared)

    for in_file, frame in video.frames():
        late = video.late if from_first_frame else 0
        time = in_file - late
        if held is not None:
            show_until(time, including=False)
        if not frame.is_corrupt:
            held, prepared = frame, None
            show_until(time, including=True)
        if len(shown) == len(times):
            return shown
    if held is not None:
        show_until(video.end - late, including=False)
    return shown


def _prepare(frame: Any, prepare: Prepare) -> np.ndarray:
    try:
        rgb = upright(frame).to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"cannot be decoded: {describe(error)}") from error
    try:
        return prepare(rgb)
    except Exception as error:
        raise PreparationError(
            f"a frame of {rgb.shape[1]}x{rgb.shape[0]} pixels cannot be prepared: {type(error).__name__}: {error}"
        ) from error
