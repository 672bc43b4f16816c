"""Reads the frames that a clip's steps need, by sequential decoding.

Three rules, each for a reason that files in use gave:

- Never seek. AVI has no timestamps and may pack B-frames, so a seek there ends some frames off the requested one.
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

# Larger frames than 8192 x 8192 come from broken headers, and would exhaust memory before they fail.
MAX_PIXELS = 8192 * 8192
_LISTS = frozenset(("concat", "dash", "hls", "imf", "sdp", "webm_dash_manifest"))  # formats that name other files
FALLBACK_RATE = Fraction(25)
# A tag of broken UTF-8 is no reason to fail. PyAV 19 and newer read any bytes of a tag; older ones need an option.
_ANY_TAGS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}


class VideoError(ZsarbenchError):
    """Why nothing can be read from a clip's file."""


class PreparationError(ZsarbenchError):
    """A failure of the encoder's `prepare` on a frame that was read."""


@dataclass(frozen=True)
class DecodedClip:
    """The prepared frames (T, F, 3, h, w) of a clip, and remarks on what its file lacked."""

    frames: np.ndarray
    flags: tuple[str, ...]


def decoder_version() -> str:
    """Return the versions of the decoder, as part of the key of stored features."""
    return f"pyav {av.__version__}, ffmpeg {av.ffmpeg_version_info}"


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
    start = _exact(source.start or 0.0)
    step = 1 / _exact(sampling.frames_per_second)
    times = [start + offset * step for offset in offsets]
    if source.end is not None:
        times = [time for time in times if time < _exact(source.end)]
        if not times:
            raise VideoError(f"the span from {source.start or 0.0} s to {source.end} s is empty")
    with open_video(source.path) as video:
        shown = _frames_at(video, times, prepare)
        if not shown:
            raise VideoError(video.no_frame_reason(times[0]))
        flags = video.flags(times, len(shown), source)
    return DecodedClip(_in_steps(dict(zip(offsets, shown, strict=False)), sampling), flags)


def _frame_offsets(sampling: Sampling) -> list[int]:
    """Return the sampled frames of the longest clip in units of 1 / frames_per_second, ascending."""
    if min(sampling.max_steps, sampling.frames_per_step, sampling.step_stride) < 1 or sampling.frames_per_second <= 0:
        raise ZsarbenchError(f"{sampling} selects no frames: each of its numbers must be above 0")
    starts = range(0, sampling.max_steps * sampling.step_stride, sampling.step_stride)
    return sorted({start + frame for start in starts for frame in range(sampling.frames_per_step)})


def _in_steps(shown: dict[int, np.ndarray], sampling: Sampling) -> np.ndarray:
    """Return the frames (T, F, 3, h, w) of all whole steps, or of one padded with the last frame."""
    last, length = max(shown), sampling.frames_per_step
    starts = range(0, sampling.max_steps * sampling.step_stride, sampling.step_stride)
    whole = [[shown[start + frame] for frame in range(length)] for start in starts if start + length - 1 <= last]
    return np.stack([np.stack(step) for step in whole or [[shown[min(frame, last)] for frame in range(length)]]])


def _frames_at(video: Video, times: list[Fraction], prepare: Prepare) -> list[np.ndarray]:
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


def _prepare(frame: Any, prepare: Prepare) -> np.ndarray:
    try:
        rgb = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"cannot be decoded: {_describe(error)}") from error
    if turns := round(frame.rotation / 90) % 4:
        rgb = np.ascontiguousarray(np.rot90(rgb, turns))
    try:
        return prepare(rgb)
    except Exception as error:
        raise PreparationError(
            f"a frame of {rgb.shape[1]}x{rgb.shape[0]} pixels cannot be prepared: {type(error).__name__}: {error}"
        ) from error


@contextmanager
def open_video(path: str | None) -> Iterator[Video]:
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
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, **_ANY_TAGS)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"cannot be decoded: {_describe(error)}") from error
    with container:
        if not _LISTS.isdisjoint(container.format.name.split(",")):
            raise VideoError("is a list of other files, not a video")
        attached = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & attached]
        if not streams or streams[0].codec_context is None:
            raise VideoError("no video stream" if not streams else "cannot be decoded: the codec is not known")
        context = streams[0].codec_context
        context.thread_count = 1  # clips are decoded in parallel, each by one thread
        context.options = {"max_pixels": str(MAX_PIXELS)}
        yield Video(container, streams[0])


