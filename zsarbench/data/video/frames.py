"""Reads the frames that a clip's steps need, by sequential decoding.

Three rules, each for a reason that files in use gave:

- Never seek. AVI has no timestamps and may pack B-frames, so a seek there ends some frames beside the one asked for.
- Time runs from the first frame. A frame's time is its timestamp; where a file has none (always so in AVI), or one that
  does not come after the frame before, it is the time of the frame before plus one frame at the average rate.
- The frame at time t is the one shown at t: the last whose time is not after t. A clip's last frame lasts for one frame
  at the average rate, because the durations that MP4 stores belong to the order of decoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ClipSource, Prepare, Sampling

# Larger frames than 8192 x 8192 come from broken headers, and would take the memory of a machine before they fail.
MAX_PIXELS = 8192 * 8192
FALLBACK_RATE = Fraction(25)
# A tag of broken UTF-8 is no reason to fail. PyAV 19 and newer read any bytes of a tag; older ones have to be asked to.
_ANY_TAGS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}


class VideoError(ZsarbenchError):
    """Says in words why nothing can be read from a clip's file."""


class PreparationError(ZsarbenchError):
    """Says that a frame was read but the encoder's `prepare` failed on it."""


@dataclass(frozen=True)
class DecodedClip:
    """The prepared frames of a clip: frames (T, F, 3, h, w), and remarks on what the file lacked."""

    frames: np.ndarray
    flags: tuple[str, ...]


def decoder_version() -> str:
    """Return what decodes, as part of the key of stored features."""
    return f"pyav {av.__version__}, ffmpeg {av.ffmpeg_version_info}"


def read_steps(source: ClipSource, sampling: Sampling, prepare: Prepare) -> DecodedClip:
    """Decode a clip up to its last needed frame and return its steps.

    Only steps whose frames all lie in the clip are made. A clip too short for one step gives one, filled up with its
    last sampled frame. A frame that the decoder marks as corrupt is not used: the sound frame before it stands in for
    it, or where there is none the first sound one after it. Each frame is prepared once, however many steps show it.

    Raises:
        VideoError: the file is missing, empty, holds no video, or nothing of the span can be decoded.
        PreparationError: `prepare` raised.
    """
    offsets = _frame_offsets(sampling)
    start = _exact(source.start or 0.0)
    step = 1 / _exact(sampling.frames_per_second)
    times = [start + offset * step for offset in offsets]
    if source.end is not None:
        times = [time for time in times if time < _exact(source.end)]
        if not times:
            raise VideoError(f"the span from {source.start or 0.0} s to {source.end} s is empty")
    with opened(source.path) as video:
        shown = _frames_at(video, times, prepare)
        if not shown:
            raise VideoError(video.why_nothing(times[0]))
        flags = video.flags(times, len(shown), source)
    return DecodedClip(_in_steps(dict(zip(offsets, shown, strict=False)), sampling), flags)


def _frame_offsets(sampling: Sampling) -> list[int]:
    """Return the sampled frames of the longest clip in units of 1 / frames_per_second, ascending."""
    if min(sampling.max_steps, sampling.frames_per_step, sampling.step_stride) < 1 or sampling.frames_per_second <= 0:
        raise ZsarbenchError(f"{sampling} asks for no frames: every number of it is above 0")
    starts = range(0, sampling.max_steps * sampling.step_stride, sampling.step_stride)
    return sorted({start + frame for start in starts for frame in range(sampling.frames_per_step)})


def _in_steps(shown: dict[int, np.ndarray], sampling: Sampling) -> np.ndarray:
    """Return the frames (T, F, 3, h, w) of all whole steps, or of one filled up with the last frame."""
    last, length = max(shown), sampling.frames_per_step
    starts = range(0, sampling.max_steps * sampling.step_stride, sampling.step_stride)
    whole = [[shown[start + frame] for frame in range(length)] for start in starts if start + length - 1 <= last]
    return np.stack([np.stack(step) for step in whole or [[shown[min(frame, last)] for frame in range(length)]]])


def _frames_at(video: Video, times: list[Fraction], prepare: Prepare) -> list[np.ndarray]:
    """Return the prepared frames shown at these ascending times, as many as the video reaches."""
    shown: list[np.ndarray] = []
    held: Any = None  # the sound frame on show
    prepared: np.ndarray | None = None  # what `prepare` made of it, once it was needed

    def show_until(end: Fraction, *, including: bool) -> None:
        nonlocal prepared
        while len(shown) < len(times) and (times[len(shown)] < end or (including and times[len(shown)] == end)):
            if prepared is None:
                prepared = _prepared(held, prepare)
            shown.append(prepared)

    for time, frame in video.frames():
        if held is not None:
            show_until(time, including=False)
        if not frame.is_corrupt:
            held, prepared = frame, None
            show_until(time, including=True)
        if len(shown) == len(times):
            return shown
    if held is not None:
        show_until(video.end, including=False)
    return shown


def _prepared(frame: Any, prepare: Prepare) -> np.ndarray:
    try:
        rgb = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"cannot be decoded: {_words(error)}") from error
    if turns := round(frame.rotation / 90) % 4:
        rgb = np.ascontiguousarray(np.rot90(rgb, turns))
    try:
        return prepare(rgb)
    except Exception as error:
        raise PreparationError(
            f"a frame of {rgb.shape[1]}x{rgb.shape[0]} pixels cannot be prepared: {type(error).__name__}: {error}"
        ) from error


