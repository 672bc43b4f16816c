"""Accuracy of each class, by scores whose answers can be read off."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from zsarbench.evaluation.by_class import ClassAccuracy, by_class
from zsarbench.evaluation.scores import Block, RoundScores, Scores

NAMES = ("A", "B", "C")
NAN = float("nan")
LABELS = (0, 0, 0, 0, 1, 1)
ROWS = (
    (3, 1, 0),
    (1, 2, 0),  # taken for B
    (1, 0, 2),  # taken for C
    (1, 0, 2),
    (2, 2, 0),  # a tie of A and B: half correct, taken for none
    (NAN, NAN, NAN),
)


def made(rows: Sequence[Sequence[float]], labels: Sequence[int], *seen: Sequence[bool]) -> Scores:
    """Return scores of clips 0, 1, … with a round over all of them for each mask of seen classes."""
    clips, classes = np.arange(len(labels), dtype=np.int32), np.arange(len(NAMES), dtype=np.int32)
    names = np.array([f"clip{number}" for number in clips])
    return Scores(
        clip_ids=names,
        groups=names,
        class_names=np.array(NAMES),
        labels=np.array(labels, dtype=np.int32),
        blocks=(Block(clips, classes, np.array(rows, dtype=np.float32)),),
        rounds=tuple(RoundScores(block=0, clips=clips, classes=classes, seen=np.array(mask)) for mask in seen),
    )


def test_classes_come_the_best_first_with_what_their_clips_are_most_often_taken_for() -> None:
    found = by_class(made(ROWS, LABELS, [False] * 3))
    assert found == [
        ClassAccuracy("A", False, 4, 1, 0.25, "C", 0.5),
        ClassAccuracy("B", False, 2, 1, 0.25, "", 0.0),
    ]


def test_a_clip_without_scores_is_wrong_or_left_out_by_the_denominator() -> None:
    best, last = by_class(made(ROWS, LABELS, [False] * 3), "survivors")
    assert (best.name, best.n_clips, best.top1) == ("B", 1, 0.5)
    assert (last.name, last.n_clips, last.top1) == ("A", 4, 0.25)


def test_a_clip_whose_scores_are_not_all_there_is_taken_for_no_class() -> None:
    [found] = by_class(made([(NAN, 2, 1), (0, 1, 2)], (0, 0), [False] * 3))
    assert (found.taken_for, found.share) == ("C", 0.5)


def test_of_classes_taken_as_often_the_first_by_name_is_given_though_others_come_before_it() -> None:
    [found] = by_class(made([(0, 1, 2), (0, 2, 1)], (0, 0), [False] * 3))
    assert (found.top1, found.taken_for, found.share) == (0.0, "B", 0.5)


def test_clips_count_once_over_rounds_and_a_class_that_is_seen_in_some_is_listed_twice() -> None:
    found = by_class(made(ROWS, LABELS, [False] * 3, [False] * 3, [True, False, False]))
    assert [(one.name, one.seen, one.n_clips, one.n_rounds, one.share) for one in found] == [
        ("A", False, 4, 2, 0.5),
        ("A", True, 4, 1, 0.5),
        ("B", False, 2, 3, 0.0),
    ]


def test_an_accuracy_cannot_be_changed() -> None:
    [found] = by_class(made([(1, 0, 0)], (0,), [False] * 3))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.top1 = 0.0  # type: ignore[misc]


def test_accuracy_is_the_mean_over_rounds_not_over_clips() -> None:
    clips, classes = np.arange(3, dtype=np.int32), np.arange(3, dtype=np.int32)
    whole = made([(1, 0, 0), (0, 1, 0), (0, 1, 0)], (0, 0, 0), [False] * 3)
    first = RoundScores(block=0, clips=clips[:1], classes=classes, seen=np.zeros(3, dtype=np.bool_))
    [found] = by_class(Scores(**{**vars(whole), "rounds": (first, *whole.rounds)}))
    assert found.top1 == pytest.approx((1 + 1 / 3) / 2)
    assert (found.n_clips, found.n_rounds, found.share) == (3, 2, 0.5)
