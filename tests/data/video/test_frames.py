from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prepares import MisbehavingPrepare

from zsarbench.data.video.decoding import decode_clip
from zsarbench.data.video.frames import PreparationError, read_steps
from zsarbench.data.video.probe import Probe, ProbeFile
from zsarbench.data.video.stream import VideoError
from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ClipSource, Sampling
from zsarbench.testing.videos import KeepFrame, numbered_frame, read_number, write_video


def numbers(path: Path, sampling: Sampling, **span: float) -> list[list[int]]:
    """Return which frames of a numbered file make the steps."""
    frames = read_steps(ClipSource("clip", str(path), **span), sampling, KeepFrame()).frames
    return [[read_number(frame.transpose(1, 2, 0)) for frame in step] for step in frames]


def flags(path: Path, sampling: Sampling = Sampling(), **span: float) -> tuple[str, ...]:  # noqa: B008
    return read_steps(ClipSource("clip", str(path), **span), sampling, KeepFrame()).flags


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4"), ("a.webm", "libvpx"), ("a.mp4", "mpeg4")],
)
def test_one_frame_a_second_is_the_frame_shown_then(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, 45, rate=10, codec=codec)
    assert numbers(path, Sampling(1.0, 16)) == [[0], [10], [20], [30], [40]]
    assert numbers(path, Sampling(1.0, 3)) == [[0], [10], [20]]
    assert flags(path) == ()


@pytest.mark.parametrize("name", ["a.avi", "a.mp4"])
@pytest.mark.parametrize("of", ["container", "stream"])
def test_a_tag_of_broken_utf8_is_not_a_reason_to_fail(tmp_path: Path, name: str, of: str) -> None:
    title, broken = b"a title in another encoding", b"\xff\xfe\xc3(itle in another encoding"
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        (container if of == "container" else stream).metadata["title"] = title.decode()
        for number in range(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_frame(number), format="rgb24")))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    assert content.count(title) == 1
    path.write_bytes(content.replace(title, broken))
    assert numbers(path, Sampling(1.0, 16)) == [[0], [10], [20]]
    assert ProbeFile()(str(path)) == Probe(seconds=2.5)


def test_b_frames_in_avi_come_in_output_order(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 60, rate=10, codec="mpeg4", options={"bf": "2"})
    assert numbers(path, Sampling(2.0, 99)) == [[number] for number in range(0, 60, 5)]


@settings(max_examples=25)
@given(
    per_second=st.sampled_from([1.0, 2.5, 3.0, 12.0, 0.4]),
    max_steps=st.integers(1, 9),
    length=st.integers(1, 6),
    stride=st.integers(1, 7),
)
def test_steps_hold_the_frames_that_the_rule_gives(
    tmp_path_factory: pytest.TempPathFactory, per_second: float, max_steps: int, length: int, stride: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "forty.mkv"
    if not path.exists():
        write_video(path, 40, rate=10)  # times 0.0, 0.1 .. 3.9; ends at 4.0
    expected = []
    for step in range(max_steps):
        at = [(step * stride + frame) / per_second for frame in range(length)]
        if at[-1] < 4.0 - 1e-9:
            expected.append([int(time * 10 + 1e-6) for time in at])
    if not expected:
        inside = [int(frame / per_second * 10 + 1e-6) for frame in range(length) if frame / per_second < 4.0 - 1e-9]
        expected = [(inside + inside[-1:] * length)[:length]]
    assert numbers(path, Sampling(per_second, max_steps, length, stride)) == expected


def test_a_variable_frame_rate_shows_a_frame_until_the_next(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 6, times=[0.0, 0.1, 0.2, 2.5, 2.6, 4.0])
    assert numbers(path, Sampling(1.0, 16)) == [[0], [2], [2], [4], [5]]


def test_a_span_is_read_from_its_start_to_before_its_end(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 60, rate=10)
    assert numbers(path, Sampling(1.0, 16), start=1.3, end=4.3) == [[13], [23], [33]]
    assert numbers(path, Sampling(1.0, 16), start=0.3) == [[3], [13], [23], [33], [43], [53]]
    assert flags(path, start=0.0, end=5.9) == ()
    assert flags(path, start=3.0, end=30.0) == ("truncated: 6.00 s of 30.00 s",)


def test_a_span_beyond_the_end_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 20, rate=10)
    with pytest.raises(VideoError, match=r"ends at 2\.00 s, before the clip's start at 7\.00 s"):
        numbers(path, Sampling(), start=7.0)
    with pytest.raises(VideoError, match=r"span from 3\.0 s to 2\.0 s is empty"):
        numbers(path, Sampling(), start=3.0, end=2.0)


def test_one_frame_is_a_clip(tmp_path: Path) -> None:
    for name, codec in (("a.mp4", "libx264"), ("a.avi", "mpeg4"), ("a.mkv", "libx264")):
        path = write_video(tmp_path / name, 1, codec=codec)
        assert numbers(path, Sampling()) == [[0]]
        assert numbers(path, Sampling(8.0, 4, frames_per_step=4)) == [[0, 0, 0, 0]]


