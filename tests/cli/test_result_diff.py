"""`zsarbench result diff` and `show`: what changed from one result to another, and what one holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError


def result_verb(*words: str | Path) -> str:
    return CliRunner().invoke(cli, ["result", *map(str, words)], catch_exceptions=False).stdout


def test_two_results_differ_in_settings_figures_and_predictions(tmp_path: Path) -> None:
    weak, strong = sample_scores(skill=0.5), sample_scores(skill=3.0)
    old = results.write(sample_result(weak), weak, tmp_path)
    new = results.write(sample_result(strong, options={"margin": 0.5}), strong, tmp_path)
    lines = json.loads(result_verb("diff", old, new, "--json"))["differences"]
    assert "method.options.margin: – -> 0.5" in lines
    moved = f"{100 * results.read(old).summary['top1_per_video'].mean:.2f}"
    assert any(line.startswith(f"top1_per_video {moved} [") for line in lines)
    assert any(line.startswith("of 48 predictions ") and "right in the second alone" in line for line in lines)
    assert "48 predictions are right and wrong alike" in result_verb("diff", old, old)


def test_two_folders_differ_in_rows(tmp_path: Path) -> None:
    weak, strong = sample_scores(skill=0.5), sample_scores(skill=3.0)
    for folder in ("old", "new"):
        results.write(sample_result(weak, "conse"), weak, tmp_path / folder)
    assert result_verb("diff", tmp_path / "old", tmp_path / "new") == "no difference\n"
    results.write(sample_result(strong, "sae"), strong, tmp_path / "new")
    added = result_verb("diff", tmp_path / "old", tmp_path / "new").splitlines()
    assert added[0] == "toy/half"
    assert any(line.startswith("+ rank 1: sae ") for line in added)
    assert any(
        line.startswith("- rank 1: sae ")
        for line in result_verb("diff", tmp_path / "new", tmp_path / "old").splitlines()
    )
    with pytest.raises(UsageError, match="a file and a folder"):
        result_verb("diff", tmp_path, next((tmp_path / "new").rglob("*.json")))
    with pytest.raises(UsageError, match="does not exist"):
        result_verb("diff", tmp_path, tmp_path / "none")


def test_a_result_is_shown_with_its_calibration(tmp_path: Path) -> None:
    scores = sample_scores(skill=2.0)
    path = results.write(sample_result(scores, "cezsar"), scores, tmp_path)
    shown = result_verb("show", path)
    assert shown.startswith("cezsar (minilm-l6 / captions) on toy/half\n")
    assert "  expected calibration error: " in shown
    assert "after temperature scaling" in shown
    content = json.loads(result_verb("show", path, "--json"))
    kept = content["calibration"]["accuracy_at"]
    assert kept["1.0"] == pytest.approx(content["summary"]["top1_per_video"]["mean"])
    assert kept["0.2"] > kept["1.0"]
    path.with_suffix(".npz").unlink()
    assert "calibration: none, scores file" in result_verb("show", path)
