"""The command that measures a table: what waits for which features, and what is not measured again."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from locations import ROOT

SCRIPT = ROOT / ".ci" / "measure.py"
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


CAPTIONS = {"visual": "captions", "text": "minilm-l6"}


def test_rows_read_the_same_where_visual_part_text_part_and_data_are_the_same(
    measure: ModuleType, tmp_path: Path
) -> None:
    def reads(method: str, *, why_not: str = "", **asked: object) -> tuple[str, str]:
        row = measure.Row(method, {"method": method, **asked}, {"everywhere": why_not} if why_not else {})
        found: tuple[str, str] = measure.reads((row, "sketch/compositional", {"out": str(tmp_path), "threads": 1}))
        return found

    assert reads("chance") == reads("conse", why_not="needs the videos", **CAPTIONS) == ("", "")
    plain = reads("nearest-text", **CAPTIONS)
    assert plain.features
    assert not plain.documents
    assert reads("sae", seeds=3, **CAPTIONS) == reads("nearest-text", class_text="name", **CAPTIONS) == plain
    assert reads("nearest-text", settings=["visual.join=true"], **CAPTIONS) != plain
    told = reads("zsarcap", class_text="documents", **CAPTIONS)
    assert told.features == plain.features
    assert told.documents
    assert told == reads("nearest-text", class_text="documents", **CAPTIONS)


@pytest.mark.parametrize(
    ("running", "stored", "free"),
    [
        ([], "", 0),
        (["a"], "", 2),  # the first of those that read a makes its features
        (["a"], "a", 0),
        (["a", "b"], "", 3),
        (["a", "b"], "b", 2),
        (["b d"], "b", 0),
        (["b d", "a"], "b", 3),  # documents are never encoded twice at a time
        (["a", "b", "c"], "", None),
    ],
)
def test_rows_wait_for_what_a_running_one_encodes(
    running: list[str], stored: str, free: int | None, measure: ModuleType
) -> None:
    def reading(told: str) -> object:
        features, _, documents = told.partition(" ")
        return measure.Reads(features, documents)

    left = [((), reading(told)) for told in ("a", "a", "b d", "c")]
    assert measure.next_free(left, [reading(told) for told in running], {"", stored}) == free


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
