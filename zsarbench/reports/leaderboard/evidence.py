"""What the predictions of a result show beyond its figures: classes, confusions, clips, and what a pair is computed of.

All of it counts the clips that paired comparisons count (`SettingRules.paired_by`): each distinct round once, training
seeds averaged, ties as `zsarbench.evaluation.metrics` breaks them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.bootstrap import N_RESAMPLES, draws
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import SETTINGS, Metric, heading
from zsarbench.reports import paired
from zsarbench.results import RunResult

MAX_CLIPS = 30
"""Of the clips that are most often wrong."""
MAX_PAIRS = 1000
LEAST_COUNT = 0.5
"""Clips of a class taken for another one, below which a page does not list the pair."""

Json = dict[str, Any]
Values = NDArray[np.float64]


class _Clips(NamedTuple):
    """All clips that count, by id, with their labels, in how many rounds each was, and its mean correctness.

    places: indices into all clips.
    """

    ids: NDArray[np.str_]
    places: NDArray[np.int64]
    labels: NDArray[np.int32]
    rounds: Values
    correct: Values


def evidence_of(result: RunResult, scores: Scores) -> Json:
    """Return in JSON types what the page shows of a result's predictions.

    heading: of the metric whose correctness it is. classes: all names. kept: (C,) which of them the clips that count
    belong to. right, scored: for each distinct round (R, C), clips that are right and clips that count. confusions:
    [class, taken for, clips] as indices and a number over all rounds. wrong: [clip, class, taken for, share of rounds
    in which it is wrong]. clips: their number, the digest of their ids, and a bit for each in the order of ids, set
    where it is right in most rounds. unpaired: why the result cannot be paired with another; "" where it can.
    """
    metric = SETTINGS[result.protocol.setting].paired_by
    rounds = paired.correctness(result, scores, metric)
    labels = [scores.labels[item.clips] for item in rounds.values()]
    kept = np.unique(np.concatenate(labels))
    sums = [_per_class(of_round, item.correct, kept) for of_round, item in zip(labels, rounds.values(), strict=True)]
    clips = _clips(rounds, scores)
    counts, shares = _confusions(result, scores, metric)
    return {
        "heading": heading(metric.name),
        "average": metric.average,
        "classes": scores.class_names.tolist(),
        "kept": kept.tolist(),
        "right": [right.round(4).tolist() for right, _ in sums],
        "scored": [scored.astype(int).tolist() for _, scored in sums],
        "confusions": _pairs(counts),
        "wrong": _wrong(clips, shares[clips.places]),
        "clips": {
            "count": len(clips.ids),
            "digest": hashlib.sha256("\n".join(clips.ids.tolist()).encode()).hexdigest()[:16],
            "right": base64.b64encode(np.packbits(clips.correct > 0.5).tobytes()).decode(),
        },
        "unpaired": _unpaired(result, metric),
    }


def drawn(n_classes: int) -> list[str]:
    """Return what every paired comparison over C classes draws: for each replicate C digits of base 36."""
    digits = np.array(list("0123456789abcdefghijklmnopqrstuvwxyz"))
    blocks = [digits[block.astype(int)] for block in draws(n_classes, N_RESAMPLES, paired.generator())]
    return ["".join(row) for block in blocks for row in block]


def _per_class(labels: NDArray[np.int32], correct: Values, kept: NDArray[np.int32]) -> tuple[Values, Values]:
    size = int(kept[-1]) + 1
    right = np.bincount(labels, weights=correct, minlength=size)[kept]
    scored = np.bincount(labels, minlength=size)[kept].astype(np.float64)
    return right.astype(np.float64), scored


def _pairs(counts: Values) -> list[list[float]]:
    """Return [class, taken for, clips], the most clips first."""
    own, other = np.nonzero((counts >= LEAST_COUNT) & ~np.eye(len(counts), dtype=np.bool_))
    clips = counts[own, other].round(1)
    order = np.lexsort((other, own, -clips))[:MAX_PAIRS]
    return [list(pair) for pair in zip(own[order].tolist(), other[order].tolist(), clips[order].tolist(), strict=True)]


def _clips(rounds: paired.Correctness, scores: Scores) -> _Clips:
    every = np.concatenate([item.clips for item in rounds.values()])
    _, first, inverse = np.unique(scores.by_id[every], return_index=True, return_inverse=True)
    places, inverse = every[first], inverse.reshape(-1)
    n_rounds = np.bincount(inverse).astype(np.float64)
    sums = np.bincount(inverse, weights=np.concatenate([item.correct for item in rounds.values()]))
    return _Clips(scores.clip_ids[places], places, scores.labels[places], n_rounds, sums / n_rounds)


def _wrong(clips: _Clips, shares: NDArray[np.float32]) -> list[list[Any]]:
    """Return the clips that are wrong most often, then those that were in most rounds and taken for one class most.

    shares: (n, C), in how many rounds each of the clips was taken for each class but its own.
    """
    other = shares.argmax(axis=1)
    share = shares.max(axis=1)
    order = np.lexsort((-share, -clips.rounds, clips.correct))  # which leaves ties in the order of ids
    first = order[clips.correct[order] < 0.5][:MAX_CLIPS]
    taken_for = np.where(share > 0, other, -1)[first].tolist()
    wrong = (1.0 - clips.correct[first]).round(3).tolist()
    found = zip(clips.ids[first].tolist(), clips.labels[first].tolist(), taken_for, wrong, strict=True)
    return [list(item) for item in found]


def _confusions(result: RunResult, scores: Scores, metric: Metric) -> tuple[Values, NDArray[np.float32]]:
    """Return how many clips (C, C) of each class were taken for each, and how often each clip (N, C) for other classes.

    A clip whose best scores tie counts in parts; one that was not read counts nowhere. Seeds are averaged.
    """
    n_clips, n_classes, n_seeds = len(scores.clip_ids), len(scores.class_names), len(result.seeds)
    counts = np.zeros((n_classes, n_classes))
    shares = np.zeros((n_clips, n_classes), dtype=np.float32)
    for number, clips, labels, top in _tops(result, scores, metric):
        columns = scores.rounds[number].classes
        shares[clips[:, None], columns[None, :]] += top / n_seeds  # no clip or class is twice in a round
        counts[:, columns] += (np.arange(n_classes)[:, None] == labels[None, :]).astype(np.float64) @ top / n_seeds
    known = np.flatnonzero(scores.labels >= 0)
    shares[known, scores.labels[known]] = 0.0
    return counts, shares


def _tops(
    result: RunResult, scores: Scores, metric: Metric
) -> Iterator[tuple[int, NDArray[Any], NDArray[Any], Values]]:
    """Yield for each distinct round its number, its clips, their labels, and which share of each its classes take."""
    for number, item in enumerate(result.rounds):
        if item.duplicate_of is not None:
            continue
        of_round = scores.rounds[number]
        matrix, labels = scores.round(number)
        kept = ~np.isnan(matrix).any(axis=1)
        if metric.side is not None:
            kept &= of_round.seen[labels] == metric.side.of_seen
        highest = matrix[kept] == matrix[kept].max(axis=1, keepdims=True)
        yield number, of_round.clips[kept], of_round.classes[labels[kept]], highest / highest.sum(axis=1, keepdims=True)


def _unpaired(result: RunResult, metric: Metric) -> str:
    try:
        paired.check_comparable([result], metric.name)
    except ZsarbenchError as error:
        return str(error)
    return ""
