"""How far scores say how sure a method is: expected calibration error, and accuracy where it may abstain.

Scores are of any scale, so a confidence is the softmax of a clip's scores over a temperature. The error is given as the
scores are (temperature 1), and after temperature scaling (Guo et al., arXiv:1706.04599): one number, fitted to the
likelihood of one half of the source videos and applied to the other, both ways. Abstention needs no scale: clips are
left out by the margin of the best score over the second, the smallest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsarbench.evaluation.arrays import Index, Values, unread
from zsarbench.evaluation.metrics import topk_expectation

N_BINS = 15
"""Of confidence, of equal width; the number of Guo et al."""
COVERAGES = (1.0, 0.8, 0.5, 0.2)
SAME_MARGIN = (
    "no confidences: in every clip the best score is as far ahead of the second, so none is surer than another"
)
_TEMPERATURES = np.geomspace(1e-4, 1e4, 81)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What the scores of the clips that were read show; every value is a mean over rounds.

    error: expected calibration error in [0, 1] as the scores are. scaled_error: after temperature scaling. temperature:
    geometric mean of the fitted ones. Both errors and the temperature are None where not all scores were kept.
    accuracy_at: by the share of clips that is kept, the accuracy on them. area: under the risk-coverage curve, the mean
    share of errors over all coverages; what no order of the clips can be below is `best_area`.
    """

    error: float | None
    scaled_error: float | None
    temperature: float | None
    accuracy_at: dict[float, float]
    area: float
    best_area: float


def calibration(rounds: Sequence[tuple[NDArray[Any], Index, NDArray[Any]]], *, whole: bool) -> Calibration:
    """Return the calibration of rounds, each given as scores (N, C), labels (N,) and source videos (N,).

    whole: whether all scores are stored; else only margins can be used.

    Raises:
        ValueError: no clip was read, or no clip is surer than another: the best score is as far ahead in all of them.

    >>> scores = np.array([[4.0, 0.0], [0.0, 4.0], [0.2, 0.0], [0.3, 0.0]])
    >>> found = calibration([(scores, np.array([0, 1, 1, 0]), np.array(["a", "b", "a", "b"]))], whole=True)
    >>> found.accuracy_at[1.0], found.accuracy_at[0.5], round(found.area, 3)
    (0.75, 1.0, 0.062)
    """
    kept = []
    for scores, labels, sources in rounds:
        read = ~unread(scores)
        if read.any():
            kept.append((scores[read].astype(np.float64), labels[read], sources[read]))
    if not kept:
        raise ValueError("no clip was read")
    if all(len(np.unique(_margins(scores))) == 1 for scores, _, _ in kept):
        raise ValueError(SAME_MARGIN)
    found = [_of_round(*one, whole) for one in kept]
    return Calibration(
        error=_mean([one.error for one in found]),
        scaled_error=_mean([one.scaled_error for one in found]),
        temperature=_geometric([one.temperature for one in found]),
        accuracy_at={share: float(np.mean([one.accuracy_at[share] for one in found])) for share in COVERAGES},
        area=float(np.mean([one.area for one in found])),
        best_area=float(np.mean([one.best_area for one in found])),
    )


def expected_error(confidence: Values, correct: Values) -> float:
    """Return the mean gap between confidence (N,) and correctness (N,), both in [0, 1], over bins of confidence.

    >>> expected_error(np.array([0.9, 0.9, 0.6, 0.6]), np.array([1.0, 1.0, 1.0, 0.0]))
    0.1
    """
    bins = np.minimum((confidence * N_BINS).astype(np.int64), N_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=N_BINS)
    return round(float(np.abs(gaps).sum() / len(confidence)), 12)


def _of_round(scores: Values, labels: Index, sources: NDArray[Any], whole: bool) -> Calibration:
    correct = topk_expectation(scores, labels, 1)
    risk = _risks(1.0 - correct, _margins(scores))
    accuracy_at = {share: 1.0 - float(risk[max(1, round(share * len(risk))) - 1]) for share in COVERAGES}
    area, best_area = float(risk.mean()), float(_risks(1.0 - correct, correct).mean())
    error = scaled_error = temperature = None
    if whole and np.isfinite(scores).all():
        error = expected_error(_softmax(scores, 1.0).max(axis=1), correct)
        scaled_error, temperature = _scaled(scores, labels, sources, correct)
    return Calibration(
        error=error,
        scaled_error=scaled_error,
        temperature=temperature,
        accuracy_at=accuracy_at,
        area=area,
        best_area=best_area,
    )


def _margins(scores: Values) -> Values:
    """Return how far the best score of each clip is ahead of the second; infinitely, where there is no second."""
    top = np.partition(scores, -2, axis=1)[:, -2:]
    with np.errstate(invalid="ignore"):
        margins: Values = np.nan_to_num(top[:, 1] - top[:, 0], nan=0.0, posinf=np.inf)
    return margins


def _risks(wrong: Values, margin: Values) -> Values:
    """Return the share of errors among the first 1 to N clips by margin; clips of one margin share their errors."""
    order = np.argsort(-margin, kind="stable")
    values, inverse, counts = np.unique(-margin[order], return_inverse=True, return_counts=True)
    of_value = np.bincount(inverse.reshape(-1), weights=wrong[order], minlength=len(values)) / counts
    shared = of_value[inverse.reshape(-1)]
    risks: Values = np.cumsum(shared) / np.arange(1, len(wrong) + 1)
    return risks


def _scaled(scores: Values, labels: Index, sources: NDArray[Any], correct: Values) -> tuple[float | None, float | None]:
    """Return the error after scaling, each half of the sources by the other's temperature; None with one source."""
    places = np.unique(sources, return_inverse=True)[1].reshape(-1)
    first = places % 2 == 0
    if first.all():
        return None, None
    confidence, temperatures = np.empty(len(labels)), []
    for fitted in (first, ~first):
        losses = [_loss(scores[fitted], labels[fitted], temperature) for temperature in _TEMPERATURES]
        temperatures.append(float(_TEMPERATURES[int(np.argmin(losses))]))
        confidence[~fitted] = _softmax(scores[~fitted], temperatures[-1]).max(axis=1)
    return expected_error(confidence, correct), _geometric(temperatures)


def _loss(scores: Values, labels: Index, temperature: float) -> float:
    scaled = scores / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    own = np.take_along_axis(scaled, labels[:, None], axis=1)[:, 0]
    return float((np.log(np.exp(scaled).sum(axis=1)) - own).mean())


def _softmax(scores: Values, temperature: float) -> Values:
    scaled = scores / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Values = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _geometric(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.exp(np.mean(np.log(known)))) if known else None