def test_odd_sizes(tmp_path: Path) -> None:
    for size in ((65, 49), (67, 51), (64, 49)):
        assert numbers(write_video(tmp_path / "a.mp4", 12, rate=4, size=size), Sampling()) == [[0], [4], [8]]


def test_a_frame_is_prepared_once_and_nothing_after_the_last_needed_is_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 100, rate=10)
    seen = []

    def prepare(rgb: np.ndarray) -> np.ndarray:
        seen.append(read_number(rgb))
        return KeepFrame()(rgb)

    decoded = read_steps(ClipSource("clip", str(path)), Sampling(10.0, 4, frames_per_step=4, step_stride=2), prepare)
    assert decoded.frames.shape == (4, 4, 3, 48, 64)
    assert seen == list(range(10))
    slow = read_steps(ClipSource("clip", str(path)), Sampling(40.0, 8), prepare)
    assert slow.frames.shape[0] == 8
    assert seen[10:] == [0, 1]  # eight steps show two frames


def test_the_reason_names_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(bytes(range(256)) * 40)
    sound = tmp_path / "sound.mkv"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        audio = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), format="s16", layout="mono")
        audio.sample_rate = 8000
        container.mux(stream.encode(audio))
        container.mux(stream.encode(None))
    for path, reason in (
        (tmp_path / "none.mp4", "^missing file$"),
        (empty, "^empty file$"),
        (noise, "^cannot be decoded: "),
        (sound, "^no video stream$"),
        (tmp_path, "^is a folder, not a file$"),
        (empty / "below", "^missing file$"),
    ):
        with pytest.raises(VideoError, match=reason):
            read_steps(ClipSource("clip", str(path)), Sampling(), KeepFrame())
        assert re.search(reason, ProbeFile()(str(path)).problem or "")
    with pytest.raises(VideoError, match="no file is named"):
        read_steps(ClipSource("clip"), Sampling(), KeepFrame())


def test_a_name_like_an_address_is_a_name(tmp_path: Path) -> None:
    path = write_video(tmp_path / "concat:a.mp4", 3)
    assert numbers(path, Sampling()) == [[0]]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [("a.mp4", "libx264", {"movflags": "faststart"}), ("a.mkv", "libx264", {}), ("a.avi", "mpeg4", {})],
)
def test_a_truncated_file_gives_what_it_holds_and_a_flag(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    whole = write_video(tmp_path / name, 100, rate=10, codec=codec, options={"g": "10", **options})
    cut = tmp_path / f"cut-{name}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    steps = numbers(cut, Sampling())
    assert steps == [[10 * step] for step in range(len(steps))]
    assert 3 <= len(steps) <= 8
    assert any("truncated" in flag for flag in flags(cut))
    assert flags(cut, Sampling(1.0, 2)) == ()  # nothing that was requested is lacking
    probe = ProbeFile()(str(cut))
    assert probe.problem is None
    assert "truncated" in (probe.truncated or "")
    assert ProbeFile(thorough=True)(str(whole)) == Probe(seconds=10.0)


def test_a_failing_preparation_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    with pytest.raises(PreparationError, match="64x48 pixels cannot be prepared: RuntimeError: this frame is not"):
        read_steps(ClipSource("clip", str(path)), Sampling(), MisbehavingPrepare([0], "raise"))


@pytest.mark.parametrize(
    "wrong",
    [*map(Sampling, (0.0, math.nan, math.inf)), Sampling(1.0, 0), Sampling(1.0, 1, 0), Sampling(1.0, 1, 1, 0)],
    ids=str,
)
def test_a_sampling_of_nothing_is_refused(wrong: Sampling) -> None:
    with pytest.raises(ZsarbenchError, match="selects no frames"):
        read_steps(ClipSource("clip", "a.mp4"), wrong, KeepFrame())


@settings(max_examples=60)
@given(data=st.data())
def test_broken_bytes_give_frames_or_a_reason(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp()
    name, codec = data.draw(st.sampled_from([("f.mp4", "libx264"), ("f.avi", "mpeg4"), ("f.mkv", "libx264")]))
    if not (folder / name).exists():
        write_video(folder / name, 12, codec=codec)
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 30))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    broken = folder / f"broken-{name}"
    broken.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        decoded = read_steps(ClipSource("clip", str(broken)), Sampling(5.0), KeepFrame())
    except VideoError:
        pass  # any other exception fails the test
    else:
        assert decoded.frames.shape[1:] == (1, 3, 48, 64)
        assert len(decoded.frames) <= 16


