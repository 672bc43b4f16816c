"""What the leaderboard shows, as text: rows, groups, sections and the bars of intervals."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from zsarbench.evaluation.settings import vague_name
from zsarbench.interfaces import Table
from zsarbench.reports.cells import NOTHING, stated_name
from zsarbench.reports.cells import Row as CellRow

NOT_VERIFIED = "not verified"
"""Stands in the main column of a row whose figures were not read in a source that can be cited."""

BAR_WIDTH, BAR_MARGIN = 120.0, 4.0  # of an interval's drawing, in its own units


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Horizontal positions in the drawing of an interval; None where there is nothing to draw."""

    value: float
    low: float | None
    high: float | None
    chance: float | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row as text.

    values: one for each metric of its section. facts: (name, value) pairs that no column holds. id: of the result.
    encoder: the visual part. contaminated: "yes", "no", "unknown", or "" where that was not audited. backing: what
    backs it, in a word, or "" where it was not checked.
    """

    kind: str
    method: str
    values: tuple[str, ...]
    rank: str = NOTHING
    about: str = ""
    interval: str = ""
    bar: Bar | None = None
    scored: str = NOTHING
    date: str = NOTHING
    extra: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    command: str = ""
    id: str = ""
    encoder: str = ""
    contaminated: str = ""
    backing: str = ""

    @property
    def ranked(self) -> bool:
        """Whether the row takes part in the ranking; reported ones never do."""
        return self.rank != NOTHING

    @property
    def further(self) -> tuple[int, ...]:
        """The positions of the metrics after the first that have a value."""
        return tuple(number for number, value in enumerate(self.values) if number and value != NOTHING)


@dataclass(frozen=True)
class Group:
    """Rows that may be ranked against each other, best first. train_on: what all of them were trained on."""

    kind: str
    heading: str
    rows: tuple[Row, ...]
    train_on: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One protocol. metrics: headings, the ranking one first. scale: what a bar's right end stands for, in percent."""

    name: str
    summary: str
    about: str
    metrics: tuple[str, ...]
    groups: tuple[Group, ...]
    extra: tuple[str, ...] = ()
    scale: int = 100
    remarks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    setting: str = ""

    @property
    def dataset(self) -> str:
        """The name of the data set, with which that of the protocol begins."""
        return self.name.split("/")[0]

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, group after group."""
        return tuple(row for group in self.groups for row in group.rows)

    @functools.cached_property
    def measured(self) -> bool:
        """Whether a row was measured; only then are there intervals, clips and dates to show."""
        return any(row.kind == "measured" for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Unplaced:
    """A figure whose exact class or clip list is not known. wording: the source's own words for its protocol."""

    method: str
    figures: str
    train: str
    wording: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """Everything that is shown.

    newest: date of the newest result, "" where there is none. tables: of measured sections, by protocol.
    """

    measured: tuple[Section, ...]
    reported: tuple[Section, ...]
    unplaced: tuple[tuple[str, tuple[Unplaced, ...]], ...]
    n_results: int
    n_figures: int
    newest: str
    tables: tuple[tuple[str, Table], ...] = ()


# --- bars -------------------------------------------------------------------------------------------------------------


def scale_of(rows: Iterable[CellRow], metric: str) -> int:
    """Return the right end of the bars of a table, in percent: the next ten above all that is drawn."""
    names = (metric, vague_name(metric), f"{metric}_ci_high", f"{metric}_chance")
    drawn = [row[name] for row in rows for name in names if not pd.isna(row.get(name))]
    top = max(map(float, drawn))
    return min(100, 10 * math.floor(10 * top + 1))


def bar_of(row: CellRow, metric: str, scale: int) -> Bar | None:
    """Return the drawing of a metric on a scale from 0 to `scale` percent; None where the row has no value."""
    name = stated_name(row, metric)
    if name is None:
        return None
    return Bar(
        value=_position(row[name], scale),
        low=_known_position(row[f"{metric}_ci_low"], scale),
        high=_known_position(row[f"{metric}_ci_high"], scale),
        chance=_known_position(row[f"{metric}_chance"], scale),
    )


def _position(fraction: Any, scale: int) -> float:
    return round(BAR_MARGIN + (BAR_WIDTH - 2 * BAR_MARGIN) * min(1.0, 100 * float(fraction) / scale), 1)


def _known_position(fraction: Any, scale: int) -> float | None:
    return None if pd.isna(fraction) else _position(fraction, scale)
