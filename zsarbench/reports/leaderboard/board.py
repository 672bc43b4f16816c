"""Tables and reported figures as the leaderboard shows them: text, bars and details; nothing is computed again.

Measured rows come from `zsarbench.reports.table`, which decides what may stand next to what. Accuracies are shown in
percent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from zsarbench.evaluation.settings import METRICS, REPORTED_FIGURES, heading, reported_heading
from zsarbench.interfaces import Table
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.protocols import rounds_in_words
from zsarbench.reports import cells
from zsarbench.reports.backing import Backing
from zsarbench.reports.cells import NOTHING
from zsarbench.reports.columns import Column, further_columns, page_values, shown_metrics
from zsarbench.reports.leaderboard.preferences import Notice
from zsarbench.reports.leaderboard.rows import NOT_VERIFIED, Board, Group, Row, Section, Unplaced, bar_of, scale_of
from zsarbench.reports.notes import note_text, notes_of_paper
from zsarbench.reports.table import GROUP, ExtraColumns, build_all, rows_of
from zsarbench.results import RunResult
from zsarbench.results.reported import ReportedRow

UNPLACED = "/unplaced"


def build_board(
    results: Sequence[RunResult],
    reported: Sequence[ReportedRow],
    *,
    summaries: Mapping[str, str] | None = None,
    extra_columns: ExtraColumns | None = None,
    notices: Iterable[Notice] = (),
    backings: Mapping[str, Backing] | None = None,
) -> Board:
    """Return the board of these results and figures.

    Args:
        summaries: a sentence for each protocol; results bring their own.
        notices: rows without figures; those of protocols that have no row are left out.
        extra_columns: gives further columns for a result.
        backings: what backs each result; see `zsarbench.reports.table.build`.
    """
    by_protocol: dict[str, list[ReportedRow]] = defaultdict(list)
    for row in reported:
        by_protocol[row.protocol].append(row)
    results = list(dict.fromkeys(results))
    by_id = {result.stem: result for result in results}
    tables = build_all(results, reported, extra_columns=extra_columns, backings=backings)
    measured = tuple(_measured_section(table, by_id) for table in tables)
    measured_names = {section.name for section in measured}
    reported_only = [name for name in sorted(by_protocol) if name not in measured_names and not name.endswith(UNPLACED)]
    unplaced = [name for name in sorted(by_protocol) if name.endswith(UNPLACED)]
    of_papers = tuple(
        _reported_section(name, by_protocol[name], (summaries or {}).get(name, "")) for name in reported_only
    )
    by_protocol_notices = _notices_by_protocol(notices)
    return Board(
        measured=tuple(_noticed(section, by_protocol_notices[section.name]) for section in measured),
        reported=tuple(_noticed(section, by_protocol_notices[section.name]) for section in of_papers),
        unplaced=tuple((name.removesuffix(UNPLACED), _unplaced(by_protocol[name])) for name in unplaced),
        n_results=len(results),
        n_figures=len(reported),
        newest=max((result.created[:10] for result in results), default=""),
        tables=tuple((section.name, table) for section, table in zip(measured, tables, strict=True)),
    )


def _notices_by_protocol(notices: Iterable[Notice]) -> Mapping[str, list[Notice]]:
    found: dict[str, list[Notice]] = defaultdict(list)
    for notice in notices:
        for name in notice.protocols:
            found[name].append(notice)
    return found


def _noticed(section: Section, notices: Sequence[Notice]) -> Section:
    """Return a section with a group of rows that have no figure, where there are any."""
    if not notices:
        return section
    values = (NOT_VERIFIED, *(NOTHING for _ in section.metrics[1:]))
    extra = (NOTHING,) * len(section.extra)
    rows = tuple(
        Row(kind="reported", method=notice.method, values=values, extra=extra, notes=(notice.text,))
        for notice in notices
    )
    return replace(
        section, groups=(*section.groups, Group("reported", "reported · published figures not verified", rows))
    )


# --- protocols with measured rows -------------------------------------------------------------------------------------


def _measured_section(table: Table, results: Mapping[str, RunResult]) -> Section:
    rows = rows_of(table)
    for row in rows:
        row |= page_values(results[row["id"]]) if row["kind"] == "measured" else {}
    metrics = shown_metrics(table)
    columns = further_columns(rows, table.extra_columns, page=True)
    scale = scale_of(rows, metrics[0])
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        shown = _shared(row, metrics, columns, scale)
        is_measured = row["kind"] == "measured"
        group = groups[tuple(row[key] for key in GROUP)]
        group.append(_measured_row(shown, row, metrics, results[row["id"]]) if is_measured else shown)
    like = results[next(row["id"] for row in rows if row["kind"] == "measured")]
    return Section(
        name=like.protocol.name,
        summary=like.protocol.summary,
        about=_about(like),
        metrics=tuple(heading(name) if name in METRICS else reported_heading(name) for name in metrics),
        groups=tuple(Group(key[0], cells.group_heading(*key), tuple(of_key), key[1]) for key, of_key in groups.items()),
        extra=tuple(column.heading for column in columns),
        scale=scale,
        remarks=table.remarks,
        left_out=table.left_out,
        setting=like.protocol.setting,
    )


def _about(like: RunResult) -> str:
    rounds = {item.round: item.duplicate_of for item in like.rounds}
    classes = sorted({item.n_classes for item in like.rounds})
    parts = [
        f"setting {like.protocol.setting}",
        rounds_in_words(len(rounds), list(rounds.values()).count(None)),
        f"{' or '.join(map(str, classes))} candidate classes",
        f"protocol version {like.protocol.version}, hash {like.protocol.hash[:8]}",
        f"data set {like.dataset.name}, revision {like.dataset.revision[:12]}",
    ]
    return " · ".join(parts)


def _shared(row: cells.Row, metrics: Sequence[str], columns: Sequence[Column], scale: int) -> Row:
    """Return what measured and reported rows of one table have in common."""
    return Row(
        kind=row["kind"],
        method=row["method"],
        values=tuple(cells.accuracy(row, name) for name in metrics),
        bar=bar_of(row, metrics[0], scale),
        extra=tuple(column.cell(row) for column in columns),
        notes=tuple(row["notes"]),
    )


def _measured_row(shown: Row, row: cells.Row, metrics: Sequence[str], result: RunResult) -> Row:
    parts = " / ".join(cells.part_names(row, PART_KINDS)) or "no parts"
    spread = row[f"{metrics[0]}_seed_std"]
    seeds: str = "" if pd.isna(spread) else f"{row['n_seeds']} training seeds ± {cells.percent(spread)}"
    return replace(
        shown,
        rank=cells.rank(row),
        about=" · ".join(text for text in (parts, row["settings"], seeds) if text),
        interval=cells.interval(row, metrics[0]),
        scored=cells.scored(row),
        date=result.created[:10],
        facts=tuple(_facts(row, metrics, result)),
        command=result.command,
        id=result.stem,
        encoder=cells.text(row["visual"]),
        contaminated=_contaminated(result),
        backing="" if pd.isna(row.get("backing")) else row["backing"],
    )


def _contaminated(result: RunResult) -> str:
    audit = result.contamination
    if audit is None:
        return ""
    return "yes" if audit.n_overlapping else "unknown" if audit.unknown_of_clips else "no"


def _facts(row: cells.Row, metrics: Sequence[str], result: RunResult) -> Iterable[tuple[str, str]]:
    """Yield what no column holds."""
    main, where = metrics[0], result.environment
    main_heading = heading(main)
    yield "method", f"{result.method.summary} {result.method.source}".strip()
    yield from ((kind, row[kind]) for kind in PART_KINDS if not pd.isna(row[kind]))
    for name in sorted(set(result.summary) - set(metrics)):
        yield heading(name), cells.accuracy(row, name)
    yield "chance", f"{cells.percent(row[f'{main}_chance'])} ({main_heading})"
    yield "rounds", rounds_in_words(row["n_rounds"], row["n_distinct_rounds"])
    yield "training seeds", str(row["n_seeds"])
    if not pd.isna(row[f"{main}_seed_std"]):
        yield "deviation over training seeds", f"{cells.percent(row[f'{main}_seed_std'])} ({main_heading})"
    yield "clips that could not be read", f"{row['n_failed']:,}"
    yield "environment", f"zsarbench {where.zsarbench}, torch {where.torch}, {where.device}, {where.dtype}"
    yield "result", row["id"]


# --- protocols that only papers report on, and figures without a list -------------------------------------------------


def _reported_section(name: str, rows: Sequence[ReportedRow], summary: str) -> Section:
    order = {metric: number for number, metric in enumerate(REPORTED_FIGURES)}
    metrics = sorted({row.name for row in rows}, key=lambda metric: (order.get(metric, len(order)), metric))
    groups: dict[str, list[dict[str, ReportedRow]]] = defaultdict(list)
    for figures in joined(rows):
        groups[next(iter(figures.values())).train].append(figures)

    def best_first(figures: Mapping[str, ReportedRow]) -> list[float]:
        return [-figures[metric].value if metric in figures else 0.0 for metric in metrics]

    return Section(
        name=name,
        summary=summary,
        about="no measured row yet",
        metrics=tuple(reported_heading(metric) for metric in metrics),
        groups=tuple(
            Group(
                "reported",
                cells.group_heading("reported", train, ""),
                tuple(_figures_row(figures, metrics) for figures in sorted(groups[train], key=best_first)),
                train,
            )
            for train in sorted(groups)
        ),
    )


def _figures_row(figures: Mapping[str, ReportedRow], metrics: Sequence[str]) -> Row:
    one = next(iter(figures.values()))
    return Row(
        kind="reported",
        method=one.method,
        values=tuple(_figure(figures[metric]) if metric in figures else NOTHING for metric in metrics),
        notes=tuple(dict.fromkeys(note for row in figures.values() for note in map(note_text, notes_of_paper(row)))),
    )


def _figure(row: ReportedRow) -> str:
    """Return a reported figure ± what was printed as its spread."""
    return cells.spread(row.value, row.std)


def joined(rows: Iterable[ReportedRow]) -> list[dict[str, ReportedRow]]:
    """Return the figures of one method in one place of one source together, by metric; none replaces another."""
    places: dict[tuple[str, ...], list[dict[str, ReportedRow]]] = defaultdict(list)
    for row in rows:
        figures = places[row.method, row.train, row.wording, row.citation]
        free = next((known for known in figures if row.name not in known), None)
        if free is None:
            figures.append(free := {})
        free[row.name] = row
    return [known for figures in places.values() for known in figures]


def _unplaced(rows: Sequence[ReportedRow]) -> tuple[Unplaced, ...]:
    unplaced = []
    for figures in joined(rows):
        one = next(iter(figures.values()))
        texts = [f"{reported_heading(name)} {_figure(row)}" for name, row in sorted(figures.items())]
        unplaced.append(
            Unplaced(
                method=one.method,
                figures="; ".join(texts),
                train=one.train,
                wording=one.wording,
                notes=(one.citation,),
            )
        )
    return tuple(unplaced)
