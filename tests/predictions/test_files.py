"""Files of predictions: which forms are read as what, which fields of them are not read, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from records import changeable, positional
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.predictions import files
from zsarbench.predictions.files import PredictionFile, form_of
from zsarbench.predictions.records import Reading

CLASSES = np.array(["golf", "diving", "surfing"])
CLIPS = np.array(["a", "b"])
MATRIX = np.array([[1.0, 2.0, 3.0], [6.0, 5.0, 4.0]])


def read(folder: Path, name: str, content: Any, reading: Reading | None = None) -> PredictionFile:
    """Write a file of text, JSON or arrays, and return what is read of it."""
    path = folder / name
    if name.endswith("npz"):
        np.savez(path, **content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return files.read(path, reading or Reading({}))


def shown(file: PredictionFile) -> list[tuple[str, tuple[str, ...], list[float] | None]]:
    """Return clip, labels and scores of each prediction."""
    return [(one.clip, one.labels, None if one.scores is None else one.scores.tolist()) for one in file.predictions]


SCORED = [("a", tuple(CLASSES), [1.0, 2.0, 3.0]), ("b", tuple(CLASSES), [6.0, 5.0, 4.0])]


@pytest.mark.parametrize(
    ("arrays", "expected", "not_read"),
    [
        ({"clips": CLIPS, "classes": CLASSES, "scores": MATRIX}, SCORED, ()),
        ({"clips": CLIPS, "classes": CLASSES, "scores": MATRIX, "labels": CLIPS, "x": CLIPS}, SCORED, ("labels", "x")),
        ({"ids": CLIPS, "classes": CLASSES, "logits": MATRIX.astype(int)}, SCORED, ()),
        ({"clips": CLIPS, "labels": CLASSES[:2], "more": CLIPS}, [("a", ("golf",), None), ("b", ("diving",), None)],
         ("more",)),
        ({"clips": CLIPS, "labels": CLASSES[[[0, 2], [1, 0]]]},
         [("a", ("golf", "surfing"), None), ("b", ("diving", "golf"), None)], ()),
        ({"clips": CLIPS, "labels": np.array([["golf", "diving"], ["golf", ""]])},
         [("a", ("golf", "diving"), None), ("b", ("golf",), None)], ()),
        ({"clips": CLIPS, "labels": CLASSES[[[0, 2], [1, 0]]], "scores": MATRIX[:, :2]},
         [("a", ("golf", "surfing"), [1.0, 2.0]), ("b", ("diving", "golf"), [6.0, 5.0])], ()),
    ],
)  # fmt: skip
def test_arrays_stand_next_to_each_other(tmp_path: Path, arrays: Any, expected: Any, not_read: Any) -> None:
    file = read(tmp_path, "p.npz", arrays)
    assert shown(file) == expected
    assert (file.not_read, file.form, file.in_words) == (not_read, "npz", False)
    assert [one.where for one in file.predictions] == [f"predictions {tmp_path / 'p.npz'}, row {n}" for n in (0, 1)]


def test_columns_and_indices_of_arrays_stand_for_the_classes_of_an_order(tmp_path: Path) -> None:
    reading = Reading({}, tuple(CLASSES))
    assert shown(read(tmp_path, "p.npz", {"clips": CLIPS, "scores": MATRIX}, reading)) == SCORED
    by_index = {"clips": CLIPS, "labels": np.array([2, 0])}
    assert shown(read(tmp_path, "p.npz", by_index, reading)) == [("a", ("surfing",), None), ("b", ("golf",), None)]
    with pytest.raises(UsageError, match="holds 3 scores, but the order has 2 classes"):
        read(tmp_path, "p.npz", {"clips": CLIPS, "scores": MATRIX}, Reading({}, tuple(CLASSES[:2])))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"scores": MATRIX}, "has no array that names the clips, such as clips; it has scores"),
        ({"clips": CLIPS}, r"has neither scores \(N, C\) nor labels \(N,\) or \(N, k\); it has clips"),
        ({"clips": CLIPS, "scores": MATRIX[:, 0]}, "has neither scores"),
        (
            {"clips": CLIPS, "scores": MATRIX[:1], "classes": CLASSES},
            r"'scores' has shape \(1, 3\); 2 rows is expected",
        ),
        ({"clips": CLIPS, "scores": MATRIX[None], "classes": CLASSES}, r"'scores' has shape \(1, 2, 3\)"),
        ({"clips": CLIPS, "scores": MATRIX, "classes": CLASSES[:2]}, r"'classes' has shape \(2,\); 3 rows"),
        ({"clips": CLIPS, "labels": CLASSES}, r"'labels' has shape \(3,\); 2 rows"),
        ({"clips": np.array("a"), "labels": CLASSES}, r"'clips' has shape \(\); \(N,\) or \(N, C\) is expected"),
        ({"clips": CLIPS, "scores": CLASSES[[[0], [1]]], "classes": CLASSES[:1]}, "'scores' holds <U7, not numbers"),
        ({"clips": CLIPS[:0], "labels": CLASSES[:0]}, "is empty"),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(tmp_path: Path, arrays: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(tmp_path, "p.npz", arrays)


GOLF = [("a", ("golf",), None), ("b", ("diving",), None)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.json", {"a": "golf", "b": ["diving"]}),
        ("p.json", [{"clip": "a", "label": "golf"}, {"clip": "b", "label": "diving"}]),
        ("p.json", {"clips": ["a", "b"], "labels": ["golf", "diving"], "seconds": 3}),
        ("p.jsonl", '{"clip": "a", "label": "golf"}\n\n{"clip": "b", "label": "diving"}\n'),
        ("p.NDJSON", '{"clip": "a", "label": "golf"}\n{"clip": "b", "label": "diving"}\n'),
        ("p.csv", "clip,label\na,golf\nb,diving\n"),
        ("p.tsv", "id\tpred\na\tgolf\nb\tdiving\n"),
    ],
)
def test_texts_of_many_forms_hold_the_same(tmp_path: Path, name: str, content: Any) -> None:
    file = read(tmp_path, name, content)
    assert shown(file) == GOLF
    assert file.not_read == (("seconds",) if "seconds" in content else ())


def test_lists_of_floats_by_clip_are_scores_and_lists_of_whole_numbers_indices(tmp_path: Path) -> None:
    reading = Reading({}, tuple(CLASSES))
    assert shown(read(tmp_path, "p.json", {"a": [1.0, 2, 3], "b": [6, 5, 4]}, reading)) == SCORED
    assert shown(read(tmp_path, "p.json", {"a": [2, 0]}, reading)) == [("a", ("surfing", "golf"), None)]


@pytest.mark.parametrize(
    ("name", "content"), [("p.json", '{"a": {"golf": 1, "diving": NaN}}'),
                          ("p.jsonl", '{"clip": "a", "scores": {"golf": 1, "diving": NaN}}')]
)  # fmt: skip
def test_a_score_that_is_no_number_is_none(tmp_path: Path, name: str, content: str) -> None:
    ((_, labels, scores),) = shown(read(tmp_path, name, content))
    assert labels == ("golf", "diving")
    assert scores is not None
    assert np.isnan(scores).tolist() == [False, True]


def test_an_object_of_lists_may_name_its_classes(tmp_path: Path) -> None:
    content = {"clips": ["a", "b"], "classes": list(CLASSES), "scores": MATRIX.tolist(), "note": "mine"}
    file = read(tmp_path, "p.json", content)
    assert shown(file) == SCORED
    assert file.not_read == ("note",)
    few = {"clips": ["a", "b"], "class_names": ["golf", "diving"], "scores": [[1.0, 2.0], [3.0, 4.0]]}
    assert shown(read(tmp_path, "p.json", few))[1] == ("b", ("golf", "diving"), [3.0, 4.0])


def test_rows_by_rank_are_joined_in_the_order_of_their_ranks(tmp_path: Path) -> None:
    rows = "clip,rank,label,score\na,2,golf,0.5\nb,1,surfing,1\na,1,diving,0.7\na,10,surfing,0.1\n"
    assert shown(read(tmp_path, "p.csv", rows)) == [
        ("a", ("diving", "golf", "surfing"), [0.7, 0.5, 0.1]), ("b", ("surfing",), [1.0])
    ]  # fmt: skip
    unscored = read(tmp_path, "p.csv", "clip,rank,label\na,2,golf\na,1,diving\n")
    assert shown(unscored) == [("a", ("diving", "golf"), None)]
    for rank, message in (("1", "clip 'a' has a rank twice"), ("first", "the rank 'first', which is not a number")):
        with pytest.raises(UsageError, match=message):
            read(tmp_path, "p.csv", f"clip,rank,label\na,1,golf\na,{rank},diving\n")


def test_answers_in_words_are_told_apart(tmp_path: Path) -> None:
    assert read(tmp_path, "p.csv", "clip,answer,cost\na,golf,3\n").in_words
    assert read(tmp_path, "p.csv", "clip,answer,cost\na,golf,3\n").not_read == ("cost",)
    assert not read(tmp_path, "p.csv", "clip,label\na,golf\n").in_words


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.json", "[]", "is empty"),
        ("p.json", "3", "is 3; it must be an object or a list"),
        ("p.json", '["golf"]', "item 0 is 'golf'"),
        ("p.json", '[{"clip": "a", "label": "golf", "label": "x"}]', "has a field twice"),
        ("p.jsonl", '{"clip": "a", "label": 1}', "holds class indices"),
        ("p.csv", "film,label\na,golf\n", "has none of the columns"),
    ],
)
def test_what_is_no_list_of_predictions_is_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        read(tmp_path, name, content)


def test_a_column_of_clips_may_have_another_name(tmp_path: Path) -> None:
    reading = Reading({"clip": "Film"})
    assert shown(read(tmp_path, "p.csv", "film,label\na,golf\nb,diving\n", reading)) == GOLF
    with pytest.raises(ZsarbenchError, match="has none of the columns"):
        read(tmp_path, "p.csv", "clip,label\na,golf\n", reading)


@pytest.mark.parametrize("name", ["p.txt", "p.xls", "p.json"])
def test_a_file_of_no_known_form_is_refused_before_it_is_read(tmp_path: Path, name: str) -> None:
    message = {"p.txt": "unknown ending 'txt'", "p.xls": "of spreadsheets xlsx is read", "p.json": "does not exist"}
    with pytest.raises(UsageError, match=message[name]):
        form_of(tmp_path / name)


def test_what_was_read_cannot_be_changed() -> None:
    assert (changeable(files), positional(files)) == ([], [])
