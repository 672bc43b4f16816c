"""A protocol as one grid of text cells, whatever stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from zsarbench.interfaces import Table
from zsarbench.reports.backing import BACKINGS, badge
from zsarbench.reports.columns import BACKING
from zsarbench.reports.leaderboard.links import Link, links_in
from zsarbench.reports.leaderboard.rows import Bar, Row, Section, Unplaced

Kind = Literal["rank", "method", "main", "value", "interval", "count", "text", "date"]
NUMBERS = ("rank", "main", "value", "count")


@dataclass(frozen=True, kw_only=True)
class GridColumn:
    """A column. kind: how its cells are aligned and sorted. further: whether it is left out on a narrow screen."""

    heading: str
    kind: Kind
    further: bool = False

    @property
    def is_number(self) -> bool:
        """Whether cells are aligned right and sorted by the number they begin with."""
        return self.kind in NUMBERS


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """A row. group: index of its group. cells: one for each column. notes: indices of notes. id: "" where no result."""

    group: int
    cells: tuple[str, ...]
    notes: tuple[int, ...]
    about: str = ""
    id: str = ""
    encoder: str = ""
    contaminated: str = ""
    backing: str = ""
    unranked: bool = False
    bar: Bar | None = None


@dataclass(frozen=True, kw_only=True)
class Grid:
    """One protocol. groups: (kind, heading, what was trained on). notes: rows hold their indices. Else as `Section`."""

    name: str
    dataset: str
    summary: str
    about: str
    setting: str
    scale: int
    columns: tuple[GridColumn, ...]
    groups: tuple[tuple[str, str, str], ...]
    rows: tuple[GridRow, ...]
    notes: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def main(self) -> GridColumn | None:
        """The column that rows are ranked by; None where it is not known on which lists figures are."""
        return next((column for column in self.columns if column.kind == "main"), None)

    @property
    def n_measured(self) -> int:
        """The number of measured rows."""
        return sum(self.groups[row.group][0] == "measured" for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A protocol on the page. slug: its name in addresses of files. table: where rows were measured."""

    grid: Grid
    slug: str
    table: Table | None = None


def grid_of(section: Section) -> Grid:
    """Return the grid of a protocol."""
    notes = dict.fromkeys(note for row in section.rows for note in row.notes)
    numbers = {note: number for number, note in enumerate(notes)}
    return Grid(
        name=section.name,
        dataset=section.dataset,
        summary=section.summary,
        about=section.about,
        setting=section.setting,
        scale=section.scale,
        columns=tuple(_columns(section)),
        groups=tuple((group.kind, group.heading, group.train_on) for group in section.groups),
        rows=tuple(
            GridRow(
                group=number,
                cells=tuple(_cells(row, section)),
                notes=tuple(numbers[note] for note in row.notes),
                about=row.about,
                id=row.id,
                encoder=row.encoder,
                contaminated=row.contaminated,
                backing=row.backing,
                unranked=row.kind == "measured" and not row.ranked,
                bar=row.bar,
            )
            for number, group in enumerate(section.groups)
            for row in group.rows
        ),
        notes=tuple(notes),
        remarks=section.remarks,
        left_out=section.left_out,
    )


def _columns(section: Section) -> list[GridColumn]:
    main, *others = section.metrics
    further = [GridColumn(heading=name, kind="value", further=section.measured) for name in others]
    if not section.measured:
        return [GridColumn(heading="method", kind="method"), GridColumn(heading=main, kind="main"), *further]
    return [
        GridColumn(heading="rank", kind="rank"),
        GridColumn(heading="method", kind="method"),
        GridColumn(heading=main, kind="main"),
        GridColumn(heading="95 % interval", kind="interval"),
        *further,
        GridColumn(heading="clips scored", kind="count", further=True),
        *(GridColumn(heading=name, kind="text", further=True) for name in section.extra if name != BACKING),
        GridColumn(heading="date", kind="date", further=True),
    ]


def _cells(row: Row, section: Section) -> list[str]:
    if not section.measured:
        return [row.method, *row.values]
    extra = [cell for name, cell in zip(section.extra, row.extra, strict=True) if name != BACKING]
    return [row.rank, row.method, row.values[0], row.interval, *row.values[1:], row.scored, *extra, row.date]


def unplaced_grid(dataset: str, rows: Sequence[Unplaced]) -> Grid:
    """Return the grid of a data set's figures whose exact lists are not known."""
    notes = dict.fromkeys(note for row in rows for note in row.notes)
    numbers = {note: number for number, note in enumerate(notes)}
    return Grid(
        name=f"{dataset}/unplaced",
        dataset=dataset,
        summary="Which classes or clips these figures are on is not known exactly, so they share no table with other "
        "rows and cannot be compared with each other either. What the source says of its protocol is quoted.",
        about="no exact list",
        setting="",
        scale=100,
        columns=(
            GridColumn(heading="method", kind="method"),
            GridColumn(heading="figures", kind="text"),
            GridColumn(heading="protocol, in the source's words", kind="text"),
            GridColumn(heading="trained on", kind="text"),
        ),
        groups=(("reported", "reported · no exact list", ""),),
        rows=tuple(
            GridRow(
                group=0,
                cells=(row.method, row.figures, row.wording, row.train),
                notes=tuple(numbers[note] for note in row.notes),
            )
            for row in rows
        ),
        notes=tuple(notes),
    )


# --- in JSON types ----------------------------------------------------------------------------------------------------


class _Strings:
    """Texts by number: a table of thousands of rows repeats most of them."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def content(grid: Grid) -> dict[str, Any]:
    """Return a grid in JSON types; texts of rows stand as indices into `strings`.

    rows: [group, cells, about, notes, id, encoder, contaminated, backing, unranked, bar]; bar is 0 where there is none,
    else [value, low, high, chance]. badges: the meaning of each word of `backing`, as shown next to the method's name.
    """
    number = _Strings()
    rows = [
        [
            row.group,
            [number(cell) for cell in row.cells],
            number(row.about),
            list(row.notes),
            number(row.id),
            number(row.encoder),
            number(row.contaminated),
            number(row.backing),
            int(row.unranked),
            0 if row.bar is None else [row.bar.value, row.bar.low, row.bar.high, row.bar.chance],
        ]
        for row in grid.rows
    ]
    return {
        "name": grid.name,
        "summary": grid.summary,
        "about": grid.about,
        "scale": grid.scale,
        "columns": [[column.heading, column.kind, int(column.further)] for column in grid.columns],
        "groups": [list(group) for group in grid.groups],
        "notes": [[note, [list(link) for link in links_in(note)]] for note in grid.notes],
        "badges": {item.text: item.title for item in map(badge, BACKINGS)},
        "remarks": list(grid.remarks),
        "leftOut": list(grid.left_out),
        "rows": rows,
        "strings": list(number.numbers),
    }


def links_of(*texts: str) -> list[Link]:
    """Return the links in several texts, each once."""
    return list(dict.fromkeys(link for text in texts for link in links_in(text)))
