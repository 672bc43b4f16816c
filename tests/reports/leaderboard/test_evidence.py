"""What predictions show beyond figures: classes, confusions, clips that are wrong, and what a pair is computed of."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from typing import Any

import numpy as np
import pytest

from samples import sample_result
from zsarbench.evaluation.scores import Block, RoundScores, Scores
from zsarbench.reports.leaderboard.evidence import drawn, evidence_of
from zsarbench.results import RunResult

N = 12


def taken(*classes: tuple[int, ...], labels: tuple[int, ...], rounds: int = 1, seeds: int = 1) -> Scores:
    """Return scores of clips of these labels, whose best classes, equal among them, are these; () was not read.

    rounds: of all clips and classes. seeds: each with a block of its own, all alike.
    """
    matrix = np.full((len(labels), N), np.nan, dtype=np.float32)
    for row, best in enumerate(classes):
        if best:
            matrix[row] = np.isin(np.arange(N), best)
    every, names = np.arange(len(labels), dtype=np.int32), np.arange(N, dtype=np.int32)
    part = RoundScores(block=0, clips=every, classes=names, seen=np.zeros(N, dtype=bool))
    return Scores(
        clip_ids=np.array([f"clip{number:02}" for number in every]),
        groups=np.array(["g"] * len(labels)),
        class_names=np.array([f"Class{number:02}" for number in names]),
        labels=np.array(labels, dtype=np.int32),
        blocks=tuple(Block(every, names, matrix) for _ in range(seeds)),
        rounds=tuple(dataclasses.replace(part, block=seed) for seed in range(seeds) for _ in range(rounds)),
    )


def result_of(scores: Scores, **about: Any) -> RunResult:
    """Return the result of scores, one seed for each block."""
    return sample_result(scores, seeds=tuple(range(len(scores.blocks))), **about)


def test_clips_are_counted_by_class_as_right_and_confused() -> None:
    scores = taken((0,), (1,), (1,), (2, 5), (), (0,), labels=(0, 0, 0, 2, 2, 3))
    found = evidence_of(result_of(scores), scores)
    assert (found["heading"], found["average"], found["unpaired"]) == ("top-1/video", "per_video", "")
    assert found["kept"] == [0, 2, 3]
    assert (found["right"], found["scored"]) == ([[1.0, 0.5, 0.0]], [[3, 2, 1]])
    assert found["confusions"] == [[0, 1, 2.0], [3, 0, 1.0], [2, 5, 0.5]]
    assert found["wrong"] == [
        ["clip01", 0, 1, 1.0],
        ["clip02", 0, 1, 1.0],
        ["clip05", 3, 0, 1.0],
        ["clip04", 2, -1, 1.0],
    ]


def test_the_most_frequent_confusions_come_first_and_equal_ones_by_class() -> None:
    scores = taken((3,), (1,), (1,), (3,), (2,), (0, 4, 5), labels=(1, 0, 0, 0, 1, 0))
    found = evidence_of(result_of(scores), scores)
    assert found["confusions"] == [[0, 1, 2.0], [0, 3, 1.0], [1, 2, 1.0], [1, 3, 1.0]]  # a third is not listed


def test_clips_of_the_first_class_are_not_taken_for_it() -> None:
    scores = taken((0, 7), labels=(0,))
    found = evidence_of(result_of(scores), scores)
    assert found["confusions"] == [[0, 7, 0.5]]
    more = taken((0, 7, 8), labels=(0,))
    assert evidence_of(result_of(more), more)["wrong"] == [["clip00", 0, 7, 0.667]]


def test_thirty_clips_are_named_of_those_that_are_wrong() -> None:
    n = 40
    scores = taken(*[(1,)] * n, labels=(0,) * n)
    found = evidence_of(result_of(scores), scores)
    assert [one[0] for one in found["wrong"]] == [f"clip{number:02}" for number in range(30)]
    assert found["confusions"] == [[0, 1, 40.0]]


def test_rounds_and_seeds_are_averaged_by_clip_and_repeated_rounds_left_out() -> None:
    once = taken((0,), (1,), labels=(0, 0))
    several = taken((0,), (1,), labels=(0, 0), rounds=2, seeds=2)
    result = result_of(several)
    found = evidence_of(result, several)
    assert (found["right"], found["scored"]) == ([[1.0], [1.0]], [[2], [2]])
    assert found["confusions"] == [[0, 1, 2.0]]  # in two rounds
    repeated = tuple(dataclasses.replace(item, duplicate_of=0 if item.round else None) for item in result.rounds)
    first = evidence_of(dataclasses.replace(result, rounds=repeated), several)
    alone = evidence_of(result_of(once), once)
    assert first == alone
    assert alone["wrong"] == [["clip01", 0, 1, 1.0]]


def test_clips_that_are_wrong_in_more_rounds_come_first() -> None:
    """Clip 1 is wrong wherever it was, in one of two rounds; clip 2 wherever, in both; clip 0 once of two."""
    base = taken((1,), (1,), (1,), labels=(0, 0, 0), rounds=2, seeds=2)
    right_once = base.blocks[1].scores.copy()
    right_once[0] = np.arange(N) == 0
    first, second = base.rounds[0], dataclasses.replace(base.rounds[0], block=1, clips=np.array([0, 2], dtype=np.int32))
    scores = dataclasses.replace(
        base, blocks=(base.blocks[0], dataclasses.replace(base.blocks[1], scores=right_once)), rounds=(first, second)
    )
    result = sample_result(scores)
    found = evidence_of(result, scores)
    assert found["wrong"] == [["clip02", 0, 1, 1.0], ["clip01", 0, 1, 1.0]]  # half right is not wrong
    assert found["right"] == [[0.0], [1.0]]


def test_the_clips_of_a_pair_are_a_bit_each_in_the_order_of_their_ids() -> None:
    scores = taken((0,), (1,), (0,), (0, 1), labels=(0, 0, 0, 0))
    order = np.array([3, 1, 0, 2])
    mixed = dataclasses.replace(scores, clip_ids=scores.clip_ids[order])
    found = evidence_of(result_of(mixed), mixed)["clips"]
    names = "\n".join(f"clip{number:02}" for number in range(4))
    assert (found["count"], found["digest"]) == (4, hashlib.sha256(names.encode()).hexdigest()[:16])
    (bits,) = base64.b64decode(found["right"])
    # clip03 is right, clip01 wrong, clip00 right, clip02 ties, which is no half above
    assert f"{bits:08b}" == "10010000"


def test_only_the_side_that_is_compared_counts() -> None:
    scores = taken((2,), (2,), (1,), labels=(0, 1, 1))
    seen = np.arange(N) < 1
    scores = dataclasses.replace(scores, rounds=(dataclasses.replace(scores.rounds[0], seen=seen),))
    found = evidence_of(result_of(scores, setting="base-to-novel"), scores)
    assert (found["kept"], found["scored"], found["right"]) == ([1], [[2]], [[1.0]])
    assert found["confusions"] == [[1, 2, 1.0]]


def test_a_result_that_cannot_be_paired_says_why() -> None:
    scores = taken((0,), labels=(0,))
    found = evidence_of(result_of(scores, denominator="survivors"), scores)
    assert "leaves unread clips out of the denominator" in found["unpaired"]


@pytest.mark.parametrize("n_classes", [10, 30])
def test_draws_are_digits_that_add_up_to_the_classes(n_classes: int) -> None:
    rows = drawn(n_classes)
    assert {len(row) for row in rows} == {n_classes}
    assert {sum(int(digit, 36) for digit in row) for row in rows[:200]} == {n_classes}
    assert rows == drawn(n_classes)


def test_draws_are_those_of_pages_that_were_published() -> None:
    digest = hashlib.sha256("\n".join(drawn(10)).encode()).hexdigest()
    assert digest[:16] == "096271779b12ceeb"
