"""Methods by protocols: of each method the best row, for those who look for a method and not for a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from zsarbench.reports.cells import NOTHING
from zsarbench.reports.leaderboard.grid import Protocol
from zsarbench.reports.leaderboard.rows import NOT_VERIFIED

_KINDS = ("measured", "not ranked", "reported")


class _Cell(NamedTuple):
    """A row that stands for its method.

    protocol: the number of its column. kind: "measured", "not ranked" of measured ones, or "reported". id: "" where it
    has no result.
    """

    protocol: int
    value: str
    kind: str
    id: str

    def beats(self, other: _Cell) -> bool:
        """Return whether it stands for its method instead of another: ranked rows before others, then measured ones."""
        return self._strength > other._strength

    @property
    def _strength(self) -> tuple[int, float]:
        return -_KINDS.index(self.kind), -1.0 if self.value == NOT_VERIFIED else float(self.value.split()[0])


def overview(protocols: Sequence[Protocol]) -> dict[str, Any]:
    """Return in JSON types what the overview shows; protocols whose lists are not known are left out.

    protocols: [name, data set, metric], in the order of the page, data set by data set. methods: [name, cells], those
    that were measured most often first; cells: [number of the protocol, value, kind of the row, id].
    """
    shown = [(item.grid, main) for item in protocols if (main := item.grid.main) is not None]
    methods: dict[str, dict[int, _Cell]] = {}
    for number, (grid, main) in enumerate(shown):
        value = grid.columns.index(main)
        method = next(place for place, column in enumerate(grid.columns) if column.kind == "method")
        for row in grid.rows:
            if row.cells[value] == NOTHING:
                continue
            cell = _Cell(number, row.cells[value], "not ranked" if row.unranked else grid.groups[row.group][0], row.id)
            best = methods.setdefault(row.cells[method], {})
            if number not in best or cell.beats(best[number]):
                best[number] = cell
    rows = [(name, list(cells.values())) for name, cells in methods.items()]
    rows.sort(key=lambda item: (-sum(cell.kind != "reported" for cell in item[1]), -len(item[1]), item[0]))
    return {
        "protocols": [[grid.name, grid.dataset, main.heading] for grid, main in shown],
        "methods": [[name, [list(cell) for cell in cells]] for name, cells in rows],
    }
