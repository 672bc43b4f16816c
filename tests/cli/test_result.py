"""`zsarbench result recompute`: results computed again from their scores, and the message for those that have none."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from samples import contaminated, sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError
from zsarbench.evaluation.contamination import accuracies
from zsarbench.results import compaction


def recompute(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["result", "recompute", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("setting", ["zsl", "gzsl"])
def test_all_that_derives_from_scores_is_computed_again_and_nothing_else_changes(tmp_path: Path, setting: str) -> None:
    scores = sample_scores(n_rounds=2, n_seeds=2, setting=setting, unread=[5])
    right = contaminated(sample_result(scores, seeds=(0, 1), setting=setting), scores, ["Class1"])
    path = results.write(right, scores, tmp_path)
    npz, was = path.with_suffix(".npz").read_bytes(), json.loads(path.read_text(encoding="utf-8"))
    content = json.loads(path.read_text(encoding="utf-8"))
    for item in content["rounds"]:
        item["metrics"]["top1_per_video"] = 0.25
        item["n_classes"] += 3
        item["candidates_sha256"] = "0" * 64
    content["summary"]["top1_per_video"].update(mean=0.25, std=0.0, seed_std=0.0, ci95=[0.1, 0.9])
    content["contamination"]["accuracy"]["clean"]["top1_per_video"] = 0.99
    path.write_text(json.dumps(content), encoding="utf-8")

    planned = recompute(tmp_path, "--plan")
    assert "1 results: 1 would change, 0 not recomputed" in planned.stdout
    assert json.loads(path.read_text(encoding="utf-8")) == content
    assert "1 results: 1 rewritten, 0 not recomputed" in recompute(path).stdout

    now = json.loads(path.read_text(encoding="utf-8"))
    assert path.with_suffix(".npz").read_bytes() == npz
    assert now["rounds"] == was["rounds"]
    for name, summary in was["summary"].items():
        again = now["summary"][name]
        assert {**summary, "ci95": None, "no_ci95": None} == {**again, "ci95": None, "no_ci95": None}
    assert {key for key in was if key != "summary" and was[key] != now[key]} == set()
    assert now["contamination"]["accuracy"] == accuracies(scores, ["Class1"])
    assert "1 results: 0 rewritten" in recompute(path).stdout  # as it is now


def test_intervals_are_those_of_the_scores_and_a_missing_one_says_why(tmp_path: Path) -> None:
    scores = sample_scores(n_rounds=2, setting="gzsl")
    path = results.write(sample_result(scores, setting="gzsl"), scores, tmp_path)
    recompute(path)
    summary = results.read(path).summary
    assert (summary["ausuc"].ci95, summary["ausuc"].no_ci95) == (None, "not computed for this metric")
    harmonic, unseen = summary["harmonic_mean"], summary["top1_per_class_unseen"]
    assert (harmonic.ci95, harmonic.no_ci95) == (None, "fewer than 10 classes")  # six classes of either side
    assert (unseen.ci95, unseen.no_ci95) == (None, "fewer than 10 classes")

    whole = sample_scores()  # of twelve classes
    path = results.write(sample_result(whole), whole, tmp_path / "whole")
    recompute(path)
    top1 = results.read(path).summary["top1_per_video"]
    assert top1.ci95 is not None
    assert top1.ci95[0] < top1.mean < top1.ci95[1]
    assert top1.no_ci95 is None


def test_what_cannot_be_recomputed_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    scores = sample_scores()
    lost = results.write(sample_result(scores, "lost"), scores, tmp_path)
    other = results.write(sample_result(scores, "other"), scores, tmp_path)
    lost.with_suffix(".npz").unlink()
    other.with_suffix(".npz").write_bytes(sample_scores(skill=3.0).to_bytes())
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    outcome = recompute(tmp_path)
    assert outcome.exit_code == 1
    assert "3 results: 0 rewritten, 3 not recomputed" in outcome.stdout
    assert f"error: {lost} is not recomputed" in outcome.stderr
    assert "Try: zsarbench run --method lost" in outcome.stderr
    assert "is not the one that" in outcome.stderr
    assert "broken.json" in outcome.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before


def test_a_result_of_other_rounds_than_its_scores_is_refused(tmp_path: Path) -> None:
    scores = sample_scores(n_rounds=2)
    path = results.write(sample_result(scores), scores, tmp_path)
    result = results.read(path)
    one = dataclasses.replace(result, rounds=result.rounds[:1])
    summary = {name: dataclasses.replace(item, std=None) for name, item in sample_result(scores).summary.items()}
    means = {name: one.rounds[0].metrics[name] for name in summary}
    chances = {name: one.rounds[0].chance[name] for name in summary}
    results.rewrite(
        dataclasses.replace(
            one,
            summary={
                name: dataclasses.replace(item, mean=means[name], chance=chances[name], ci95=None)
                for name, item in summary.items()
            },
        ),
        path,
    )
    assert "hold 2 rounds, but the result 1" in recompute(path).stderr


def test_nothing_to_recompute_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        recompute(tmp_path / "none")
    with pytest.raises(UsageError, match="no result was found there"):
        recompute(tmp_path)


# --- compact ----------------------------------------------------------------------------------------------------------


def compact(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["result", "compact", *map(str, arguments)], catch_exceptions=False)


def recomputed(folder: Path, name: str = "cezsar") -> Path:
    """Write a result that follows from its scores to the last digit."""
    scores = sample_scores()
    path = results.write(sample_result(scores, name), scores, folder)
    results.rewrite(results.recompute(path), path)
    return path


def test_scores_that_git_can_carry_stay_unless_all_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recomputed(tmp_path)
    size = path.with_suffix(".npz").stat().st_size
    monkeypatch.setattr(compaction, "MAX_FILE_BYTES", size)
    done = compact(tmp_path)
    assert (done.exit_code, done.stdout) == (0, "1 results: 0 compacted, 0 not compacted\n")
    assert path.with_suffix(".npz").stat().st_size == size
    monkeypatch.setattr(compaction, "MAX_FILE_BYTES", size - 1)
    done = compact(tmp_path)
    after = path.with_suffix(".best.npz").stat().st_size
    assert done.stdout.splitlines() == [
        f"{path}: scores {size / 1e6:.2f} MB -> {after / 1e6:.2f} MB",
        "1 results: 1 compacted, 0 not compacted",
    ]
    assert compact(path, "--all").stdout == "1 results: 0 compacted, 0 not compacted\n", "it is compact already"


def test_small_scores_are_compacted_with_all(tmp_path: Path) -> None:
    path = recomputed(tmp_path)
    assert compact(path, "--all").stdout.endswith("1 results: 1 compacted, 0 not compacted\n")
    assert not path.with_suffix(".npz").exists()


def test_a_result_without_its_scores_is_not_compacted_and_named(tmp_path: Path) -> None:
    lost, sound = recomputed(tmp_path, "lost"), recomputed(tmp_path)
    lost.with_suffix(".npz").unlink()
    done = compact(tmp_path, "--all")
    assert done.exit_code == 1
    assert done.stdout.endswith("2 results: 1 compacted, 1 not compacted\n")
    assert done.stderr.startswith(f"error: {lost} is not compacted: ")
    assert sound.with_suffix(".best.npz").exists()
