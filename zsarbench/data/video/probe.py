"""Looks a video file over without decoding all of it: can it be read, and does it end before its time?"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from zsarbench.data.video.frames import Video, VideoError, opened


@dataclass(frozen=True)
class Survey:
    """What a look at a file found.

    problem: why no frame of it can be read, None where one can. truncated: in words that it ends before the length
    that it declares, None where it does not. damaged: what could not be decoded, None where all could. seconds: its
    length, as its packets tell it.
    """

    problem: str | None = None
    truncated: str | None = None
    damaged: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Look:
    """Looks a file over: decodes its first sound frame and reads its packets to the end.

    Damage inside a packet after the first sound frame stays unseen, unless it is thorough: then all is decoded.
    """

    thorough: bool = False

    def __call__(self, path: str) -> Survey:
        """Return what is found."""
        try:
            with opened(path) as video:
                return _survey(video, self.thorough)
        except VideoError as error:
            return Survey(str(error))
        except Exception as error:  # whatever broken bytes bring about is the file's problem
            return Survey(f"cannot be decoded: {type(error).__name__}: {error}")


def _survey(video: Video, thorough: bool) -> Survey:
    has_timestamps = video.container.format.name != "avi"
    first: Fraction | None = None
    last = Fraction(0)
    count = 0
    sound = False
    for packet in video.unbroken(video.container.demux(video.stream)):
        if thorough or not sound:
            sound = video.gives_sound_frame(packet) or sound
        if packet is None or packet.size == 0:
            continue
        count += 1
        stamp = packet.pts if packet.pts is not None else packet.dts
        if has_timestamps and stamp is not None and packet.time_base:
            shown = stamp * Fraction(packet.time_base)
            length = packet.duration * Fraction(packet.time_base) if packet.duration else 1 / video.rate()
            first = shown if first is None else min(first, shown)
            last = max(last, shown + length)
    if not sound:
        return Survey(video.why_nothing(Fraction(0)))
    end = count / video.rate() if first is None else last - first
    declared = video.declared_seconds()
    lack = None if declared is None else video.lack(end, declared)
    if lack is None and video.stopped:
        lack = f"reading stops at {float(end):.2f} s: {video.stopped}"
    return Survey(None, lack, "; ".join(video.troubles()) or None, float(end))
