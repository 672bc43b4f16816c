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
    """A new field with a default needs a new golden file; another change a new schema number and an upgrade too."""
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
    again = results.recompute(path).rounds
    assert [dict(item.metrics) for item in again] == [dict(item.metrics) for item in result.rounds]


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
    assert results.recompute(third).rounds == results.recompute(first).rounds
    assert sorted(path.suffix for path in first.parent.iterdir()) == [".json"] * 3 + [".npz"] * 3


def test_a_full_disk_leaves_no_half_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    given_scores = sample_scores()
    with pytest.raises(OSError, match="No space"):
        results.write(sample_result(given_scores), given_scores, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_method_and_a_protocol_of_long_names_are_written_and_read(tmp_path: Path) -> None:
    scores = sample_scores()
    result = sample_result(scores, "x" * 300, protocol=f"toy/{'y' * 300}")
    path = results.write(result, scores, tmp_path)
    again = results.read(path)
    assert (again.method.name, again.protocol.name) == ("x" * 300, f"toy/{'y' * 300}")
    assert results.read_scores(path).clip_ids.tolist() == scores.clip_ids.tolist()


def test_a_protocol_of_any_name_stays_in_the_folder(tmp_path: Path) -> None:
    given_scores = sample_scores()
    path = results.write(sample_result(given_scores, protocol="../../x y"), given_scores, tmp_path / "out")
    assert path.parent == tmp_path / "out" / "x-y"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not valid JSON, perhaps cut short"),
        ('{"schema": 1, "meth', "is not valid JSON, perhaps cut short"),
        ("[]", "no field 'schema'"),
        ('{"schema": true}', "no field 'schema'"),
        ('{"schema": 2}', "has schema 2, but this zsarbench reads up to 1. Try: pip install --upgrade"),
        ('{"schema": 1}', "method is missing"),
    ],
)
def test_what_is_not_a_result_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ZsarbenchError) as caught:
        results.read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"schema": 1, "seed": 0, "seed": 1}', "is not valid JSON: the key 'seed' appears twice in an object"),
        (b'{"schema": 1, "views": NaN}', "is not valid JSON: NaN is not a number of JSON"),
        (b'{"schema": 1, "views": -Infinity}', "is not valid JSON: -Infinity is not a number of JSON"),
        (b'{"schema": 1, "views": 1e999}', "is not valid JSON: the number 1e999 is too large"),
        (b'{"schema": 1, "views": ' + 5000 * b"9" + b"}", "is not valid JSON: Exceeds the limit"),
        (b'{"schema": 1, "spec": ' + 100_000 * b"[", "nested too deeply"),
        (b'{"schema": 1, "seed": "\xff"}', "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_not_strict_json_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(ZsarbenchError) as caught:
        results.read(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(ZsarbenchError, match=r"result file .*none.json does not exist"):
        results.read(tmp_path / "none.json")
    with pytest.raises(ZsarbenchError, match=r"result file .* cannot be read: it is a folder"):
        results.read(tmp_path)
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(ZsarbenchError, match=r"huge.json has 1,073,741,824 bytes; files of more than 33,554,432"):
        results.read(tmp_path / "huge.json")


def test_all_problems_of_a_file_are_listed_under_its_name(tmp_path: Path) -> None:
    content = sample_result(sample_scores()).to_json()
    del content["seeds"]
    content["rounds"][0]["n_scored"] = 1.5
    content["method"]["nmae"] = content["method"].pop("name")
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ZsarbenchError) as caught:
        results.read(path)
    first, *problems = str(caught.value).splitlines()
    assert first == f"result file {path} is not valid:"
    assert sorted(problem.partition("; ")[0] for problem in problems) == [
        "  method.name is missing",
        "  method: unknown field 'nmae'",
        "  rounds[0].n_scored must be a whole number from 0, not 1.5",
        "  seeds is missing",
    ]


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
    assert results.from_json(older) == result


TOP1 = "rounds[0].metrics.top1_per_video"


def in_round(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["rounds"][0].__setitem__(key, value)


def in_summary(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["summary"]["top1_per_video"].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_round("n_scored", 1), "48 clips expected, but 1 scored and 0 failed"),
        (in_round("n_failed", -1), "rounds[0].n_failed must be a whole number from 0, not -1"),
        (in_round("metrics", {}), "round 0: metrics is empty"),
        (in_round("n_classes", 1), "round 0: n_classes is 1, but a round has two candidates or more"),
        (
            in_round("metrics", {"top1_per_video": 47.0}),
            f"{TOP1} must be a fraction in [0, 1]; 49.0 % is 0.490, not 47.0",
        ),
        (
            in_round("metrics", {"top1_per_video": "nan"}),
            f'{TOP1} must be a fraction in [0, 1]; 49.0 % is 0.490, not "nan"',
        ),
        (in_round("chance", {"top1_per_video": 8.3}), "rounds[0].chance.top1_per_video must be a fraction in [0, 1]"),
        (
            in_round("metrics", {"top1_per_vide": 0.5}),
            "unknown metric of the setting zsl 'top1_per_vide'; did you mean",
        ),
        (in_round("chance", {"ausuc": 0.5}), "unknown metric of the setting zsl 'ausuc'"),
        (in_round("seed", 7), "seeds is [0], but the rounds have [7]"),
        (in_summary("mean", 0.123), "mean is 0.123, but the rounds give"),
        (in_summary("std", 0.0), "std is 0.0, but the rounds give None"),
        (in_summary("ci95", [0.5, 0.4]), "ci95 is [0.5, 0.4], whose lower end is above the upper one"),
        (in_summary("ci95", [0.4, 1.5]), "summary.top1_per_video.ci95[1] must be a fraction in [0, 1]"),
        (in_summary("ci95", [0.4]), "summary.top1_per_video.ci95 has 1 items, not 2"),
        (lambda content: content["summary"].pop("top1_per_class"), "but the rounds share"),
        (lambda content: content.update(spec={}), "but that of `spec` is"),
        (
            lambda content: content.update(created="yesterday"),
            'created must be of the form 2026-01-31T12:00:00Z, not "yesterday"',
        ),
        (lambda content: content.update(rounds=[]), "rounds must not be empty"),
        (lambda content: content.update(control="shuffle"), "unknown control 'shuffle'; did you mean 'shuffle-labels'"),
        (lambda content: content.update(schema=3), "has schema 3, but this zsarbench reads up to 1"),
        (lambda content: content.update(schema=0), "schema must be 1, not 0"),
        (lambda content: content.pop("seeds"), "seeds is missing"),
        (
            lambda content: content["method"].update(colour=1),
            "method: unknown field 'colour'; did you mean 'source'? Known: learns",
        ),
        (
            lambda content: content["environment"].update(threads="2"),
            "environment.threads must be a whole number from 1",
        ),
        (lambda content: content.update(failures={}), "failures must be a list, not {}"),
        (lambda content: content.update(dataset=None), "dataset must be an object, not null"),
        (lambda content: content.update(spec=[]), "spec must be an object, not []"),
        (lambda content: content.update(train_on=1), "train_on must be text, not 1"),
        (lambda content: content.update(views=True), "views must be a whole number, not true"),
        (lambda content: content.update(seconds={"fit": "1"}), 'seconds.fit must be a number, not "1"'),
        (
            lambda content: content["environment"].update(dirty="no"),
            'environment.dirty must be true or false, not "no"',
        ),
    ],
)
def test_what_is_wrong_with_a_result_is_stated_by_place(change: Callable[[dict[str, Any]], None], message: str) -> None:
    content = json.loads(json.dumps(sample_result(sample_scores()).to_json()))
    assert results.validate(content) == []
    change(content)
    assert any(message in problem for problem in results.validate(content)), results.validate(content)


