"""Ranks that tell apart only what tests tell apart: paired ones where predictions are kept, else by intervals."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import significance
from zsarbench.evaluation.arrays import Values
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import SETTINGS, Metric
from zsarbench.evaluation.significance import Effects
from zsarbench.reports import paired
from zsarbench.results import RunResult


class Evidence(NamedTuple):
    """What pairs a result with others: a metric, what each class adds to it, and the clips that it is of, by digest."""

    metric: str
    effects: Effects
    clips: str


def evidence_of(result: RunResult, scores: Scores, metric: Metric) -> Evidence | None:
    """Return what pairs a result with others in a metric; None for one that is no sum over classes, or not paired."""
    if metric.kind == "ausuc":
        return None
    try:
        paired.check_comparable([result], metric.name)
    except ZsarbenchError:
        return None
    accuracies = (metric,) if metric.is_accuracy else SETTINGS[result.protocol.setting].of_sides(metric)
    sides = [paired.correctness(result, scores, accuracy) for accuracy in accuracies]
    digest = hashlib.sha256()
    for side in sides:
        for number, item in side.items():
            digest.update(f"{number} {len(item.clip_ids)} ".encode() + "\n".join(item.clip_ids.tolist()).encode())
    if metric.is_accuracy:
        effects = paired.effects(sides[0], scores, metric.average)
    else:
        effects = paired.harmonic_effects(sides[0], sides[1], scores, metric.average)
    return Evidence(metric.name, effects, digest.hexdigest())


def rank_ranges(group: pd.DataFrame, metric: str, evidence: Mapping[str, Evidence]) -> list[tuple[int, int]]:
    """Return the first and the last rank that each row of a group may have by a metric.

    Rows with evidence of the same clips are compared in pairs, all others by their 95 % intervals; what has neither
    cannot be told apart from any.
    """
    low, high = group[f"{metric}_ci_low"], group[f"{metric}_ci_high"]
    intervals = [None if pd.isna(one) else (float(one), float(other)) for one, other in zip(low, high, strict=True)]
    values = [float(value) for value in group[metric]]
    p = significance.compare_intervals(values, intervals)
    by_clips: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(group["id"]):
        found = evidence.get(identity)
        if found is not None and found.metric == metric:
            by_clips[found.clips].append(number)
    ids = list(group["id"])
    for numbers in by_clips.values():
        _fill(p, numbers, [evidence[ids[number]].effects for number in numbers])
    return significance.rank_ranges(values, p)


def _fill(p: Values, numbers: Sequence[int], effects: Sequence[Effects]) -> None:
    if len(numbers) > 1:
        p[np.ix_(numbers, numbers)] = significance.compare_all(effects).p
