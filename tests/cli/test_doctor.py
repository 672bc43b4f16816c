"""What `zsarbench doctor` reports, on machines that lack something too."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from zsarbench import __version__
from zsarbench.cli.main import Session, cli
from zsarbench.plugins import load_plugins


def report() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(CliRunner().invoke(cli, ["doctor", "--json"], catch_exceptions=False).stdout)
    return content


def test_the_cores_are_counted_on_a_platform_without_affinities(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS and Windows have no `os.sched_getaffinity`."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert report()["cores"] == os.cpu_count()


def test_a_machine_without_torch_is_reported_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "zsarbench.utils.compute", raising=False)
    content = report()
    assert "torch" in content["devices"][0]
    assert content["bfloat16"].startswith("unknown: ")
    assert content["decoder"] == "ok"


# --- without torch ----------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without torch and with two packages in its requirements, whose cache is returned."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "zsarbench.utils.compute", raising=False)
    listed = [
        "click>=8",
        "no_such.package[x]>=1; extra == 'clip'",
        "pytest; extra == 'tests'",
        "click; extra == 'xlsx'",
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: listed)
    for name in [name for name in os.environ if name.startswith("ZSARBENCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def doctor(*words: str, plugins: dict[str, Any]) -> Result:
    session = Session((), load_plugins(loaders=plugins))
    return CliRunner().invoke(cli, ["doctor", *words], obj={"session": session}, catch_exceptions=False)


def broken() -> None:
    raise ImportError("it lacks a part")


def test_a_sound_machine_ends_with_0_and_says_all_in_words(machine: Path) -> None:
    for folder, size in (("features", 1_260_000), ("downloads", 40_000)):
        (machine / folder / "deep").mkdir(parents=True)
        (machine / folder / "deep" / "file").write_bytes(b"0" * size)
    (machine / "loose").write_bytes(b"0" * 10**6)
    done = doctor(plugins={})
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert f"zsarbench: {__version__}" in lines
    at = lines.index("packages:")
    assert lines[at + 1].startswith("  click: 8.")
    assert lines[at + 2] == "  no_such.package: not installed"
    assert lines[at + 3].startswith("devices: none: ")
    for text in ("failed_plugins: none", "decoder: ok", f"  folder: {machine}", f"  ZSARBENCH_CACHE: {machine}"):
        assert text in lines
    assert "  megabytes: downloads 0.0, features 1.3" in lines


def test_what_failed_to_load_is_named_and_ends_with_1(machine: Path) -> None:
    done = doctor(plugins={"broken": broken})
    assert done.exit_code == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  broken: ")]
    assert "reason " in line
    assert "it lacks a part" in line
    content = json.loads(doctor("--json", plugins={"broken": broken}).stdout)
    assert "it lacks a part" in content["failed_plugins"]["broken"]["reason"]
    assert content["cache"] == {"folder": str(machine), "megabytes": {}}


class Levels:
    """Stands for the module `av`, whose decoder returns frames of these grey levels."""

    def __init__(self, *levels: int) -> None:
        self.levels = levels
        self.VideoFrame = self

    def open(self, path: str, mode: str = "r") -> Levels:
        return self

    def __enter__(self) -> Levels:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add_stream(self, name: str, rate: int) -> Levels:
        return self

    def from_ndarray(self, values: Any, format: str) -> None:
        assert values.shape == (self.height, self.width, 3)

    def encode(self, frame: None) -> None:
        pass

    mux = encode

    def decode(self, video: int) -> list[Any]:
        frames = [np.full((2, 2, 3), level) for level in self.levels]
        return [type("Frame", (), {"to_ndarray": lambda self, format, frame=frame: frame})() for frame in frames]


@pytest.mark.parametrize(
    ("levels", "says"),
    [
        ((0, 30, 60, 90, 120, 150, 180, 215), "ok"),
        ((0, 30, 60, 90, 120, 150, 180, 216), "grey levels are off by up to 6"),
        ((0, 30, 60, 80, 120, 150, 180, 210), "grey levels are off by up to 10"),
        ((0, 30, 60, 90, 120, 150, 180), "8 frames were written, 7 were read"),
    ],
)
def test_a_decoder_that_changes_frames_is_found(
    machine: Path, monkeypatch: pytest.MonkeyPatch, levels: tuple[int, ...], says: str
) -> None:
    monkeypatch.setitem(sys.modules, "av", Levels(*levels))
    done = doctor("--json", plugins={})
    assert json.loads(done.stdout)["decoder"] == says
    assert done.exit_code == (0 if says == "ok" else 1)


@pytest.mark.parametrize(
    ("gains", "says"),
    [
        (None, "this version of torch cannot report whether the CPU is faster with it"),
        (True, "the CPU is faster with it"),
        (False, "the CPU has no instructions for it: use --dtype float32 there"),
    ],
)
def test_whether_bfloat16_is_of_use_is_said(
    machine: Path, monkeypatch: pytest.MonkeyPatch, gains: bool | None, says: str
) -> None:
    compute = types.ModuleType("compute")
    compute.gains_by_bfloat16 = lambda: gains  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "zsarbench.utils.compute", compute)
    assert json.loads(doctor("--json", plugins={}).stdout)["bfloat16"] == says


def test_a_platform_without_metadata_lists_no_package(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: None)
    assert "packages: none" in doctor(plugins={}).stdout.splitlines()
