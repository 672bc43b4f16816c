"""The columns of comparison tables: what a row holds as numbers, and which cells it has in text and on the leaderboard.

A new column is one `Column` in `FURTHER`. It reads its value from a result and states where it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from zsarbench.evaluation.settings import SETTINGS, heading, vague_name
from zsarbench.interfaces import Table
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.reports import cells
from zsarbench.reports.cells import INTERVAL, NOTHING, Row
from zsarbench.reports.escaping import terminal
from zsarbench.results import RunResult

BACKING = "backing"

# --- what a row holds -------------------------------------------------------------------------------------------------


def values_of(result: RunResult, settings: str) -> dict[str, Any]:
    """Return the row of a result without rank and notes; `zsarbench.interfaces.Table` lists its columns."""
    one_seed = [item for item in result.rounds if item.seed == result.rounds[0].seed]
    row: dict[str, Any] = {"method": result.method.name, "settings": settings, "kind": "measured"}
    row |= {kind: result.parts[kind].name if kind in result.parts else None for kind in PART_KINDS}
    row |= {"train_on": result.train_on, "class_text": result.class_text.form}
    for name, summary in result.summary.items():
        low, high = summary.ci95 or (None, None)
        row |= {name: summary.mean, f"{name}_std": summary.std, f"{name}_ci_low": low, f"{name}_ci_high": high}
        row |= {f"{name}_seed_std": summary.seed_std, f"{name}_chance": summary.chance}
    n_distinct = sum(item.duplicate_of is None for item in one_seed)
    row |= {"n_rounds": len(one_seed), "n_distinct_rounds": n_distinct, "n_seeds": len(result.seeds)}
    row |= {key: sum(getattr(item, key) for item in one_seed) for key in ("n_expected", "n_scored", "n_failed")}
    row |= {"notes": None, "id": result.stem, "spec_id": result.spec_id}
    row |= {"created": result.created, "command": result.command}
    return row | {column.name: column.value(result) for column in FURTHER if column.value and column.in_tables}


# --- how it is shown --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of cells.

    heading: unique in a table. cell: the text of a row; NOTHING where the row has no value. left: whether cells are
    aligned left, as words are. shared: for a column that is left out where the cells of all measured rows are equal,
    how the line above the table states the common cell; None for a column that always stands.
    """

    heading: str
    cell: Callable[[Row], str]
    left: bool = False
    shared: Callable[[str], str] | None = None


@dataclass(frozen=True, kw_only=True)
class ResultColumn:
    """A column that reads its value from a result; its cells are left out where no row has a value.

    name: of the value in a row. value: a number, a text, or None where the result has none; no function where the table
    has it already. in_tables: whether tables have it, of every format. on_page: whether the leaderboard has it.
    """

    name: str
    heading: str
    value: Callable[[RunResult], Any] | None
    in_tables: bool = True
    on_page: bool = True


def contaminated_classes(result: RunResult) -> str | None:
    """Return how many unseen classes something was trained on, of all; "≥" where part of the training is unknown."""
    audit = result.contamination
    if audit is None:
        return None
    at_least = "≥ " if audit.unknown_of_clips else ""
    return f"{at_least}{audit.n_overlapping}/{audit.n_overlapping + audit.n_clean}"


FURTHER: tuple[ResultColumn, ...] = (
    ResultColumn(name="contaminated", heading="contaminated classes", value=contaminated_classes, in_tables=False),
    ResultColumn(name="backing", heading=BACKING, value=None, in_tables=False),
)
"""Columns after the ones of every table, before those that plugins add."""


def page_values(result: RunResult) -> dict[str, Any]:
    """Return the values of columns that the leaderboard alone has, by name."""
    return {column.name: column.value(result) for column in FURTHER if column.value and not column.in_tables}


def further_columns(rows: Sequence[Row], extra_columns: Sequence[str], *, page: bool = False) -> list[Column]:
    """Return the columns of `FURTHER` that any of the rows has a value for, then those that plugins add.

    page: those of the leaderboard; else those of tables.
    """
    own = [column for column in FURTHER if (column.on_page if page else column.in_tables)]
    shown = {column.name: column.heading for column in own if any(not pd.isna(row.get(column.name)) for row in rows)}
    headings = shown | {name: name for name in extra_columns}
    return [Column(heading=terminal(heading), cell=_text_of(name)) for name, heading in headings.items()]


def text_columns(table: Table, rows: Sequence[Row]) -> list[Column]:
    """Return the columns of a table in text, in their order."""
    rank_by = table.rank_by
    ranking = heading(rank_by)
    columns = [
        Column(heading="#", cell=cells.rank),
        Column(heading="method", cell=lambda row: str(row["method"]), left=True),
        Column(heading="settings", cell=lambda row: row["settings"] or "", left=True, shared=_unstated),
        Column(heading="parts", cell=_encoders, left=True, shared=lambda cell: f"parts {cell}"),
    ]
    for name in shown_metrics(table):
        columns.append(_metric_column(table, name))
        if name == rank_by:
            columns.append(Column(heading=INTERVAL, cell=lambda row: cells.interval(row, rank_by)))
    columns += [
        Column(heading="seed std", cell=lambda row: cells.percent(row[f"{rank_by}_seed_std"]), shared=_unstated),
        Column(heading="scored", cell=cells.scored, shared=lambda cell: f"scored {cell}"),
        Column(
            heading="chance",
            cell=lambda row: cells.percent(row[f"{rank_by}_chance"]),
            shared=lambda cell: f"chance {cell} ({ranking})",
        ),
        Column(heading=BACKING, cell=_text_of("backing"), left=True, shared=lambda cell: f"{BACKING}: {cell}"),
    ]
    return _distinct([*columns, *further_columns(rows, table.extra_columns)])


def _distinct(columns: Sequence[Column]) -> list[Column]:
    """Return columns of which none has the heading of one before it, as one that a plugin adds may."""
    headings: set[str] = set()
    distinct = []
    for column in columns:
        heading = column.heading
        while heading in headings:
            heading += " (added)"
        headings.add(heading)
        distinct.append(replace(column, heading=heading))
    return distinct


def shown_metrics(table: Table) -> list[str]:
    """Return the metrics of a table that have a column: the ranking one, the usual ones, those that only papers report.

    A paper's `top1`, which does not state over what it averages, stands in the column of `top1_per_video`.
    """
    names = [str(name) for name in table.frame]
    measured = [name for name in names if f"{name}_chance" in names]
    usual = [metric.name for metric in SETTINGS[table.setting].shown if metric.name in measured]
    vague = {vague_name(name) for name in measured}
    of_papers = [name for name in names if f"{name}_std" in names and name not in measured and name not in vague]
    return list(dict.fromkeys([table.rank_by, *usual, *of_papers]))


def _metric_column(table: Table, name: str) -> Column:
    has_spread = bool(table.frame[f"{name}_std"].notna().any())
    return Column(heading=heading(name), cell=lambda row: cells.accuracy(row, name, always_spread=has_spread))


def _text_of(name: str) -> Callable[[Row], str]:
    return lambda row: cells.text(row.get(name))


def _encoders(row: Row) -> str:
    return " / ".join(cells.part_names(row, ("visual", "text"))) or NOTHING


def _unstated(cell: str) -> str:
    return ""
