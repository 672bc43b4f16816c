"""Ranks and backing of rows: what tests cannot tell apart shares a rank, and no predictions mean no rank."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.evaluation.scores import Scores
from zsarbench.reports import table
from zsarbench.reports.backing import backings_of, badge, remeasured_rows
from zsarbench.results import RunResult


def written(folder: Path, *rows: tuple[str, float], setting: str = "zsl", n_rounds: int = 1) -> dict[Path, RunResult]:
    """Return the results of these methods and skills by their files."""
    found: dict[Path, RunResult] = {}
    for method, skill in rows:
        scores: Scores = sample_scores(skill=skill, setting=setting, n_rounds=n_rounds)
        path = results.write(sample_result(scores, method, setting=setting), scores, folder)
        found[path] = results.read(path)
    return found


def ranks(frame: pd.DataFrame) -> dict[str, tuple[int, int]]:
    ranked = frame[frame["rank"].notna()]
    ends = zip(ranked["rank"], ranked["rank_last"], strict=True)
    return {method: (int(first), int(last)) for method, (first, last) in zip(ranked["method"], ends, strict=True)}


def test_predictions_tell_apart_what_intervals_do_not(tmp_path: Path) -> None:
    found = written(tmp_path, ("far", 6.0), ("near", 2.0), ("same", 2.0))
    apart = table.build(list(found.values()), backings=backings_of(found)).frame
    assert ranks(apart) == {"far": (1, 1), "near": (2, 3), "same": (2, 3)}
    by_intervals = table.build(list(found.values())).frame
    assert ranks(by_intervals)["near"] == ranks(by_intervals)["same"] == (2, 3)


@pytest.mark.parametrize("metric", ["top1_per_class", "top5_per_video"])
def test_any_metric_that_ranks_is_tested(tmp_path: Path, metric: str) -> None:
    found = written(tmp_path, ("far", 6.0), ("near", 0.2), n_rounds=3)
    frame = table.build(list(found.values()), rank_by=metric, backings=backings_of(found)).frame
    assert ranks(frame) == {"far": (1, 1), "near": (2, 2)}


def test_too_few_classes_tell_nothing_apart(tmp_path: Path) -> None:
    found = written(tmp_path, ("far", 6.0), ("near", 0.2), setting="gzsl")
    recomputed = [results.recompute(path) for path in found]  # six seen and six unseen classes have no interval
    frame = table.build(recomputed, backings=backings_of(found)).frame
    assert ranks(frame) == {"far": (1, 2), "near": (1, 2)}


def test_a_row_without_predictions_is_shown_and_not_ranked(tmp_path: Path) -> None:
    found = written(tmp_path, ("kept", 1.0), ("lost", 6.0), ("damaged", 6.0), ("forged", 1.0))
    _, lost, damaged, forged = found
    lost.with_suffix(".npz").unlink()
    damaged.with_suffix(".npz").write_bytes(b"nothing")
    other = sample_scores(skill=0.0)
    result = sample_result(other, "forged", predictions=found[forged].predictions)
    found[forged] = result
    frame = table.build(list(found.values()), backings=backings_of(found)).frame
    assert ranks(frame) == {"kept": (1, 1)}
    backing = frame.set_index("method")["backing"].to_dict()
    assert backing == {"kept": "recomputed", "lost": "stated", "damaged": "stated", "forged": "stated"}
    notes = frame.set_index("method").loc["lost", "notes"]
    assert notes[0] == "not ranked: its figures do not follow from kept predictions"


def test_compare_shows_ranks_and_backing(tmp_path: Path) -> None:
    found = written(tmp_path, ("far", 6.0), ("near", 2.0), ("same", 2.0))
    shown = CliRunner().invoke(cli, ["compare", str(tmp_path)], catch_exceptions=False).stdout
    assert "backing: recomputed" in shown
    assert "2 to 3  near" in shown
    assert "paired tests of its rows find, with 80 % power and before correction, true differences of" in " ".join(
        shown.split()
    )
    next(iter(found)).with_suffix(".npz").unlink()
    shown = CliRunner().invoke(cli, ["compare", str(tmp_path)], catch_exceptions=False).stdout
    assert "stated" in shown
    assert "1 to 2  near" in shown


def test_rows_that_are_measured_again_say_so(tmp_path: Path) -> None:
    found = written(tmp_path / "results", ("far", 6.0), ("near", 2.0))
    cheap = tmp_path / "cheap.toml"
    assert remeasured_rows(cheap, found.values()) == set()
    cheap.write_text('tolerance = 0.01\n[[rows]]\nprotocol = "toy/half"\nmethod = "near"\n', encoding="utf-8")
    backings = backings_of(found, remeasured_rows(cheap, found.values()))
    assert [backing.kind for backing in backings.values()] == ["recomputed", "re-measured"]
    assert badge("re-measured").text == "re-measured"
    assert all(badge(backing.kind).title for backing in backings.values())


def test_paired_differences_have_p_values_and_what_they_resolve(tmp_path: Path) -> None:
    found = written(tmp_path, ("far", 6.0), ("near", 2.0), ("same", 2.0))
    shown = CliRunner().invoke(cli, ["compare", str(tmp_path), "--paired"], catch_exceptions=False).stdout
    assert "p of a paired test over classes, Holm's for all" in shown
    assert "p < 0.001  Holm < 0.001  near" in shown
    assert "resolves, with 80 % power and before correction, true differences of" in shown
    assert "McNemar's p as if clips were independent" in shown
    rounds = written(tmp_path / "rounds", ("far", 6.0), ("near", 2.0), n_rounds=3)
    shown = CliRunner().invoke(cli, ["compare", str(tmp_path / "rounds"), "--paired"], catch_exceptions=False).stdout
    assert "McNemar" not in shown  # a clip is in several rounds
    assert len(found) == 3
    assert len(rounds) == 2


def test_rows_that_cannot_be_paired_are_named_and_the_others_are_paired(tmp_path: Path) -> None:
    found = written(tmp_path, ("far", 6.0), ("near", 2.0), ("same", 2.0))
    alone = CliRunner().invoke(cli, ["compare", str(tmp_path), "--paired"], catch_exceptions=False).stdout
    [same] = [path for path, result in found.items() if result.method.name == "same"]
    content = json.loads(same.read_text(encoding="utf-8"))
    older = {**content, "created": content["created"].replace("20", "19", 1)}
    older_path = same.with_name(f"older-{same.name}")
    older_path.write_text(json.dumps(older), encoding="utf-8")
    done = CliRunner().invoke(cli, ["compare", str(tmp_path), "--paired"], catch_exceptions=False)
    differences = alone[alone.index("difference in") :]
    assert done.stdout.endswith(differences), "an older result of a row counts in no correction"

    same.with_suffix(".npz").unlink()
    older_path.unlink()
    done = CliRunner().invoke(cli, ["compare", str(tmp_path), "--paired"], catch_exceptions=False)
    assert done.exit_code == 0
    assert f"warning: not paired: {found[same].stem}: scores file" in done.stderr
    assert "Holm < 0.001  near" in done.stdout
    assert "  same" not in done.stdout[done.stdout.index("difference in") :]
