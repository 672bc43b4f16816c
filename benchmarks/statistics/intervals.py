"""Measures by simulation how often intervals hold the true accuracy, and how often paired ones err.

Every simulation draws new classes: a class has a logit from N(-0.4, 1.8), a source video of it a deviation from
N(0, 1), and each clip is right with the probability of their sum. So the true accuracy is known, by quadrature. The
shapes are those of the protocols: classes, source videos and clips of UCF-101 and HMDB-51, single rounds, rounds with
classes of their own, overlapping half splits, generalised settings, several training seeds. What is called is what a
run and `zsarbench compare --paired` call.

    python benchmarks/statistics/intervals.py > benchmarks/statistics/intervals.md    # 15 minutes on one core
    python benchmarks/statistics/intervals.py --simulations 100 --only "10 classes"
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsarbench.evaluation.bootstrap import (
    Interval,
    PairedInterval,
    ScoredRound,
    bootstrap_interval,
    harmonic_interval,
    paired_interval,
)
from zsarbench.evaluation.settings import Average, harmonic_mean
from zsarbench.utils.seeding import numpy_generator

Values = NDArray[np.float64]
Index = NDArray[np.int64]

CLASS_MEAN, CLASS_DEVIATION, SOURCE_DEVIATION = -0.4, 1.8, 1.0  # of logits
SEEN_MEAN = 0.6  # of logits of seen classes, in the generalised settings
OWN_DEVIATION = 0.5  # of a class's logit, between two methods that are equally good


@dataclass(frozen=True, kw_only=True)
class Sources:
    """How many source videos a class has and how many clips each of them, both drawn evenly from a range.

    spread: of the logarithm of a factor to the clips of a whole class, for classes of very unequal size.
    """

    videos: tuple[int, int]
    clips: tuple[int, int]
    spread: float = 0.0


UCF = Sources(videos=(25, 25), clips=(4, 7))
HMDB = Sources(videos=(30, 70), clips=(1, 4))
FEW = Sources(videos=(3, 3), clips=(5, 5))
UNEQUAL = Sources(videos=(25, 25), clips=(4, 7), spread=0.7)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is simulated.

    classes: of the data set. tested: of a round; None: all. rounds: how many, of classes of their own where `disjoint`,
    else each drawn from all. seen: how many classes of the data set are seen ones, for a harmonic mean. halves: whether
    rounds of the generalised setting divide the classes again. round_deviation: of a logit, common to a round.
    seeds: trainings; each moves every class's logit. difference: for a paired comparison, how far the logits of the
    first method are above those of the second; None: no comparison. own: of a class's logit, between the two.
    mean: of a class's logit. target: whether the goal of this table holds here.
    """

    name: str
    classes: int
    sources: Sources = UCF
    average: Average = "per_video"
    tested: int | None = None
    rounds: int = 1
    disjoint: bool = False
    seen: int = 0
    halves: bool = False
    round_deviation: float = 0.0
    seeds: int = 1
    difference: float | None = None
    own: float = OWN_DEVIATION
    mean: float = CLASS_MEAN
    target: bool = True


