"""A sweep in several processes: what waits for which features, the same results, and processes that end in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.harness import sweep
from zsarbench.harness.jobs import Needs, needs, next_free
from zsarbench.harness.spec import RunRequest
from zsarbench.harness.sweep import Cell
from zsarbench.plugins import load_plugins

CAPTIONS = {"visual": "captions", "text": "minilm-l6"}
HEAD = """
protocols = ["sketch/compositional"]

[[rows]]
methods = ["chance"]
settings = ["dataset.clips_per_class=1"]
"""
ROWS = """
[[rows]]
methods = ["nearest-text", "e2e"]
visual = "captions"
text = "hashed-words"
settings = ["dataset.clips_per_class=1"]
"""
REPEATED = """
[[rows]]
methods = ["chance"]
label = "once more"
settings = ["dataset.clips_per_class=1"]
"""
PROGRAM = """
import signal
from zsarbench.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started the tests in the background
main()
"""
ENDLESS = """
[[rows]]
methods = ["e2e"]
visual = "captions"
text = "hashed-words"
settings = ["dataset.clips_per_class=1", "method.epochs=100000000"]
"""


def test_runs_need_the_same_where_visual_part_text_part_and_data_are_the_same() -> None:
    host = load_plugins()

    def found(method: str, *, why_not: str = "", **arguments: object) -> tuple[str, str]:
        request = RunRequest(method, **arguments)  # type: ignore[arg-type]
        cell = Cell(label=method, title=method, request=request, reason=why_not)
        [resolved] = sweep.resolved([cell], host) if not why_not else [cell]
        return needs(resolved)[:2]

    assert found("chance") == found("conse", why_not="needs the videos", **CAPTIONS) == ("", "")
    plain = found("nearest-text", **CAPTIONS)
    assert plain[0]
    assert not plain[1]
    assert found("sae", seeds=3, **CAPTIONS) == found("nearest-text", class_text="name", **CAPTIONS) == plain
    assert found("nearest-text", settings=["visual.join=true"], **CAPTIONS) != plain
    documents = found("zsarcap", class_text="documents", **CAPTIONS)
    assert documents[0] == plain[0]
    assert documents[1]
    assert documents == found("nearest-text", class_text="documents", **CAPTIONS)


@pytest.mark.parametrize(
    ("running", "stored", "free"),
    [
        ([], "", 0),
        (["a"], "", 2),  # the first of those that read a extracts its features
        (["a"], "a", 0),
        (["a", "b"], "", 3),
        (["a", "b"], "b", 2),
        (["b d"], "b", 0),
        (["b d", "a"], "b", 3),  # documents are never encoded twice at a time
        (["a", "b", "c"], "", 4),
        (["a", "b", "c", "- - r"], "", None),  # a spec that is being measured is not measured twice
    ],
)
def test_runs_wait_for_what_a_running_one_encodes(running: list[str], stored: str, free: int | None) -> None:
    def reading(text: str) -> Needs:
        return Needs(*(word.replace("-", "") for word in text.split()))

    waiting = [reading(text) for text in ("a", "a", "b d", "c", "- - r")]
    assert next_free(waiting, [reading(text) for text in running], {"", stored}) == free


def hashes(folder: Path) -> dict[str, str]:
    """Return the sha256 of the predictions of all results under a folder by spec."""
    found = [results.read(path) for path in results.find(folder)]
    return {result.spec_id: result.predictions.sha256 for result in found if result.predictions is not None}


@pytest.mark.usefixtures("drawn_sketch")
def test_several_processes_measure_what_one_does(tmp_path: Path) -> None:
    (tmp_path / "rows.toml").write_text(HEAD + ROWS + REPEATED, encoding="utf-8")
    words = ["sweep", "--file", str(tmp_path / "rows.toml"), "--threads", "1", "--seeds", "1"]
    one = CliRunner().invoke(cli, [*words, "--out", str(tmp_path / "one")], obj={})
    two = CliRunner().invoke(cli, [*words, "--out", str(tmp_path / "two"), "--jobs", "2"], obj={})
    assert one.exit_code == two.exit_code == 0, one.output + two.output
    assert one.stdout == two.stdout
    assert len(hashes(tmp_path / "one")) == 3
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    again = CliRunner().invoke(cli, [*words, "--out", str(tmp_path / "two"), "--jobs", "2"], obj={})
    assert again.stdout == two.stdout
    assert all(f": {path} (" in again.stderr for path in results.find(tmp_path / "two"))
    assert len(results.find(tmp_path / "two")) == 3
    assert again.stderr.count("(0.0 s)") == 4
    (known,) = [line for line in two.stderr.splitlines() if " of 4: chance once more" in line]
    assert known.endswith(" (0.0 s)"), "what another row has measured is not measured again"


@pytest.mark.usefixtures("drawn_sketch")
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_an_interrupted_sweep_keeps_what_was_measured_and_leaves_no_process(
    sent: signal.Signals, code: int, tmp_path: Path
) -> None:
    with interruptible(tmp_path) as (process, workers):
        process.send_signal(sent)
        process.communicate(timeout=300)
    assert process.returncode == code
    log = (tmp_path / "log").read_text()
    assert ("what was finished is kept" in log) == (sent != signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    [path] = results.find(tmp_path / "out")
    assert results.read(path).method.name == "chance"


@pytest.mark.usefixtures("drawn_sketch")
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_a_process_that_is_killed_fails_its_run_alone(tmp_path: Path) -> None:
    with interruptible(tmp_path) as (process, workers):
        wait_until(lambda: "1 of 2: chance" in (tmp_path / "log").read_text())  # its process has reported it
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        table, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "| chance | 3.7" in table
    assert "- e2e on sketch/compositional: its process ended with exit code -9; if memory ran out" in table


@contextmanager
def interruptible(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Start a sweep of two rows, of which one is measured and the other never ends, and yield it with its processes.

    What it logs is in the file `log` of the folder.
    """
    rows, out = folder / "rows.toml", folder / "out"
    rows.write_text(HEAD + ENDLESS, encoding="utf-8")
    program = [sys.executable, "-c", PROGRAM]
    words = ["sweep", "--file", rows, "--out", out, "--jobs", "2"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([*program, *words], stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            wait_until(lambda: len(results.find(out)) == 1 and len(children(process.pid)) == 2)
            yield process, children(process.pid)
        finally:
            process.kill()


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, at most five minutes."""
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
