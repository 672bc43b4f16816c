"""The command line as a user meets it, with real weights, on small drawn data.

What must be the same from any process is computed by separate processes; the rest shares one, which imports torch once.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from forked import Forked

from zsarbench.cli.main import main

pytestmark = [pytest.mark.slow, pytest.mark.weights]
SMALL = [
    "--set", "dataset.clips_per_class=1", "--set", "method.max_epochs=2", "--limit", "2",
    "--set", "visual.max_steps=2", "--set", "method.d_model=64", "--set", "method.feedforward=64",
]  # fmt: skip
CHANCE = [*SMALL[:2], *SMALL[4:6]]  # a method without parts or options


def environment(cache: Path) -> dict[str, str]:
    return os.environ | {"ZSARBENCH_CACHE": str(cache), "NO_COLOR": "1", "COLUMNS": "100"}


class Done(NamedTuple):
    """What a command printed."""

    stdout: str
    stderr: str


def started(*arguments: str, cache: Path) -> Forked:
    """Start a command in a process of its own."""
    return Forked(cache / "printed", main, list(arguments), variables=environment(cache))


def alone(*arguments: str, cache: Path) -> Done:
    """Run a command that must succeed, in a process of its own."""
    process = started(*arguments, cache=cache)
    assert process.wait() == 0, f"{process.stdout}\n{process.stderr}"
    assert "Traceback" not in process.stderr
    return Done(process.stdout, process.stderr)


def zsarbench(*arguments: str, cache: Path, expect: int = 0) -> Done:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        for name, value in environment(cache).items():
            patched.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
    done = Done(out.getvalue(), err.getvalue())
    assert ended.value.code == expect, f"exit {ended.value.code}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


def cezsar(folder: Path, cache: Path, *more: str, run: Callable[..., Done] = zsarbench) -> dict[str, Any]:
    """Run on the small data; the result, with what was logged, the bytes of its scores and its folder."""
    done = run("run", "--method", "cezsar", *SMALL, "--out", str(folder), "--json", *more, cache=cache)
    result: dict[str, Any] = json.loads(done.stdout)
    result["log"] = done.stderr
    result["scores"] = next(folder.rglob(result["predictions"]["file"])).read_bytes()
    result["out"] = folder
    return result


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which one small run was finished."""
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture(scope="module")
def first(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of that run, from an empty cache."""
    return cezsar(tmp_path_factory.mktemp("out"), drawn, run=alone)


def test_the_result_is_what_the_design_says(first: dict[str, Any]) -> None:
    assert first["schema"] == 1
    assert first["protocol"]["name"] == "sketch/compositional"
    assert first["parts"]["visual"]["name"] == "efficientnet-lite0"
    assert len(first["parts"]["visual"]["fingerprint"]["weights_sha256"]) == 64
    assert first["parts"]["text"]["parameters"] > 20e6
    assert first["method"]["record"]["fits"][0]["negatives"]["acceptance_rate"] > 0
    for item in first["rounds"]:
        assert item["n_expected"] == item["n_scored"] == item["n_classes"]
        assert item["n_failed"] == 0
    for metric in ("top1_per_video", "top1_per_class", "top5_per_video"):
        assert {"mean", "std", "std_kind", "ci95"} <= set(first["summary"][metric])


def test_another_seed_gives_other_bytes(first: dict[str, Any], drawn: Path, tmp_path: Path) -> None:
    other = cezsar(tmp_path, drawn, "--seed", "1")
    assert other["scores"] != first["scores"]
    assert other["spec_id"] != first["spec_id"]


def test_no_clip_is_decoded_twice(first: dict[str, Any], drawn: Path, tmp_path: Path) -> None:
    again = cezsar(tmp_path, drawn)
    assert "decoded 81 clips" in first["log"]
    assert "decoded 0 clips, 81 already stored" in again["log"]
    assert again["scores"] == first["scores"]


@pytest.fixture(scope="module")
def killed(first: dict[str, Any], one_clip_per_class: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same spec from a cache of clips alone: SIGKILL in extraction, SIGKILL in training, then the same again."""
    folder = tmp_path_factory.mktemp("killed")
    arguments = ["run", "--method", "cezsar", *SMALL, "--out", str(folder / "killed")]
    cache = folder / "cache"
    shutil.copytree(one_clip_per_class, cache)  # the other run drew its clips itself

    def kill_when(pattern: str) -> None:
        process = started(*arguments, cache=cache)
        deadline = time.monotonic() + 300
        while not list(cache.glob(pattern)) and process.code is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.code is None, "the run ended before it could be killed"
        process.kill()

    kill_when("features/*lite0*/shards/*.safetensors")
    kill_when("checkpoints/*/fit/*.json")
    return cezsar(folder / "done", cache, run=alone)


def test_the_same_spec_from_another_cache_gives_the_same_bytes(first: dict[str, Any], killed: dict[str, Any]) -> None:
    assert killed["scores"] == first["scores"]
    assert killed["spec_id"] == first["spec_id"]


def test_a_killed_run_is_finished_by_the_next_with_the_same_bytes(
    first: dict[str, Any], killed: dict[str, Any]
) -> None:
    assert killed["scores"] == first["scores"]
    assert "resuming at epoch" in killed["log"] or "this fit finished" in killed["log"]


def test_mistakes_are_reported_at_once_without_a_traceback(tmp_path: Path) -> None:
    done = zsarbench(
        "run", "--method", "cezzar", "--protocol", "ucf101/truze-v9", "--visual", "captoins", "--set", "los.margin=1",
        cache=tmp_path, expect=2,
    )  # fmt: skip
    for nearest in ("'cezsar'", "'ucf101/truze-v", "'captions'", "'loss'"):
        assert f"did you mean {nearest}" in done.stderr
    assert done.stdout == ""


def test_the_plan_says_what_a_run_would_cost_and_does_nothing(
    drawn: Path, first: dict[str, Any], tmp_path: Path
) -> None:
    done = zsarbench("run", "--method", "cezsar", *SMALL, "--plan", "--json", "--out", str(tmp_path), cache=drawn)
    plan = json.loads(done.stdout)
    assert plan["clips"] == 81
    assert plan["clips_to_extract"] == 0
    assert list(tmp_path.iterdir()) == []


def test_results_are_compared_and_paired(first: dict[str, Any], drawn: Path, tmp_path: Path) -> None:
    zsarbench("run", "--method", "chance", *CHANCE, "--out", str(tmp_path), cache=drawn)
    both = str(first["out"]), str(tmp_path)
    done = zsarbench("compare", *both, "--paired", cache=drawn)
    assert "cezsar" in done.stdout
    assert "chance" in done.stdout
    assert "difference in top1_per_video" in done.stdout
    for reporter in ("markdown", "csv", "latex", "json"):
        assert "cezsar" in zsarbench("compare", *both, "--format", reporter, cache=drawn).stdout


BROKEN = """
name = "toy/broken"
version = 1
dataset = "folder"
setting = "zsl"
summary = "Two classes, four files of which nothing can be read."
source = "made for a test"
[parts]
visual = "efficientnet-lite0"
text = "hashed-words"
[[rounds]]
candidates = ["dog", "cat"]
"""


def test_unreadable_files_count_as_wrong_and_are_listed(drawn: Path, first: dict[str, Any], tmp_path: Path) -> None:
    good = sorted(drawn.rglob("*.mp4"))
    rows = ["clip,label"]
    for number in range(4):
        (tmp_path / f"good{number}.mp4").write_bytes(good[number].read_bytes())
        rows.append(f"good{number}.mp4,{'dog' if number % 2 else 'cat'}")
    (tmp_path / "corrupt.mp4").write_bytes(b"\x00\x01zsar" * 500)
    (tmp_path / "empty.mp4").write_bytes(b"")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.rate = 8000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    rows += [f"{name}.mp4,dog" for name in ("corrupt", "empty", "sound", "missing")]
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "broken.toml").write_text(BROKEN)
    arguments = [
        "run", "--method", "objects2action", "--protocol", str(tmp_path / "broken.toml"),
        "--out", str(tmp_path / "out"), "--data-root", f"folder={tmp_path}",
        "--set", f"dataset.annotations={tmp_path / 'list.csv'}", "--partial", "--json",
    ]  # fmt: skip
    result = json.loads(zsarbench(*arguments, cache=drawn).stdout)
    (item,) = result["rounds"]
    assert (item["n_expected"], item["n_scored"], item["n_failed"]) == (8, 4, 4)
    reasons = {failure["clip_id"]: failure["reason"] for failure in result["failures"]}
    assert set(reasons) == {"corrupt", "empty", "sound", "missing"}
    assert "missing" in reasons["missing"]
    assert "empty" in reasons["empty"]
    assert "no video" in reasons["sound"]
    done = zsarbench(*arguments, "--strict", cache=drawn, expect=1)
    assert "without --strict they count as wrong" in done.stderr


def test_doctor_finds_nothing_wrong(tmp_path: Path) -> None:
    content = json.loads(zsarbench("doctor", "--json", cache=tmp_path).stdout)
    assert content["decoder"] == "ok"
    assert content["failed_plugins"] == {}
