"""Single records of evaluation programs: what they say of a clip, from their fields alone."""

from __future__ import annotations

from typing import Any

import pytest

from records import changeable, positional
from zsarbench.errors import UsageError
from zsarbench.predictions import programs
from zsarbench.predictions.programs import lettered, program_of
from zsarbench.predictions.records import Prediction, Reading


def read(record: dict[str, Any], reading: Reading | None = None) -> Prediction:
    """Return the prediction of a record of a program that is known."""
    program = program_of(record, reading or Reading({}))
    assert program is not None
    return program.read(record, reading or Reading({}), "row 1")


def likelihoods(*values: float | str, **more: Any) -> dict[str, Any]:
    """Return a sample of lmms-eval whose options were a request each."""
    return {"doc_id": 0, "clip": "a", "filtered_resps": [[value, "False"] for value in values], **more}


def test_a_program_is_known_by_all_of_its_fields_unless_the_user_names_the_answer() -> None:
    row = dict.fromkeys(("index", "question", "prediction"), "")
    assert [program_of(names, Reading({})) is None for names in (row, [*row][:2])] == [False, True]
    for field in ("answer", "label", "scores"):
        assert program_of(row, Reading({field: "prediction"})) is None
    assert program_of(row, Reading({"clip": "index"})) is not None


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (["A. golf", "B. diving"], ("golf", "diving")),
        (["What?", " (A) golf ", "B: diving", "C) surfing", "Answer."], ("golf", "diving", "surfing")),
        (["A. golf"], ()),
        (["B. golf", "A. diving"], ()),
        (["A. golf", "C. diving", "B. surfing"], ("golf", "surfing")),
        (["A.golf", "a. diving"], ()),
        ([f"{chr(65 + number % 26)}. o{number}" for number in range(28)], tuple(f"o{number}" for number in range(28))),
    ],
)
def test_options_stand_behind_letters_in_their_order(lines: list[str], options: tuple[str, ...]) -> None:
    assert lettered(lines) == options


@pytest.mark.parametrize(
    ("record", "labels", "scores"),
    [
        (likelihoods(-1.0, -2.0, options=["golf", "diving"]), ("golf", "diving"), [-1.0, -2.0]),
        (likelihoods("0.5", "2", options=["golf", "diving"]), ("golf", "diving"), [-0.5, -2.0]),
        (likelihoods(0, -2.0, options=["golf", "diving"]), ("golf", "diving"), [0.0, -2.0]),
        (likelihoods(-1, -9, -2, -9, options=["golf", "diving"]), ("golf", "diving"), [-1.0, -2.0]),  # and mutual
        (likelihoods(-1, -9, -2, -9, choices=["A. a", "B. b", "C. c", "D. d"]), tuple("abcd"), [-1, -9, -2, -9]),
        (likelihoods(-1, -2, candidates="['golf', 'diving']"), ("golf", "diving"), [-1.0, -2.0]),
        (likelihoods(-1, -2, input="A. golf\nB. diving"), ("golf", "diving"), [-1.0, -2.0]),
    ],
)  # fmt: skip
def test_likelihoods_are_scores_of_the_options(record: dict[str, Any], labels: Any, scores: Any) -> None:
    found = read(record)
    assert found.scores is not None
    assert (found.labels, found.scores.tolist(), found.answer) == (labels, scores, None)


@pytest.mark.parametrize(
    ("target", "truth"),
    [("1", "diving"), ("2", "2"), ("B", "diving"), ("(a)", "golf"), ("golf", "golf"), (1, "diving"), ("", "")],
)
def test_the_truth_of_likelihoods_is_an_index_a_letter_or_a_name(target: Any, truth: str) -> None:
    assert read(likelihoods(-1, -2, options=["golf", "diving"], target=target)).truth == truth


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (likelihoods(-1, 2, options=["golf", "diving"]), "likelihoods below and above 0"),
        (likelihoods(-1, -2, -3, options=["golf", "diving"]), "3 likelihoods, and the sample does not name 3 options"),
        (likelihoods(-1, "much", options=["golf", "diving"]), "neither one text nor a likelihood"),
        ({"doc_id": 0, "filtered_resps": ["golf"]}, "in which no field names the clip; its doc_id is the number"),
        ({"doc_id": 0, "clip": "a", "filtered_resps": ["golf", "diving"]}, "neither one text nor a likelihood"),
        ({"doc_id": 0, "clip": "a", "filtered_resps": [[1, "True"], [2, "maybe"]]}, "neither one text nor"),
        ({"doc_id": 0, "clip": "a", "filtered_resps": [[1, "True", 3], [2, "True"]]}, "neither one text nor"),
        ({"index": 1, "question": "", "prediction": "golf"}, "a row of VLMEvalKit in which no field names the clip"),
    ],
)  # fmt: skip
def test_samples_that_are_no_choice_are_refused(record: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(record)


def test_one_response_in_lists_is_an_answer() -> None:
    found = read(
        {"doc_id": 0, "doc": {"video": " a "}, "filtered_resps": [["golf"]], "options": ["x", "y"], "target": "B"}
    )
    assert (found.clip, found.answer, found.options, found.truth) == ("a", "golf", ("x", "y"), "y")
    by_number = read({"doc_id": 1, "filtered_resps": "golf"}, Reading({}, clips=("a", "b")))
    assert (by_number.clip, by_number.options) == ("b", ())


def test_a_row_of_vlmevalkit_has_options_in_columns_or_in_a_list_or_in_its_question() -> None:
    row = {"index": 1, "video": "a", "question": "A. p\nB. q", "prediction": " golf ", "answer": "B"}
    assert read(row).options == ("p", "q")
    assert read(row | {"candidates": "['u', 'v']"}).options == ("u", "v")
    found = read(row | {"candidates": "['u', 'v']", "A": "golf", "B": "diving", "C": "", "D": "surfing"})
    assert (found.options, found.answer, found.truth) == (("golf", "diving"), "golf", "diving")
    assert read(row | {"A": "golf"}).options == ("p", "q")
    assert read(row | {"prediction": "Failed to obtain answer via API."}).answer == ""
    assert read(row | {"candidates": "['u']"}).options == ("p", "q")
    assert read(row | {"candidates": "[" + "'u'," * 6000 + "]"}).options == ("p", "q")  # 24,002 characters
    assert len(read(row | {"candidates": "[" + "'u'," * 4999 + "]"}).options) == 4999  # 19,998


def test_a_program_cannot_be_changed() -> None:
    assert (changeable(programs), positional(programs)) == ([], ["Program"])
