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
from zsarbench.evaluation.settings import SETTINGS, Metric
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
    """All clips that count, by id, with their labels, in how many rounds each was, and its mean correctness."""

    ids: NDArray[np.str_]
    labels: NDArray[np.intp]
    rounds: Values
    correct: Values


def evidence_of(result: RunResult, scores: Scores) -> Json:
    """Return in JSON types what the page shows of a result's predictions.

    metric: whose correctness. classes: names (C,) of the classes of the clips that count. right, scored: for each
    distinct round (R, C), clips that are right and clips that count. confusions: [class, taken for, clips] as indices
    and a number over all rounds. wrong: [clip, class, taken for, share of rounds in which it is wrong]. clips: their
    number, the digest of their ids, and a bit for each in the order of ids, set where it is right in most rounds.
    unpaired: why the result cannot be paired with another; "" where it can.
    """
    metric = SETTINGS[result.protocol.setting].paired_by
    rounds = paired.correctness(result, scores, metric)
    label_of = dict(zip(scores.clip_ids.tolist(), scores.labels.tolist(), strict=True))
    labels = {number: np.array([label_of[clip] for clip in item.clip_ids.tolist()]) for number, item in rounds.items()}
    kept = np.unique(np.concatenate(list(labels.values())))
    sums = [_per_class(labels[number], item.correct, kept) for number, item in rounds.items()]
    clips = _clips(rounds, labels)
    counts, taken_for = _confusions(result, scores, metric)
    return {
        "metric": metric.name,
        "average": metric.average,
        "classes": [str(scores.class_names[label]) for label in range(len(scores.class_names))],
        "kept": kept.tolist(),
        "right": [[round(float(value), 4) for value in right] for right, _ in sums],
        "scored": [scored.astype(int).tolist() for _, scored in sums],
        "confusions": _pairs(counts),
        "wrong": _wrong(clips, taken_for),
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


def _per_class(labels: NDArray[np.intp], correct: Values, kept: NDArray[np.intp]) -> tuple[Values, Values]:
    size = int(kept[-1]) + 1
    right = np.bincount(labels, weights=correct, minlength=size)[kept]
    scored = np.bincount(labels, minlength=size)[kept].astype(np.float64)
    return right.astype(np.float64), scored


def _pairs(counts: Values) -> list[list[float]]:
    """Return [class, taken for, clips], the most clips first."""
    own, other = np.nonzero(counts >= LEAST_COUNT)
    found = [
        (-round(float(counts[a, b]), 1), a, b) for a, b in zip(own.tolist(), other.tolist(), strict=True) if a != b
    ]
    return [[a, b, -count] for count, a, b in sorted(found)[:MAX_PAIRS]]


def _clips(rounds: paired.Correctness, labels: dict[int, NDArray[np.intp]]) -> _Clips:
    every = np.concatenate([item.clip_ids for item in rounds.values()])
    ids, first, inverse = np.unique(every, return_index=True, return_inverse=True)
    n_rounds = np.bincount(inverse.reshape(-1)).astype(np.float64)
    sums = np.bincount(inverse.reshape(-1), weights=np.concatenate([item.correct for item in rounds.values()]))
    return _Clips(ids, np.concatenate(list(labels.values()))[first], n_rounds, sums / n_rounds)


def _wrong(clips: _Clips, taken_for: dict[str, tuple[int, float]]) -> list[list[Any]]:
    """Return the clips that are wrong most often, then those that were in most rounds and taken for one class most."""
    found = [
        (1.0 - correct, n_rounds, *taken_for.get(clip, (-1, 0.0)), clip, label)
        for clip, label, n_rounds, correct in zip(*(part.tolist() for part in clips), strict=True)
        if correct < 0.5
    ]
    found.sort(key=lambda item: (-item[0], -item[1], -item[3], item[4]))
    return [[clip, int(label), other, round(wrong, 3)] for wrong, _, other, _, clip, label in found[:MAX_CLIPS]]


def _confusions(result: RunResult, scores: Scores, metric: Metric) -> tuple[Values, dict[str, tuple[int, float]]]:
    """Return how many clips (C, C) of each class were taken for each, and by clip the wrong class it mostly was.

    A clip whose best scores tie counts in parts; one that was not read counts nowhere. Seeds are averaged.
    """
    n_classes, n_seeds = len(scores.class_names), len(result.seeds)
    counts = np.zeros((n_classes, n_classes))
    n_clips = len(scores.clip_ids)
    shares = np.zeros((n_clips, n_classes), dtype=np.float32)
    for number, clips, labels, top in _tops(result, scores, metric):
        columns = scores.rounds[number].classes
        shares[clips[:, None], columns[None, :]] += top / n_seeds  # no clip or class is twice in a round
        counts[:, columns] += (np.arange(n_classes)[:, None] == labels[None, :]).astype(np.float64) @ top / n_seeds
    known = np.flatnonzero(scores.labels >= 0)
    shares[known, scores.labels[known]] = 0.0
    best = shares.argmax(axis=1)
    pairs = zip(scores.clip_ids.tolist(), best.tolist(), shares[np.arange(n_clips), best].tolist(), strict=True)
    return counts, {clip: (other, share) for clip, other, share in pairs if share > 0}


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