@dataclass
class Video:
    """One video stream while it is decoded, and the problems met so far."""

    container: Any
    stream: Any
    end: Fraction = Fraction(0)  # seconds: where the last frame that was decoded ends
    count: int = 0
    corrupt: int = 0
    undecodable: int = 0
    last_error: str = ""
    stopped: str = ""

    def frames(self) -> Iterator[tuple[Fraction, Any]]:
        """Yield (time in seconds, frame) in output order; a packet that cannot be decoded is counted and skipped."""
        frame_seconds = 1 / self.rate()
        has_timestamps = self.container.format.name != "avi"
        first: Fraction | None = None
        time: Fraction | None = None
        # The last packet is empty: it flushes the decoder.
        for frame in self._decode(self.until_broken(self.container.demux(self.stream))):
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
        """Decode one packet and return whether it gave a sound frame."""
        frames = list(self._decode([packet]))
        self.count += len(frames)
        self.corrupt += sum(bool(frame.is_corrupt) for frame in frames)
        return any(not frame.is_corrupt for frame in frames)

    def _decode(self, packets: Iterable[Any]) -> Iterator[Any]:
        for packet in packets:
            try:
                decoded = self.stream.codec_context.decode(packet)
            except (av.FFmpegError, ValueError) as error:
                self.undecodable += 1
                self.last_error = _describe(error)
                continue
            # A packet cut off by the end of the file gives a frame that the decoder does not always mark.
            if packet is not None and packet.is_corrupt and not any(frame.is_corrupt for frame in decoded):
                self.corrupt += 1
            yield from decoded

    def until_broken(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Yield packets; where the container breaks off, end with an empty one."""
        try:
            yield from packets
        except (av.FFmpegError, ValueError) as error:
            self.stopped = _describe(error)
            yield None

    def rate(self) -> Fraction:
        """Return the frames per second that the file declares, or a usual rate where it declares none."""
        for rate in (self.stream.average_rate, self.stream.guessed_rate):
            if rate and rate > 0:
                return Fraction(rate)
        return FALLBACK_RATE

    def declared_seconds(self) -> Fraction | None:
        """Return the length in seconds that the file declares; the shortest of several, since audio may run on."""
        if self.container.format.name == "avi":  # where it is cut off its index is rebuilt, its frame count is not
            return self.stream.frames / self.rate() if self.stream.frames else None
        lengths = []
        if self.stream.duration and self.stream.time_base:
            lengths.append(self.stream.duration * Fraction(self.stream.time_base))
        if self.container.duration and self.container.duration > 0:
            lengths.append(Fraction(self.container.duration, av.time_base))
        return min(lengths, default=None)

    def flags(self, times: list[Fraction], n_shown: int, source: ClipSource) -> tuple[str, ...]:
        """Return remarks on what the file lacked of the requested frames."""
        remarks = self.decoding_problems()
        if self.stopped:
            remarks.append(f"reading stops at {float(self.end):.2f} s: {self.stopped}")
        if n_shown < len(times):
            declared = self.declared_seconds() if source.end is None else _exact(source.end)
            if declared is not None and (truncation := self.truncation(self.end, declared)):
                remarks.append(truncation)
        return tuple(remarks)

    def decoding_problems(self) -> list[str]:
        """Return a sentence for each kind of data that could not be decoded so far."""
        problems = []
        if self.undecodable:
            problems.append(f"{self.undecodable} packets cannot be decoded: {self.last_error}")
        if self.corrupt:
            problems.append(f"{self.corrupt} corrupt frames")
        return problems

    def truncation(self, end: Fraction, declared: Fraction) -> str | None:
        """Return a sentence where a video ends before its declared end, both in seconds; a few frames do not count."""
        if end >= declared - max(2 / self.rate(), declared / 50):
            return None
        return f"truncated: {float(end):.2f} s of {float(declared):.2f} s"

    def no_frame_reason(self, start: Fraction) -> str:
        """Return why no frame of a clip that starts at this time, in seconds, was decoded."""
        if self.count and self.corrupt < self.count:
            return f"ends at {float(self.end):.2f} s, before the clip's start at {float(start):.2f} s"
        if self.count:
            return "cannot be decoded: every frame is corrupt"
        return f"cannot be decoded: {self.last_error or self.stopped or 'the video stream holds no frame'}"


def _exact(seconds: float) -> Fraction:
    """Return the number that a user wrote: 0.3 is 3/10, so that a timestamp of 0.3 s is not after it."""
    return Fraction(repr(float(seconds)))


def _describe(error: Exception) -> str:
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
