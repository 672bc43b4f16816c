"""Results and reported figures to one table of numbers that can be compared; what cannot is left out with its reason.

A table holds one protocol, by hash, on one revision of one data set. Rows are ranked only among rows that learnt from
the same data and read the same form of class text, and only where nothing speaks against them. Rows that tests cannot
tell apart share their ranks.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from zsarbench.errors import UsageError, unknown
from zsarbench.evaluation.settings import SETTINGS, Metric, vague_name
from zsarbench.interfaces import Table
from zsarbench.reports.backing import Backing, badge, notes_of_backing
from zsarbench.reports.columns import values_of
from zsarbench.reports.differing import differing_settings
from zsarbench.reports.notes import may_rank, note_text, notes_of, notes_of_paper
from zsarbench.reports.ranking import Evidence, rank_ranges, resolvable_of
from zsarbench.results import RunResult
from zsarbench.results.reported import ReportedRow
from zsarbench.utils.data_frames import any_text

_log = logging.getLogger(__name__)

GROUP = ("kind", "train_on", "class_text")
"""Columns in which rows must agree to be ranked against each other."""

ExtraColumns: TypeAlias = Callable[[RunResult], Mapping[str, Any]]


@any_text()
def build(
    results: Sequence[RunResult],
    reported: Sequence[ReportedRow] = (),
    *,
    like: RunResult | None = None,
    rank_by: str | None = None,
    extra_columns: ExtraColumns | None = None,
    backings: Mapping[str, Backing] | None = None,
) -> Table:
    """Return the table of one protocol: that of `like`, by default the newest result.

    Args:
        reported: figures of papers; those of other protocols are ignored.
        backings: what backs each result, by id: one that is only stated is not ranked, and those with predictions are
            separated by paired tests. Where it is missing, intervals separate rows, and predictions are not required.
        rank_by: the metric that ranks; by default the one that ranks in its setting.
        extra_columns: gives further columns for a result.

    Raises:
        UsageError: there is no result, or none has the metric `rank_by`.
    """
    if not results:
        raise UsageError("there is no result to compare. Try: zsarbench run --method NAME")
    like = like or newest(results)
    kept, left_out = comparable(results, like)
    metrics = sorted({name for result in kept for name in result.summary})
    rank_by = rank_by or SETTINGS[like.protocol.setting].ranked_by.name
    if rank_by not in metrics:
        raise UsageError(unknown("metric to rank by", rank_by, metrics))
    settings = differing_settings(kept)
    backings = backings or {}
    rows = [_row(result, settings[result.stem], backings.get(result.stem)) for result in kept]
    extra = [_extra_values(result, row, extra_columns) for result, row in zip(kept, rows, strict=True)]
    placed = [row for row in reported if row.protocol == like.protocol.name]
    rows = [row | more for row, more in zip(rows, extra, strict=True)] + _reported_rows(placed)
    evidence = _evidence(kept, backings, Metric.parse(rank_by))
    frame = _ranked(_frame(rows), rank_by, evidence)
    frame.insert(0, "protocol", like.protocol.name)
    return Table(
        title=_title(like),
        frame=frame,
        rank_by=rank_by,
        setting=like.protocol.setting,
        extra_columns=tuple(dict.fromkeys(name for more in extra for name in more)),
        remarks=tuple(_remarks(frame, evidence, None if placed else like.protocol.name)),
        left_out=tuple(left_out),
    )


def rows_of(table: Table) -> list[dict[str, Any]]:
    """Return the rows of a table, each by column."""
    names = [str(name) for name in table.frame]
    columns = (table.frame[name].tolist() for name in table.frame)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def build_all(
    results: Sequence[RunResult],
    reported: Sequence[ReportedRow] = (),
    *,
    extra_columns: ExtraColumns | None = None,
    backings: Mapping[str, Backing] | None = None,
) -> list[Table]:
    """Return one table for each protocol that has a result, by name."""
    by_protocol = defaultdict(list)
    for result in results:
        by_protocol[result.protocol.name].append(result)
    return [
        build(by_protocol[name], reported, extra_columns=extra_columns, backings=backings)
        for name in sorted(by_protocol)
    ]


def newest(results: Iterable[RunResult]) -> RunResult:
    """Return the result that decides which others may share its table."""
    return max(results, key=_age)


def _age(result: RunResult) -> tuple[str, str]:
    return result.created, result.stem


def _older(result: RunResult, newest: RunResult) -> str:
    figures, others = ({name: round(one.mean, 9) for name, one in of.summary.items()} for of in (result, newest))
    return f"older result of the spec that {newest.stem} has" + (", with other figures" if figures != others else "")


def _title(like: RunResult) -> str:
    protocol, dataset = like.protocol, like.dataset
    return (
        f"{protocol.name} (version {protocol.version}, hash {protocol.hash[:8]}) "
        f"on {dataset.name} (revision {dataset.revision[:12]})"
    )


def comparable(results: Sequence[RunResult], like: RunResult) -> tuple[list[RunResult], list[str]]:
    """Return the results that may share a table with `like`, and "id: reason" for the others."""
    results = list(dict.fromkeys(results))  # a copy of a result is no other one
    counts = _usual_counts(results, like)
    reasons = {result.stem: _reason_apart(result, like, counts) for result in results}
    newest_of: dict[str, RunResult] = {}
    for result in sorted(results, key=_age):
        if reasons[result.stem] is None:
            newest_of[result.spec_id] = result
    kept, left_out = [], []
    for result in sorted(results, key=_age, reverse=True):
        if reason := reasons[result.stem]:
            left_out.append(f"{result.stem}: {reason}")
        elif result is not newest_of[result.spec_id]:
            left_out.append(f"{result.stem}: {_older(result, newest_of[result.spec_id])}")
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


def _remarks(frame: pd.DataFrame, evidence: Mapping[str, Evidence], unpublished: str | None) -> Iterator[str]:
    """Yield what belongs under a table: that no paper reports on its protocol, and what its paired tests can find."""
    if unpublished is not None:
        yield f"no published row for {unpublished}"
    ranked = frame[frame["rank"].notna()]
    if (ends := resolvable_of((group["id"] for _, group in ranked.groupby(list(GROUP))), evidence)) is not None:
        low, high = (f"{100 * end:.1f}" for end in ends)
        yield (
            f"paired tests of its rows find, with 80 % power and before correction, true differences of "
            f"{low if low == high else f'{low} to {high}'} points"
        )


def _row(result: RunResult, settings: str, backing: Backing | None) -> dict[str, Any]:
    row = values_of(result, settings) | {"notes": [*notes_of_backing(backing), *notes_of(result)]}
    return row if backing is None else row | {"backing": badge(backing.kind).text}


def _evidence(results: Iterable[RunResult], backings: Mapping[str, Backing], metric: Metric) -> Mapping[str, Evidence]:
    """Return by id what pairs results with others in the metric that ranks them."""
    found = {
        result.stem: backings[result.stem].evidence_in(metric, result) for result in results if result.stem in backings
    }
    return {identity: evidence for identity, evidence in found.items() if evidence is not None}


def _extra_values(result: RunResult, row: Mapping[str, Any], extra_columns: ExtraColumns | None) -> dict[str, Any]:
    """Return the values of a result's further columns, without those that would replace the row's own."""
    values = dict(extra_columns(result)) if extra_columns else {}
    taken = {*row, "protocol", "rank", "rank_last"}
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


def _ranked(frame: pd.DataFrame, rank_by: str, evidence: Mapping[str, Evidence]) -> pd.DataFrame:
    """Return the rows by group, best first, ranked within each group as far as tests separate them; unranked ones last.

    `rank` and `rank_last` are the ends of the ranks that a row shares with rows that tests cannot distinguish from it.
    """
    rankable = frame["notes"].map(may_rank).astype(bool) & (frame["kind"] == "measured")
    frame["notes"] = [[note_text(note) for note in notes] for notes in frame["notes"]]
    first, last = (pd.Series(pd.NA, index=frame.index, dtype="Int64") for _ in range(2))
    for _, group in frame[rankable & frame[rank_by].notna()].groupby(list(GROUP)):
        for row, ends in zip(group.index, rank_ranges(group, rank_by, evidence), strict=True):
            first[row], last[row] = ends
    frame.insert(0, "rank", first)
    frame.insert(1, "rank_last", last)
    stated = frame[rank_by]
    if (vague := vague_name(rank_by)) in frame:
        stated = stated.fillna(frame[vague])
    order = frame.assign(_unranked=frame["rank"].isna(), _value=-stated.astype(float))
    order = order.sort_values([*GROUP, "_unranked", "_value", "method", "settings"], kind="stable")
    return frame.loc[order.index].reset_index(drop=True)
