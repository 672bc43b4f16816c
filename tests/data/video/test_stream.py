"""Times in the containers that data sets come in: where a file starts, how long it is, what a span means."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from zsarbench.data.video.frames import read_steps
from zsarbench.data.video.probe import Probe, ProbeFile
from zsarbench.data.video.stream import VideoError, open_video
from zsarbench.interfaces import ClipSource, Sampling
from zsarbench.testing.videos import KeepFrame, numbered_frame, read_number, write_video

STAMPED = ("a.mkv", "a.webm", "a.mp4", "a.mov", "a.ts")
CODECS = {".webm": "libvpx", ".avi": "mpeg4"}


def numbers(path: Path, **span: float) -> list[int]:
    """Return the frames of a numbered file that are shown every tenth of a second."""
    frames = read_steps(ClipSource("clip", str(path), **span), Sampling(10.0, 200), KeepFrame()).frames[:, 0]
    return [read_number(frame.transpose(1, 2, 0)) for frame in frames]


def flags(path: Path, **span: float) -> tuple[str, ...]:
    return read_steps(ClipSource("clip", str(path), **span), Sampling(10.0, 200), KeepFrame()).flags


def written(path: Path, *, starts: float, n_frames: int = 30, sound: tuple[float, float] | None = None) -> Path:
    """Write frames of a tenth of a second from this time on, and sound between two times; return the path."""
    rate = 48000
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(CODECS.get(path.suffix, "libx264"), rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio: Any = container.add_stream("mp2", rate=rate, layout="mono") if sound is not None else None
        packets: list[Any] = []
        for number in range(n_frames):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")
            frame.pts, frame.time_base = round(1000 * starts) + 100 * number, Fraction(1, 1000)
            packets += video.encode(frame)
        packets += video.encode(None)
        if sound is not None:
            for at in range(round(sound[0] * rate), round(sound[1] * rate), 1152):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), format="s16", layout="mono")
                silence.sample_rate, silence.pts, silence.time_base = rate, at, Fraction(1, rate)
                packets += audio.encode(silence)
            packets += audio.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("sizes", "default", "shown"),
    [
        ([(32, 24), (64, 48)], None, 1),  # a preview before the film
        ([(64, 48), (32, 24)], None, 0),
        ([(64, 48), (64, 48)], None, 0),
        ([(64, 48), (32, 24)], 1, 1),
    ],
)
def test_of_several_streams_the_one_that_a_player_shows_is_read(
    tmp_path: Path, sizes: list[tuple[int, int]], default: int | None, shown: int
) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams: list[Any] = [container.add_stream("libx264", rate=10) for _ in sizes]
        for number, (stream, (width, height)) in enumerate(zip(streams, sizes, strict=True)):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.disposition = av.stream.Disposition.default.value if number == default else 0
        for number, (stream, (width, height)) in enumerate(zip(streams, sizes, strict=True)):
            for _ in range(5):
                image = np.full((height, width, 3), 60 + 120 * number, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
    frames = read_steps(ClipSource("clip", str(path)), Sampling(10.0, 200), KeepFrame()).frames
    assert round(float(np.asarray(frames).mean()), -1) == 60 + 120 * shown


@pytest.mark.parametrize("starts", [0.0, 0.5, 7.0])
@pytest.mark.parametrize("name", STAMPED)
def test_a_file_may_start_at_any_time(tmp_path: Path, name: str, starts: float) -> None:
    path = written(tmp_path / name, starts=starts)
    assert numbers(path) == list(range(30))
    assert numbers(path, start=1.2, end=1.6) == [12, 13, 14, 15]
    assert flags(path) == flags(path, start=1.2) == ()
    assert ProbeFile()(str(path)) == Probe(seconds=3.0)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov", "a.ts"])
def test_a_span_counts_from_where_the_sound_starts_if_that_is_first(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, starts=7.0, sound=(5.0, 10.0))
    assert numbers(path) == list(range(30))
    first = numbers(path, start=1.2, end=2.5)
    assert first[:8] == [0] * 8  # the picture starts 2 s after the sound
    assert set(first[8:]) <= {0, 1, 2, 3, 4, 5}
    assert abs(numbers(path, start=3.0)[0] - 10) <= 1  # a sound codec may start some milliseconds before
    with pytest.raises(VideoError, match=r"ends at 5\.\d\d s, before the clip's start at 6\.00 s"):
        numbers(path, start=6.0)
    assert flags(path) == ()
    assert ProbeFile()(str(path)).seconds == pytest.approx(5.0, abs=0.05)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov", "a.ts"])
def test_sound_that_runs_on_makes_no_file_truncated(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, starts=2.0, sound=(2.0, 9.0))
    assert numbers(path) == list(range(30))
    assert flags(path) == ()
    probe = ProbeFile()(str(path))
    assert (probe.truncated, probe.seconds) == (None, pytest.approx(3.0, abs=0.05))


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_a_piece_of_a_longer_video_that_is_cut_off_is_truncated(tmp_path: Path, name: str) -> None:
    whole = written(tmp_path / name, starts=4.0, n_frames=200)
    path = tmp_path / f"cut-{name}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert any("truncated" in flag and flag.endswith("of 20.00 s") for flag in flags(path))
    assert "of 20.00 s" in (ProbeFile()(str(path)).truncated or "")


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_what_an_edit_list_cuts_is_not_shown(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, 40, codec="mpeg4", options={"g": "40"})
    content = bytearray(path.read_bytes())
    edits = content.index(b"elst") + 4  # ISO/IEC 14496-12, 8.6.6: version, number, then length, start and rate of each
    ticks = int.from_bytes(content[(at := content.index(b"mdhd") + 16) : at + 4], "big")
    for at, value in ((8, 2500), (12, ticks * 3 // 2)):  # 2.5 s from 1.5 s on
        content[edits + at : edits + at + 4] = value.to_bytes(4, "big")
    path.write_bytes(content)
    assert numbers(path) == list(range(15, 40))
    assert numbers(path, start=1.0, end=1.3) == [25, 26, 27]
    assert flags(path) == ()
    assert ProbeFile()(str(path)) == Probe(seconds=2.5)


def test_a_frame_that_an_avi_leaves_out_is_the_one_before_for_longer(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")
            frame.pts, frame.time_base = number if number < 8 else number + 5, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert numbers(path) == [*range(8), *[7] * 5, *range(8, 20)]
    assert numbers(path, start=1.2, end=1.5) == [7, 8, 9]
    assert ProbeFile()(str(path)) == Probe(seconds=2.5)


def test_times_that_do_not_rise_are_a_frame_apart(tmp_path: Path) -> None:
    one, other = written(tmp_path / "one.ts", starts=3.0, n_frames=20), written(tmp_path / "other.ts", starts=3.0)
    path = tmp_path / "both.ts"  # recorders begin again at the same time
    path.write_bytes(one.read_bytes() + other.read_bytes())
    assert numbers(path) == [*range(20), *range(30)]
    assert numbers(path, start=1.8, end=2.3) == [18, 19, 0, 1, 2]


def test_two_frames_or_a_fiftieth_of_the_length_may_be_missing(tmp_path: Path) -> None:
    with open_video(str(written(tmp_path / "a.mp4", starts=0.0))) as video:  # of 10 frames a second
        assert video.truncation(Fraction(28, 10), Fraction(3)) is None
        assert video.truncation(Fraction(279, 100), Fraction(3)) == "truncated: 2.79 s of 3.00 s"
        assert video.truncation(Fraction(98), Fraction(100)) is None
        assert video.truncation(Fraction(9799, 100), Fraction(100)) == "truncated: 97.99 s of 100.00 s"


def test_why_a_clip_has_no_frame_depends_on_what_was_decoded(tmp_path: Path) -> None:
    with open_video(str(written(tmp_path / "a.mp4", starts=0.0))) as video:
        assert video.no_frame_reason(Fraction(4)) == "cannot be decoded: the video stream holds no frame"
        video.count, video.corrupt = 3, 2
        assert "before the clip's start at 4.00 s" in video.no_frame_reason(Fraction(4))
        video.corrupt = 3
        assert video.no_frame_reason(Fraction(4)) == "cannot be decoded: every frame is corrupt"


def test_a_file_that_states_no_start_has_its_length_and_its_spans(tmp_path: Path) -> None:
    slow = written_slowly(tmp_path / "a.mkv")
    with av.open(str(slow)) as container:
        assert container.start_time is None  # Matroska's of less than about a frame a second
    assert ProbeFile()(str(slow)) == Probe(seconds=60.0)
    assert numbers(slow, start=20.0, end=20.5) == [2] * 5


def written_slowly(path: Path) -> Path:
    """Write six frames of ten seconds; return the path."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=Fraction(1, 10))
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(6):
            container.mux(video.encode(av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")))
        container.mux(video.encode(None))
    return path


@pytest.mark.parametrize("form", ["JPEG", "PNG", "PPM"])
def test_an_image_that_is_called_a_video_is_none(tmp_path: Path, form: str) -> None:
    path = tmp_path / "thumbnail.mp4"
    Image.fromarray(numbered_frame(1)).save(path, format=form)
    assert ProbeFile()(str(path)).problem == "is an image, not a video"
    with pytest.raises(VideoError, match="is an image"):
        read_steps(ClipSource("clip", str(path)), Sampling(), KeepFrame())
