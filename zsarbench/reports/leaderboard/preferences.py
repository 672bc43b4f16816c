"""What the leaderboard shows first and last, and what it says where no figure stands: `benchmarks/board.toml`."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsarbench.reports.leaderboard.grid import Grid
from zsarbench.utils.documents import invalid, read_toml
from zsarbench.utils.schema import STRICT, DoesNotFit, FilledText, parse


@dataclass(frozen=True)
class Notice:
    """A row without figures. method: as it is called. protocols: where it stands. text: why it has no figure."""

    method: FilledText
    protocols: tuple[FilledText, ...]
    text: FilledText


@dataclass(frozen=True)
class Preferences:
    """Preferences of a leaderboard. first, last: names of data sets; all others stand between them, by name."""

    __pydantic_config__ = STRICT

    first: tuple[FilledText, ...] = ()
    last: tuple[FilledText, ...] = ()
    notices: tuple[Notice, ...] = ()

    def ordered(self, grids: Iterable[Grid]) -> list[Grid]:
        """Return protocols by data set, in each those with most measured rows first, then those with most rows.

        Figures whose lists are not known stand last in their data set.
        """
        return sorted(grids, key=self._place)

    def _place(self, grid: Grid) -> tuple[Any, ...]:
        names = [*self.first, None, *self.last]
        where = names.index(grid.dataset if grid.dataset in names else None)
        return where, grid.dataset, grid.main is None, -grid.n_measured, -len(grid.rows), grid.name


def read(path: Path | None = None) -> Preferences:
    """Return the preferences of a file, by default of the one that ships with zsarbench.

    Raises:
        ZsarbenchError: it is malformed; the message lists every problem.
    """
    path = path or Path(str(importlib.resources.files("zsarbench_benchmarks"))) / "board.toml"
    content = read_toml(path, "file of preferences")
    try:
        return parse(Preferences, content, "file")
    except DoesNotFit as error:
        raise invalid("file of preferences", path, error.problems) from error
