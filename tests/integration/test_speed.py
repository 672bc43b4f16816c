"""The speed benchmarks run, at sizes of seconds; what they time is not looked at."""

from __future__ import annotations

import subprocess
import sys

import pytest

from locations import ROOT

pytestmark = pytest.mark.slow
SPEED = ROOT / "benchmarks" / "speed"
TINY = {
    "extraction": ("--clips 2 --plain-clips 1 --dtypes float32 --repeats 1", "times the plain pipeline"),
    "extraction_gpu": ("--clips 2 --model test_resnet --dtypes float32 --repeats 1 --device cpu", "of the limit"),
    "extraction_memory": ("--sizes 2 4", "growth"),
    "feature_store": ("--clips 256 --entries 300 --batches 2 --repeats 1", "the same bytes"),
    "negatives": ("--positives 2000 --loop-anchors 2 --repeats 1", "ratio"),
    "training": ("--windows 16 --batches 6 --batch-size 2 --repeats 1", "from the store"),
    "training_reads": ("--windows 8 --batch-size 4 --workers 1 --repeats 1", "for the same seed: True"),
}
"""Arguments of each, and what its output says in the end."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.weights] if name == "extraction" else []) for name in TINY]
)
def test_it_runs(name: str) -> None:
    arguments, told = TINY[name]
    script = [sys.executable, SPEED / f"{name}.py", *arguments.split()]
    done = subprocess.run(script, capture_output=True, text=True, timeout=800)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stderr  # 1: a goal is missed, as it may be at these sizes
    if "no ffmpeg on the path" not in done.stdout:
        assert told in done.stdout


def test_every_benchmark_is_run() -> None:
    assert {path.stem for path in SPEED.glob("*.py")} == set(TINY)
