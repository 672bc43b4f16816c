"""What backs a row: predictions that its figures follow from, a measurement that is repeated, or its word alone."""

from __future__ import annotations

import typing
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from zsarbench import results
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import SETTINGS, Metric
from zsarbench.reports.ranking import Evidence, evidence_of
from zsarbench.results import Flag, RunResult
from zsarbench.results.verification import rounds_follow
from zsarbench.utils.documents import read_toml

BackingKind: TypeAlias = Literal["re-measured", "recomputed", "stated"]
BACKINGS: tuple[BackingKind, ...] = typing.get_args(BackingKind)


class Badge(NamedTuple):
    """What backs a row, in a word, and in a sentence for those who ask."""

    text: str
    title: str


_BADGES: Mapping[BackingKind, Badge] = {
    "re-measured": Badge("re-measured", "Its predictions are kept, and continuous integration measures it again."),
    "recomputed": Badge("recomputed", "Its predictions are kept, and its figures were computed from them again."),
    "stated": Badge("stated", "Backed by its result file alone: no kept predictions confirm its figures."),
}


@dataclass(frozen=True)
class Backing:
    """What backs the row of a result.

    path: its file. evidence: what pairs it with others in the metric that ranks its setting; None where it cannot be.
    """

    kind: BackingKind
    path: Path
    evidence: Evidence | None = None

    def evidence_in(self, metric: Metric, result: RunResult) -> Evidence | None:
        """Return what pairs the result with others in a metric; None where it cannot be."""
        if self.kind == "stated" or (self.evidence is not None and self.evidence.metric == metric.name):
            return self.evidence
        return evidence_of(result, results.read_scores(self.path), metric)


def badge(kind: BackingKind) -> Badge:
    """Return what readers see of a backing, wherever rows are shown.

    >>> badge("recomputed").text
    'recomputed'
    """
    return _BADGES[kind]


def backings_of(found: Mapping[Path, RunResult], remeasured: Collection[str] = ()) -> dict[str, Backing]:
    """Return by id what backs each result of a file; the rounds of all are computed from their predictions.

    remeasured: ids of rows that continuous integration measures again.
    """
    return {
        result.stem: backing_of(path, result, results.scores_or_none(path, result), remeasured)
        for path, result in found.items()
    }


def backing_of(path: Path, result: RunResult, scores: Scores | None, remeasured: Collection[str] = ()) -> Backing:
    """Return what backs the result of a file. scores: its own; None where it has none that can be read."""
    try:
        if scores is not None and rounds_follow(result, scores):
            kind: BackingKind = "re-measured" if result.stem in remeasured else "recomputed"
            return Backing(kind, path, evidence_of(result, scores, SETTINGS[result.protocol.setting].ranked_by))
    except ZsarbenchError:
        pass  # scores of other rounds back nothing
    return Backing("stated", path)


def notes_of_backing(backing: Backing | None) -> list[Flag]:
    """Return why a row without predictions is not ranked; [] where it has them, or was not checked."""
    if backing is None or backing.kind != "stated":
        return []
    return [Flag("predictions", "its figures do not follow from kept predictions")]


def remeasured_rows(cheap: Path, found: Iterable[RunResult]) -> set[str]:
    """Return the ids of the results that continuous integration measures again by a list such as `cheap.toml`.

    Raises:
        ZsarbenchError: the list cannot be read.
    """
    if not cheap.is_file():
        return set()
    rows = read_toml(cheap, "list of rows")["rows"]
    chosen = (remeasured_row(list(found), row["protocol"], row["method"]) for row in rows)
    return {result.stem for result in chosen if result is not None}


def remeasured_row(found: Iterable[RunResult], protocol: str, method: str) -> RunResult | None:
    """Return the newest result of a method on a protocol that is neither limited nor a control."""
    named = [result for result in found if (result.protocol.name, result.method.name) == (protocol, method)]
    whole = [result for result in named if result.limit is None and result.control == "none"]
    return max(whole, key=lambda result: (result.created, result.stem), default=None)
