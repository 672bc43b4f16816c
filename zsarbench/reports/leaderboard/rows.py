"""What the leaderboard shows, as text: rows, groups, sections, and how a number becomes a cell or a bar."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from zsarbench.reports.layout import NOTHING
from zsarbench.reports.table import without_average
from zsarbench.results.reported import ReportedRow

BAR_WIDTH, BAR_MARGIN = 120.0, 4.0  # of an interval's drawing, in its own units


@dataclass(frozen=True)
class Bar:
    """Horizontal places in the drawing of an interval; None where there is nothing to draw."""

    value: float
    low: float | None
    high: float | None
    chance: float | None


@dataclass(frozen=True)
class Row:
    """One row as text. values: one for each metric of its section. facts: (name, value) pairs that no column holds."""

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

    @property
    def ranked(self) -> bool:
        """Whether the row takes part in the ranking; reported ones never do."""
        return self.rank != NOTHING

    @property
    def further(self) -> tuple[int, ...]:
        """Which metrics beside the first have a value."""
        return tuple(number for number, value in enumerate(self.values) if number and value != NOTHING)


@dataclass(frozen=True)
class Group:
    """Rows that may be ranked against each other, best first."""

    kind: str
    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
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

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, group after group."""
        return tuple(row for group in self.groups for row in group.rows)

    @property
    def measured(self) -> bool:
        """Whether a row was measured; only then are there intervals, clips and dates to show."""
        return any(row.kind == "measured" for row in self.rows)


@dataclass(frozen=True)
class Unplaced:
    """A figure whose exact class or clip list is not known. wording: the source's own words for its protocol."""

    method: str
    figures: str
    train: str
    wording: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Board:
    """Everything that is shown. newest: date of the newest result, "" where there is none."""

    measured: tuple[Section, ...]
    reported: tuple[Section, ...]
    unplaced: tuple[tuple[str, tuple[Unplaced, ...]], ...]
    n_results: int
    n_figures: int
    newest: str


# --- cells ------------------------------------------------------------------------------------------------------------


def accuracy(row: Mapping[str, Any], name: str) -> str:
    """Return mean ± spread over rounds; a vague `top1` of a paper stands in the column of `top1_per_video`."""
    vague = without_average(name)
    if pd.isna(row[name]) and not pd.isna(row.get(vague)):
        name = vague
    if pd.isna(row[name]):
        return NOTHING
    return _spread(row[name], row[f"{name}_std"])


def figure(row: ReportedRow) -> str:
    """Return a reported figure ± what was printed as its spread."""
    return _spread(row.value, row.std)


def _spread(value: float, std: float | None) -> str:
    return percent(value) if std is None or pd.isna(std) else f"{percent(value)} ± {percent(std)}"


def percent(value: float) -> str:
    """Return a fraction in percent.

    >>> percent(0.4904)
    '49.0'
    """
    return f"{100 * value:.1f}"


def interval(row: Mapping[str, Any], name: str) -> str:
    """Return the 95 % interval of a metric."""
    low, high = row[f"{name}_ci_low"], row[f"{name}_ci_high"]
    return NOTHING if pd.isna(low) else f"[{percent(low)}, {percent(high)}]"


def scale_of(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    """Return the right end of the bars of a table, in percent: the next ten above all that is drawn."""
    vague = without_average(name)
    drawn = [row.get(key) for row in rows for key in (name, vague, f"{name}_ci_high", f"{name}_chance")]
    top = max(float(value) for value in drawn if value is not None and not pd.isna(value))
    return min(100, 10 * math.floor(10 * top + 1))


def bar_of(row: Mapping[str, Any], name: str, scale: int) -> Bar | None:
    """Return the drawing of a metric on a scale from 0 to `scale` percent; None where the row has no value."""
    vague = without_average(name)
    value = row.get(vague) if pd.isna(row[name]) else row[name]
    if value is None or pd.isna(value):
        return None

    def place(fraction: Any) -> float | None:
        if pd.isna(fraction):
            return None
        return round(BAR_MARGIN + (BAR_WIDTH - 2 * BAR_MARGIN) * min(1.0, 100 * float(fraction) / scale), 1)

    shown = place(value)
    assert shown is not None
    return Bar(shown, place(row[f"{name}_ci_low"]), place(row[f"{name}_ci_high"]), place(row[f"{name}_chance"]))
