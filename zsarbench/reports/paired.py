"""Differences between results on the same clips, with intervals in which what is hard for both cancels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zsarbench import results
from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.evaluation import metrics
from zsarbench.evaluation.bootstrap import PairedInterval, ScoredRound, paired_interval
from zsarbench.evaluation.scores import Scores
from zsarbench.reports.table import differing_settings
from zsarbench.results import RunResult
from zsarbench.utils import seeding

_OF_SEEN = {"seen": True, "base": True, "unseen": False, "novel": False}
METRICS = (
    *metrics.ZSL_METRICS,
    *(f"top1_{average}_{side}" for average in ("per_video", "per_class") for side in _OF_SEEN),
)
"""Those that are a mean of correctness: the paired bootstrap resamples nothing else."""


DEFAULT = {"zsl": "top1_per_video", "gzsl": "top1_per_video", "base-to-novel": "top1_per_video_novel"}
"""What is compared in a setting unless another metric is asked for."""


class RoundClips(NamedTuple):
    """The clips of a round, sorted by id (n,), and how far each is correct (n,), in [0, 1]."""

    clip_ids: NDArray[np.str_]
    correct: NDArray[np.float64]


Correctness: TypeAlias = dict[int, RoundClips]


def paired(paths: Sequence[Path], *, metric: str | None = None, against: Path | None = None) -> pd.DataFrame:
    """Return how far each result is above one of them, by default the best, on the same clips of the same rounds.

    Columns: method, settings, against, metric, difference (a fraction), low and high (its 95 % interval),
    share_not_better (of bootstrap replicates in which the result is not above the other; no p-value), n_rounds, id.
    Several training seeds are averaged clip by clip; rounds that repeat another's class lists count once.

    metric: by default that of the setting in `DEFAULT`.

    Raises:
        UsageError: fewer than two results, a metric that is no mean of correctness, `against` not among the results.
        ZsarbenchError: results of other protocols, data, denominators or clips, or without their scores.
    """
    if metric is not None and metric not in METRICS:
        raise UsageError(unknown("metric for a paired comparison", metric, METRICS))
    if len(paths) < 2:
        raise UsageError(
            f"a paired comparison needs two results, not {len(paths)}. Try: zsarbench compare A.json B.json"
        )
    read = {path: results.read(path) for path in paths}
    metric = metric or DEFAULT[read[paths[0]].protocol.setting]
    if against is not None and against not in read:
        raise UsageError(f"{against} is not among the results to compare")
    _check_comparable(list(read.values()), metric)
    base = against or max(read, key=lambda path: read[path].summary[metric].mean)
    base_scores = results.read_scores(base)
    base_correct = _correctness(read[base], base_scores, metric)
    settings = differing_settings(read.values())
    rows = []
    for path, result in read.items():
        if path != base:
            correct = _correctness(result, results.read_scores(path), metric)
            _check_same_clips(correct, base_correct, result.stem, read[base].stem)
            interval = _interval(correct, base_correct, base_scores, metric)
            rows.append(
                {
                    "method": result.method.name,
                    "settings": settings[result.stem],
                    "against": read[base].stem,
                    "metric": metric,
                    **interval._asdict(),
                    "n_rounds": len(base_correct),
                    "id": result.stem,
                }
            )
    return pd.DataFrame(rows).sort_values(["difference", "id"], ascending=[False, True], ignore_index=True)


def _check_comparable(compared: Sequence[RunResult], metric: str) -> None:
    first = compared[0]
    for result in compared:
        for what, own, others in (
            ("protocol", result.protocol.hash, first.protocol.hash),
            ("data set", (result.dataset.name, result.dataset.revision), (first.dataset.name, first.dataset.revision)),
        ):
            if own != others:
                raise ZsarbenchError(f"{result.stem} and {first.stem} cannot be paired: the {what} differs")
        if result.denominator != "all":
            raise ZsarbenchError(f"{result.stem} cannot be paired: it leaves unread clips out of the denominator")
        if metric not in result.summary:
            raise ZsarbenchError(unknown(f"metric of {result.stem}", metric, result.summary))


def _check_same_clips(own: Correctness, base: Correctness, name: str, base_name: str) -> None:
    same = own.keys() == base.keys()
    if not same or any(not np.array_equal(own[number].clip_ids, base[number].clip_ids) for number in own):
        raise ZsarbenchError(f"{name} and {base_name} cannot be paired: their rounds hold other clips (a --limit?)")


def _correctness(result: RunResult, scores: Scores, metric: str) -> Correctness:
    """Return the clips of each distinct round with their correctness, averaged over training seeds."""
    k, side = 5 if metric.startswith("top5") else 1, _OF_SEEN.get(metric.rpartition("_")[2])
    by_round = defaultdict(list)
    for number, item in enumerate(result.rounds):
        if item.duplicate_of is None:
            ids, (matrix, labels) = scores.clip_ids[scores.rounds[number].clips], scores.round(number)
            of_seen = scores.rounds[number].seen[labels]
            kept = np.arange(len(labels)) if side is None else np.flatnonzero(of_seen == side)
            order = kept[np.argsort(ids[kept])]
            by_round[item.round].append((ids[order], metrics.topk_expectation(matrix, labels, k)[order]))
    return {
        number: RoundClips(seeds[0][0], np.mean([correct for _, correct in seeds], axis=0))
        for number, seeds in by_round.items()
    }


def _interval(own: Correctness, base: Correctness, scores: Scores, metric: str) -> PairedInterval:
    order = np.argsort(scores.clip_ids)
    return paired_interval(
        _scored(own.values(), scores, order),
        _scored((base[number] for number in own), scores, order),
        scores.labels,
        scores.groups,
        statistic="per_class" if "per_class" in metric else "per_video",
        rng=seeding.numpy_generator(0, "paired"),
    )


def _scored(rounds: Iterable[RoundClips], scores: Scores, order: NDArray[np.intp]) -> list[ScoredRound]:
    """Return rounds with their clips as indices into all of `scores`, whose ids `order` sorts."""
    return [
        ScoredRound(item.correct, order[np.searchsorted(scores.clip_ids, item.clip_ids, sorter=order)])
        for item in rounds
    ]
