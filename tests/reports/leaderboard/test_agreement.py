"""Whether results are on the same data: what each states of it, and whose statement counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import Small, entry_points, write_protocol

from samples import sample_result, sample_scores
from zsarbench.data import class_texts
from zsarbench.evaluation.scores import Scores
from zsarbench.plugins import load_plugins
from zsarbench.predictions.identity import KIND
from zsarbench.reports.leaderboard.agreement import Fact, Facts, clips_digest, disagreements, facts_of, facts_of_dataset
from zsarbench.results import ClassTextInfo, DatasetInfo, RunResult

SCORES = sample_scores()
RESULT = sample_result(SCORES)


def facts(result: RunResult = RESULT, scores: Scores | None = SCORES, **fields: Any) -> dict[str, Any]:
    """Return what a result with these fields states, by name."""
    found = facts_of(dataclasses.replace(result, **fields), scores)
    return {fact.name: (fact.of, value) for fact, value in found.items()}


def test_a_result_states_the_revision_of_its_data_its_class_texts_and_its_clips() -> None:
    found = facts()
    revision, protocol = "feedbeef" * 8, ("toy/half", "0123456789abcdef" * 4)
    assert found["data"] == ((*protocol, "{}"), revision)
    assert found["class-text"] == (("toy", revision, "sentence", ""), "cd" * 32)
    clips = [str(clip) for clip in SCORES.clip_ids]
    labels = [str(SCORES.class_names[label]) for label in SCORES.labels]
    assert found["clips"] == ((*protocol, revision), (clips_digest(clips, labels),))


def test_options_of_the_data_set_are_compared_apart_and_their_order_does_not_matter() -> None:
    one, other = (DatasetInfo("toy", "1", options) for options in ({"a": 1, "b": 2}, {"b": 2, "a": 1}))
    assert facts(dataset=one) == facts(dataset=other)
    assert facts(dataset=one)["data"][0] != facts()["data"][0]


@pytest.mark.parametrize(("form", "chosen_by"), [("documents", ""), ("documents:nearest-10", "minilm-l6")])
def test_texts_that_a_text_part_chose_are_compared_under_its_name(form: str, chosen_by: str) -> None:
    (_, _, stated, by), _ = facts(class_text=ClassTextInfo(form, "00"))["class-text"]
    assert (stated, by) == (form, chosen_by)


def test_nothing_is_stated_of_texts_that_are_of_a_user_or_of_no_meaning_nor_of_clips_that_are_not_known() -> None:
    without = sample_result(SCORES, parts={})
    assert facts(without, class_text=ClassTextInfo("documents:nearest-10", "00"))["class-text"][0][-1] == ""
    assert "class-text" not in facts(class_text=ClassTextInfo("texts.csv", "00"))
    assert "class-text" not in facts(spec={"kind": KIND})
    assert set(facts(scores=None)) == {"data", "class-text"}
    assert set(facts(limit=3)) == {"data", "class-text"}


def test_clips_are_digested_for_each_round_of_the_first_seed_whatever_their_order() -> None:
    scores = sample_scores(n_rounds=2, n_seeds=2)
    _, digests = facts(sample_result(scores, seeds=(0, 1)), scores)["clips"]
    assert len(set(digests)) == 2
    backwards = sample_result(scores, seeds=(0, 1))
    order = [1, 0, 3, 2]
    turned = dataclasses.replace(scores, rounds=tuple(scores.rounds[number] for number in order))
    turned_result = dataclasses.replace(backwards, rounds=tuple(backwards.rounds[number] for number in order))
    assert facts(turned_result, turned)["clips"][1] == digests
    assert clips_digest(["a", "b"], ["x", "y"]) == clips_digest(["b", "a"], ["y", "x"])
    assert clips_digest(["a", "b"], ["x", "y"]) != clips_digest(["a", "b"], ["y", "x"])


def test_a_clip_of_an_unknown_class_has_no_label() -> None:
    unknown = dataclasses.replace(SCORES, labels=np.full_like(SCORES.labels, -1))
    clips = [str(clip) for clip in SCORES.clip_ids]
    assert facts(scores=unknown)["clips"][1] == (clips_digest(clips, [""] * len(clips)),)


DATA, TEXT, CLIPS = Fact("data", ("toy/half",)), Fact("class-text", ("toy",)), Fact("clips", ("toy/half",))


def rows(*stated: Facts) -> dict[Path, tuple[RunResult, Facts]]:
    """Return rows a.json, b.json, … that state these facts, the oldest first."""
    made = [dataclasses.replace(RESULT, created=f"2026-03-0{number + 1}T10:00:00Z") for number in range(len(stated))]
    return {Path(f"{'abcdef'[n]}.json"): (made[n], one) for n, one in enumerate(stated)}


def found(*stated: Facts, **about: Any) -> list[tuple[str, str]]:
    """Return which rows disagree, and in what."""
    return [(path.stem, problem.name) for path, problem in disagreements(rows(*stated), **about)]


def test_without_a_reference_most_rows_are_right_and_in_a_draw_the_oldest() -> None:
    assert found({DATA: "1"}, {DATA: "1"}) == []
    assert found({DATA: "1"}, {DATA: "2"}, {DATA: "2"}) == [("a", "data")]
    assert found({DATA: "1"}, {DATA: "2"}) == [("b", "data")]
    turned = dict(reversed(rows({DATA: "1"}, {DATA: "2"}).items()))
    assert [path.stem for path, _ in disagreements(turned)] == ["b"]


def test_rows_must_agree_in_what_they_share_alone() -> None:
    other = Fact("data", ("toy/other",))
    assert found({DATA: "1", TEXT: "x"}, {other: "2", CLIPS: ("y",)}) == []
    problems = [problem.text for _, problem in disagreements(rows({TEXT: "1", CLIPS: ("1",)}, {TEXT: "2", CLIPS: ()}))]
    assert problems == [
        "its class texts are others than other rows of toy have",
        "its predictions are of other clips, or labels, than other rows of toy/half have",
    ]


def test_the_reference_rows_outweigh_any_number_of_others() -> None:
    reference = list(rows({DATA: "1"}).values())
    assert found({DATA: "2"}, {DATA: "2"}, {DATA: "1"}, reference=reference) == [("a", "data"), ("b", "data")]


def test_what_no_reference_row_has_is_asked_of_the_data_set_and_unchecked_where_it_lacks_that() -> None:
    asked: list[set[Fact]] = []

    def of_dataset(result: RunResult, lacking: Collection[Fact]) -> Facts:
        asked.append(set(lacking))
        return {TEXT: "right"} if TEXT in lacking else {}

    reference = list(rows({DATA: "1"}).values())
    about = {"reference": reference, "of_dataset": of_dataset}
    assert found({DATA: "1", TEXT: "right"}, {DATA: "1", TEXT: "wrong"}, **about) == [("b", "class-text")]
    assert asked == [{TEXT}]
    assert found({DATA: "1", CLIPS: ("x",)}, **about) == [("a", "unchecked")]
    assert asked == [{TEXT}, {CLIPS}]
    assert found({CLIPS: ("x",)}, {CLIPS: ("y",)}, **about) == [("a", "unchecked"), ("b", "clips")]
    [(_, problem)] = disagreements(rows({CLIPS: ("x",)}), **about)
    assert problem.text == (
        "the clips and labels of its predictions cannot be checked: no other row of toy/half is on the same data"
    )
    assert not problem.is_fault


# --- what the data set itself gives -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A result on the data set of nine small classes."""
    path = write_protocol(tmp_path_factory.mktemp("protocols"))
    about = dataclasses.replace(RESULT.protocol, name=str(path))
    data = DatasetInfo("small", Small.revision, {"phrase": "a person is"})
    return dataclasses.replace(RESULT, protocol=about, dataset=data, class_text=ClassTextInfo("name", "00"))


