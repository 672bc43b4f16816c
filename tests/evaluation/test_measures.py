"""What scores give: the counts, metrics and chance of a round, and the intervals over rounds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from samples import sample_result, sample_scores
from zsarbench.evaluation.bootstrap import ScoredRound, harmonic_interval
from zsarbench.evaluation.measures import PARTIAL, intervals, measure_round, summarise_scores
from zsarbench.evaluation.metrics import evaluate
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.evaluation.summary import RoundResult
from zsarbench.utils import seeding

TOP1, TOP5 = "top1_per_video", "top5_per_video"


def rounds_of(scores: Scores, **about: Any) -> tuple[RoundResult, ...]:
    """Return the rounds of a result of these scores."""
    return sample_result(scores, **about).rounds


def with_round(scores: Scores, **fields: Any) -> Scores:
    """Return the scores with other values in their first round."""
    return dataclasses.replace(scores, rounds=(dataclasses.replace(scores.rounds[0], **fields), *scores.rounds[1:]))


def test_a_round_has_its_counts_metrics_and_chance() -> None:
    scores = sample_scores(unread=[3, 4])
    found = measure_round(scores, 0, "zsl", "all")
    assert (found.n_classes, found.n_expected, found.n_scored, found.n_failed) == (12, 48, 46, 2)
    assert found.metrics == evaluate(*scores.round(0))
    assert found.chance == pytest.approx(
        {TOP1: 1 / 12, "top1_per_class": 1 / 12, TOP5: 5 / 12, "top5_per_class": 5 / 12}
    )
    assert measure_round(scores, 0, "zsl", "survivors").metrics[TOP1] == pytest.approx(found.metrics[TOP1] * 48 / 46)


def test_chance_is_among_the_options_of_a_multiple_choice_and_depends_on_seen_classes() -> None:
    scores = with_round(sample_scores(), n_options=4)
    found = measure_round(scores, 0, "multiple-choice", "all")
    assert (found.n_classes, found.chance[TOP1]) == (12, 0.25)
    seen = np.arange(24) < 3
    assert measure_round(with_round(generalised(), seen=seen), 0, "gzsl", "all").chance["ausuc"] == 0.5 / (3 * 21)


def generalised() -> Scores:
    """Return scores of two clips of each of 24 classes, of which every other one is seen and mostly recognised."""
    labels = np.repeat(np.arange(24), 2).astype(np.int32)
    values = np.random.default_rng(0).normal(size=(48, 24)).astype(np.float32)
    values[np.arange(48), labels] += np.where(labels % 2 == 0, 3, 1)
    classes = np.arange(24, dtype=np.int32)
    scores = with_round(sample_scores(), classes=classes, seen=classes % 2 == 0)
    return dataclasses.replace(
        scores,
        class_names=np.array([f"Class{number}" for number in classes]),
        labels=labels,
        blocks=(dataclasses.replace(scores.blocks[0], classes=classes, scores=values),),
    )


OVER_BOTH_SIDES = {TOP1, "top1_per_class", TOP5, "top5_per_class", "ausuc"}


@pytest.mark.parametrize(
    ("setting", "scores", "without"),
    [("zsl", sample_scores(), set()), ("gzsl", generalised(), OVER_BOTH_SIDES)],
    ids=["zsl", "gzsl"],
)
def test_the_metrics_that_have_an_interval_lie_in_it(setting: Any, scores: Scores, without: set[str]) -> None:
    found = intervals(scores, [True], setting, "all")
    values = measure_round(scores, 0, setting, "all").metrics
    assert set(found) == {*SETTINGS[setting].names} - without
    assert all(one is not None and one.low < values[name] < one.high for name, one in found.items())


def test_intervals_are_of_distinct_rounds_alone() -> None:
    scores = sample_scores(n_seeds=2)  # rounds with scores of their own
    first = dataclasses.replace(scores, rounds=scores.rounds[:1])
    assert intervals(scores, [True, False], "zsl", "all") == intervals(first, [True], "zsl", "all")
    assert intervals(scores, [True, True], "zsl", "all") != intervals(first, [True], "zsl", "all")
    with pytest.raises(ValueError, match="shorter"):
        intervals(scores, [True], "zsl", "all")
    marked = [dataclasses.replace(one, duplicate_of=of) for one, of in zip(rounds_of(scores), (None, 0), strict=True)]
    found = summarise_scores(marked, scores, "zsl", "all")
    assert {name: summary.ci95 for name, summary in found.items()} == intervals(first, [True], "zsl", "all")


def test_the_interval_of_a_harmonic_mean_is_of_the_seen_and_the_unseen_side_by_the_draws_of_seed_0() -> None:
    scores = generalised()
    correct, seen = scores.ranks(0).correct(1), scores.labels % 2 == 0
    clips = np.arange(len(seen))
    sides = [[ScoredRound(correct[side], clips[side])] for side in (seen, ~seen)]
    expected = harmonic_interval(
        *sides, scores.labels, average="per_class", rng=seeding.numpy_generator(0, "bootstrap")
    )
    assert intervals(scores, [True], "gzsl", "all")["harmonic_mean"] == expected


def test_a_round_with_as_many_candidates_as_k_has_no_part_in_the_interval_at_k() -> None:
    scores = sample_scores()
    few = dataclasses.replace(
        scores.rounds[0],
        classes=np.arange(5, dtype=np.int32),
        clips=np.arange(20, dtype=np.int32),
        seen=np.zeros(5, dtype=np.bool_),
    )
    both = intervals(dataclasses.replace(scores, rounds=(*scores.rounds, few)), [True, True], "zsl", "all")
    alone = intervals(scores, [True], "zsl", "all")
    assert both[TOP5] == alone[TOP5]
    assert both[TOP1] != alone[TOP1]
    assert set(intervals(dataclasses.replace(scores, rounds=(few,)), [True], "zsl", "all")) == {TOP1, "top1_per_class"}


def test_intervals_are_of_the_denominator() -> None:
    scores = sample_scores(unread=range(8))
    every, survivors = (intervals(scores, [True], "zsl", denominator)[TOP1] for denominator in ("all", "survivors"))
    assert every is not None
    assert survivors is not None
    assert survivors.high > every.high


def test_a_partial_collection_has_means_and_says_why_it_has_no_interval() -> None:
    scores = sample_scores()
    whole = summarise_scores(rounds_of(scores), scores, "zsl", "all")
    part = summarise_scores(rounds_of(scores), scores, "zsl", "all", partial=True)
    assert {summary.no_ci95 for summary in part.values()} == {PARTIAL}
    assert {summary.ci95 for summary in part.values()} == {None}
    assert {name: summary.mean for name, summary in part.items()} == {name: one.mean for name, one in whole.items()}
