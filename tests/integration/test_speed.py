"""The speed benchmarks run, at sizes of seconds; their timings are not checked."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator

import pytest
import torch

from locations import ROOT

pytestmark = pytest.mark.slow
SPEED = ROOT / "benchmarks" / "speed"
TINY = {
    "extraction": ("--clips 2 --plain-clips 1 --dtypes float32 --repeats 1", "times the plain pipeline"),
    "extraction_gpu": ("--clips 2 --model test_resnet --dtypes float32 --repeats 1 --device cpu", "of the limit"),
    "extraction_memory": ("--sizes 2 4", "growth"),
    "feature_store": ("--clips 256 --entries 300 --batches 2 --repeats 1", "the same bytes"),
    "leaderboard": ("--sizes 4 --no-browser", "results: built in"),
    "negatives": ("--positives 400 --loop-anchors 2 --repeats 1 --draws shared", "ratio"),
    "training": ("--windows 16 --batches 6 --batch-size 2 --repeats 1", "from the store"),
    "training_reads": ("--windows 8 --batch-size 4 --workers 1 --repeats 1", "for the same seed: True"),
}
"""Arguments of each, and what its output says in the end."""


@pytest.fixture
def _process_settings() -> Iterator[None]:
    """Put back what a program sets for its process and for those that it starts."""
    n_threads, variables = torch.get_num_threads(), dict(os.environ)
    yield
    torch.set_num_threads(n_threads)
    os.environ.clear()
    os.environ.update(variables)


@pytest.mark.usefixtures("_process_settings")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.weights] if name == "extraction" else []) for name in TINY]
)
def test_it_runs(name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    arguments, expected = TINY[name]
    monkeypatch.syspath_prepend(SPEED)  # where the processes that a program starts find it too
    code = importlib.import_module(name).main(arguments.split())
    assert code in (0, 1)  # 1: a goal is missed, as it may be at these sizes
    output = capfd.readouterr()
    assert "Traceback" not in output.err, output.err  # of a process that it started
    if "no ffmpeg on the path" not in output.out:
        assert expected in output.out


def test_every_benchmark_is_run() -> None:
    assert {path.stem for path in SPEED.glob("*.py")} == set(TINY)