UNSEEN = Small.classes[6:]  # the candidates of the protocol


def given(result: RunResult, *lacking: Fact) -> Facts:
    """Return what the data set gives."""
    registry = load_plugins(loaders=entry_points()).registry
    return facts_of_dataset(registry, result, lacking)


def test_a_data_set_gives_its_revision_its_tested_clips_and_its_texts(measured: RunResult) -> None:
    rows = Small().manifest()
    labels = {clip: label for clip, label in zip(rows["clip_id"], rows["label"], strict=True) if label in UNSEEN}
    expected = {
        DATA: Small.revision,
        CLIPS: (clips_digest(list(labels), list(labels.values())),),
        TEXT: class_texts.digest(class_texts.load(Small(), "name")),
    }
    assert given(measured, DATA, CLIPS, TEXT) == expected
    assert given(measured, CLIPS) == {CLIPS: expected[CLIPS]}
    other = dataclasses.replace(measured, dataset=dataclasses.replace(measured.dataset, revision="0"))
    assert given(other, DATA, CLIPS, TEXT) == {DATA: expected[DATA], TEXT: expected[TEXT]}
    chosen = dataclasses.replace(measured, class_text=ClassTextInfo("name:nearest-1", "00"))
    assert given(chosen, DATA, CLIPS, TEXT) == {DATA: expected[DATA], CLIPS: expected[CLIPS]}


def test_a_data_set_of_other_options_or_that_is_not_available_gives_nothing(
    measured: RunResult, caplog: pytest.LogCaptureFixture
) -> None:
    other = dataclasses.replace(measured, dataset=dataclasses.replace(measured.dataset, options={"phrase": "one is"}))
    assert given(other, DATA, CLIPS, TEXT) == {}
    assert not caplog.records
    gone = dataclasses.replace(measured, protocol=dataclasses.replace(measured.protocol, name="small/gone"))
    assert given(gone, DATA, CLIPS, TEXT) == {}
    assert "the data of small/gone are not available here" in caplog.text
