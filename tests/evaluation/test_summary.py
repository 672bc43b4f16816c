"""Summaries of metrics over rounds and training seeds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from records import changeable
from samples import sample_result, sample_scores
from zsarbench.evaluation import summary as summaries
from zsarbench.evaluation.bootstrap import TOO_FEW_CLASSES
from zsarbench.evaluation.summary import NO_INTERVAL, RoundResult, round_problems, summarise, summary_problems

TOP1 = "top1_per_video"
ROUND = RoundResult(0, 0, 0, 10, 5, 8, 6, 2, {TOP1: 0.5}, {TOP1: 0.1}, "ab" * 32)


def changed(number: int = 0, **fields: Any) -> RoundResult:
    """Return the round of this number with other values."""
    return dataclasses.replace(ROUND, round=number, **fields)


def test_spread_is_over_rounds_of_the_mean_over_seeds() -> None:
    first = sample_result(sample_scores(n_rounds=3, n_seeds=2), seeds=(4, 9))
    table = np.array([item.metrics[TOP1] for item in first.rounds]).reshape(2, 3)  # seeds, rounds
    summary = first.summary[TOP1]
    assert summary.mean == pytest.approx(table.mean())
    assert summary.std == pytest.approx(table.mean(axis=0).std(ddof=0))
    assert summary.seed_std == pytest.approx(table.mean(axis=1).std(ddof=0))
    one = sample_result(sample_scores()).summary[TOP1]
    assert (one.std, one.seed_std) == (None, None)


def test_two_rounds_and_two_seeds_have_a_spread() -> None:
    rounds = [
        changed(number, seed=seed, metrics={TOP1: (number + 2 * seed) / 10}) for seed in (0, 1) for number in (0, 1)
    ]
    (found,) = summarise(rounds).values()
    assert (found.mean, found.std, found.seed_std) == pytest.approx((0.15, 0.05, 0.1))


def test_chance_is_the_mean_over_rounds_that_all_state_it() -> None:
    rounds = [changed(), changed(1, chance={TOP1: 0.3})]
    assert summarise(rounds)[TOP1].chance == pytest.approx(0.2)
    assert summarise([*rounds, changed(2, chance={})])[TOP1].chance is None


def test_only_metrics_of_all_rounds_are_summed_up() -> None:
    rounds = [changed(metrics={TOP1: 0.5, "top5_per_video": 0.9}), changed(1, metrics={TOP1: 0.7, "other": 0.1})]
    assert list(summarise(rounds)) == [TOP1]


def test_a_missing_interval_says_why_it_is_missing() -> None:
    rounds = [changed(metrics={TOP1: 0.5, "top5_per_video": 0.9, "top1_per_class": 0.4})]
    found = summarise(rounds, {TOP1: (0.4, 0.6), "top1_per_class": None})
    assert {name: (one.ci95, one.no_ci95) for name, one in found.items()} == {
        TOP1: ((0.4, 0.6), None),
        "top1_per_class": (None, TOO_FEW_CLASSES),
        "top5_per_video": (None, NO_INTERVAL),
    }


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"n_classes": 2}, None),
        ({"n_classes": 1}, "n_classes is 1, but a round has two candidates or more"),
        ({"metrics": {}}, "metrics is empty"),
        ({"metrics": {"top9": 0.1}}, "metric of the setting zsl 'top9'"),
        ({"chance": {"top9": 0.1}}, "metric of the setting zsl 'top9'"),
        ({"n_failed": 1}, "8 clips expected, but 6 scored and 1 failed"),
    ],
)
def test_a_round_whose_values_contradict_each_other_is_named(fields: dict[str, Any], problem: str | None) -> None:
    found = round_problems(changed(**fields), "zsl")
    assert len(found) == (problem is not None)
    assert not problem or problem in found[0]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, None),
        ({"mean": 0.625 + 5e-10}, None),  # what rounding leaves
        ({"mean": 0.6251}, "mean is 0.6251, but the rounds give 0.625"),
        ({"mean": 0.6249}, "mean is 0.6249, but the rounds give 0.625"),
        ({"std": None}, "std is None, but the rounds give 0.125"),
        ({"seed_std": 0.0}, "seed_std is 0.0, but the rounds give None"),
        ({"chance": 0.2}, "chance is 0.2, but the rounds give 0.1"),
        ({"ci95": (0.5, 0.7), "no_ci95": None}, None),
        ({"ci95": (0.5, 0.5), "no_ci95": None}, None),
        ({"ci95": (0.7, 0.5), "no_ci95": None}, "ci95 is [0.7, 0.5], whose lower end is above the upper one"),
        ({"ci95": (0.5, 0.7)}, "no_ci95 is 'few', but there is a ci95"),
    ],
)
def test_a_summary_that_its_rounds_do_not_give_is_named(fields: dict[str, Any], problem: str | None) -> None:
    rounds = [changed(), changed(1, metrics={TOP1: 0.75})]
    right = dataclasses.replace(summarise(rounds)[TOP1], no_ci95="few")
    found = summary_problems(rounds, {TOP1: dataclasses.replace(right, **fields)})
    assert found == ([] if problem is None else [f"summary of {TOP1}: {problem}"])


def test_a_summary_of_other_metrics_is_named() -> None:
    found = summary_problems([ROUND], {"top5_per_video": summarise([ROUND])[TOP1]})
    assert found == [f"summary is of ['top5_per_video'], but the rounds share ['{TOP1}']"]


def test_rounds_and_summaries_cannot_be_changed() -> None:
    assert changeable(summaries) == []
