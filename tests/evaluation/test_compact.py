"""Which scores of a clip are kept: those that the first five classes of a round, seen and unseen, depend on."""

from __future__ import annotations

import dataclasses

import numpy as np

from zsarbench.evaluation.compact import DEPTH, compacted
from zsarbench.evaluation.scores import Block, RoundScores, Scores

LEFT_OUT = -np.inf
N = 12


def one_clip(*values: float, rounds: tuple[list[int], ...] = (list(range(N)),), seen: tuple[int, ...] = ()) -> Scores:
    """Return scores of one clip of the last class; rounds: their classes. seen: classes of training clips."""
    return Scores(
        clip_ids=np.array(["clip"]),
        groups=np.array(["group"]),
        class_names=np.array([f"Class{number}" for number in range(N)]),
        labels=np.array([N - 1], dtype=np.int32),
        blocks=(Block(np.array([0], np.int32), np.arange(N, dtype=np.int32), np.array([values], np.float32)),),
        rounds=tuple(
            RoundScores(
                block=0,
                clips=np.array([0], np.int32),
                classes=np.array(classes, np.int32),
                seen=np.isin(classes, seen),
            )
            for classes in rounds
        ),
    )


def kept(scores: Scores, number: int = 0) -> list[int]:
    """Return the classes of which a compact block keeps the scores."""
    block = compacted(scores, "scores").blocks[number]
    row = block.scores[0]
    assert set(row[row > LEFT_OUT]) <= set(scores.blocks[number].scores[0])
    return np.flatnonzero(row > LEFT_OUT).tolist()


def test_five_classes_are_kept_and_more_where_they_tie_at_the_border() -> None:
    assert DEPTH == 5
    falling = np.arange(N, 0, -1.0)
    assert kept(one_clip(*falling)) == [0, 1, 2, 3, 4]
    falling[[4, 5, 6]] = falling[4]
    assert kept(one_clip(*falling)) == [0, 1, 2, 3, 4, 5, 6]


def test_seen_and_unseen_classes_have_five_each() -> None:
    falling = np.arange(N, 0, -1.0)
    assert kept(one_clip(*falling, seen=(0, 1, 2, 3, 4, 5, 6))) == [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
    assert kept(one_clip(*falling, seen=tuple(range(N)))) == [0, 1, 2, 3, 4]  # nothing is unseen: one kind
    assert kept(one_clip(*falling, seen=(11,))) == [0, 1, 2, 3, 4, 11]


def test_every_round_keeps_its_own_best_and_small_rounds_everything() -> None:
    falling = np.arange(N, 0, -1.0)
    assert kept(one_clip(*falling, rounds=([0, 1, 2], [6, 7, 8, 9, 10, 11]))) == [0, 1, 2, 6, 7, 8, 9, 10]


def test_classes_of_no_score_are_not_kept_where_fewer_than_five_have_one() -> None:
    scores = one_clip(3.0, 2.0, *[LEFT_OUT] * (N - 2))
    assert kept(scores) == [0, 1]
    assert compacted(scores, "places").blocks[0].scores[0].tolist() == [0.0, -1.0, *[LEFT_OUT] * (N - 2)]


def test_rounds_keep_scores_of_their_own_block_alone() -> None:
    falling = np.arange(N, 0, -1.0)
    first, second = one_clip(*falling), one_clip(*falling[::-1])
    both = dataclasses.replace(
        first,
        blocks=(*first.blocks, *second.blocks),
        rounds=(*first.rounds, dataclasses.replace(second.rounds[0], block=1, classes=np.array([0, 1], np.int32),
                                                   seen=np.array([False, False]))),
    )  # fmt: skip
    assert (kept(both), kept(both, 1)) == ([0, 1, 2, 3, 4], [0, 1])


def test_places_count_from_the_best_and_ties_share_the_first_of_theirs() -> None:
    scores = one_clip(0.1, 0.9, 0.5, 0.5, 0.9, 0.3, 0.3, *[0.0] * (N - 7))
    small = compacted(scores, "places")
    assert small.form == "places"
    expected = [LEFT_OUT, 0, -2, -2, 0, -4, -4, *[LEFT_OUT] * (N - 7)]
    assert small.blocks[0].scores[0].tolist() == expected
    assert (small.rounds, small.labels) == (scores.rounds, scores.labels)


def test_a_clip_that_was_not_read_stays_so() -> None:
    for form in ("places", "scores"):
        small = compacted(one_clip(*[np.nan] * N), form)
        assert np.isnan(small.blocks[0].scores).all()
        small = compacted(one_clip(np.nan, *[1.0] * (N - 1)), form)
        assert np.isnan(small.blocks[0].scores).all()