CASES = (
    Case(name="101 classes, UCF-101", classes=101),
    Case(name="34 classes, UCF-101", classes=34),
    Case(name="34 classes, UCF-101, per class", classes=34, average="per_class"),
    Case(name="34 classes of very unequal size", classes=34, sources=UNEQUAL),
    Case(name="34 classes, three training seeds", classes=34, seeds=3),
    Case(name="27 classes, three source videos of five clips", classes=27, sources=FEW),
    Case(name="22 classes, HMDB-51", classes=22, sources=HMDB),
    Case(name="22 classes, HMDB-51, per class", classes=22, sources=HMDB, average="per_class"),
    Case(name="15 classes, UCF-101", classes=15),
    Case(name="10 classes, UCF-101", classes=10),
    Case(name="10 classes, UCF-101, per class", classes=10, average="per_class"),
    Case(name="10 classes, three source videos of five clips", classes=10, sources=FEW),
    Case(name="3 rounds of 27 classes of their own, three source videos", classes=81, sources=FEW, tested=27, rounds=3,
         disjoint=True),
    Case(name="10 half splits, 25 of 51 classes, HMDB-51", classes=51, sources=HMDB, tested=25, rounds=10),
    Case(name="the same, with an effect of the round", classes=51, sources=HMDB, tested=25, rounds=10,
         round_deviation=0.3),
    Case(name="10 half splits, 50 of 101 classes, UCF-101", classes=101, tested=50, rounds=10),
    Case(name="50 half splits, 25 of 51 classes, HMDB-51", classes=51, sources=HMDB, tested=25, rounds=50),
    Case(name="50 half splits, 50 of 101 classes, UCF-101", classes=101, tested=50, rounds=50),
    Case(name="harmonic mean, 29 seen and 22 unseen, HMDB-51, per class", classes=51, sources=HMDB, seen=29,
         average="per_class"),
    Case(name="harmonic mean, 67 seen and 34 unseen, UCF-101, per class", classes=101, seen=67, average="per_class"),
    Case(name="harmonic mean, 51 base and 50 novel, UCF-101, per video", classes=101, seen=51),
    Case(name="harmonic mean, 15 seen and 10 unseen, UCF-101, per class", classes=25, seen=15, average="per_class"),
    Case(name="harmonic mean, 10 half splits of 51 classes, per class", classes=51, sources=HMDB, seen=26, rounds=10,
         halves=True, average="per_class"),
    Case(name="34 classes at about 5 %, UCF-101", classes=34, mean=-4.0, target=False),
    Case(name="34 classes at about 90 %, UCF-101", classes=34, mean=3.0, target=False),
)  # fmt: skip
COMPARISONS = (
    Case(name="34 classes, UCF-101", classes=34, difference=0.0),
    Case(name="34 classes, UCF-101, per class", classes=34, average="per_class", difference=0.0),
    Case(name="34 classes, which differ in clips alone", classes=34, difference=0.0, own=0.0),
    Case(name="27 classes, three source videos of five clips", classes=27, sources=FEW, difference=0.0),
    Case(name="22 classes, HMDB-51", classes=22, sources=HMDB, difference=0.0),
    Case(name="15 classes, UCF-101", classes=15, difference=0.0),
    Case(name="10 classes, UCF-101", classes=10, difference=0.0),
    Case(name="10 classes, which differ in clips alone", classes=10, difference=0.0, own=0.0),
    Case(name="3 rounds of 27 classes of their own", classes=81, sources=FEW, tested=27, rounds=3, disjoint=True,
         difference=0.0),
    Case(name="10 half splits, 25 of 51 classes, HMDB-51", classes=51, sources=HMDB, tested=25, rounds=10,
         difference=0.0),
    Case(name="34 classes, the first better", classes=34, difference=0.5),
)  # fmt: skip


@dataclass(frozen=True)
class Population:
    """Clips (N,) with their class, source video and what decides whether a method is right about them."""

    case: Case
    classes: Index
    sources: Index
    luck: Values

    @classmethod
    def draw(cls, case: Case, rng: np.random.Generator) -> Population:
        low, high = case.sources.videos
        videos = rng.integers(low, high + 1, case.classes)
        of_video = np.repeat(np.arange(case.classes), videos)
        low, high = case.sources.clips
        clips = rng.integers(low, high + 1, len(of_video))
        factor = np.exp(rng.normal(0.0, case.sources.spread, case.classes)) if case.sources.spread else np.ones(1)
        clips = np.maximum(1, np.rint(clips * factor[of_video % len(factor)])).astype(np.int64)
        sources = np.repeat(np.arange(len(of_video)), clips)
        return cls(case, of_video[sources], sources, rng.random(len(sources)))

    def of_classes(self, some: Index) -> Index:
        """Return the clips of some classes."""
        return np.flatnonzero(np.isin(np.arange(self.case.classes), some)[self.classes])

    def logits(self, rng: np.random.Generator) -> tuple[Values, Values]:
        """Return what a method's logits of classes (C,) and of source videos (S,) start from."""
        case = self.case
        means = np.where(np.arange(case.classes) < case.seen, SEEN_MEAN, case.mean)
        return means + rng.normal(0.0, CLASS_DEVIATION, case.classes), rng.normal(
            0.0, SOURCE_DEVIATION, int(self.sources.max()) + 1
        )


NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(100)


def expected(mean: float, *deviations: float) -> float:
    """Return the mean of the logistic function of a normal variable whose variance is the sum of these."""
    values = WEIGHTS * logistic(mean + float(np.sqrt(np.square(deviations).sum())) * NODES)
    return float(values.sum() / WEIGHTS.sum())


def logistic(logits: Values) -> Values:
    return 1 / (1 + np.exp(-logits))


def tested_classes(case: Case, rng: np.random.Generator) -> list[Index]:
    """Return the classes that each round tests; of a harmonic mean, both kinds."""
    everything = np.arange(case.classes)
    if case.tested is None:
        return [everything] * case.rounds
    if case.disjoint:
        return list(rng.permutation(everything).reshape(case.rounds, case.tested))
    return [rng.permutation(everything)[: case.tested] for _ in range(case.rounds)]


def simulate_interval(case: Case, rng: np.random.Generator) -> tuple[Interval | None, float]:
    """Return the interval of one simulation, and the true value."""
    population = Population.draw(case, rng)
    if case.seen:
        return simulate_harmonic(case, population, rng)
    of_class, of_source = population.logits(rng)
    rounds, truths, tested = [], [], tested_classes(case, rng)
    for _ in range(case.seeds):
        moved = rng.normal(0.0, OWN_DEVIATION, case.classes) if case.seeds > 1 else np.zeros(case.classes)
        logits = (of_class + moved)[population.classes] + of_source[population.sources]
        needed = np.log(population.luck / (1 - population.luck))  # a clip is right where its logit is above
        for some in tested:
            shift = rng.normal(0.0, case.round_deviation) if case.round_deviation else 0.0
            clips = population.of_classes(some)
            rounds.append(ScoredRound((needed < logits + shift)[clips].astype(float), clips))
            further = OWN_DEVIATION if case.seeds > 1 else 0.0
            truths.append(expected(case.mean + shift, CLASS_DEVIATION, SOURCE_DEVIATION, further))
    interval = bootstrap_interval(rounds, population.classes, average=case.average, rng=rng)
    return interval, float(np.mean(truths))


def simulate_harmonic(case: Case, population: Population, rng: np.random.Generator) -> tuple[Interval | None, float]:
    """Return the same of a harmonic mean; in half splits a class has a logit for each side that it is on."""
    of_class, of_source = population.logits(rng)
    of_both = [of_class, of_class]
    if case.halves:
        one = rng.normal(0.0, CLASS_DEVIATION, case.classes)
        of_both = [SEEN_MEAN + one, case.mean + one]
    seen: list[ScoredRound] = []
    unseen: list[ScoredRound] = []
    for _ in range(case.rounds):
        order = rng.permutation(case.classes) if case.halves else np.arange(case.classes)
        for side, some, logits in zip((seen, unseen), np.split(order, [case.seen]), of_both, strict=True):
            clips = population.of_classes(some)
            right = logistic(logits[population.classes] + of_source[population.sources])
            side.append(ScoredRound((population.luck < right)[clips].astype(float), clips))
    deviations = CLASS_DEVIATION, SOURCE_DEVIATION
    truth = harmonic_mean(expected(SEEN_MEAN, *deviations), expected(case.mean, *deviations))
    return harmonic_interval(seen, unseen, population.classes, average=case.average, rng=rng), truth


