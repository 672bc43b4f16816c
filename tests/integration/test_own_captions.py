"""A run reads captions of the user's own for any data set, and its result says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import small

import zsarbench
from zsarbench import results
from zsarbench.errors import UsageErrors
from zsarbench.plugins import loading
from zsarbench.results import RunResult


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    points = small.entry_points()
    monkeypatch.setattr(loading, "entry_points", lambda: points)


def measured(folder: Path, *captions: str) -> RunResult:
    return zsarbench.run(
        "nearest-text", protocol=str(small.write_protocol(folder)), visual="captions", text="toy", threads=1,
        captions=captions, out=str(folder / "out"),
    )  # fmt: skip


def scores(result: RunResult) -> bytes:
    assert result.path is not None
    return results.scores_file(result.path, result).read_bytes()


def test_captions_enter_revision_scores_spec_and_command(tmp_path: Path) -> None:
    captions = {name: f"somebody is {name.rpartition('-')[0]}" for name in small.Small().manifest()["clip_id"]}
    (tmp_path / "own.json").write_text(json.dumps(captions), encoding="utf-8")
    rows = "".join(f"{name}.mp4,{text}\n" for name, text in captions.items())
    (tmp_path / "own.csv").write_text(f"clip,caption\n{rows}", encoding="utf-8")
    plain, by_json = measured(tmp_path), measured(tmp_path, f"small={tmp_path / 'own.json'}")
    by_csv = measured(tmp_path, f"small={tmp_path / 'own.csv'}")
    assert by_json.dataset.revision.startswith(f"{plain.dataset.revision}+captions-")
    assert by_json.spec_id != plain.spec_id
    assert "captions" not in plain.spec
    assert scores(by_json) != scores(plain)
    assert scores(by_csv) == scores(by_json)
    assert "--captions small=" in by_json.command
    assert any("captions of the user's own for small" in str(flag) for flag in by_json.flags)
    assert by_json.contamination is not None
    assert "captions of small" in {str(one) for one in by_json.contamination.unknown}


def test_captions_of_what_is_not_read_are_refused_with_all_other_mistakes(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("clip,caption\nx,y\n", encoding="utf-8")
    with pytest.raises(UsageErrors) as error:
        measured(tmp_path, "small", f"smal={tmp_path / 'own.csv'}", f"small={tmp_path / 'gone.csv'}")
    text = str(error.value)
    assert "--captions small is not of the form DATASET=FILE" in text
    assert "did you mean 'small'" in text
    assert "gone.csv" in text
    with pytest.raises(UsageErrors, match="data set 'sketch' is not read here, but small"):
        measured(tmp_path, f"sketch={tmp_path / 'own.csv'}")
