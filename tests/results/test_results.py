"""Results and scores on disk: complete, checked, the same bytes for the same arrays, never overwritten."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locations import GOLDEN
from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import metrics, scores
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.results import Flag


def test_the_format_is_the_golden_file() -> None:
    """A change of the format needs a new schema number and an upgrade, and then a new golden file."""
    result = sample_result(
        sample_scores(n_rounds=2, n_seeds=2, unread=[5]), seeds=(0, 1), flags=(Flag("remark", "a flag"),)
    )
    text = json.dumps(result.to_json(), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert text == (GOLDEN / "result.json").read_text(encoding="utf-8")
    assert results.read(GOLDEN / "result.json") == result


def test_what_is_written_is_read(tmp_path: Path) -> None:
    given_scores = sample_scores(n_rounds=2, setting="gzsl", unread=[0])
    result = sample_result(given_scores, setting="gzsl")
    path = results.write(result, given_scores, tmp_path)
    assert path.relative_to(tmp_path) == Path("toy-half") / f"cezsar-{result.spec_id}-20260301T100000Z.json"
    assert results.find(tmp_path) == [path]
    read = results.read(path)
    assert read.predictions is not None
    assert dataclasses.replace(read, predictions=None) == result
    back = results.read_scores(path)
    for name, array in given_scores.to_arrays().items():
        np.testing.assert_array_equal(back.to_arrays()[name], array)
        assert back.to_arrays()[name].dtype == array.dtype


@pytest.mark.parametrize("setting", ["zsl", "gzsl"])
@pytest.mark.parametrize("denominator", ["all", "survivors"])
def test_metrics_come_again_from_the_scores_alone(tmp_path: Path, setting: str, denominator: str) -> None:
    given_scores = sample_scores(n_rounds=3, setting=setting, unread=[0, 7])
    result = sample_result(given_scores, setting=setting, denominator=denominator)
    path = results.write(result, given_scores, tmp_path)
    assert results.recompute(path) == [dict(item.metrics) for item in result.rounds]


def test_the_same_arrays_are_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = sample_scores(n_rounds=2).to_bytes()
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    again = sample_scores(n_rounds=2)
    assert again.to_bytes() == first
    block = again.blocks[0]
    transposed = dataclasses.replace(block, scores=np.asfortranarray(block.scores))
    assert dataclasses.replace(again, blocks=(transposed,)).to_bytes() == first
    changed = dataclasses.replace(block, scores=np.nextafter(block.scores, np.float32(9)))
    assert dataclasses.replace(again, blocks=(changed,)).to_bytes() != first


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    given_scores = sample_scores()
    result = sample_result(given_scores)
    first = results.write(result, given_scores, tmp_path)
    before = first.read_bytes()
    second = results.write(result, given_scores, tmp_path)
    third = results.write(result, given_scores, tmp_path)
    assert [path.stem.removeprefix(first.stem) for path in (first, second, third)] == ["", "-2", "-3"]
    assert first.read_bytes() == before
    assert results.recompute(third) == results.recompute(first)
    assert sorted(path.suffix for path in first.parent.iterdir()) == [".json"] * 3 + [".npz"] * 3


def test_a_full_disk_leaves_no_half_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    given_scores = sample_scores()
    with pytest.raises(OSError, match="No space"):
        results.write(sample_result(given_scores), given_scores, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_protocol_of_any_name_stays_in_the_folder(tmp_path: Path) -> None:
    given_scores = sample_scores()
    path = results.write(sample_result(given_scores, protocol="../../x y"), given_scores, tmp_path / "out")
    assert path.parent == tmp_path / "out" / "x-y"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON, perhaps cut short"),
        ('{"schema": 1, "meth', "no JSON, perhaps cut short"),
        ("[]", "no field 'schema'"),
        ('{"schema": true}', "no field 'schema'"),
        ('{"schema": 2}', "schema 2, but this zsarbench reads up to 1. Try: pip install --upgrade"),
        ('{"schema": 1}', "method is missing"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ZsarbenchError) as caught:
        results.read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_older_schema_is_upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    result = sample_result(sample_scores())
    older: dict[str, Any] = result.to_json() | {"schema": 0, "denominators": "all"}
    del older["denominator"]

    def upgrade(content: dict[str, Any]) -> dict[str, Any]:
        return {
            **{key: value for key, value in content.items() if key != "denominators"},
            "denominator": content["denominators"],
            "schema": 1,
        }

    monkeypatch.setitem(results.UPGRADES, 0, upgrade)
    assert results.RunResult.from_json(older) == result


def in_round(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["rounds"][0].__setitem__(key, value)


def in_summary(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["summary"]["top1_per_video"].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_round("n_scored", 1), "48 clips expected, but 1 scored and 0 failed"),
        (in_round("n_failed", -1), "a count is negative"),
        (in_round("metrics", {}), "it has no metrics"),
        (in_round("metrics", {"top1_per_video": 47.0}), "metric top1_per_video is 47.0, not in [0, 1]"),
        (in_round("metrics", {"top1_per_video": "nan"}), "rounds[0].metrics.top1_per_video is str 'nan', not float"),
        (
            in_round("metrics", {"top1_per_vide": 0.5}),
            "unknown metric of the setting zsl 'top1_per_vide'; did you mean",
        ),
        (in_round("chance", {"ausuc": 0.5}), "unknown metric of the setting zsl 'ausuc'"),
        (in_round("seed", 7), "seeds are [0], but those of the rounds differ"),
        (in_summary("mean", 0.123), "mean is 0.123, but the rounds give"),
        (in_summary("std", 0.0), "std is 0.0, but the rounds give None"),
        (in_summary("ci95", [0.5, 0.4]), "ci95 is [0.5, 0.4], no interval"),
        (lambda content: content["summary"].pop("top1_per_class"), "but the rounds share"),
        (lambda content: content.update(spec={}), "but the spec's is"),
        (lambda content: content.update(created="yesterday"), "created is 'yesterday'"),
        (lambda content: content.update(rounds=[]), "rounds: there is none"),
        (lambda content: content.update(control="shuffle"), "control is 'shuffle', not one of"),
        (lambda content: content.update(schema=3), "schema is 3, not 1"),
    ],
)
def test_an_unsound_result_is_told(change: Callable[[dict[str, Any]], None], message: str) -> None:
    content = json.loads(json.dumps(sample_result(sample_scores()).to_json()))
    assert results.validate(content) == []
    change(content)
    assert any(message in problem for problem in results.validate(content)), results.validate(content)


def test_failed_clips_must_be_listed() -> None:
    result = dataclasses.replace(sample_result(sample_scores(unread=[3])), failures=())
    assert results.validate(result.to_json()) == ["failures: rounds count failed clips, but none is listed"]


def test_an_unsound_result_is_not_written(tmp_path: Path) -> None:
    given_scores = sample_scores()
    result = dataclasses.replace(sample_result(given_scores), spec_id="00000000")
    with pytest.raises(ZsarbenchError, match="not sound"):
        results.write(result, given_scores, tmp_path)
    assert results.find(tmp_path) == []


def test_scores_that_are_not_the_results_own_are_refused(tmp_path: Path) -> None:
    given_scores = sample_scores()
    path = results.write(sample_result(given_scores), given_scores, tmp_path)
    npz = path.with_suffix(".npz")
    whole = npz.read_bytes()
    npz.write_bytes(sample_scores(skill=0.5).to_bytes())
    with pytest.raises(ZsarbenchError, match="sha256 differs"):
        results.read_scores(path)
    npz.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ZsarbenchError, match="is damaged"):
        scores.read(npz)
    npz.unlink()
    with pytest.raises(ZsarbenchError, match="large ones stay out of git"):
        results.read_scores(path)


def test_pickles_are_never_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", clip_ids=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ZsarbenchError, match="is damaged"):
        scores.read(tmp_path / "evil.npz")


def test_a_round_whose_clips_have_no_candidate_is_refused() -> None:
    given_scores = sample_scores()
    item = given_scores.rounds[0]
    narrower = dataclasses.replace(given_scores, rounds=(dataclasses.replace(item, classes=item.classes[:3]),))
    with pytest.raises(ZsarbenchError, match="round 0 of the scores"):
        narrower.round(0)
    unlabelled = dataclasses.replace(given_scores, labels=np.where(given_scores.labels == 4, -1, given_scores.labels))
    with pytest.raises(ZsarbenchError, match="round 0 of the scores"):
        unlabelled.round(0)


def test_a_round_is_the_slice_of_its_block() -> None:
    given_scores = sample_scores(n_rounds=3)
    part, labels = given_scores.round(2)
    item, block = given_scores.rounds[2], given_scores.blocks[0]
    for row, clip in enumerate(item.clips[:6]):
        assert given_scores.class_names[item.classes[labels[row]]] == f"Class{given_scores.labels[clip]}"
        for column, name in enumerate(item.classes):
            assert part[row, column] == block.scores[clip, name]


def test_spread_is_over_rounds_of_the_mean_over_seeds() -> None:
    first = sample_result(sample_scores(n_rounds=3, n_seeds=2), seeds=(4, 9))
    table = np.array([item.metrics["top1_per_video"] for item in first.rounds]).reshape(2, 3)  # seeds, rounds
    summary = first.summary["top1_per_video"]
    assert summary.mean == pytest.approx(table.mean())
    assert summary.std == pytest.approx(table.mean(axis=0).std(ddof=0))
    assert summary.seed_std == pytest.approx(table.mean(axis=1).std(ddof=0))
    one = sample_result(sample_scores()).summary["top1_per_video"]
    assert (one.std, one.seed_std) == (None, None)


@given(n_seen=st.integers(1, 9), n_unseen=st.integers(1, 9))
def test_chance_is_what_constant_scores_get(n_seen: int, n_unseen: int) -> None:
    n_classes = n_seen + n_unseen
    seen = np.arange(n_classes) < n_seen
    got = metrics.evaluate(np.zeros((n_classes, n_classes)), np.arange(n_classes), setting="gzsl", seen=seen)
    rules = SETTINGS["gzsl"]
    expected = {metric.name: rules.chance(metric, n_classes, n_seen) for metric in rules.parse(got)}
    assert got == pytest.approx(expected)


def test_a_record_that_is_no_json_names_its_place() -> None:
    result = sample_result(sample_scores())
    strange = dataclasses.replace(result, method=dataclasses.replace(result.method, record={"best": object()}))
    with pytest.raises(ZsarbenchError, match=r"result\.method\.record\.best is a object"):
        strange.to_json()
