"""The details of a measured row: how it was measured, its figures round by round, and what its predictions show."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from zsarbench.evaluation.settings import METRICS, SETTINGS, heading
from zsarbench.reports import cells
from zsarbench.reports.leaderboard.grid import links_of
from zsarbench.reports.leaderboard.rows import Row
from zsarbench.results import RunResult

Json: TypeAlias = dict[str, Any]


class Addresses(NamedTuple):
    """Where on the page the result file and its predictions lie; "" where there are none."""

    result: str
    predictions: str = ""


def details_of(row: Row, result: RunResult, *, addresses: Addresses, history: Sequence[RunResult]) -> Json:
    """Return what a row's details show, in JSON types.

    history: results of the same spec, this one included, oldest first.
    """
    return {
        "command": row.command,
        "facts": [[name, value] for name, value in row.facts],
        "links": [list(link) for link in links_of(result.method.source)],
        "protocolLinks": [list(link) for link in links_of(result.protocol.source)],
        "trainedOn": _trained_on(result),
        "commit": result.environment.commit or "",
        "dirty": bool(result.environment.dirty),
        "distributions": [[", ".join(one.plugins), str(one)] for one in result.distributions or ()],
        "parameters": _parameters(result),
        "seconds": [[stage, round(seconds, 1)] for stage, seconds in sorted(result.seconds.items())],
        "rounds": _rounds(result),
        "history": [_version(item) for item in history],
        "file": addresses.result,
        "predictions": addresses.predictions,
    }


def histories(results: Iterable[RunResult]) -> Mapping[str, list[RunResult]]:
    """Return by id the results of the same request, whatever the version of protocol and program, oldest first."""
    by_request: dict[str, list[RunResult]] = defaultdict(list)
    for result in sorted(results, key=lambda item: (item.created, item.stem)):
        request = {key: value for key, value in result.spec.items() if key != "protocol_hash"}
        by_request[json.dumps([result.protocol.name, request], sort_keys=True, default=str)].append(result)
    return {result.stem: of_request for of_request in by_request.values() for result in of_request}


def _version(result: RunResult) -> list[str]:
    main = _ranking(result)
    summary = result.summary.get(main)
    value = cells.percent(summary.mean) if summary else cells.NOTHING
    where = result.environment
    commit = (where.commit or "")[:8] + ("+" if where.dirty else "")
    protocol = f"{result.protocol.version} ({result.protocol.hash[:8]})"
    return [result.created[:10], value, protocol, where.zsarbench, commit or cells.NOTHING, result.stem]


def _ranking(result: RunResult) -> str:
    return SETTINGS[result.protocol.setting].ranked_by.name


def _trained_on(result: RunResult) -> list[list[str]]:
    """Return (what, label sets): the run's own training first, then what method and parts declare to have seen."""
    lines = [["in this run", "nothing" if result.train_on == "none" else result.train_on]]
    before = [("method", result.method.name, result.method.trained_on)]
    before += [(kind, part.name, part.trained_on) for kind, part in sorted(result.parts.items())]
    for kind, name, label_sets in before:
        known = "unknown" if label_sets is None else ", ".join(label_sets) or "nothing"
        lines.append([f"{kind} {name}, before it", known])
    if result.contamination is not None and result.contamination.overlapping:
        names = sorted({item.candidate for item in result.contamination.overlapping})
        lines.append(["unseen classes among it", ", ".join(names)])
    return lines


def _parameters(result: RunResult) -> list[list[str]]:
    """Return (what, number of weights), of parts and of what the method fitted, where they say so."""
    found = [
        [f"{kind} {part.name}", f"{part.parameters:,}"]
        for kind, part in sorted(result.parts.items())
        if part.parameters is not None
    ]
    fits = result.method.record.get("fits")
    if isinstance(fits, list) and fits and isinstance(fits[0], dict):
        fitted = fits[0].get("parameters")
        if isinstance(fitted, dict):
            found += [[f"fitted {name}", f"{n:,}"] for name, n in sorted(fitted.items()) if isinstance(n, int) and n]
    return found


def _rounds(result: RunResult) -> Json:
    names = [name for name in METRICS if name in result.summary]
    return {
        "columns": ["round", "seed", "classes", "scored", *map(heading, names)],
        "rows": [
            [
                f"{item.round}" + ("" if item.duplicate_of is None else f" (as {item.duplicate_of})"),
                str(item.seed),
                str(item.n_classes),
                f"{item.n_scored:,}/{item.n_expected:,}",
                *(cells.percent(item.metrics.get(name)) for name in names),
            ]
            for item in result.rounds
        ],
    }
