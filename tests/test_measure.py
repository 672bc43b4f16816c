"""The command that measures a table: what waits for which features, and what is not measured again."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "measure.py"
TABLE = """
protocols = ["sketch/compositional"]

[[rows]]
methods = ["chance"]

[[rows]]
methods = ["zsarcap"]
[rows.not_on]
everywhere = "needs captions"
"""


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("measure", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["measure"] = module  # dataclasses look there for the module of their class
    spec.loader.exec_module(module)
    return module


def test_rows_wait_for_each_other_only_where_they_read_the_same_features(measure: ModuleType, tmp_path: Path) -> None:
    captions = {"visual": "captions", "text": "minilm-l6"}

    def reads(method: str, *, why_not: str = "", **asked: object) -> str:
        row = measure.Row(method, {"method": method, **asked}, {"everywhere": why_not} if why_not else {})
        return measure.reads((row, "sketch/compositional", {"out": str(tmp_path), "threads": 1}))

    assert reads("chance") == ""
    assert reads("conse", why_not="needs the videos", **captions) == ""
    assert reads("nearest-text", **captions) == reads("sae", seeds=3, **captions) != ""
    assert reads("nearest-text", class_text="name", **captions) == reads("nearest-text", **captions)
    assert reads("nearest-text", settings=["visual.join=true"], **captions) != reads("nearest-text", **captions)


def test_a_table_typed_again_measures_nothing(
    measure: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "table.toml").write_text(TABLE)
    asked = [str(tmp_path / "table.toml"), "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert measure.main(asked) == 0
    first, made = capsys.readouterr().out, sorted((tmp_path / "out").rglob("*.json"))
    assert len(made) == 1
    assert "- zsarcap on sketch/compositional: needs captions" in first
    assert measure.main(asked) == 0
    assert capsys.readouterr().out == first
    assert sorted((tmp_path / "out").rglob("*.json")) == made
