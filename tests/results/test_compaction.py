"""Compact scores: everything that a result states follows from them as it does from the full matrix."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import contamination, scores
from zsarbench.evaluation.compact import compacted
from zsarbench.evaluation.measures import intervals, measure_round
from zsarbench.evaluation.scores import Scores


def written(folder: Path, given_scores: Scores, **about: Any) -> Path:
    """Write the result of scores, recomputed, so that its intervals are theirs."""
    path = results.write(sample_result(given_scores, **about), given_scores, folder)
    results.rewrite(results.recompute(path), path)
    return path


def tied(given_scores: Scores, levels: int) -> Scores:
    """Return scores rounded to a few levels, so that many classes tie."""
    blocks = [dataclasses.replace(b, scores=np.round(b.scores * levels) / levels) for b in given_scores.blocks]
    return dataclasses.replace(given_scores, blocks=tuple(blocks))


@pytest.mark.parametrize("setting", ["zsl", "gzsl", "base-to-novel"])
@pytest.mark.parametrize("levels", [0.2, 1.0, 1e6])
def test_all_that_a_result_states_follows_from_compact_scores(tmp_path: Path, setting: str, levels: float) -> None:
    kind = "zsl" if setting == "zsl" else "gzsl"
    given_scores = tied(sample_scores(n_rounds=3, n_seeds=2, setting=kind, unread=[0, 7]), levels)
    path = written(tmp_path, given_scores, seeds=(0, 1), setting=setting)
    before = results.read(path)
    full = results.scores_file(path, before)
    after = results.compact(path)
    assert dataclasses.replace(after, predictions=before.predictions) == before
    assert results.recompute(path) == results.read(path) == after
    assert not full.exists()
    assert results.scores_file(path, after).name.endswith(".best.npz")
    assert results.compact(path) == after


@pytest.mark.once
@settings(max_examples=60)
@given(data=st.data())
def test_any_scores_keep_metrics_intervals_and_accuracies_of_classes(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    setting = data.draw(st.sampled_from(["zsl", "gzsl"]))
    base = sample_scores(n_rounds=data.draw(st.integers(1, 3)), setting=setting)
    values = rng.choice([-np.inf, 0.0, 0.25, 0.5, np.inf], size=base.blocks[0].scores.shape).astype(np.float32)
    if data.draw(st.booleans()):
        values += rng.integers(0, 3, size=values.shape)
    values[rng.random(len(values)) < 0.1] = np.nan
    given_scores = dataclasses.replace(base, blocks=(dataclasses.replace(base.blocks[0], scores=values),))
    small = compacted(given_scores, "scores")
    forms = [small, compacted(given_scores, "places")]
    distinct = [True] * len(base.rounds)
    for form in forms:
        for number in range(len(base.rounds)):
            full, own = (measure_round(s, number, setting, "all") for s in (given_scores, form))
            differing = {name for name in full.metrics if full.metrics[name] != own.metrics[name]}
            assert differing <= ({"ausuc"} if form.form == "places" else set())
            assert (full.n_failed, full.chance) == (own.n_failed, own.chance)
        assert intervals(form, distinct, setting, "all") == intervals(given_scores, distinct, setting, "all")
        overlapping = {"Class1", "Class4"}
        assert contamination.accuracies(form, overlapping) == contamination.accuracies(given_scores, overlapping)


@pytest.mark.parametrize("form", ["places", "scores"])
def test_a_compact_file_is_read_as_it_was_written(tmp_path: Path, form: Any) -> None:
    small = compacted(tied(sample_scores(n_rounds=2, setting="gzsl", unread=[3]), 1.0), form)
    (tmp_path / "a.npz").write_bytes(small.to_bytes())
    back = scores.read(tmp_path / "a.npz")
    assert back.form == form
    assert back.to_bytes() == small.to_bytes()
    for mine, theirs in zip(small.blocks, back.blocks, strict=True):
        np.testing.assert_array_equal(mine.scores, theirs.scores)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("block0_best", lambda a: a + np.uint8(200), "point outside"),
        ("block0_best", lambda a: a * np.uint8(0), "listed twice"),
        ("block0_best", lambda a: a[:-1], "best classes, and states"),
        ("block0_counts", lambda a: a - np.int32(9), "states best classes"),
        ("block0_counts", lambda a: a[:-1], "states best classes"),
        ("block0_unread", lambda a: a[:-1], "states best classes"),
        ("block0_ties", lambda a: a[:-1], "best classes, and states"),
        ("block0_steps", lambda a: a * np.int32(0), "listed twice"),
        ("block0_steps", lambda a: a - np.int32(2), "point outside"),
        ("round0_steps", lambda a: a * np.int32(2**30), "point outside"),
        ("round0_steps", None, "is missing"),
    ],
)
def test_a_damaged_compact_file_is_refused(tmp_path: Path, name: str, change: Any, message: str) -> None:
    arrays = compacted(sample_scores(), "places").to_arrays()
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ZsarbenchError, match=message):
        scores.read(tmp_path / "a.npz")


def test_a_result_that_does_not_follow_from_its_scores_keeps_them(tmp_path: Path) -> None:
    path = results.write(sample_result(sample_scores()), sample_scores(), tmp_path)  # intervals of a sample
    with pytest.raises(ZsarbenchError, match=r"does not follow from its scores\. Try: zsarbench result recompute"):
        results.compact(path)
    assert results.has_scores(results.read(path), path)


def test_the_command_says_what_became_smaller_and_what_could_not(tmp_path: Path) -> None:
    path = written(tmp_path, sample_scores(n_rounds=2))
    run = CliRunner().invoke(cli, ["result", "compact", str(tmp_path)])
    assert (run.exit_code, run.output) == (0, "1 results: 0 compacted, 0 not compacted\n")
    run = CliRunner().invoke(cli, ["result", "compact", "--all", str(tmp_path)])
    assert run.exit_code == 0
    assert "1 compacted" in run.output
    assert " MB -> " in run.output
    results.scores_file(path, results.read(path)).unlink()
    run = CliRunner().invoke(cli, ["result", "compact", "--all", str(tmp_path)])
    assert run.exit_code == 1
    assert "computes it again" in run.output
    assert json.loads(path.read_text(encoding="utf-8"))["predictions"]["file"].endswith(".best.npz")
