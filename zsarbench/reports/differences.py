"""What differs between two results, and between the tables of two sets of results, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zsarbench import results
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import metrics
from zsarbench.interfaces import Table
from zsarbench.reports import cells
from zsarbench.reports.changes import changes
from zsarbench.reports.table import build_all, rows_of
from zsarbench.results import RunResult
from zsarbench.utils.schema import plain

_DERIVED = {"rounds", "summary", "contamination", "predictions", "created", "spec_id", "seconds", "coverage"}


def of_results(old: Path, new: Path) -> list[str]:
    """Return what differs between two result files: settings, environment, figures, and clips right in one alone."""
    before, after = results.read(old), results.read(new)
    lines = [*_settings(before, after), *changes(before, after)]
    try:
        lines += _predictions(before, results.read_scores(old), after, results.read_scores(new))
    except ZsarbenchError as error:
        lines.append(f"predictions are not compared: {error}")
    return lines


def of_boards(old: Sequence[RunResult], new: Sequence[RunResult]) -> list[str]:
    """Return the rows that two sets of results differ in, by protocol: + added, - removed, ~ of another rank or figure.

    A protocol without a difference is left out.
    """
    before = {_protocol(table): table for table in build_all(old)}
    after = {_protocol(table): table for table in build_all(new)}
    lines = []
    for name in sorted({*before, *after}):
        if found := list(_rows(_by_id(before.get(name)), _by_id(after.get(name)))):
            lines += [name, *found]
    return lines


def _settings(old: RunResult, new: RunResult) -> Iterator[str]:
    before, after = (dict(_flat(_content(result))) for result in (old, new))
    for place in sorted({*before, *after}):
        own, other = before.get(place), after.get(place)
        if own != other and place.split(".")[0] not in _DERIVED and not place.startswith("spec."):
            yield f"{place}: {_shown(own)} -> {_shown(other)}"


def _content(result: RunResult) -> dict[str, Any]:
    """Return a result in JSON types, its distributions by name, each in words."""
    content: dict[str, Any] = plain(result, "result")
    del content["distributions"]
    return content | {f"distributions.{one.name}": str(one) for one in result.distributions or ()}


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flat(item, f"{place}.{key}" if place else str(key))
    else:
        yield place, value


def _shown(value: Any) -> str:
    text = cells.NOTHING if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _predictions(old: RunResult, old_scores: Any, new: RunResult, new_scores: Any) -> Iterator[str]:
    """Yield how many predictions changed sides; a clip counts once in each round and seed that both have."""
    before, after = _right(old, old_scores), _right(new, new_scores)
    shared = before.keys() & after.keys()
    if lost := len(before.keys() - after.keys()):
        yield f"{lost:,} predictions are in the first alone"
    if added := len(after.keys() - before.keys()):
        yield f"{added:,} predictions are in the second alone"
    gained = sum(after[key] > before[key] for key in shared)
    worse = sum(after[key] < before[key] for key in shared)
    if gained or worse:
        yield f"of {len(shared):,} predictions {gained:,} are right in the second alone, {worse:,} in the first alone"
    elif shared:
        yield f"{len(shared):,} predictions are right and wrong alike"


def _right(result: RunResult, scores: Any) -> dict[tuple[int, int, str], bool]:
    found = {}
    for number, item in enumerate(result.rounds):
        matrix, labels = scores.round(number)
        right = metrics.topk_expectation(matrix, labels, 1) > 0.5
        clips = scores.clip_ids[scores.rounds[number].clips]
        found.update({(item.round, item.seed, str(clip)): bool(one) for clip, one in zip(clips, right, strict=True)})
    return found


def _protocol(table: Table) -> str:
    return table.title.split(" ")[0]


def _by_id(table: Table | None) -> dict[str, tuple[dict[str, Any], str]]:
    """Return the measured rows of a table by id, with the metric that ranks."""
    if table is None:
        return {}
    return {row["id"]: (row, table.rank_by) for row in rows_of(table) if row["kind"] == "measured"}


def _rows(
    before: Mapping[str, tuple[dict[str, Any], str]], after: Mapping[str, tuple[dict[str, Any], str]]
) -> Iterator[str]:
    for identity in _ordered(before, after):
        old, new = before.get(identity), after.get(identity)
        if new is None and old is not None:
            yield f"- {_text(*old)}"
        elif old is None and new is not None:
            yield f"+ {_text(*new)}"
        elif old is not None and new is not None and _text(*old) != _text(*new):
            yield f"~ {_text(*old)} -> {_text(*new)}"


def _ordered(*tables: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(identity for table in reversed(tables) for identity in table))


def _text(row: Mapping[str, Any], rank_by: str) -> str:
    name = " ".join(part for part in (str(row["method"]), str(row["settings"] or "")) if part)
    return f"rank {cells.integer(row['rank'])}: {name} {cells.accuracy(row, rank_by)} {cells.interval(row, rank_by)}"
