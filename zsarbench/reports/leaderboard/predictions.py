"""Reads the predictions of all results once: what backs their rows, and what the page shows of them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from zsarbench import results
from zsarbench.reports.backing import Backing, backing_of
from zsarbench.reports.leaderboard.evidence import evidence_of
from zsarbench.reports.leaderboard.scripts import Encoded, encoded
from zsarbench.results import RunResult

MANY_RESULTS = 300
"""Results from which several processes read predictions: each takes a second to start."""


class Seen(NamedTuple):
    """What the predictions of a result show.

    backing: of its row. evidence: see `evidence_of`, as JSON; "null" where its figures follow from no predictions.
    n_classes: how many classes a pair with it draws; 0 without evidence.
    """

    backing: Backing
    evidence: Encoded = Encoded("null")
    n_classes: int = 0


def read_predictions(found: Mapping[Path, RunResult], remeasured: Iterable[str] = ()) -> dict[str, Seen]:
    """Return what the predictions of each result show, by id, in the order of the results.

    Many are read by as many processes as there are cores, since that takes most of a build.

    remeasured: ids of rows that continuous integration measures again.
    """
    look = partial(_seen, frozenset(remeasured))
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ids = [result.stem for result in found.values()]
    if len(found) < MANY_RESULTS or n_cores < 2:
        return dict(zip(ids, map(look, found.items()), strict=True))
    with ProcessPoolExecutor(n_cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        return dict(zip(ids, pool.map(look, found.items(), chunksize=32), strict=True))


def _seen(remeasured: frozenset[str], item: tuple[Path, RunResult]) -> Seen:
    path, result = item
    scores = results.scores_or_none(path, result)
    backing = backing_of(path, result, scores, remeasured)
    if scores is None or backing.kind == "stated":
        return Seen(backing)
    evidence = evidence_of(result, scores)
    return Seen(backing, encoded(evidence), len(evidence["kept"]))
