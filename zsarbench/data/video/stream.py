"""One video stream of a file: opening it, its frames with their times, its length, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ClipSource

# Larger frames than 8192 x 8192 come from broken headers, and would exhaust memory before they fail.
MAX_PIXELS = 8192 * 8192
FALLBACK_RATE = Fraction(25)
_LISTS = frozenset(("concat", "dash", "hls", "imf", "sdp", "webm_dash_manifest"))  # formats that name other files
# A tag of invalid UTF-8 must not make a file unreadable. PyAV 19 and newer read any bytes; older ones need an option.
_ANY_TAGS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}
_DEFAULT_COUNTS = 5_000_000  # pixels, that a stream is the file's default one
_IMAGE = "_pipe"  # ends the names of ffmpeg's readers of still images, as jpeg_pipe
_TIME = re.compile(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,12})?)", re.ASCII)


class VideoError(ZsarbenchError):
    """Why nothing can be read from a clip's file."""


@contextmanager
def open_video(path: str | None) -> Iterator[Video]:
    """Open the video stream of a file inside the block.

    Raises:
        VideoError: the file is missing, empty, holds no video, is an image or a list of other files.
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
        raise VideoError(f"cannot be decoded: {describe(error)}") from error
    with container:
        if not _LISTS.isdisjoint(container.format.name.split(",")):
            raise VideoError("is a list of other files, not a video")
        if container.format.name.endswith(_IMAGE):
            raise VideoError("is an image, not a video")
        attached = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & attached]
        known = [stream for stream in streams if stream.codec_context is not None]
        if not known:
            raise VideoError("no video stream" if not streams else "cannot be decoded: the codec is not known")
        shown = max(known, key=_preference)
        context = shown.codec_context
        context.thread_count = 1  # clips are decoded in parallel, each by one thread
        context.options = {"max_pixels": str(MAX_PIXELS)}
        start = container.start_time
        yield Video(container, shown, None if start is None else Fraction(start, av.time_base))


def _preference(stream: Any) -> int:
    """Return how much a stream is to be preferred, as ffmpeg does: cameras put small previews beside what they film."""
    is_default = bool(stream.disposition & av.stream.Disposition.default)
    return int(stream.codec_context.width * stream.codec_context.height + is_default * _DEFAULT_COUNTS)


@dataclass
class Video:
    """One video stream while it is decoded, and the problems met so far."""

    container: Any
    stream: Any
    start: Fraction | None  # of the file on its own clock; the first time that is asked for, where it declares none
    late: Fraction = Fraction(0)  # seconds from the file's start to the first frame
    end: Fraction = Fraction(0)  # seconds from the file's start to where the last frame that was decoded ends
    count: int = 0
    dropped: Fraction = Fraction(0)  # seconds in which an AVI has no packet: the frame before is shown on
    corrupt: int = 0
    undecodable: int = 0
    last_error: str = ""
    stopped: str = ""

    def frames(self) -> Iterator[tuple[Fraction, Any]]:
        """Yield (seconds from the file's start, frame) in output order; what cannot be decoded is counted and skipped.

        Where no frame has a timestamp, the first one is at the start.
        """
        frame_seconds = 1 / self.rate()
        first: Fraction | None = None
        time: Fraction | None = None
        dropped = Fraction(0)
        # The last packet is empty: it flushes the decoder.
        for frame in self._decode(self.until_broken(self.container.demux(self.stream))):
            stamp = None
            if self.has_timestamps and frame.pts is not None and frame.time_base:
                stamp = frame.pts * Fraction(frame.time_base)
                if first is None:
                    first = stamp
                    self.late = self.since_start(stamp) if time is None else self.late
                stamp += self.late - first
            if time is None:
                time = self.late
            elif stamp is not None and stamp > time:
                time = stamp
            else:
                time += frame_seconds + self.dropped - dropped
            dropped = self.dropped
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
                self.last_error = describe(error)
                continue
            # A packet cut off by the end of the file gives a frame that the decoder does not always mark.
            if packet is not None and packet.is_corrupt and not any(frame.is_corrupt for frame in decoded):
                self.corrupt += 1
            yield from decoded

    def until_broken(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Yield packets but those without data; where the container breaks off, end with an empty one."""
        before: int | None = None
        try:
            for packet in packets:
                if not self.has_timestamps and packet.dts is not None:  # a number, which also counts those left out
                    if before is not None and packet.time_base:
                        gap = (packet.dts - before) * Fraction(packet.time_base) - 1 / self.rate()
                        self.dropped += max(Fraction(0), gap)
                    before = packet.dts
                if packet.size > 0 or packet.pos is None:  # an empty one amid the others would end the decoding
                    yield packet
        except (av.FFmpegError, ValueError) as error:
            self.stopped = describe(error)
            yield None

    @property
    def has_timestamps(self) -> bool:
        """Whether the times in the file can be believed: those of AVI are numbers of packets."""
        return bool(self.container.format.name != "avi")

    def since_start(self, stamp: Fraction) -> Fraction:
        """Return the seconds from the start of the file to a time on its own clock; 0 before the start."""
        if self.start is None:
            self.start = stamp
        return max(Fraction(0), stamp - self.start)

    def rate(self) -> Fraction:
        """Return the frames per second that the file declares, or a usual rate where it declares none."""
        for rate in (self.stream.average_rate, self.stream.guessed_rate):
            if rate and rate > 0:
                return Fraction(rate)
        return FALLBACK_RATE

    def declared_seconds(self) -> Fraction | None:
        """Return the length in seconds that the file declares; the shortest of several, since sound may run on.

        What a whole file declares may be the time of its end on its own clock, as in Matroska, which need not start
        at 0.
        """
        if not self.has_timestamps:  # where an AVI is cut off its index is rebuilt, its frame count is not
            return self.stream.frames / self.rate() if self.stream.frames else None
        start = max(Fraction(0), self.start or Fraction(0))
        ends = [Fraction(self.container.duration or 0, av.time_base), _seconds_of_tag(self.stream.metadata)]
        lengths = [end - start if end > start else end for end in ends if end > 0]
        if self.stream.duration and self.stream.time_base:
            first = Fraction(self.stream.start_time or 0) * self.stream.time_base
            lengths.append(self.stream.duration * Fraction(self.stream.time_base) + self.since_start(first))
        return min(lengths, default=None)

    def flags(self, times: list[Fraction], n_shown: int, source: ClipSource) -> tuple[str, ...]:
        """Return remarks on what the file lacked of the requested frames."""
        remarks = self.decoding_problems()
        if self.stopped:
            remarks.append(f"reading stops at {float(self.end):.2f} s: {self.stopped}")
        if n_shown < len(times):
            declared = self.declared_seconds() if source.end is None else exact(source.end)
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


def _seconds_of_tag(tags: Mapping[str, str]) -> Fraction:
    """Return the seconds in Matroska's tag of a stream's length, DURATION or DURATION-eng; 0 where there is none."""
    text = next((value for name, value in tags.items() if name.upper().startswith("DURATION")), "")
    match = _TIME.fullmatch(text.strip())
    return Fraction(match[1]) * 3600 + Fraction(match[2]) * 60 + Fraction(match[3]) if match else Fraction(0)


def exact(seconds: float) -> Fraction:
    """Return the number that a user wrote: 0.3 is 3/10, so that a timestamp of 0.3 s is not after it."""
    return Fraction(repr(float(seconds)))


def describe(error: Exception) -> str:
    """Return what a decoder or the system says of an error."""
    return getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
