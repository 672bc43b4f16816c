"""The tables that one command measures: their files name what exists, and empty cells have a reason."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from zsarbench import results
from zsarbench.errors import UsageErrors
from zsarbench.plugins import load_plugins
from zsarbench.testing.samples import sample_result, sample_scores

ROOT = Path(__file__).parent.parent
HOST = load_plugins()
FILES = ("ucf101.toml", "sketch.toml")
GIVEN = {"out": "results", "threads": 1}


@pytest.fixture(scope="module")
def measure() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("measure", ROOT / ".ci" / "measure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["measure"] = module  # where its data classes look up their annotations
    spec.loader.exec_module(module)
    yield module
    del sys.modules["measure"]


def content(file: str) -> dict:
    return tomllib.loads((ROOT / "benchmarks" / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES)
def test_every_row_resolves_or_has_its_reason(measure: ModuleType, file: str) -> None:
    for protocol in content(file)["protocols"]:
        for row in measure.read_rows(content(file)):
            cell = measure.cell(row, protocol, GIVEN)
            assert (cell.spec is None) == bool(cell.reason)
            assert not cell.reason or "seen classes" in cell.reason or cell.reason in row.not_on.values()


@pytest.mark.parametrize("file", FILES)
def test_every_competing_method_is_named(measure: ModuleType, file: str) -> None:
    rows = measure.read_rows(content(file))
    rivals = {entry.name for entry in HOST.registry if entry.kind == "method" and entry.plugin == "rivals"}
    assert rivals <= {row.asked["method"] for row in rows}
    assert len({row.label for row in rows}) == len(rows)
    protocols = set(content(file)["protocols"])
    assert all(set(row.not_on) <= {*protocols, "everywhere"} for row in rows)


def test_a_protocol_without_seen_classes_says_so(measure: ModuleType) -> None:
    row = measure.Row("eszsl", {"method": "eszsl"}, {})
    cell = measure.cell(row, "ucf101/all", GIVEN)
    assert cell.spec is None
    assert cell.reason == "learns from seen classes, and the protocol has no seen classes"


def test_a_mistake_in_a_row_stops_before_anything_is_measured(measure: ModuleType) -> None:
    with pytest.raises(UsageErrors, match="did you mean 'eszsl'"):
        measure.cell(measure.Row("eszl", {"method": "eszl"}, {}), "ucf101/truze-v2", GIVEN)


def test_the_table_has_figures_spreads_and_reasons(measure: ModuleType, tmp_path: Path) -> None:
    scores = sample_scores(n_rounds=3, n_seeds=2)
    result = sample_result(scores, seeds=(0, 1))
    path = results.write(result, scores, tmp_path)
    there = measure.Measured("cezsar", "toy/half", path, "", False, 1.0, 1.0)
    missing = [measure.Measured(name, "toy/half", None, "needs a hub", False, 0.0, 0.0) for name in "ba"]
    lines = measure.table([*missing, there], ["cezsar", "a", "b"], ["toy/half"]).splitlines()
    value = result.summary["top1_per_video"]
    assert value.seed_std is not None
    assert value.std is not None
    assert lines == [
        "| method | toy/half |",
        "|---|---|",
        f"| cezsar | {100 * value.mean:.1f} ± {100 * value.std:.1f} (seeds ± {100 * value.seed_std:.1f}) |",
        "| a | – |",
        "| b | – |",
        "",
        "- a, b on toy/half: needs a hub",
    ]


@pytest.mark.realdata
def test_processes_measure_what_is_not_there(mirror: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.toml"
    file.write_text('protocols = ["ucf101/all"]\n[[rows]]\nmethods = ["chance", "eszsl"]\nlimit = 2\n')
    command = [sys.executable, ROOT / ".ci" / "measure.py", file, "--out", tmp_path / "out", "--jobs", "2"]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "| chance | 1.0 |\n| eszsl | – |" in done.stdout
        assert len(list((tmp_path / "out").rglob("*.json"))) == 1
