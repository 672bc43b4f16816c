"""Probes a video file without decoding all of it: can it be read, and does it end before its declared length?"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from zsarbench.data.video.stream import Video, VideoError, open_video


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What is known of a video file.

    problem: why no frame of it can be read, None where one can. truncated: a sentence where it ends before its declared
    length, else None. damaged: what could not be decoded, None where everything could. seconds: from the start of the
    file to the end of the video, as its packets give it.
    """

    problem: str | None = None
    truncated: str | None = None
    damaged: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class ProbeFile:
    """Probes a file: decodes its first sound frame and reads its packets to the end.

    Damage inside a packet after the first sound frame is not noticed, unless `thorough`: then all is decoded.
    """

    thorough: bool = False

    def __call__(self, path: str) -> Probe:
        """Return what is known of a file; never raises for what is wrong with it."""
        try:
            with open_video(path) as video:
                return _probe(video, self.thorough)
        except VideoError as error:
            return Probe(problem=str(error))
        except Exception as error:  # whatever broken bytes cause is the file's problem
            return Probe(problem=f"cannot be decoded: {type(error).__name__}: {error}")


def _probe(video: Video, thorough: bool) -> Probe:
    last: Fraction | None = None
    count = 0
    sound = False
    for packet in video.until_broken(video.container.demux(video.stream)):
        if thorough or not sound:
            sound = video.gives_sound_frame(packet) or sound
        if packet is None or packet.size == 0 or packet.is_discard:  # an edit list cuts what is marked
            continue
        count += 1
        stamp = packet.pts if packet.pts is not None else packet.dts
        if video.has_timestamps and stamp is not None and packet.time_base:
            length = packet.duration * Fraction(packet.time_base) if packet.duration else 1 / video.rate()
            shown = video.since_start(stamp * Fraction(packet.time_base)) + length
            last = shown if last is None else max(last, shown)
    if not sound:
        return Probe(problem=video.no_frame_reason(Fraction(0)))
    end = count / video.rate() + video.dropped if last is None else last
    declared = video.declared_seconds()
    truncated = None if declared is None else video.truncation(end, declared)
    if truncated is None and video.stopped:
        truncated = f"reading stops at {float(end):.2f} s: {video.stopped}"
    return Probe(truncated=truncated, damaged="; ".join(video.decoding_problems()) or None, seconds=float(end))
