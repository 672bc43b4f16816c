"""A table in text, whatever the format: groups of cells, footnotes, and once above them what all rows share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from zsarbench.interfaces import Table
from zsarbench.protocols import rounds_in_words
from zsarbench.reports.cells import NOTHING, Row, group_heading
from zsarbench.reports.columns import Column, text_columns
from zsarbench.reports.escaping import terminal
from zsarbench.reports.table import GROUP, rows_of
from zsarbench.utils.data_frames import any_text


@dataclass(frozen=True)
class TextGroup:
    """Rows that may be ranked against each other: what sets them apart from other groups (GROUP), and their cells."""

    about: Mapping[str, str]
    cells: pd.DataFrame

    @property
    def heading(self) -> str:
        """The group in one line, such as "measured · trained on seen · class text sentence"."""
        return group_heading(*(self.about[key] for key in GROUP))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A table in text.

    title: of the table. common: what all measured rows share, in one line. groups: all with the same columns. left:
    headings of the columns that are aligned left. notes: footnotes ("[a] text", the marks standing behind the methods'
    names), then remarks. left_out: results that are not in the table, with reasons.
    """

    title: str
    common: str
    groups: tuple[TextGroup, ...]
    left: frozenset[str]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """All that goes below the table."""
        return (*self.notes, *self.left_out)


@any_text()
def lay_out(table: Table) -> Layout:
    """Return a table in text, every piece of it on one line, without control characters."""
    rows = rows_of(table)
    marks, footnotes = _footnotes(rows)
    columns = text_columns(table, rows)
    cells = pd.DataFrame({column.heading: [terminal(column.cell(row)) for row in rows] for column in columns})
    cells["method"] = [cell + _marks(row, marks) for cell, row in zip(cells["method"], rows, strict=True)]
    common, shared = _common(columns, cells, table)
    cells = cells.drop(columns=shared)
    by_group: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        by_group.setdefault(tuple(row[key] for key in GROUP), []).append(number)
    return Layout(
        title=terminal(table.title),
        common=common,
        groups=tuple(
            TextGroup(dict(zip(GROUP, map(terminal, key), strict=True)), cells.iloc[numbers].reset_index(drop=True))
            for key, numbers in by_group.items()
        ),
        left=frozenset(column.heading for column in columns if column.left),
        notes=tuple(map(terminal, (*footnotes, *table.remarks))),
        left_out=tuple(terminal(f"left out: {line}") for line in table.left_out),
    )


def _common(columns: Sequence[Column], cells: pd.DataFrame, table: Table) -> tuple[str, list[str]]:
    """Return the line of what all measured rows share, and the columns that need not be shown for it."""
    frame = table.frame
    measured = cells[frame["kind"] == "measured"]
    shared, parts = [], []
    for column in columns:
        if column.shared is not None and measured[column.heading].nunique() == 1:
            shared.append(column.heading)
            cell = measured[column.heading].iloc[0]
            parts += [column.shared(cell)] if cell != NOTHING else []
    counts = frame[["n_rounds", "n_distinct_rounds"]].dropna().drop_duplicates().sort_values("n_rounds")
    rounds = " or ".join(rounds_in_words(*row) for row in counts.itertuples(index=False, name=None))
    parts.append(f"{rounds}, so no spread" if rounds == "1 round" else rounds)
    seeds = set(frame["n_seeds"].dropna())
    parts.append("1 training seed" if seeds == {1} else " or ".join(map(str, sorted(seeds))) + " training seeds")
    return " · ".join(part for part in ["in %", *parts] if part), shared


def _footnotes(rows: Sequence[Row]) -> tuple[dict[str, str], list[str]]:
    """Return a mark for each distinct note, in the order of the rows, and the footnotes."""
    notes = dict.fromkeys(note for row in rows for note in row["notes"])
    marks = {note: _letters(number) for number, note in enumerate(notes)}
    return marks, [f"[{mark}] {note}" for note, mark in marks.items()]


def _marks(row: Row, marks: Mapping[str, str]) -> str:
    own = ",".join(marks[note] for note in row["notes"])
    return f" [{own}]" if own else ""


def _letters(number: int) -> str:
    """Return a, b, …, z, aa, ab, …

    >>> _letters(0), _letters(25), _letters(26)
    ('a', 'z', 'aa')
    """
    return ("" if number < 26 else _letters(number // 26 - 1)) + chr(ord("a") + number % 26)
