"""Accuracy of each class of a result, and what its clips were taken for, from the scores."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from zsarbench.evaluation.scores import Scores
from zsarbench.interfaces import Denominator


@dataclass(frozen=True)
class ClassAccuracy:
    """One class over all rounds in which it is a candidate with test clips.

    n_clips: distinct ones. n_rounds: counted once for each training seed. top1: mean over these rounds, a fraction.
    seen: whether training clips belong to it. taken_for: the other class that its clips are most often taken for, ""
    where there is none. share: of its clips, as a fraction. A clip whose best scores are equal is taken for none.
    """

    name: str
    seen: bool
    n_clips: int
    n_rounds: int
    top1: float
    taken_for: str
    share: float


@dataclass
class _Sums:
    """What is added up of a class."""

    clips: set[int] = field(default_factory=set)
    means: list[float] = field(default_factory=list)
    n_shown: int = 0
    taken: Counter[str] = field(default_factory=Counter)


def by_class(scores: Scores, denominator: Denominator = "all") -> list[ClassAccuracy]:
    """Return the accuracy of every class, the best first; one that is seen in some rounds only has two.

    denominator: "all" counts a clip without scores as wrong, "survivors" leaves it out.
    """
    sums: dict[tuple[str, bool], _Sums] = defaultdict(_Sums)
    for number, item in enumerate(scores.rounds):
        matrix, labels = scores.round(number)
        ranked = scores.ranks(number)
        correct, kept = ranked.correct(1), ranked.counted(denominator)
        best = np.where(np.isnan(matrix), -np.inf, matrix)
        tops = best == best.max(axis=1, keepdims=True)
        clear = (tops.sum(axis=1) == 1) & ~np.isnan(matrix).any(axis=1)
        names = scores.class_names[item.classes]
        for label in np.unique(labels[kept]):
            own = np.flatnonzero(kept & (labels == label))
            of_class = sums[str(names[label]), bool(item.seen[label])]
            of_class.clips.update(item.clips[own].tolist())
            of_class.means.append(float(correct[own].mean()))
            of_class.n_shown += len(own)
            taken = tops[own][clear[own]].argmax(axis=1)
            of_class.taken.update(str(names[other]) for other in taken if other != label)
    found = [_accuracy(name, seen, one) for (name, seen), one in sums.items()]
    return sorted(found, key=lambda one: (-one.top1, one.name, one.seen))


def _accuracy(name: str, seen: bool, sums: _Sums) -> ClassAccuracy:
    taken_for, n = min(sums.taken.items(), key=lambda item: (-item[1], item[0]), default=("", 0))
    return ClassAccuracy(
        name, seen, len(sums.clips), len(sums.means), float(np.mean(sums.means)), taken_for, n / sums.n_shown
    )