@contextmanager
def opened(path: str | None) -> Iterator[Video]:
    """Open the video stream of a file inside the block.

    Raises:
        VideoError: the file is missing, empty or holds no video.
    """
    if path is None:
        raise VideoError("no file is named")
    try:
        size = Path(path).stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise VideoError("missing file") from None
    except OSError as error:
        raise VideoError(f"cannot be read: {error.strerror}") from error
    if Path(path).is_dir():
        raise VideoError("is a folder, not a file")
    if size == 0:
        raise VideoError("empty file")
    try:
        # The prefix keeps a colon in a name from being taken for an address.
        container = av.open(f"file:{path}", **_ANY_TAGS)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"cannot be decoded: {_words(error)}") from error
    with container:
        attached = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & attached]
        if not streams or streams[0].codec_context is None:
            raise VideoError("no video stream" if not streams else "cannot be decoded: the codec is not known")
        context = streams[0].codec_context
        context.thread_count = 1  # clips are decoded side by side, each by one thread
        context.options = {"max_pixels": str(MAX_PIXELS)}
        yield Video(container, streams[0])


@dataclass
class Video:
    """One video stream while it is decoded, and the troubles met so far."""

    container: Any
    stream: Any
    end: Fraction = Fraction(0)  # seconds: where the last frame that was decoded ends
    count: int = 0
    corrupt: int = 0
    undecodable: int = 0
    last_error: str = ""
    stopped: str = ""

    def frames(self) -> Iterator[tuple[Fraction, Any]]:
        """Yield (time in seconds, frame) in output order; a packet that cannot be decoded is counted and left out."""
        frame_seconds = 1 / self.rate()
        has_timestamps = self.container.format.name != "avi"
        first: Fraction | None = None
        time: Fraction | None = None
        # The last packet is empty: it makes the decoder give what it holds.
        for frame in self._decoded(self.unbroken(self.container.demux(self.stream))):
            stamp = None
            if has_timestamps and frame.pts is not None and frame.time_base:
                stamp = frame.pts * Fraction(frame.time_base)
                first = stamp if first is None else first
                stamp -= first
            if time is None:
                time = Fraction(0)
            else:
                time = stamp if stamp is not None and stamp > time else time + frame_seconds
            self.end = time + frame_seconds
            self.count += 1
            self.corrupt += bool(frame.is_corrupt)
            yield time, frame

    def gives_sound_frame(self, packet: Any) -> bool:
        """Decode one packet and return whether a sound frame came of it."""
        frames = list(self._decoded([packet]))
        self.count += len(frames)
        self.corrupt += sum(bool(frame.is_corrupt) for frame in frames)
        return any(not frame.is_corrupt for frame in frames)

    def _decoded(self, packets: Iterable[Any]) -> Iterator[Any]:
        for packet in packets:
            try:
                decoded = self.stream.codec_context.decode(packet)
            except (av.FFmpegError, ValueError) as error:
                self.undecodable += 1
                self.last_error = _words(error)
                continue
            # A packet cut off by the end of the file gives a frame that the decoder does not always mark.
            if packet is not None and packet.is_corrupt and not any(frame.is_corrupt for frame in decoded):
                self.corrupt += 1
            yield from decoded

    def unbroken(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Yield packets; where the container breaks off, the empty one that ends them."""
        try:
            yield from packets
        except (av.FFmpegError, ValueError) as error:
            self.stopped = _words(error)
            yield None

    def rate(self) -> Fraction:
        """Return the frames per second that the file states, or a usual rate where it states none."""
        for rate in (self.stream.average_rate, self.stream.guessed_rate):
            if rate and rate > 0:
                return Fraction(rate)
        return FALLBACK_RATE

    def declared_seconds(self) -> Fraction | None:
        """Return the length that the file claims; the least of several claims, since an audio stream may run on."""
        if self.container.format.name == "avi":  # its index is made anew where it is cut off, its frame count is not
            return self.stream.frames / self.rate() if self.stream.frames else None
        claims = []
        if self.stream.duration and self.stream.time_base:
            claims.append(self.stream.duration * Fraction(self.stream.time_base))
        if self.container.duration and self.container.duration > 0:
            claims.append(Fraction(self.container.duration, av.time_base))
        return min(claims, default=None)

    def flags(self, times: list[Fraction], n_shown: int, source: ClipSource) -> tuple[str, ...]:
        """Return remarks on what the file lacked among the frames that were wanted."""
        found = self.troubles()
        if self.stopped:
            found.append(f"reading stops at {float(self.end):.2f} s: {self.stopped}")
        if n_shown < len(times):
            declared = self.declared_seconds() if source.end is None else _exact(source.end)
            if declared is not None and (lack := self.lack(self.end, declared)):
                found.append(lack)
        return tuple(found)

    def troubles(self) -> list[str]:
        """Return in words what could not be decoded so far."""
        found = []
        if self.undecodable:
            found.append(f"{self.undecodable} packets cannot be decoded: {self.last_error}")
        if self.corrupt:
            found.append(f"{self.corrupt} corrupt frames")
        return found

    def lack(self, end: Fraction, declared: Fraction) -> str | None:
        """Return in words that a video ends before its declared end, both in seconds; a few frames do not count."""
        if end >= declared - max(2 / self.rate(), declared / 50):
            return None
        return f"truncated: {float(end):.2f} s of {float(declared):.2f} s"

    def why_nothing(self, wanted: Fraction) -> str:
        """Return why no frame could be had."""
        if self.count and self.corrupt < self.count:
            return f"ends at {float(self.end):.2f} s, before the clip's start at {float(wanted):.2f} s"
        if self.count:
            return "cannot be decoded: every frame is corrupt"
        return f"cannot be decoded: {self.last_error or self.stopped or 'the video stream holds no frame'}"


def _exact(seconds: float) -> Fraction:
    """Return the number that a user wrote: 0.3 is 3/10 here, so that a timestamp of 0.3 s is not after it."""
    return Fraction(repr(float(seconds)))


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
