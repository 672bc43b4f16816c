"""Control runs: one above chance is a leak, by its interval or else by permuted classes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from samples import sample_result, sample_scores
from zsarbench.evaluation.scores import Scores
from zsarbench.results import RunResult
from zsarbench.results.controls import leak

TOP1 = "top1_per_video"


def control(scores: Scores, *, what: str = "labels", setting: str = "zsl", **fields: Any) -> RunResult:
    """Return a control run with these scores; fields: of the summary of every metric."""
    result = sample_result(scores, control=f"shuffle-{what}", setting=setting)
    summary = {name: dataclasses.replace(one, **fields) for name, one in result.summary.items()}
    return dataclasses.replace(result, summary=summary)


def test_a_control_above_chance_is_a_leak() -> None:
    scores = sample_scores(skill=3.0)
    found = leak(control(scores), scores)
    assert found is not None
    assert found.startswith("LEAK: top-1/video of cezsar is ")
    assert "although its labels were shuffled; chance is 8.3" in found
    assert leak(sample_result(scores), scores) is None
    blind = sample_scores(skill=0.0)
    assert leak(control(blind), blind) is None


def test_an_interval_must_lie_above_chance() -> None:
    scores = sample_scores(skill=3.0)
    assert leak(control(scores, mean=0.5, chance=0.2, ci95=(0.2, 0.8)), scores) is None
    found = leak(control(scores, mean=0.5, chance=0.2, ci95=(0.201, 0.8)), scores)
    assert found is not None
    assert "is 50.0 [20.1, 80.0] although its labels were shuffled; chance is 20.0. " in found


def test_without_an_interval_permuted_classes_decide() -> None:
    for skill, leaks in ((6.0, True), (0.0, False)):
        scores = sample_scores(skill=skill)
        found = leak(control(scores, what="captions", ci95=None), scores)
        assert (found is not None) is leaks
        assert found is None or "(p = 0.000 over permuted classes) although its captions were shuffled" in found


def test_an_accuracy_of_chance_needs_no_permutations() -> None:
    scores = sample_scores(skill=6.0)
    assert leak(control(scores, ci95=None, chance=1.0, mean=1.0), scores) is None


@pytest.mark.parametrize("fields", [{"chance": None}, {"chance": None, "ci95": None}])
def test_what_has_no_chance_cannot_be_above_it(fields: dict[str, Any]) -> None:
    scores = sample_scores(skill=3.0)
    assert leak(control(scores, **fields), scores) is None
    nothing = dataclasses.replace(control(scores), summary={})
    assert leak(nothing, scores) is None


def shown_p(scores: Scores, setting: str = "zsl", **changed: Any) -> float:
    """Return the share of permutations that a leak states, on an accuracy that is certainly above chance."""
    result = dataclasses.replace(control(scores, setting=setting, ci95=None, mean=1.0, chance=0.0), **changed)
    found = leak(result, scores)
    return 1.0 if found is None else float(found.partition("p = ")[2].partition(" ")[0])


def diagonal(n_classes: int, n_right: int) -> Scores:
    """Return scores of one clip of each of some classes, of which the first are right and the others of the next."""
    base = sample_scores()
    clips = np.arange(n_classes, dtype=np.int32)
    taken = np.concatenate([clips[:n_right], np.roll(clips[n_right:], 1)])
    block = dataclasses.replace(
        base.blocks[0], clips=clips, classes=clips, scores=np.eye(n_classes, dtype=np.float32)[taken]
    )
    item = dataclasses.replace(base.rounds[0], clips=clips, classes=clips, seen=np.zeros(n_classes, dtype=bool))
    return dataclasses.replace(base, labels=np.arange(48, dtype=np.int32) % 12, blocks=(block,), rounds=(item,))


def test_the_share_of_permutations_is_that_of_the_matching_problem() -> None:
    # of the 24 orders of four classes one has all four right; of the 120 of five one has five, of five fixed points
    assert shown_p(diagonal(4, 4)) == pytest.approx(1 / 24, abs=0.013)
    assert shown_p(diagonal(5, 5)) == pytest.approx(1 / 120, abs=0.006)
    assert shown_p(diagonal(5, 3)) == 1.0  # 11 of 120 orders have three or more: not rare enough
    assert shown_p(diagonal(6, 4)) == pytest.approx(16 / 720, abs=0.01)


def test_the_share_is_the_same_in_every_process() -> None:
    """Its orders are drawn by a seed of its own, as many as ever, so that a result validates alike everywhere."""
    assert shown_p(sample_scores(n_rounds=3, skill=0.4)) == 0.009


def test_clips_that_were_not_read_and_repeated_rounds_do_not_count() -> None:
    scores = diagonal(6, 4)
    values = scores.blocks[0].scores.copy()
    values[4:] = np.nan  # both wrong ones
    read = dataclasses.replace(scores, blocks=(dataclasses.replace(scores.blocks[0], scores=values),))
    assert shown_p(read) == pytest.approx(2 / 720, abs=0.005)
    result = control(scores)
    twice = (result.rounds[0], dataclasses.replace(result.rounds[0], round=1, duplicate_of=0))
    wrong = dataclasses.replace(scores, rounds=(*scores.rounds, scores.rounds[0]))
    assert shown_p(wrong, rounds=twice) == shown_p(scores)


def test_ties_count_by_their_share() -> None:
    scores = diagonal(4, 4)
    tied = np.ones((4, 4), dtype=np.float32)  # every order gives as much
    assert shown_p(dataclasses.replace(scores, blocks=(dataclasses.replace(scores.blocks[0], scores=tied),))) == 1.0


def test_a_clip_that_ties_gives_each_class_its_part() -> None:
    scores = diagonal(5, 5)
    values = np.eye(5, dtype=np.float32)
    values[0, :3], values[4] = 1.0, values[0]
    values[4, 1:3] = 0.0  # the first clip ties among three classes, the last is taken for the first
    part = dataclasses.replace(scores, blocks=(dataclasses.replace(scores.blocks[0], scores=values),))
    assert shown_p(part) == 0.038  # 4 of 120 orders: three have as much, and one has more


def test_every_round_counts_as_one_whatever_its_clips() -> None:
    scores = sample_scores(skill=0.6)
    few = np.arange(4, dtype=np.int32)
    small = dataclasses.replace(scores.rounds[0], clips=few * 4, classes=few, seen=np.zeros(4, dtype=bool))
    assert shown_p(dataclasses.replace(scores, rounds=(scores.rounds[0], small))) == 0.039


def test_of_seen_and_unseen_classes_those_decide_that_are_compared() -> None:
    scores = diagonal(8, 8)
    halved = dataclasses.replace(scores, rounds=(dataclasses.replace(scores.rounds[0], seen=np.arange(8) < 3),))
    assert shown_p(halved, setting="base-to-novel") == pytest.approx(1 / 120, abs=0.006)  # of five unseen ones
