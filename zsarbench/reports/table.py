"""Results and reported figures to one table of numbers that can be compared; what cannot is left out with its reason.

A table holds one protocol, by hash, on one revision of one data set. Rows are ranked only among rows that learnt from
the same data and read the same form of class text, and only where nothing speaks against them.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from zsarbench.errors import UsageError, unknown
from zsarbench.evaluation.settings import SETTINGS, vague_name
from zsarbench.interfaces import Table
from zsarbench.reports.columns import values_of
from zsarbench.reports.notes import may_rank, note_text, notes_of, notes_of_paper
from zsarbench.results import RunResult
from zsarbench.results.reported import ReportedRow

_log = logging.getLogger(__name__)

GROUP = ("kind", "train_on", "class_text")
"""Columns in which rows must agree to be ranked against each other."""

ExtraColumns: TypeAlias = Callable[[RunResult], Mapping[str, Any]]


def build(
    results: Sequence[RunResult],
    reported: Sequence[ReportedRow] = (),
    *,
    like: RunResult | None = None,
    rank_by: str | None = None,
    extra_columns: ExtraColumns | None = None,
) -> Table:
    """Return the table of one protocol: that of `like`, by default the newest result.

    Args:
        reported: figures of papers; those of other protocols are ignored.
        rank_by: the metric that ranks; by default the one that ranks in its setting.
        extra_columns: gives further columns for a result.

    Raises:
        UsageError: there is no result, or none has the metric `rank_by`.
    """
    if not results:
        raise UsageError("there is no result to compare. Try: zsarbench run --method NAME")
    like = like or max(results, key=_age)
    kept, left_out = _comparable(results, like)
    metrics = sorted({name for result in kept for name in result.summary})
    rank_by = rank_by or SETTINGS[like.protocol.setting].ranked_by.name
    if rank_by not in metrics:
        raise UsageError(unknown("metric to rank by", rank_by, metrics))
    settings = differing_settings(kept)
    rows = [values_of(result, settings[result.stem]) | {"notes": notes_of(result)} for result in kept]
    extra = [_extra_values(result, row, extra_columns) for result, row in zip(kept, rows, strict=True)]
    placed = [row for row in reported if row.protocol == like.protocol.name]
    rows = [row | more for row, more in zip(rows, extra, strict=True)] + _reported_rows(placed)
    return Table(
        title=_title(like),
        frame=_ranked(_frame(rows), rank_by),
        rank_by=rank_by,
        setting=like.protocol.setting,
        extra_columns=tuple(dict.fromkeys(name for more in extra for name in more)),
        remarks=() if placed else (f"no published row for {like.protocol.name}",),
        left_out=tuple(left_out),
    )


def rows_of(table: Table) -> list[dict[str, Any]]:
    """Return the rows of a table, each by column."""
    return [{str(name): value for name, value in row.items()} for row in table.frame.to_dict("records")]


def build_all(
    results: Sequence[RunResult],
    reported: Sequence[ReportedRow] = (),
    *,
    extra_columns: ExtraColumns | None = None,
) -> list[Table]:
    """Return one table for each protocol that has a result, by name."""
    by_protocol = defaultdict(list)
    for result in results:
        by_protocol[result.protocol.name].append(result)
    return [build(by_protocol[name], reported, extra_columns=extra_columns) for name in sorted(by_protocol)]


def differing_settings(results: Iterable[RunResult]) -> dict[str, str]:
    """Return, by result id, the settings in which a result differs from others of its method, as `loss.margin=0.5`.

    Options of a part are compared only between results that use the same part.
    """
    by_method = defaultdict(list)
    for result in results:
        by_method[result.method.name].append((result.stem, _settings(result)))
    texts = {}
    for rows in by_method.values():
        values = defaultdict(set)
        for _, settings in rows:
            for key, value in settings.items():
                values[key].add(value)
        for stem, settings in rows:
            differing = [(key, value) for key, value in settings.items() if len(values[key]) > 1]
            texts[stem] = ", ".join(f"{key[-1]}={value}" for key, value in differing)
    return texts


def _settings(result: RunResult) -> dict[tuple[str, ...], str]:
    """Return setting values by (component name, setting); the name keeps options of different parts apart."""
    flat: dict[tuple[str, ...], str] = {}
    for kind, part in sorted(result.parts.items()):
        flat["", kind] = part.name
        flat |= {(part.name, f"{kind}.{key}"): _text(value) for key, value in sorted(part.options.items())}
    flat |= {("", f"method.{key}"): _text(value) for key, value in sorted(result.method.options.items())}
    flat["", "dtype"] = result.environment.dtype
    flat["", "seeds"] = ",".join(map(str, result.seeds))
    return flat


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _age(result: RunResult) -> tuple[str, str]:
    return result.created, result.stem


def _title(like: RunResult) -> str:
    protocol, dataset = like.protocol, like.dataset
    return (
        f"{protocol.name} (version {protocol.version}, hash {protocol.hash[:8]}) "
        f"on {dataset.name} (revision {dataset.revision[:12]})"
    )


def _comparable(results: Sequence[RunResult], like: RunResult) -> tuple[list[RunResult], list[str]]:
    """Return the results that may share a table with `like`, and "id: reason" for the others."""
    counts = _usual_counts(results, like)
    reasons = {result.stem: _reason_apart(result, like, counts) for result in results}
    newest: dict[str, RunResult] = {}
    for result in sorted(results, key=_age):
        if reasons[result.stem] is None:
            newest[result.spec_id] = result
    kept, left_out = [], []
    for result in sorted(results, key=_age, reverse=True):
        if reason := reasons[result.stem]:
            left_out.append(f"{result.stem}: {reason}")
        elif result is not newest[result.spec_id]:
            left_out.append(f"{result.stem}: older result of the spec that {newest[result.spec_id].stem} has")
        else:
            kept.append(result)
    return kept, left_out


def _reason_apart(result: RunResult, like: RunResult, counts: dict[int, int] | None) -> str | None:
    if result.protocol.name != like.protocol.name:
        return f"it is on {result.protocol.name}"
    if result.protocol.hash != like.protocol.hash:
        return (
            f"its {like.protocol.name} is another (version {result.protocol.version}, hash {result.protocol.hash[:8]})"
        )
    if result.dataset.name != like.dataset.name or result.dataset.revision != like.dataset.revision:
        return f"its data are {result.dataset.name}, revision {result.dataset.revision[:12]}"
    if result.limit is None and counts is not None and _counts(result) != counts:
        return f"its rounds expect {sum(_counts(result).values())} clips, not {sum(counts.values())}"
    return None


def _usual_counts(results: Iterable[RunResult], like: RunResult) -> dict[int, int] | None:
    """Return the clips that each round expects: those of `like`, or where it is limited of the newest that is not."""
    if like.limit is None:
        return _counts(like)
    whole = [result for result in results if result.limit is None and _reason_apart(result, like, None) is None]
    return _counts(max(whole, key=_age)) if whole else None


def _counts(result: RunResult) -> dict[int, int]:
    return {item.round: item.n_expected for item in result.rounds}


def _extra_values(result: RunResult, row: Mapping[str, Any], extra_columns: ExtraColumns | None) -> dict[str, Any]:
    """Return the values of a result's further columns, without those that would replace the row's own."""
    values = dict(extra_columns(result)) if extra_columns else {}
    taken = {*row, "rank"}
    for name in sorted(set(values) & taken):
        _log.warning("a plugin's column '%s' of %s is ignored: the table has one of that name", name, result.stem)
    return {name: value for name, value in values.items() if name not in taken}


def _reported_rows(rows: Sequence[ReportedRow]) -> list[dict[str, Any]]:
    """Return one row for each method of each source; several metrics of one join in it."""
    joined: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        key = (row.method, row.train, row.paper, row.table)
        start = {"method": row.method, "settings": "", "kind": "reported", "train_on": row.train, "class_text": ""}
        into = joined.setdefault(key, start | {"notes": []})
        into |= {row.name: row.value, f"{row.name}_std": row.std}
        into["notes"] += [note for note in notes_of_paper(row) if note not in into["notes"]]
    return list(joined.values())


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a frame in which whole numbers stay whole next to missing ones."""
    frame = pd.DataFrame(rows)
    for name in frame:
        values = [row[str(name)] for row in rows if row.get(str(name)) is not None]
        if values and all(type(value) is int for value in values):
            frame[name] = frame[name].astype("Int64")
    return frame


def _ranked(frame: pd.DataFrame, rank_by: str) -> pd.DataFrame:
    """Return the rows by group, best first, the ranks counted within each group; unranked ones last; notes as text."""
    rankable = frame["notes"].map(may_rank).astype(bool) & (frame["kind"] == "measured")
    frame["notes"] = [[note_text(note) for note in notes] for notes in frame["notes"]]
    ranks = frame[rankable].groupby(list(GROUP))[rank_by].rank(method="min", ascending=False)
    frame.insert(0, "rank", ranks.reindex(frame.index).astype("Int64"))
    stated = frame[rank_by]
    if (vague := vague_name(rank_by)) in frame:
        stated = stated.fillna(frame[vague])
    order = frame.assign(_unranked=frame["rank"].isna(), _value=-stated.astype(float))
    order = order.sort_values([*GROUP, "_unranked", "_value", "method", "settings"], kind="stable")
    return frame.loc[order.index].reset_index(drop=True)
