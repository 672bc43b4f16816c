"""What a record says of a clip: which of its fields hold what, and what their values mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from records import changeable, positional
from zsarbench.errors import UsageError
from zsarbench.predictions import records
from zsarbench.predictions.layouts import Layout, Reading, layout_of
from zsarbench.predictions.records import Prediction, is_record, label_of, number, parsed, prediction_of, value_of

ORDER = ("golf", "diving", "7")
PLAIN, ORDERED = Reading({}), Reading({}, ORDER)


def predicted(record: dict[str, Any], reading: Reading = PLAIN) -> Prediction:
    """Return the prediction of a record."""
    return prediction_of(record, layout_of(tuple(record), reading, "row 1"), reading, "row 1")


def shown(found: Prediction) -> tuple[tuple[str, ...], list[float] | None]:
    """Return labels and scores."""
    return found.labels, None if found.scores is None else found.scores.tolist()


# --- which fields hold what -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        ("clip label", Layout(clip="clip", labels="label")),
        ("Video PRED label", Layout(clip="Video", labels="PRED")),
        ("id answer label options", Layout(clip="id", answer="answer", options="options")),
        ("id answer choices", Layout(clip="id", answer="answer", options="choices")),
        ("clip scores label", Layout(clip="clip", labels="label", scores="scores")),
        ("clip scores", Layout(clip="clip", scores="scores")),
        ("clip rank label", Layout(clip="clip", labels="label", rank="rank")),
        ("clip place label prob", Layout(clip="clip", labels="label", rank="place", scores="prob")),
        ("clip rank label logits prob", Layout(clip="clip", labels="label", rank="rank", scores="logits")),
        ("clip rank", Layout(clip="clip", classes=("rank",))),
        ("clip pred2 pred10 pred1", Layout(clip="clip", ranked=(("pred1", None), ("pred2", None), ("pred10", None)))),
        ("clip top-1 Prob_1 top-2", Layout(clip="clip", ranked=(("top-1", "Prob_1"), ("top-2", None)))),
        ("clip golf diving", Layout(clip="clip", classes=("golf", "diving"))),
    ],
)  # fmt: skip
def test_fields_are_known_by_their_names(names: str, layout: Layout) -> None:
    assert layout_of(tuple(names.split()), PLAIN, "row 1") == layout


def test_fields_may_be_called_otherwise() -> None:
    renamed = Reading({"clip": "Name", "label": "Guess"})
    assert layout_of(("NAME", "guess", "answer"), renamed, "row 1") == Layout(clip="NAME", labels="guess")
    words = Reading({"label": "guess"}, words=True)
    assert layout_of(("clip", "guess"), words, "row 1") == Layout(clip="clip", answer="guess")
    assert not PLAIN.words
    with pytest.raises(
        UsageError, match="no field that names the clip, such as clip, clip_id, clips, clip_ids; it has"
    ):
        layout_of(("clip", "label"), Reading({"clip": "film"}), "row 1")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "it has none"),
        (tuple("abcdef"), "it has 'a', 'b', 'c', 'd', 'e', 'f'. Try"),
        (tuple("abcdefg"), "'e', 'f' …"),
        (("a" * 41,), f"it has '{'a' * 40}'. Try"),
        (("clip",), "row 1 has no field but 'clip'; what is predicted"),
    ],
)
def test_a_record_that_says_nothing_of_a_clip_is_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as error:
        layout_of(names, PLAIN, "row 1")
    assert message in str(error.value)


def test_the_fields_that_are_read_are_those_that_hold_something() -> None:
    assert layout_of(("clip", "label1", "score1", "more"), PLAIN, "row 1").read == {"clip", "label1", "score1"}
    assert layout_of(("clip", "rank", "label", "prob", "more"), PLAIN, "").read == {"clip", "rank", "label", "prob"}
    assert layout_of(("clip", "golf", "diving"), PLAIN, "").read == {"clip", "golf", "diving"}


# --- what their values mean -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"clip": "a", "label": "golf"}, (("golf",), None)),
        ({"clip": 3, "label": ["golf", "diving"]}, (("golf", "diving"), None)),
        ({"clip": "a", "label": None}, ((), None)),
        ({"clip": "a", "label": ["golf", "", None]}, (("golf",), None)),
        ({"clip": "a", "label": "golf", "scores": 0.5}, (("golf",), [0.5])),
        ({"clip": "a", "label": ["golf", "diving"], "scores": [0.5, 0.25]}, (("golf", "diving"), [0.5, 0.25])),
        ({"clip": "a", "label": ["golf", "diving"], "scores": 0.5}, (("golf", "diving"), None)),
        ({"clip": "a", "label": [["golf", 2], ["diving", 1]], "scores": 9}, (("golf", "diving"), [2.0, 1.0])),
        ({"clip": "a", "label": "truth", "scores": {"golf": 1, "diving": 2}}, (("golf", "diving"), [1.0, 2.0])),
        ({"clip": "a", "label1": "golf", "label2": "", "label3": "diving"}, (("golf", "diving"), None)),
        ({"id": "a", "label1": "golf", "label2": "diving", "prob1": 2, "prob2": 1}, (("golf", "diving"), [2.0, 1.0])),
        ({"clip": "a", "golf": "0.5", "diving": 1}, (("golf", "diving"), [0.5, 1.0])),
    ],
)  # fmt: skip
def test_values_are_labels_and_scores(record: dict[str, Any], expected: Any) -> None:
    assert shown(predicted(record)) == expected


def test_the_best_label_may_have_a_score_that_others_lack() -> None:
    labels, scores = shown(predicted({"clip": "a", "label1": "golf", "label2": "diving", "score1": 2}))
    assert (labels, scores[0] if scores else None) == (("golf", "diving"), 2.0)
    assert scores is not None
    assert np.isnan(scores[1])
    unscored = predicted({"clip": "a", "label1": "golf", "label2": "diving", "score2": 1})
    assert shown(unscored) == (("golf", "diving"), None)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"clip": "a", "label": 1}, (("diving",), None)),
        ({"clip": "a", "label": 1.0}, (("diving",), None)),
        ({"clip": "a", "label": "0"}, (("golf",), None)),
        ({"clip": "a", "label": "7"}, (("7",), None)),  # a name of the order
        ({"clip": "a", "label": 3}, (("index 3",), None)),
        ({"clip": "a", "label": -1}, (("index -1",), None)),
        ({"clip": "a", "scores": [1, 2, 3]}, (ORDER, [1.0, 2.0, 3.0])),
        ({"clip": "a", "label": ["golf"], "scores": [1, 2, 3]}, (ORDER, [1.0, 2.0, 3.0])),  # the truth, and all scores
        ({"clip": "a", "scores": {"0": 1, "diving": 2}}, (("golf", "diving"), [1.0, 2.0])),
        ({"clip": "a", "0": 1, "1": 2}, (("golf", "diving"), [1.0, 2.0])),
    ],
)
def test_indices_stand_for_the_classes_of_the_order(record: dict[str, Any], expected: Any) -> None:
    assert shown(predicted(record, ORDERED)) == expected


@pytest.mark.parametrize(
    ("record", "reading", "message"),
    [
        ({"clip": "a", "label": 1}, PLAIN, "holds class indices, such as 1, and their order is not known"),
        ({"clip": "a", "label": "1"}, PLAIN, "holds class indices, such as 1"),
        ({"clip": "a", "scores": [1, 2]}, PLAIN, "holds 2 scores and does not name their classes"),
        ({"clip": "a", "scores": [1, 2]}, ORDERED, "holds 2 scores, but the order has 3 classes"),
        ({"clip": "a", "label": 1.5}, ORDERED, "has the label 1.5; a label is a name or an index"),
        ({"clip": "a", "label": float("inf")}, ORDERED, "has the label inf"),
        ({"clip": "a", "label": float("-inf")}, ORDERED, "has the label -inf"),
        ({"clip": "a", "label": True}, ORDERED, "neither a name nor an index: True"),
        ({"clip": "a", "label": {"golf": "much"}}, PLAIN, "the score 'much', which is not a number"),
        ({"clip": "a", "golf": [1], "diving": 0}, PLAIN, "which is not a number"),
        ({"clip": True, "label": "golf"}, PLAIN, "no text in 'clip'"),
        ({"clip": "", "label": "golf"}, PLAIN, "no text in 'clip'"),
        ({"clip": 1.5, "label": "golf"}, PLAIN, "no text in 'clip'"),
        ({"clip": "a", "answer": 3}, PLAIN, "has an answer that is not text: 3"),
        ({"clip": "a", "answer": "A", "options": 3}, PLAIN, "has options that are not a list of two texts or more: 3"),
        ({"clip": "a", "answer": "A", "options": ["golf", 3]}, PLAIN, "has options that are not a list of two"),
    ],
)
def test_values_of_another_kind_are_refused(record: dict[str, Any], reading: Reading, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        predicted(record, reading)


def test_answers_have_options_where_the_record_lists_them() -> None:
    found = predicted({"clip": "a", "answer": "golf, I think", "options": "golf | diving"})
    assert (found.answer, found.options, found.labels) == ("golf, I think", ("golf", "diving"), ())
    assert predicted({"clip": "a", "answer": None, "options": None}).answer == ""
    assert predicted({"clip": "a", "answer": "x", "options": [" golf ", "A. diving"]}).options == ("golf", "A. diving")
    with pytest.raises(UsageError, match="not a list of two texts or more"):
        predicted({"clip": "a", "answer": "x", "options": ["golf"]})
    assert predicted({"clip": "a", "answer": "x"}).options == ()


def test_a_value_under_the_name_of_a_clip_is_its_prediction() -> None:
    def of(value: Any, reading: Reading = PLAIN, **more: Any) -> tuple[tuple[str, ...], list[float] | None]:
        return shown(value_of("a", value, reading, "row 1", **more))

    assert of({"golf": 1, "diving": None})[0] == ("golf", "diving")
    assert of({"label": 1}, ORDERED) == (("label",), [1.0])  # numbers under names are scores
    assert of([3, 2, 1], ORDERED, matrix=True) == (ORDER, [3.0, 2.0, 1.0])
    assert of([1, 0], ORDERED) == (("diving", "golf"), None)
    assert of({})[0] == of(None)[0] == ()
    assert value_of("a", "golf", Reading({}, words=True), "row 1").answer == "golf"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"label": "golf", "scores": 0.5}, True),
        ({"golf": True, "label": "diving"}, True),  # a truth value is no score
        ({"golf": 0.5, "diving": None}, False),
        ({}, False),
        (["golf"], False),
    ],
)
def test_an_object_of_anything_but_scores_is_a_record(value: Any, expected: bool) -> None:
    assert is_record(value) is expected


def test_a_list_of_pairs_is_scored_and_any_other_list_is_in_order() -> None:
    assert parsed([["golf", 0.5], ["diving", 0.25]], PLAIN, "") == (("golf", "diving"), [0.5, 0.25])
    with pytest.raises(UsageError, match="neither a name nor an index"):
        parsed([["golf", 0.5], ["diving"]], PLAIN, "")
    assert parsed([], PLAIN, "") == ((), None)


def test_numbers_of_rows_stand_for_clips() -> None:
    reading = Reading({}, clips=("a", "b"))
    assert (reading.clip_at(0, ""), reading.clip_at(1, "")) == ("a", "b")
    for wrong in (2, -1, True, 1.0, "1"):
        with pytest.raises(UsageError, match="but the order of clips has 2 rows"):
            reading.clip_at(wrong, "row 1")
    with pytest.raises(UsageError, match="has 0 rows"):
        PLAIN.clip_at(0, "row 1")


def test_missing_scores_are_nan_and_text_of_numbers_is_a_score() -> None:
    assert np.isnan([number(value, "") for value in (None, "", float("nan"))]).all()
    assert number("1e3", "") == 1000.0
    assert label_of("²", ORDERED, "") == "²"  # a digit of no index


def test_predictions_cannot_be_changed() -> None:
    assert (changeable(records), positional(records)) == ([], [])
