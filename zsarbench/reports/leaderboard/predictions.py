"""Reads all results with their predictions once: what backs their rows, and what the page shows of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from zsarbench import results
from zsarbench.errors import ZsarbenchError
from zsarbench.reports.backing import Backing, backing_of
from zsarbench.reports.leaderboard.evidence import evidence_of
from zsarbench.reports.leaderboard.scripts import Encoded, encoded
from zsarbench.results import RunResult
from zsarbench.utils.processes import Processes


class Seen(NamedTuple):
    """What the predictions of a result show.

    backing: of its row. evidence: see `evidence_of`, as JSON; "null" where its figures follow from no predictions.
    n_classes: how many classes a pair with it draws; 0 without evidence.
    """

    backing: Backing
    evidence: Encoded = Encoded("null")
    n_classes: int = 0


Read: TypeAlias = tuple[dict[Path, RunResult], dict[str, Seen]]


def read(folder: Path, processes: Processes, *, evidence: bool = True) -> Read:
    """Return every result under a folder by its path, and by id what its predictions show.

    processes: take part where there are many, since this takes most of a build. evidence: whether to compute what the
    page shows of them; without it there is what backs the rows.

    Raises:
        ZsarbenchError: some are not valid; the message names each with its problems.
    """
    paths = results.find(folder)
    read_each = dict(zip(paths, processes.map(partial(_read, evidence=evidence), paths), strict=True))
    if problems := [item for item in read_each.values() if isinstance(item, str)]:
        raise ZsarbenchError("\n".join(problems))
    sound = {path: item for path, item in read_each.items() if not isinstance(item, str)}
    return {path: result for path, (result, _) in sound.items()}, {result.stem: seen for result, seen in sound.values()}


def remeasured(seen: Mapping[str, Seen], rows: Collection[str]) -> dict[str, Seen]:
    """Return what predictions show, where the rows of some ids are measured again by continuous integration."""
    return {
        name: item._replace(backing=replace(item.backing, kind="re-measured"))
        if name in rows and item.backing.kind == "recomputed"
        else item
        for name, item in seen.items()
    }


def _read(path: Path, *, evidence: bool) -> tuple[RunResult, Seen] | str:
    """Return a result with what its predictions show, or what is wrong with it."""
    try:
        result = results.read(path)
    except ZsarbenchError as error:
        return str(error)
    scores = results.scores_or_none(path, result)
    backing = backing_of(path, result, scores)
    if scores is None or backing.kind == "stated" or not evidence:
        return result, Seen(backing)
    shown = evidence_of(result, scores)
    return result, Seen(backing, encoded(shown), len(shown["kept"]))
