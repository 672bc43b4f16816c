"""The record of a result: its names, what it says of itself in Python, its tables, and hashes of names and specs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from records import changeable
from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.errors import ZsarbenchError
from zsarbench.results import ClipFailure, RunResult, record

TOP1 = "top1_per_video"


def stored(folder: Path, setting: str = "zsl") -> RunResult:
    """Return a result that was read from a file."""
    scores = sample_scores(n_rounds=3, n_seeds=2, setting=setting)
    return results.read(results.write(sample_result(scores, seeds=(0, 1), setting=setting), scores, folder))


@pytest.mark.parametrize(
    ("n_rounds", "n_seeds", "text"), [(1, 1, "(1 round)"), (2, 1, "(2 rounds)"), (1, 2, "(1 round, 2 seeds)")]
)
def test_a_title_counts_rounds_and_seeds(n_rounds: int, n_seeds: int, text: str) -> None:
    result = sample_result(sample_scores(n_rounds=n_rounds, n_seeds=n_seeds), seeds=tuple(range(n_seeds)))
    assert result.title == f"cezsar on toy/half {text}"


def test_a_result_says_itself_in_one_line() -> None:
    result = sample_result(sample_scores())
    one = dataclasses.replace(result.summary[TOP1], mean=0.49, std=0.031, ci95=(0.432, 0.546))
    shown = repr(dataclasses.replace(result, summary={**result.summary, TOP1: one}))
    assert shown == f"RunResult({result.title}: {TOP1} 49.0 ± 3.1 [43.2, 54.6] %, {result.spec_id})"
    bare = dataclasses.replace(one, std=None, ci95=None)
    assert f": {TOP1} 49.0 %, " in repr(dataclasses.replace(result, summary={TOP1: bare}))
    assert ": other 49.0 %, " in repr(dataclasses.replace(result, summary={"other": bare}))


def test_a_notebook_shows_metrics_and_what_unranks_them() -> None:
    result = sample_result(sample_scores(), objections=("<made> up",))
    summary = {
        TOP1: dataclasses.replace(result.summary[TOP1], mean=0.5, ci95=None, chance=0.25),
        "ausuc": dataclasses.replace(result.summary[TOP1], chance=None),
    }
    shown = dataclasses.replace(result, summary=summary)._repr_html_()
    assert f"<tr><th>{TOP1}</th><td>50.0</td><td>25.0</td></tr>" in shown
    assert "<td></td></tr>" in shown
    assert "<li>not ranked: &lt;made&gt; up</li>" in shown
    assert f"<li>{result.command}</li>" in shown
    assert "file: " not in shown
    assert "<li>file: a.json</li>" in result.at(Path("a.json"))._repr_html_()


def test_a_result_knows_its_file_which_is_no_part_of_it(tmp_path: Path) -> None:
    result = sample_result(sample_scores())
    assert result.path is None
    placed = result.at(tmp_path / "a.json")
    assert (placed.path, result.path) == (tmp_path / "a.json", None)
    assert placed == result


def test_rounds_are_a_table_of_counts_and_metrics(tmp_path: Path) -> None:
    frame = stored(tmp_path).to_dataframe()
    counts = ["fit", "n_classes", "n_seen", "n_expected", "n_scored", "n_failed", "duplicate_of"]
    assert list(frame)[:11] == ["method", "protocol", "round", "seed", *counts]
    assert frame["method"].tolist() == ["cezsar"] * 6
    assert frame["protocol"].tolist() == ["toy/half"] * 6
    assert frame["duplicate_of"].isna().all()
    assert "candidates_sha256" not in frame
    assert "chance" not in frame


def test_classes_are_a_table_which_says_what_is_seen_where_that_differs(tmp_path: Path) -> None:
    frame = stored(tmp_path).per_class()
    assert list(frame) == ["n_clips", "n_rounds", "top1", "taken_for", "share"]
    assert (np.diff(frame["top1"]) <= 0).all()
    assert "seen" in stored(tmp_path / "gzsl", "gzsl").per_class()


def test_classes_need_scores_in_a_file(tmp_path: Path) -> None:
    result = stored(tmp_path)
    for other in (sample_result(sample_scores()), dataclasses.replace(result, predictions=None).at(Path("a.json"))):
        with pytest.raises(ZsarbenchError, match="were not kept, or it is of no file"):
            other.per_class()
    unplaced = dataclasses.replace(result)
    assert unplaced.predictions is not None
    with pytest.raises(ZsarbenchError, match="were not kept, or it is of no file"):
        unplaced.per_class()


def test_a_failed_clip_was_there_unless_it_is_said() -> None:
    assert not ClipFailure("clip", "no video stream").missing


def test_scores_are_looked_for_next_to_the_result_alone() -> None:
    predictions = results.Predictions("../elsewhere/a.npz", "00")
    assert predictions.next_to(Path("folder/a.json")) == Path("folder/a.npz")


def test_names_have_one_hash_whatever_their_order() -> None:
    assert results.names_sha256(["b", "a"]) == results.names_sha256(["a", "b"]) != results.names_sha256(["ab"])


def test_a_spec_is_named_by_eight_digits_whatever_the_order_of_its_keys() -> None:
    assert results.spec_id({"a": 1, "b": (2, 3)}) == results.spec_id({"b": [2, 3], "a": 1}) == "fd28b174"


@pytest.mark.parametrize(
    ("name", "file"),
    [("ucf101/truze-v2", "ucf101-truze-v2"), ("../../x y", "x-y"), ("..", "unnamed"), ("a_1.B", "a_1.B")],
)
def test_any_name_is_a_name_of_a_file(name: str, file: str) -> None:
    assert record.file_name(name) == file


def test_records_cannot_be_changed() -> None:
    assert changeable(record) == []
