"""A result in words: what was measured, its figures, and how sure the method is, or why that is not known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.evaluation.calibration import SAME_MARGIN
from zsarbench.evaluation.compact import compacted
from zsarbench.evaluation.scores import Scores
from zsarbench.plugins.distributions import Distribution
from zsarbench.reports.description import NO_SCORES, describe, lines_of
from zsarbench.results import Flag


def described(folder: Path, scores: Scores, **about: Any) -> dict[str, Any]:
    """Write the result of scores, and return its description."""
    return describe(results.write(sample_result(scores, **about), scores, folder))


def test_what_was_measured_is_told(tmp_path: Path) -> None:
    code = (Distribution("my-plugin", "1.0", ("mine",), None, None), Distribution("other", "2.0", ("o",), None, None))
    scores = sample_scores(n_rounds=3, n_seeds=2, unread=[0])
    found = described(
        tmp_path,
        scores,
        seeds=(0, 1),
        flags=(Flag("remark", "a remark"),),
        control="shuffle-labels",
        distributions=code,
    )  # fmt: skip
    n_clips = sum(len(item.clips) for item in scores.rounds[:3])
    assert found["clips"] == {"n_expected": n_clips, "n_scored": n_clips - 3}  # one clip in every round
    assert (found["rounds"], found["seeds"]) == ("3 rounds", 2)
    assert list(found["parts"].items()) == [("text", "minilm-l6"), ("visual", "captions")]
    lines = list(lines_of(found))
    assert lines[0] == "cezsar (minilm-l6 / captions) on toy/half"
    assert lines[1:9] == [
        "  plugin: baselines",
        "  train on: seen",
        "  class text: sentence",
        f"  protocol hash: {'0123456789abcdef' * 4}",
        f"  dataset: toy, revision {'feedbeef' * 8}",
        "  rounds: 3 rounds",
        "  seeds: 2",
        f"  scored: {n_clips - 3}/{n_clips} clips",
    ]
    assert "  note: not ranked: control run, shuffle-labels" in lines
    assert "  note: a remark" in lines
    assert lines[-3:-1] == ["  code: my-plugin 1.0, other 2.0", "  measured: 2026-03-01T10:00:00Z"]
    assert lines[-1].startswith("  command: zsarbench run")


def test_rounds_that_repeat_another_are_not_distinct(tmp_path: Path) -> None:
    scores = sample_scores(n_rounds=3)
    first, *others = sample_result(scores).rounds
    rounds = (first, dataclasses.replace(others[0], duplicate_of=0), others[1])
    path = results.write(sample_result(scores), scores, tmp_path)
    result = dataclasses.replace(results.read(path), rounds=rounds)
    whole = describe(path)
    results.rewrite(result, path)
    found = describe(path)
    assert found["rounds"] == "3 rounds, 2 distinct"
    assert found["calibration"]["area"] != whole["calibration"]["area"]  # a mean over distinct rounds


SUMMARY = {"mean": 0.5, "std": 0.021, "ci95": (0.4, 0.6), "chance": 0.25}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "  top-1/video: 50.0 ± 2.1 [40.0, 60.0], chance 25.0"),
        ({"std": None}, "  top-1/video: 50.0 [40.0, 60.0], chance 25.0"),
        ({"ci95": None}, "  top-1/video: 50.0 ± 2.1, chance 25.0"),
        ({"chance": None}, "  top-1/video: 50.0 ± 2.1 [40.0, 60.0]"),
        ({"std": 0.0, "chance": 0.0}, "  top-1/video: 50.0 ± 0.0 [40.0, 60.0], chance 0.0"),
    ],
)
def test_figures_are_in_percent_with_what_is_known_of_them(tmp_path: Path, fields: dict[str, Any], line: str) -> None:
    content = described(tmp_path, sample_scores()) | {"summary": {"top1_per_video": SUMMARY | fields}}
    assert next(one for one in lines_of(content) if one.startswith("  top-")) == line


def test_metrics_stand_in_the_order_of_results_and_a_result_without_parts_says_so(tmp_path: Path) -> None:
    content = described(tmp_path, sample_scores(), parts={})
    content["summary"] = dict(reversed(content["summary"].items()))
    lines = list(lines_of(content))
    assert lines[0] == "cezsar (no parts) on toy/half"
    heads = [line.split(":")[0].strip() for line in lines if line.startswith("  top-")]
    assert heads[:4] == ["top-1/video", "top-1/class", "top-5/video", "top-5/class"]
    assert not any(line.startswith("  code:") for line in lines)


CALIBRATION = {"error": 0.125, "scaled_error": 0.05, "temperature": 0.5, "accuracy_at": {1.0: 0.5, 0.2: 0.75},
               "area": 0.3, "best_area": 0.1}  # fmt: skip
ERROR = "  expected calibration error: 12.5 with the softmax of its scores"


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({}, [f"{ERROR}, 5.0 after temperature scaling (0.5)"]),
        ({"scaled_error": None, "temperature": None}, [ERROR]),
        ({"error": None, "scaled_error": None, "temperature": None}, []),
        ({"error": 0.0, "scaled_error": 0.0}, [f"{ERROR.replace('12.5', '0.0')}, 0.0 after temperature scaling (0.5)"]),
    ],
)
def test_calibration_is_in_percent(tmp_path: Path, fields: dict[str, Any], errors: list[str]) -> None:
    content = described(tmp_path, sample_scores()) | {"calibration": CALIBRATION | fields}
    lines = list(lines_of(content))
    first = next(number for number, line in enumerate(lines) if line.startswith(("  expected", "  top-1/video on")))
    assert lines[first : first + len(errors) + 2] == [
        *errors,
        "  top-1/video on the clips it is surest of: 50.0 on 100 %, 75.0 on 20 %",
        "  area under the risk-coverage curve: 30.0 (at best 10.0)",
    ]
    assert not any("calibration: none" in line for line in lines)


def test_calibration_is_of_all_scores_of_margins_alone_or_of_none(tmp_path: Path) -> None:
    scores = sample_scores(unread=[3])
    whole = described(tmp_path / "whole", scores)
    assert whole["calibration"]["error"] is not None
    assert whole["no_calibration"] == ""
    margins = described(tmp_path / "margins", compacted(scores, "scores"))
    assert margins["calibration"]["error"] is None
    assert margins["calibration"]["area"] == whole["calibration"]["area"]
    places = described(tmp_path / "places", compacted(scores, "places"))
    assert (places["calibration"], places["no_calibration"]) == (None, NO_SCORES)
    assert f"  calibration: none, {NO_SCORES}" in lines_of(places)
    block = dataclasses.replace(scores.blocks[0], scores=np.zeros_like(scores.blocks[0].scores))
    alike = described(tmp_path / "alike", dataclasses.replace(sample_scores(), blocks=(block,)))
    assert (alike["calibration"], alike["no_calibration"]) == (None, SAME_MARGIN)


def test_a_result_whose_scores_are_gone_is_told_without_calibration(tmp_path: Path) -> None:
    scores = sample_scores()
    path = results.write(sample_result(scores), scores, tmp_path)
    path.with_suffix(".npz").unlink()
    found = describe(path)
    assert found["calibration"] is None
    assert "does not exist" in found["no_calibration"]
    assert found["summary"]
