"""The rounds of a result and their summary: means, spreads, chance, and checks that the sums are right.

Accuracies and chance are fractions in [0, 1].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from zsarbench.errors import unknown
from zsarbench.evaluation.bootstrap import TOO_FEW_CLASSES
from zsarbench.evaluation.settings import SETTINGS, Setting
from zsarbench.utils.schema import Count, Fraction

STD_KIND = "population over rounds"
NO_INTERVAL = "not computed for this metric"


@dataclass(frozen=True)
class RoundResult:
    """One round under one training seed.

    round: index in the protocol. seed: the training seed, one of the result's `seeds`. fit: index of the distinct fit
    that scored it. n_classes: candidates. n_seen: seen classes. n_expected: test clips of the round. n_scored: those
    that have scores. n_failed: those that have none and count as wrong. metrics: by name. chance: what constant scores
    get, by metric. candidates_sha256: of the sorted candidate names. duplicate_of: the earlier round with the same
    class lists; null where there is none.
    """

    round: Count
    seed: int
    fit: Count
    n_classes: Count
    n_seen: Count
    n_expected: Count
    n_scored: Count
    n_failed: Count
    metrics: Mapping[str, Fraction]
    chance: Mapping[str, Fraction]
    candidates_sha256: str
    duplicate_of: Count | None = None


@dataclass(frozen=True)
class Summary:
    """One metric over all rounds.

    mean: over rounds, of the mean over seeds. std: of the same, population (ddof=0); null for one round. std_kind:
    what `std` is taken over, and how. ci95: 95 % bootstrap over classes; null where there is none. seed_std:
    population deviation over seeds of the mean over rounds; null for one seed. chance: mean over rounds of what
    constant scores get; null where a round does not state it. no_ci95: why `ci95` is null; null where it is not.
    """

    mean: Fraction
    std: Fraction | None
    std_kind: str
    ci95: tuple[Fraction, Fraction] | None
    seed_std: Fraction | None
    chance: Fraction | None
    no_ci95: str | None = None


def summarise(
    rounds: Sequence[RoundResult], ci95: Mapping[str, tuple[float, float] | None] | None = None
) -> dict[str, Summary]:
    """Return the summary of every metric that all rounds have, with the intervals of `ci95`, by metric.

    ci95: None for a metric of too few classes, and nothing for one that has no interval. Rounds that repeat another's
    class lists count, as the field counts them; only intervals and tests skip them.
    """
    shared = set(rounds[0].metrics).intersection(*(item.metrics for item in rounds))
    summaries = {name: _summary(name, rounds) for name in sorted(shared)}
    if ci95 is None:
        return summaries
    return {
        name: replace(summary, ci95=ci95.get(name), no_ci95=_no_interval(name, ci95))
        for name, summary in summaries.items()
    }


def _summary(name: str, rounds: Sequence[RoundResult]) -> Summary:
    by_round, by_seed, chances = defaultdict(list), defaultdict(list), []
    for item in rounds:
        by_round[item.round].append(item.metrics[name])
        by_seed[item.seed].append(item.metrics[name])
        if name in item.chance:
            chances.append(item.chance[name])
    of_rounds = [_mean(values) for values in by_round.values()]
    of_seeds = [_mean(values) for values in by_seed.values()]
    return Summary(
        mean=_mean(of_rounds),
        std=float(np.std(of_rounds)) if len(of_rounds) > 1 else None,
        std_kind=STD_KIND,
        ci95=None,
        seed_std=float(np.std(of_seeds)) if len(of_seeds) > 1 else None,
        chance=_mean(chances) if len(chances) == len(rounds) else None,
    )


def _mean(values: Sequence[float]) -> float:
    return float(values[0]) if len(values) == 1 else float(np.mean(values))  # numpy takes its time, and most are single


def _no_interval(name: str, ci95: Mapping[str, tuple[float, float] | None]) -> str | None:
    if name not in ci95:
        return NO_INTERVAL
    return TOO_FEW_CLASSES if ci95[name] is None else None


def round_problems(item: RoundResult, setting: Setting) -> list[str]:
    """Return what is wrong with a round that its types cannot state: names of metrics, sums and candidates."""
    known = SETTINGS[setting].names
    problems = [
        unknown(f"metric of the setting {setting}", name, known)
        for name in sorted({*item.metrics, *item.chance} - {*known})
    ]
    if not item.metrics:
        problems.append("metrics is empty")
    if item.n_classes < 2:
        problems.append(f"n_classes is {item.n_classes}, but a round has two candidates or more")
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
        if stated.ci95 is not None and stated.ci95[0] > stated.ci95[1]:
            problems.append(f"summary of {name}: ci95 is {list(stated.ci95)}, whose lower end is above the upper one")
        if stated.ci95 is not None and stated.no_ci95 is not None:
            problems.append(f"summary of {name}: no_ci95 is '{stated.no_ci95}', but there is a ci95")
    return problems