def test_failed_clips_must_be_listed() -> None:
    result = dataclasses.replace(sample_result(sample_scores(unread=[3])), failures=())
    assert results.validate(result.to_json()) == ["failures is empty, but rounds count failed clips"]


def test_an_invalid_result_is_not_written(tmp_path: Path) -> None:
    given_scores = sample_scores()
    result = dataclasses.replace(sample_result(given_scores), spec_id="00000000")
    with pytest.raises(ZsarbenchError, match="is not valid:"):
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
    with pytest.raises(ZsarbenchError, match="computes it again"):
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


def test_the_rounds_of_a_result_are_a_table_that_begins_with_what_was_measured() -> None:
    result = sample_result(sample_scores())
    frame = result.to_dataframe()
    assert list(frame)[:4] == ["method", "protocol", "round", "seed"]
    assert list(frame)[-len(result.rounds[0].metrics) :] == list(result.rounds[0].metrics)
    assert len(frame) == len(result.rounds)


@given(n_seen=st.integers(1, 9), n_unseen=st.integers(1, 9))
def test_chance_is_what_constant_scores_get(n_seen: int, n_unseen: int) -> None:
    n_classes = n_seen + n_unseen
    seen = np.arange(n_classes) < n_seen
    got = metrics.evaluate(np.zeros((n_classes, n_classes)), np.arange(n_classes), setting="gzsl", seen=seen)
    rules = SETTINGS["gzsl"]
    expected = {metric.name: rules.chance(metric, n_classes, n_seen) for metric in rules.parse(got)}
    assert got == pytest.approx(expected)


def test_a_record_that_is_not_json_names_its_place() -> None:
    result = sample_result(sample_scores())
    strange = dataclasses.replace(result, method=dataclasses.replace(result.method, record={"best": object()}))
    with pytest.raises(ZsarbenchError, match=r"result\.method\.record\.best is a object, which JSON cannot hold"):
        strange.to_json()