def _ffmpeg(path: Path) -> tuple[np.ndarray, list[float]]:
    """Return every frame (n, H, W, 3) of a file and its time, both as ffmpeg's own programs give them."""
    if not shutil.which("ffmpeg") or not shutil.which("ffprobe"):
        pytest.skip("ffmpeg and ffprobe are not installed")
    ffprobe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-of", "json", "-show_entries"]
    frames = json.loads(
        subprocess.check_output([*ffprobe, "frame=best_effort_timestamp_time,width,height", str(path)], text=True)
    )["frames"]
    raw = subprocess.check_output(
        ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-vsync", "passthrough", "-f", "rawvideo",
         "-pix_fmt", "rgb24", "-"]
    )  # fmt: skip
    pixels = np.frombuffer(raw, np.uint8).reshape(-1, frames[0]["height"], frames[0]["width"], 3)
    return pixels, [float(frame.get("best_effort_timestamp_time", "nan")) for frame in frames]


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["test.avi", "demo.mp4", "part_0.mp4", "flipping_a_pancake.mkv", "dog.mp4", "0.mp4"])
def test_real_files_are_read_as_ffmpeg_reads_them(mirror: Path, name: str) -> None:
    path = next(mirror.rglob(name))
    pixels, times = _ffmpeg(path)
    if path.suffix == ".avi":
        times = [index / 25 for index in range(len(pixels))]  # 25 frames a second; AVI has no timestamps of its own
    assert len(times) == len(pixels)
    requested = [time for time in np.arange(16) / 2.0 if time <= times[-1] - times[0]]
    expected = [max(i for i, time in enumerate(times) if time - times[0] <= at + 1e-6) for at in requested]
    got = read_steps(ClipSource("clip", str(path)), Sampling(2.0, 16), lambda rgb: rgb.transpose(2, 0, 1))
    assert got.flags == ()
    assert len(got.frames) == len(expected)
    for step, index in zip(got.frames[:, 0].transpose(0, 2, 3, 1).astype(np.int16), expected, strict=True):
        near = range(max(0, index - 3), min(len(pixels), index + 4))
        differs = {other: np.abs(step - pixels[other].astype(np.int16)).mean() for other in near}
        assert differs[index] < 2.0
        assert differs[index] == min(differs.values())


@pytest.mark.realdata
@pytest.mark.light
def test_every_frame_of_real_ucf101_files_is_that_of_ffmpeg(mirror: Path) -> None:
    """By ffmpeg's own program where it is installed, and else by all frames in the order that the decoder gives."""
    paths = sorted(mirror.rglob("testing video samples/*.avi"))
    assert len(paths) == 55
    for path in paths:
        digests: list[str] = []

        def note(rgb: np.ndarray, to: list[str] = digests) -> np.ndarray:
            to.append(hashlib.md5(rgb.tobytes()).hexdigest())
            return np.zeros((3, 1, 1), np.uint8)

        # More often than there are frames: each one is then shown, and prepared once.
        assert read_steps(ClipSource("clip", str(path)), Sampling(100.0, 10_000), note).flags == ()
        assert (path.name, digests) == (path.name, _all_frames(path))
        assert ProbeFile()(str(path)).seconds in (len(digests) / 25, len(digests) * 1001 / 30_000)


def _all_frames(path: Path) -> list[str]:
    """Return the md5 of the pixels (H, W, 3) of each frame of a file."""
    if shutil.which("ffmpeg"):
        words = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough",
                 "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]  # fmt: skip
        pixels = subprocess.check_output(words)
        size = 320 * 240 * 3
        return [hashlib.md5(pixels[at : at + size]).hexdigest() for at in range(0, len(pixels), size)]
    with av.open(str(path)) as container:
        frames = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        return [hashlib.md5(frame.tobytes()).hexdigest() for frame in frames]


@pytest.mark.realdata
def test_the_real_corrupt_file_gives_what_it_holds_and_says_so(mirror: Path) -> None:
    path = next(mirror.rglob("corrupted.mp4"))
    got = read_steps(ClipSource("clip", str(path)), Sampling(), KeepFrame())
    assert got.frames.shape == (5, 1, 3, 48, 64)
    assert any("cannot be decoded" in flag for flag in got.flags)


@pytest.mark.parametrize(
    "text", ["ffconcat version 1.0\nfile 'other.mp4'\n", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nother.mp4\n"]
)
def test_a_list_of_other_files_is_not_a_video(tmp_path: Path, text: str) -> None:
    """A text file called .mp4 would stand for another clip in its folder."""
    write_video(tmp_path / "other.mp4", 5)
    (tmp_path / "list.mp4").write_text(text)
    with pytest.raises(VideoError, match=r"other files|cannot be decoded"):
        read_steps(ClipSource("list", str(tmp_path / "list.mp4")), Sampling(1.0, 1), KeepFrame())
    assert ProbeFile()(str(tmp_path / "list.mp4")).problem is not None


def test_a_name_that_is_not_utf8_or_no_name_at_all(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/bad\xe9.mp4")
    shutil.copy(write_video(tmp_path / "one.mp4", 5), path)
    assert len(read_steps(ClipSource("a", path), Sampling(1.0, 1), KeepFrame()).frames) == 1
    for name in ("nul\0.mp4", "x" * 300 + ".mp4"):
        assert decode_clip(ClipSource("a", name), Sampling(1.0, 1), KeepFrame()).failure is not None
