"""Ranks that separate rows only where tests do: paired ones where predictions are kept, else by intervals."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import significance
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import SETTINGS, Metric
from zsarbench.evaluation.significance import Effects
from zsarbench.reports import paired
from zsarbench.results import RunResult

MANY_ROWS = 200
"""Rows of a group above which Holm's correction of all pairs would take longer than all else that is done with them."""


class Evidence(NamedTuple):
    """What pairs a result with others: a metric, what each class adds to it, and the clips that it is of, by digest."""

    metric: str
    effects: Effects
    clips: str


def evidence_of(result: RunResult, scores: Scores, metric: Metric) -> Evidence | None:
    """Return what pairs a result with others in a metric; None for no sum over classes, or no pairs."""
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
    cannot be distinguished from any.
    """
    low, high = group[f"{metric}_ci_low"], group[f"{metric}_ci_high"]
    intervals = [None if pd.isna(one) else (float(one), float(other)) for one, other in zip(low, high, strict=True)]
    values = [float(value) for value in group[metric]]
    by_clips: dict[str, list[int]] = defaultdict(list)
    for number, identity in enumerate(group["id"]):
        found = evidence.get(identity)
        if found is not None and found.metric == metric:
            by_clips[found.clips].append(number)
    ids = list(group["id"])
    families = [(numbers, [evidence[ids[number]].effects for number in numbers]) for numbers in by_clips.values()]
    if len(group) > MANY_ROWS:
        return significance.rank_ranges_of_many(values, intervals, families)
    if len(families) == 1 and len(families[0][0]) == len(group) > 1:  # all by pairs, as where all keep predictions
        return significance.rank_ranges(values, significance.compare_all(families[0][1]).p)
    p = significance.compare_intervals(values, intervals)
    for numbers, effects in families:
        if len(numbers) > 1:
            p[np.ix_(numbers, numbers)] = significance.compare_all(effects).p
    return significance.rank_ranges(values, p)


def resolvable_of(groups: Iterable[Iterable[str]], evidence: Mapping[str, Evidence]) -> tuple[float, float] | None:
    """Return the smallest and the largest true difference that paired tests within groups of ids find; None for none.

    With 80 % power, and before the correction for their number.
    """
    found: list[float] = []
    for group in groups:
        by_clips: dict[str, list[Effects]] = defaultdict(list)
        for identity in list(group)[:MANY_ROWS]:
            if (one := evidence.get(identity)) is not None and one.effects.testable:
                by_clips[one.clips].append(one.effects)
        for effects in by_clips.values():
            upper = np.triu_indices(len(effects), 1)
            errors = significance.errors_of(effects)[upper]
            if (errors > 0).any():
                ends = errors[errors > 0].min(), errors[errors > 0].max()
                found += [significance.resolvable(float(end), effects[0].n_classes) for end in ends]
    return (min(found), max(found)) if found else None
