"""Measures by simulation whether ranks separate methods that differ, and only those.

python benchmarks/statistics/boards.py [--boards 500] [--methods 6] [--seed 0] [--only TEXT]

A board is a few methods on the same clips. As in intervals.py, a class has a logit, normal around -0.4 with deviation
1.8, its source videos deviate from it by 1.0, and both are common to all methods. Each method has a deviation of its
own in every class (0.5), and is right about a clip with the probability that the sum gives. A class has 25 source
videos of 4 to 7 clips. Half splits are drawn again for every board; all methods see the same ones.

On boards of equal methods nothing differs in truth: the share of boards on which all methods have one rank in common,
and the share of pairs that are separated before any correction, which must be 5 %. On boards with a gap one method is
better by twice the difference that the protocol resolves between two methods (significance.resolvable, with the mean
standard error of the boards of equal methods): the share of pairs with it that are separated, and the share of boards
on which it is first alone. The same for twice what it resolves on a board of so many methods, which is more.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from intervals import CLASS_DEVIATION, CLASS_MEAN, OWN_DEVIATION, SOURCE_DEVIATION, Values, expected, logistic, share

from zsarbench.evaluation import significance
from zsarbench.evaluation.bootstrap import effects_of_sums
from zsarbench.evaluation.significance import Effects, rank_ranges
from zsarbench.utils.seeding import numpy_generator

VIDEOS, CLIPS = 25, (4, 7)


@dataclass(frozen=True, kw_only=True)
class Case:
    """classes: of the data set. rounds: 1 tests all classes, more are half splits. per_class: over what is averaged."""

    classes: int
    rounds: int = 1
    per_class: bool = False

    @property
    def name(self) -> str:
        """The protocol in words."""
        rounds = "one round" if self.rounds == 1 else f"{self.rounds} half splits"
        return f"{self.classes} classes, {rounds}" + (", per class" if self.per_class else "")


CASES = tuple(
    Case(classes=classes, rounds=rounds, per_class=per_class)
    for per_class in (False, True)
    for classes in (10, 22, 34, 101)
    for rounds in (1, 10, 50)
)


def board(case: Case, better: Values, rng: np.random.Generator) -> list[Effects]:
    """Return the methods of one board; better: (M,), by how much each one's logits are above the common ones."""
    n_clips = rng.integers(CLIPS[0], CLIPS[1] + 1, (case.classes, VIDEOS))
    common = CLASS_MEAN + rng.normal(0.0, CLASS_DEVIATION, (case.classes, 1))
    common = common + rng.normal(0.0, SOURCE_DEVIATION, (case.classes, VIDEOS))
    own = better[:, None] + rng.normal(0.0, OWN_DEVIATION, (len(better), case.classes))
    right = rng.binomial(n_clips, logistic(common + own[:, :, None])).sum(axis=2).astype(np.float64)
    scored = n_clips.sum(axis=1).astype(np.float64)
    tested = np.ones((case.classes, 1))
    if case.rounds > 1:
        half = case.classes // 2
        tested = (rng.random((case.classes, case.rounds)).argsort(axis=0) < half).astype(np.float64)
    if case.per_class:
        right, scored = right / scored, np.ones(case.classes)
    names = np.arange(case.classes)
    sums = [(of_method[:, None] * tested, scored[:, None] * tested) for of_method in right]
    return [significance.mean_effects(effects_of_sums(names, *both)) for both in sums]


@dataclass(frozen=True)
class Equal:
    """Boards of equal methods: how many have one rank for all, pairs below 5 %, mean standard error, classes."""

    shared: int
    found: float
    error: float
    n_classes: float


def equal_boards(case: Case, n_boards: int, n_methods: int, rng: np.random.Generator) -> Equal:
    """Return what boards of equal methods give."""
    shared, found, errors = 0, [], []
    upper, n_classes = np.triu_indices(n_methods, 1), 0.0
    for _ in range(n_boards):
        methods = board(case, np.zeros(n_methods), rng)
        all_pairs = significance.compare_all(methods)
        ranks = rank_ranges([one.value for one in methods], all_pairs.p)
        shared += all(ends == (1, n_methods) for ends in ranks)
        found.append(float((all_pairs.p[upper] < significance.LEVEL).mean()))
        errors.append(float(all_pairs.errors[upper].mean()))
        n_classes = methods[0].n_classes
    return Equal(shared, float(np.mean(found)), float(np.mean(errors)), n_classes)


def gap_boards(case: Case, n_boards: int, n_methods: int, better: float, rng: np.random.Generator) -> tuple[float, int]:
    """Return which share of pairs with the better method is separated, and on how many boards it is first alone."""
    apart, alone = [], 0
    for _ in range(n_boards):
        methods = board(case, np.array([better, *np.zeros(n_methods - 1)]), rng)
        values = [one.value for one in methods]
        upper = np.triu_indices(n_methods, 1)
        all_pairs = significance.compare_all(methods)
        adjusted = significance.holm(all_pairs.p[upper])[upper[0] == 0]
        signs = all_pairs.differences[0, 1:] > 0
        apart.append(float(((adjusted < significance.LEVEL) & signs).mean()))
        alone += rank_ranges(values, all_pairs.p)[0] == (1, 1)
    return float(np.mean(apart)), alone


def logit_gap(gap: float) -> float:
    """Return by how much a method's logits must be above the common ones for its accuracy to be as much better."""
    deviations = CLASS_DEVIATION, SOURCE_DEVIATION, OWN_DEVIATION
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        reached = expected(CLASS_MEAN + middle, *deviations) - expected(CLASS_MEAN, *deviations) >= gap
        low, high = (low, middle) if reached else (middle, high)
    return high


def rows(cases: Sequence[Case], n_boards: int, n_methods: int, seed: int) -> Iterator[str]:
    """Yield the table's row of each case."""
    for case in cases:
        equal = equal_boards(case, n_boards, n_methods, numpy_generator(seed, "equal", case.name))
        cells = [case.name, share(equal.shared, n_boards), f"{100 * equal.found:.1f}"]
        for of in dict.fromkeys((n_methods, 2)):
            resolved = significance.resolvable(equal.error, equal.n_classes, n_methods=of)
            rng = numpy_generator(seed, "gap", case.name)
            apart, alone = gap_boards(case, n_boards, n_methods, logit_gap(2 * resolved), rng)
            cells += [f"{100 * resolved:.1f}", f"{100 * apart:.1f}", share(alone, n_boards)]
        yield f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=int, default=500, help="of each case and truth")
    parser.add_argument("--methods", type=int, default=6, help="on a board")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    print(f"`--boards {options.boards} --methods {options.methods} --seed {options.seed}`\n")
    head = ["protocol", "equal methods share a rank, %", "pairs below 5 % uncorrected"]
    for of in dict.fromkeys((options.methods, 2)):
        head += [f"resolves of {of}, points", "at twice that: pairs separated, %", "first alone, %"]
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    cases = [case for case in CASES if options.only in case.name]
    for row in rows(cases, options.boards, options.methods, options.seed):
        print(row, flush=True)
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
