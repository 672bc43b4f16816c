"""The rounds of a result and their summary: means, spreads, chance, and checks that the sums are right.

Accuracies and chance are fractions in [0, 1].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zsarbench.errors import unknown
from zsarbench.evaluation.settings import SETTINGS, Setting

STD_KIND = "population over rounds"


@dataclass(frozen=True)
class RoundResult:
    """One round under one training seed.

    round: index in the protocol. seed: the training seed, one of the result's `seeds`. fit: index of the distinct fit
    that scored it. n_classes: candidates. n_seen: seen classes. n_expected: test clips of the round; n_scored of them
    have scores, n_failed have none and count as wrong. metrics: by name. chance: what constant scores get, by metric.
    candidates_sha256: of the sorted candidate names. duplicate_of: the earlier round with the same class lists.
    """

    round: int
    seed: int
    fit: int
    n_classes: int
    n_seen: int
    n_expected: int
    n_scored: int
    n_failed: int
    metrics: Mapping[str, float]
    chance: Mapping[str, float]
    candidates_sha256: str
    duplicate_of: int | None = None


@dataclass(frozen=True)
class Summary:
    """One metric over all rounds.

    mean: over rounds, of the mean over seeds. std: of the same, population (ddof=0); None for one round. ci95: 95 %
    bootstrap over classes, then source groups; None where none was computed. seed_std: population deviation over seeds
    of the mean over rounds; None for one seed. chance: mean over rounds of what constant scores get.
    """

    mean: float
    std: float | None
    std_kind: str
    ci95: tuple[float, float] | None
    seed_std: float | None
    chance: float | None


def summarise(
    rounds: Sequence[RoundResult], ci95: Mapping[str, tuple[float, float]] | None = None
) -> dict[str, Summary]:
    """Return the summary of every metric that all rounds have, with the intervals of `ci95`, by metric.

    Rounds that repeat another's class lists count, as the field counts them; only intervals and tests skip them.
    """
    shared = set(rounds[0].metrics).intersection(*(item.metrics for item in rounds))
    return {name: _summary(name, rounds, (ci95 or {}).get(name)) for name in sorted(shared)}


def _summary(name: str, rounds: Sequence[RoundResult], ci95: tuple[float, float] | None) -> Summary:
    by_round, by_seed, chances = defaultdict(list), defaultdict(list), []
    for item in rounds:
        by_round[item.round].append(item.metrics[name])
        by_seed[item.seed].append(item.metrics[name])
        if name in item.chance:
            chances.append(item.chance[name])
    of_rounds = [float(np.mean(values)) for values in by_round.values()]
    of_seeds = [float(np.mean(values)) for values in by_seed.values()]
    return Summary(
        mean=float(np.mean(of_rounds)),
        std=float(np.std(of_rounds)) if len(of_rounds) > 1 else None,
        std_kind=STD_KIND,
        ci95=ci95,
        seed_std=float(np.std(of_seeds)) if len(of_seeds) > 1 else None,
        chance=float(np.mean(chances)) if len(chances) == len(rounds) else None,
    )


def round_problems(item: RoundResult, setting: Setting) -> list[str]:
    """Return what is wrong with a round: names of metrics, ranges and sums."""
    known = SETTINGS[setting].names
    problems = [
        unknown(f"metric of the setting {setting}", name, known)
        for name in sorted({*item.metrics, *item.chance} - {*known})
    ]
    problems += [
        f"{kind} {name} is {value}, not in [0, 1]"
        for kind, values in (("metric", item.metrics), ("chance", item.chance))
        for name, value in values.items()
        if not 0 <= value <= 1
    ]
    if not item.metrics:
        problems.append("it has no metrics")
    if min(item.n_expected, item.n_scored, item.n_failed, item.n_seen) < 0 or item.n_classes < 2:
        problems.append("a count is negative, or there are fewer than two candidates")
    if item.n_expected != item.n_scored + item.n_failed:
        problems.append(f"{item.n_expected} clips expected, but {item.n_scored} scored and {item.n_failed} failed")
    return problems


def summary_problems(rounds: Sequence[RoundResult], summary: Mapping[str, Summary]) -> list[str]:
    """Return where a summary is not what its rounds give."""
    expected, problems = summarise(rounds), []
    if set(expected) != set(summary):
        problems.append(f"summary is of {sorted(summary)}, but the rounds share {sorted(expected)}")
    for name in sorted(set(expected) & set(summary)):
        stated = summary[name]
        for key in ("mean", "std", "seed_std", "chance"):
            value, right = getattr(stated, key), getattr(expected[name], key)
            if (value is None) != (right is None) or (value is not None and abs(value - right) > 1e-9):
                problems.append(f"summary of {name}: {key} is {value}, but the rounds give {right}")
        if stated.ci95 is not None and not 0 <= stated.ci95[0] <= stated.ci95[1] <= 1:
            problems.append(f"summary of {name}: ci95 is {list(stated.ci95)}, no interval in [0, 1]")
    return problems
