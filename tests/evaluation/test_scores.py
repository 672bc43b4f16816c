"""Files of scores: what a round of one gives, and that a file whose arrays contradict each other is refused."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from records import changeable, positional
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import scores
from zsarbench.evaluation.compact import compacted
from zsarbench.evaluation.scores import Block, RoundScores, Scores


def index(*values: int) -> np.ndarray:
    """Return an array of indices."""
    return np.array(values, dtype=np.int32)


MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)
BLOCKS = (Block(index(4, 0, 2, 1), index(3, 0, 1), MATRIX), Block(index(3), index(0, 1), MATRIX[:1, :2]))
ROUND = RoundScores(block=0, clips=index(0, 1, 4), classes=index(1, 3), seen=np.array([True, False]))
MULTIPLE_CHOICE = RoundScores(block=1, clips=index(3), classes=index(0, 1), seen=np.array([False, False]), n_options=2)
SCORES = Scores(
    clip_ids=np.array(["e", "d", "c", "a", "b"]),
    groups=np.array(["g"] * 5),
    class_names=np.array(["A", "B", "C", "D"]),
    labels=index(1, 3, 0, -1, 1),
    blocks=BLOCKS,
    rounds=(ROUND, MULTIPLE_CHOICE),
)


def changed(round_fields: dict[str, Any] | None = None, **fields: Any) -> Scores:
    """Return the scores with other values, of their first round too."""
    rounds = (dataclasses.replace(ROUND, **(round_fields or {})), *SCORES.rounds[1:])
    return dataclasses.replace(SCORES, **({"rounds": rounds} | fields))


def test_a_round_takes_its_clips_and_classes_from_its_block() -> None:
    matrix, labels = SCORES.round(0)
    assert matrix.tolist() == [[5.0, 3.0], [11.0, 9.0], [2.0, 0.0]]
    assert labels.tolist() == SCORES.true_columns(0).tolist() == [0, 1, 0]
    assert changed({"clips": index(2), "classes": index(1, 0)}).true_columns(0).tolist() == [1]
    assert SCORES.ranks(0) is SCORES.ranks(0)
    assert SCORES.ranks(0).correct(1).tolist() == [1.0, 0.0, 1.0]


def test_places_of_clips_are_in_the_order_of_ids() -> None:
    assert SCORES.by_id.tolist() == [4, 3, 2, 0, 1]


@pytest.mark.parametrize("fields", [{"clips": index(0, 3)}, {"classes": index(1, 2, 3)}])
def test_a_round_of_what_its_block_lacks_is_refused(fields: dict[str, Any]) -> None:
    labels = index(1, 3, 0, 1, 1)
    with pytest.raises(ZsarbenchError, match="round 0 of the scores has a clip or class that its block lacks"):
        changed(fields, labels=labels).round(0)


@pytest.mark.parametrize("labels", [index(1, 3, 0, 1, -1), index(1, 3, 0, 1, 2)])
def test_a_clip_of_no_candidate_class_is_refused(labels: np.ndarray) -> None:
    with pytest.raises(ZsarbenchError, match="round 0 of the scores has a clip of no candidate class"):
        changed(labels=labels).true_columns(0)


def test_what_an_index_lacks_has_no_position() -> None:
    assert scores.positions(index(2, 0), 4).tolist() == [1, -1, 0, -1]


def read_back(given: Scores | dict[str, np.ndarray], folder: Path) -> Scores:
    """Return the scores that a file of scores, or of arrays, is read as."""
    path = folder / "a.npz"
    if isinstance(given, Scores):
        path.write_bytes(given.to_bytes())
    else:
        np.savez(path, **given)
    return scores.read(path)


@pytest.mark.parametrize("form", ["all", "scores", "places"])
def test_what_is_read_is_what_was_written(tmp_path: Path, form: Any) -> None:
    given = SCORES if form == "all" else compacted(SCORES, form)
    back = read_back(given, tmp_path)
    assert (back.form, len(back.blocks), len(back.rounds)) == (form, 2, 2)
    for mine, other in zip((*given.blocks, *given.rounds), (*back.blocks, *back.rounds), strict=True):
        for field in dataclasses.fields(mine):
            np.testing.assert_array_equal(getattr(other, field.name), getattr(mine, field.name))
    for name in ("clip_ids", "groups", "class_names", "labels"):
        np.testing.assert_array_equal(getattr(back, name), getattr(given, name))


def test_a_file_is_of_no_day() -> None:
    """Its bytes, whose hash a result holds, depend on the arrays alone."""
    with zipfile.ZipFile(io.BytesIO(SCORES.to_bytes())) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {archive.read(entry)[:8] for entry in archive.infolist()} == {b"\x93NUMPY\x01\x00"}


def test_options_are_stored_for_a_multiple_choice_alone() -> None:
    names = set(SCORES.to_arrays())
    assert "round1_options" in names
    assert "round0_options" not in names


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": index(3, 3, 0, -1, 1)},
        {"rounds": ()},
        {"rounds": (dataclasses.replace(MULTIPLE_CHOICE, clips=index(4)),)},  # the last clip of all
    ],
)
def test_indices_of_the_last_clip_and_class_are_read(tmp_path: Path, fields: dict[str, Any]) -> None:
    read_back(changed(**fields), tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (changed(groups=np.array(["g"] * 4)), "5 clips have 4 groups and 5 labels"),
        (changed(labels=index(1, 3, 0, 1)), "5 clips have 5 groups and 4 labels"),
        (changed(clip_ids=np.array(["e", "d", "c", "a", "a"])), "a clip is listed twice"),
        (changed(class_names=np.array(["A", "B", "C", "A"])), "a class is listed twice"),
        (changed(labels=index(1, 3, 0, 4, 1)), "labels point outside the 4 that exist"),
        (changed(labels=index(1, 3, 0, -2, 1)), "labels point outside the 4 that exist"),
        (changed(blocks=(Block(index(4, 0, 2), index(3, 0, 1), MATRIX), BLOCKS[1])), "block 0 has scores .4, 3. for 3"),
        (changed(blocks=(Block(index(4, 0, 2, 1), index(3, 0), MATRIX), BLOCKS[1])), "for 4 clips and 2 classes"),
        (changed(blocks=(Block(index(5, 0, 2, 1), index(3, 0, 1), MATRIX), BLOCKS[1])), "clips of block 0 point"),
        (changed(blocks=(Block(index(4, 0, 4, 1), index(3, 0, 1), MATRIX), BLOCKS[1])), "clips of block 0 are listed"),
        (changed(blocks=(Block(index(4, 0, 2, 1), index(4, 0, 1), MATRIX), BLOCKS[1])), "classes of block 0 point"),
        (changed(blocks=(Block(index(4, 0, 2, 1), index(0, 0, 1), MATRIX), BLOCKS[1])), "classes of block 0 are"),
        (changed({"block": 2}), "round 0 is of block 2; there are 2"),
        (changed({"block": -1}), "round 0 is of block -1"),
        (changed({"clips": index(0, -1)}), "clips of round 0 point outside"),
        (changed({"clips": index(0, 0)}), "clips of round 0 are listed twice"),
        (changed({"classes": index(1, 4)}), "classes of round 0 point outside the 4"),
        (changed({"classes": index(1, 1)}), "classes of round 0 are listed twice"),
        (changed({"n_options": 1}), "round 0 has 1 options of 2 classes"),
        (changed({"n_options": 3}), "round 0 has 3 options of 2 classes"),
        (changed({"seen": np.array([True])}), "round 0 has 3 clips, 2 classes and 1 marks"),
        (changed({"clips": index()}), "round 0 has 0 clips, 2 classes and 2 marks"),
    ],
)  # fmt: skip
def test_a_file_whose_arrays_contradict_each_other_is_refused(tmp_path: Path, given: Scores, message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        read_back(given, tmp_path)


@pytest.mark.parametrize(
    ("without", "extra", "message"),
    [
        ("labels", {}, "array 'labels' is missing"),
        ("block1_scores", {}, "array 'block1_scores' is missing"),
        ("round1_seen", {}, "array 'round1_seen' is missing"),
        ("", {"round2_options": np.int32(2)}, "array 'round2_options' is of no block or round"),
        ("", {"block0_unread": np.zeros(4, bool)}, "array 'block0_unread' is of no block or round"),
        ("labels", {"labels": np.zeros((5, 1), np.int32)}, "'labels' has shape"),
        ("labels", {"labels": np.zeros(5)}, "'labels' holds float64, not int32"),
    ],
)
def test_a_file_of_other_arrays_is_refused(
    tmp_path: Path, without: str, extra: dict[str, np.ndarray], message: str
) -> None:
    arrays = {name: array for name, array in SCORES.to_arrays().items() if name != without}
    with pytest.raises(ZsarbenchError, match=message):
        read_back(arrays | extra, tmp_path)


def test_compact_scores_of_more_memory_than_is_read_are_refused_before_they_are_made(tmp_path: Path) -> None:
    arrays = compacted(dataclasses.replace(SCORES, blocks=BLOCKS[:1], rounds=(ROUND,)), "places").to_arrays()
    arrays |= {"block0_steps": np.ones(30_000, np.int32), "block0_classes": np.ones(20_000, np.int32)}
    with pytest.raises(ZsarbenchError, match="its matrices have 600,000,000 scores, more than are read"):
        read_back(arrays, tmp_path)


def test_a_missing_file_names_the_compact_form(tmp_path: Path) -> None:
    with pytest.raises(ZsarbenchError, match=r"does not exist; .*zsarbench result compact"):
        scores.read(tmp_path / "a.npz")


def test_blocks_and_rounds_cannot_be_changed() -> None:
    assert (changeable(scores), positional(scores)) == ([], ["Block"])
