"""What the scores of a result give: the counts, metrics and chance of a round, and the intervals over all of them.

A run's result and its recomputation take both from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zsarbench.evaluation import metrics
from zsarbench.evaluation.bootstrap import Interval, ScoredRound, bootstrap_interval, harmonic_interval
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import SETTINGS, Metric, Setting
from zsarbench.evaluation.summary import RoundResult, Summary, summarise
from zsarbench.interfaces import Denominator
from zsarbench.utils import seeding

PARTIAL = "many clips are missing"
"""Why there is no interval where a collection is incomplete."""


class RoundMeasures(NamedTuple):
    """The fields of a `RoundResult` that its scores decide; see there."""

    n_classes: int
    n_expected: int
    n_scored: int
    n_failed: int
    metrics: Mapping[str, float]
    chance: Mapping[str, float]


def measure_round(scores: Scores, number: int, setting: Setting, denominator: Denominator) -> RoundMeasures:
    """Return what the scores of the round at this position give.

    Raises:
        ZsarbenchError: no clip is left to average over, or the clips of one kind are missing.
    """
    rules, seen = SETTINGS[setting], scores.rounds[number].seen
    matrix, labels = scores.round(number)
    ranked = scores.ranks(number)
    values = metrics.evaluate(matrix, labels, setting=setting, seen=seen, denominator=denominator, ranked=ranked)
    n_classes, n_failed = matrix.shape[1], int(np.count_nonzero(~ranked.read))
    competing = scores.rounds[number].n_options or n_classes
    chance = {metric.name: rules.chance(metric, competing, int(seen.sum())) for metric in rules.parse(values)}
    return RoundMeasures(n_classes, len(labels), len(labels) - n_failed, n_failed, values, chance)


def summarise_scores(
    rounds: Sequence[RoundResult],
    scores: Scores,
    setting: Setting,
    denominator: Denominator,
    *,
    partial: bool = False,
) -> dict[str, Summary]:
    """Return the summary of every metric over rounds in the order of their scores, with intervals of these.

    partial: many clips are missing: their scores are unknown, resampling the rest does not estimate them, and there is
    no interval.
    """
    distinct = [item.duplicate_of is None for item in rounds]
    if partial:
        return {name: replace(summary, no_ci95=PARTIAL) for name, summary in summarise(rounds).items()}
    return summarise(rounds, intervals(scores, distinct, setting, denominator))


def intervals(
    scores: Scores, distinct: Sequence[bool], setting: Setting, denominator: Denominator
) -> dict[str, Interval | None]:
    """Return the 95 % interval of every metric that has one, by a bootstrap over classes; None with too few of them.

    distinct: for each round of the scores, whether it counts: one that repeats another's class lists does not. The
    draws are the same for every metric and seed.
    """
    rules = SETTINGS[setting]
    found: dict[str, Interval | None] = {}
    for metric in filter(rules.has_interval, rules.metrics):
        accuracies = (metric,) if metric.is_accuracy else rules.of_sides(metric)
        rounds = [_correct(scores, distinct, accuracy, denominator) for accuracy in accuracies]
        if all(rounds):
            rng = seeding.numpy_generator(0, "bootstrap")
            found[metric.name] = (
                bootstrap_interval(rounds[0], scores.labels, average=metric.average, rng=rng)
                if metric.is_accuracy
                else harmonic_interval(rounds[0], rounds[1], scores.labels, average=metric.average, rng=rng)
            )
    return found


def _correct(scores: Scores, distinct: Sequence[bool], metric: Metric, denominator: Denominator) -> list[ScoredRound]:
    """Return the correctness of every round that an accuracy is the mean of."""
    rounds = []
    for number, (item, counts) in enumerate(zip(scores.rounds, distinct, strict=True)):
        if not counts or len(item.classes) <= metric.k:
            continue
        ranked = scores.ranks(number)
        kept = ranked.counted(denominator)
        if metric.side is not None:
            kept = kept & (item.seen[scores.true_columns(number)] == metric.side.of_seen)
        rounds.append(ScoredRound(ranked.correct(metric.k)[kept], item.clips[kept]))
    return rounds
