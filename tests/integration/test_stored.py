"""Stored data record their origin, targets are checked before work, and a read-only cache serves."""

from __future__ import annotations

import importlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import small
from forked import Forked

from zsarbench import results
from zsarbench.plugins import loading
from zsarbench.results import files
from zsarbench.testing.videos import write_video

Run = small.Run


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line with the small data set, and returns what it printed."""
    points = small.entry_points()
    monkeypatch.setattr(loading, "entry_points", lambda: points)
    return small.command_line(capsys)


@pytest.fixture
def nearest(call: Run, tmp_path: Path) -> Run:
    """Return a function that measures the nearest text."""
    protocol = small.write_protocol(tmp_path)
    words = ("run", *small.NEAREST, "--refit", "--protocol", protocol)

    def run(*more: object, code: int = 0) -> str:
        out = () if "--out" in more else ("--out", tmp_path / "out")
        return call(*words, *out, *more, code=code)

    return run


def test_other_captions_of_the_same_revision_are_encoded_again(nearest: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "encoded 36 clips, 0 already stored" in nearest()
    assert "encoded 0 clips, 36 already stored" in nearest()
    original_captions = small.Small.captions
    monkeypatch.setattr(
        small.Small, "captions", lambda self: {**original_captions(self), "lifting-a-cup-0": ("somebody sits down",)}
    )
    text = nearest()
    assert "1 stored clips have another origin and are computed again, e.g. 'lifting-a-cup-0'" in text
    assert "encoded 1 clips, 35 already stored" in text


def test_another_option_of_the_data_set_is_another_set_of_features(nearest: Run) -> None:
    nearest()
    assert "encoded 36 clips, 0 already stored" in nearest("--set", "dataset.phrase=somebody is")
    assert "encoded 0 clips, 36 already stored" in nearest("--set", "dataset.phrase=somebody is")


def test_a_video_replaced_by_one_of_the_same_size_is_decoded_again(call: Run, tmp_path: Path) -> None:
    videos = [write_video(tmp_path / f"{n}.mp4", n).read_bytes() for n in (12, 25)]
    short, long = (video.ljust(max(map(len, videos)), b"\0") for video in videos)
    root = tmp_path / "videos"
    for name in ("jump/a", "sit/b"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{name}.mp4").write_bytes(short)
    words = ("features", "extract", "--dataset", "folder", "--visual", "tiny", "--data-root", f"folder={root}")

    def extract() -> str:
        return call(*words, "--threads", "1")

    assert "2 computed, 0 failed" in extract()
    path = root / "sit" / "b.mp4"
    path.write_bytes(long)
    os.utime(path, ns=(1, 1))
    text = extract()
    assert "1 already stored, 1 computed, 0 failed" in text
    assert "e.g. 'sit/b': its file has other bytes" in text
    path.write_bytes(long)  # the same bytes at another time, as a copy has them
    assert "2 already stored, 0 computed, 0 failed" in extract()
    assert "2 clips, sound" in call("features", "verify")


@pytest.mark.parametrize("verb", ["run", "sweep", "leaderboard", "plot", "report"])
@pytest.mark.parametrize("place", ["a file in its way", "a name that is too long"])
def test_a_target_that_cannot_be_written_is_found_before_the_work(
    call: Run, nearest: Run, tmp_path: Path, verb: str, place: str
) -> None:
    (tmp_path / "file").write_text("here")
    target = tmp_path / "file" / "x" if place.startswith("a file") else tmp_path / ("x" * 300)
    if verb == "run":
        text = nearest("--out", target, code=2)
    elif verb == "sweep":
        axes = ("--grid", f"protocol={small.write_protocol(tmp_path)}")
        text = call("sweep", *axes, *small.NEAREST, "--out", target, code=2)
    elif verb == "leaderboard":
        (kept := tmp_path / "kept").mkdir()
        text = call("leaderboard", "build", "--results", kept, "--out", target, code=2)
    elif verb == "report":
        text = call("data", "verify", "folder", "--report", target, code=2)
    else:
        nearest()
        (result,) = (tmp_path / "out").rglob("*.json")
        text = call("plot", "confusion", result, "--out", target, code=2)
    assert f"cannot be written to {target}" in text
    assert "Try: " in text
    assert "encoded" not in text or verb == "plot"


def test_a_result_that_cannot_be_written_in_the_end_is_kept_elsewhere(
    nearest: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "elsewhere").mkdir()
    write = files.write

    def full(result, scores, folder):
        if folder == tmp_path / "out":
            raise OSError(28, os.strerror(28))
        return write(result, scores, folder)

    monkeypatch.setattr(files, "write", full)
    text = nearest(code=1)
    assert "No space left on device" in text
    (kept,) = (tmp_path / "elsewhere").rglob("*.json")
    assert f"The result is kept: {kept}" in text
    assert results.read_scores(kept).clip_ids.size


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """Return a function that shows the cache in a folder that cannot be written."""
    shown = tmp_path / "read-only"
    shown.mkdir()
    mounts = []

    def mount() -> Path:
        for words in (["--bind", os.environ["ZSARBENCH_CACHE"]], ["-o", "remount,bind,ro"]):
            if subprocess.run(["mount", *words, shown], check=False, capture_output=True).returncode:
                pytest.skip("nothing can be mounted here")
            mounts.append(shown)
        return shown

    yield mount
    if mounts:
        subprocess.run(["umount", shown], check=True)


def test_a_cache_that_is_only_read_serves_and_says_what_it_does_not_keep(
    call: Run, nearest: Run, tmp_path: Path, read_only: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = tmp_path / "small.toml"
    train = ("run", *small.CEZSAR, "--protocol", protocol, "--out", tmp_path / "out")
    nearest()
    call(*train)
    (before,) = (tmp_path / "out").rglob("cezsar*.npz")
    monkeypatch.setenv("ZSARBENCH_CACHE", str(read_only()))
    assert "encoded 0 clips, 36 already stored" in nearest()
    assert "this fit finished after epoch 3; its weights are loaded" in call(*train, "--out", tmp_path / "other")
    assert "The fit goes on without checkpoints" in call(*train, "--refit")
    assert "no checkpoints are kept" in call(*train, "--seed", 1)
    scores = {path.read_bytes() for path in (tmp_path / "out").rglob("cezsar-" + before.name.split("-")[1] + "*.npz")}
    assert len(scores) == 1
    assert "36 clips, sound" in call("features", "verify")
    assert "36 clips" in call("features", "info")
    text = nearest("--set", "dataset.phrase=somebody is", code=2)
    assert "features of 36 clips, which are not stored yet, cannot be written to" in text
    assert "ZSARBENCH_CACHE=FOLDER" in text


@pytest.mark.parametrize(("program", "n"), [("damage", 40), ("kills", 9)])
def test_a_small_campaign_loses_nothing(program: str, n: int, tmp_path: Path) -> None:
    main = importlib.import_module(program).main
    process = Forked(tmp_path, main, ["--n", str(n), "--seed", "5"], variables={"TMPDIR": str(tmp_path)})
    assert process.wait(600) == 0, process.stdout + process.stderr
    assert "| kind | tried | handled | lost | silent | traceback | hang |" in process.stdout
