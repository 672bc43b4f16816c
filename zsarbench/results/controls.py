"""Whether a control run is above chance, which nothing but a leak explains."""

from __future__ import annotations

import numpy as np

from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import SETTINGS, Metric, heading
from zsarbench.results.record import RunResult
from zsarbench.utils import seeding

N_PERMUTATIONS = 2000
LEVEL = 0.05
"""Of the permutation test where there is no interval; with three classes or fewer it can find nothing."""


def leak(result: RunResult, scores: Scores) -> str | None:
    """Return by how much a control run is above chance, in words; None where it is not, or the run is not a control.

    Above chance is a 95 % interval that lies above it. Where there is none, for few classes say, the predictions are
    scored against permuted classes, and too few of the permutations give as much.
    """
    if result.control == "none":
        return None
    rules = SETTINGS[result.protocol.setting]
    summary = result.summary.get(rules.ranked_by.name)
    if summary is None or summary.chance is None:
        return None
    if summary.ci95 is not None:
        low, high = summary.ci95
        if low <= summary.chance:
            return None
        found = f"{100 * summary.mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    else:
        if summary.mean <= summary.chance or (p := _share_as_high(result, scores, rules.paired_by)) > LEVEL:
            return None
        found = f"{100 * summary.mean:.1f} (p = {p:.3f} over permuted classes)"
    what = result.control.removeprefix("shuffle-")
    return (
        f"LEAK: {heading(rules.ranked_by.name)} of {result.method.name} is {found} although its {what} were shuffled; "
        f"chance is {100 * summary.chance:.1f}. It reads the class from something else, such as clip ids. "
        f"Try: zsarbench check {result.method.plugin}"
    )


def _share_as_high(result: RunResult, scores: Scores, metric: Metric) -> float:
    """Return in which share of permutations of the true classes predictions are right as often as they are."""
    rng = seeding.numpy_generator(0, "control")
    totals = np.zeros(N_PERMUTATIONS + 1)
    for number, item in enumerate(result.rounds):
        if item.duplicate_of is not None:
            continue
        matrix, labels = scores.round(number)
        seen = scores.rounds[number].seen
        classes = np.arange(len(seen)) if metric.side is None else np.flatnonzero(seen == metric.side.of_seen)
        kept = np.isin(labels, classes) & ~np.isnan(matrix).any(axis=1)
        if not kept.any():
            continue
        best = matrix[kept] == matrix[kept].max(axis=1, keepdims=True)
        share = best / best.sum(axis=1, keepdims=True)
        taken = np.stack([share[labels[kept] == label].sum(axis=0)[classes] for label in classes])
        orders = [np.arange(len(classes)), *(rng.permutation(len(classes)) for _ in range(N_PERMUTATIONS))]
        totals += [taken[np.arange(len(classes)), order].sum() / kept.sum() for order in orders]
    return float((totals >= totals[0] - 1e-9).mean())