def simulate_pair(case: Case, rng: np.random.Generator) -> tuple[PairedInterval, float]:
    """Return the paired interval of one simulation, and the true difference."""
    assert case.difference is not None
    population = Population.draw(case, rng)
    of_class, of_source = population.logits(rng)
    tested, both = tested_classes(case, rng), []
    for better in (case.difference, 0.0):
        own = of_class + better + rng.normal(0.0, case.own, case.classes)
        right = rng.random(len(population.luck)) < logistic(own[population.classes] + of_source[population.sources])
        clips = [population.of_classes(some) for some in tested]
        both.append([ScoredRound(right[some].astype(float), some) for some in clips])
    deviations = CLASS_DEVIATION, SOURCE_DEVIATION, case.own
    truth = expected(case.mean + case.difference, *deviations) - expected(case.mean, *deviations)
    return paired_interval(both[0], both[1], population.classes, average=case.average, rng=rng), truth


def share(hits: int, n: int) -> str:
    """Return a share of n in percent with 1.96 standard errors."""
    p = hits / n
    return f"{100 * p:.1f} ± {196 * np.sqrt(p * (1 - p) / n):.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000, help="of each case")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    n, start = options.simulations, time.perf_counter()
    print("# Intervals, by simulation\n")
    print(
        f"`python benchmarks/statistics/intervals.py --simulations {n} --seed {options.seed}`; its docstring says what"
    )
    print("is simulated. Percent of the simulations of a case ± 1.96 standard errors; 2,000 replicates each.\n")
    print("## A 95 % interval holds the true accuracy\n")
    print(
        "The goal is 93 to 97 % with 10 to 101 classes. Accuracies near 0 or 1 are not symmetric and no part of it.\n"
    )
    print("| case | holds it, % | above, % | below, % | mean width, points |\n|---|---|---|---|---|")
    for case in wanted(CASES, options.only):
        print(covered(case, n, numpy_generator(options.seed, "interval", case.name)), flush=True)
    print("\n## A paired 95 % interval excludes no difference\n")
    print(
        "The goal is 4 to 6 % where there is no difference. Power is the share that excludes it where there is one.\n"
    )
    print("| case | true difference, points | excludes 0, % | holds the true difference, % |\n|---|---|---|---|")
    for case in wanted(COMPARISONS, options.only):
        print(excluded(case, n, numpy_generator(options.seed, "paired", case.name)), flush=True)
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    return 0


def wanted(cases: Iterable[Case], part: str) -> list[Case]:
    return [case for case in cases if part in case.name]


def covered(case: Case, n: int, rng: np.random.Generator) -> str:
    """Return the row of a case of accuracies."""
    above = below = 0
    widths = []
    for _ in range(n):
        interval, truth = simulate_interval(case, rng)
        if interval is None:
            return f"| {case.name} | no interval | – | – | – |"
        above += interval.low > truth
        below += interval.high < truth
        widths.append(interval.high - interval.low)
    name = case.name if case.target else f"*{case.name}*"
    return (
        f"| {name} | {share(n - above - below, n)} | {100 * above / n:.1f} | {100 * below / n:.1f} "
        f"| {100 * np.mean(widths):.1f} |"
    )


def excluded(case: Case, n: int, rng: np.random.Generator) -> str:
    """Return the row of a case of a comparison."""
    excludes = holds = 0
    truth = 0.0
    for _ in range(n):
        interval, truth = simulate_pair(case, rng)
        if interval.low is None or interval.high is None:
            return f"| {case.name} | {100 * truth:.1f} | no interval | – |"
        excludes += not interval.low <= 0 <= interval.high
        holds += interval.low <= truth <= interval.high
    return f"| {case.name} | {100 * truth:.1f} | {share(excludes, n)} | {share(holds, n)} |"


if __name__ == "__main__":
    raise SystemExit(main())
