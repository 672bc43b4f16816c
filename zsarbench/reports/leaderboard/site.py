"""The leaderboard as a folder that opens from a disk: a small page, and scripts that it loads when they are looked at.

index.html                  the page, with the first rows of the first protocol for readers without scripts
data/PROTOCOL.js            the rows of a protocol
data/PROTOCOL/RESULT.js     what opens below a row
data/draws-C.js             the draws of C classes that paired comparisons share
data/overview.js            the best row of each method on each protocol
downloads/PROTOCOL.csv …    the tables, and every round, for other programs
results/PROTOCOL/…          the result files and their predictions
files.txt                   what of these three folders a build wrote, which the next one removes where it is not of it
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, starmap
from pathlib import Path
from typing import NamedTuple

from zsarbench import results
from zsarbench.evaluation.bootstrap import MIN_CLASSES
from zsarbench.reports.leaderboard import build
from zsarbench.reports.leaderboard.board import UNPLACED
from zsarbench.reports.leaderboard.details import Addresses, details_of, histories
from zsarbench.reports.leaderboard.downloads import rendered, rounds_csv, tables
from zsarbench.reports.leaderboard.evidence import drawn
from zsarbench.reports.leaderboard.grid import Protocol, content, grid_of, unplaced_grid
from zsarbench.reports.leaderboard.overview import overview
from zsarbench.reports.leaderboard.predictions import Seen
from zsarbench.reports.leaderboard.preferences import Preferences
from zsarbench.reports.leaderboard.rows import Board, Row
from zsarbench.reports.leaderboard.scripts import script
from zsarbench.results import RunResult
from zsarbench.results.record import file_name
from zsarbench.utils.processes import Processes

SPACE = """---
title: zsarbench leaderboard
colorFrom: blue
colorTo: gray
sdk: static
app_file: index.html
pinned: false
license: mit
short_description: Zero-shot action recognition under exact protocols
---

The leaderboard of zsarbench, written by `zsarbench leaderboard build --space`; every file here is its output.
"""
"""The README of a Hugging Face Space that serves the folder as it is."""
LIST = "files.txt"
_OF_FOLDERS = re.compile(r"^((?:data|downloads|results)(?:/(?!\.)[\w.-]+)+)\n", re.MULTILINE)  # no half line at the end


@dataclass(frozen=True, kw_only=True)
class Site:
    """All contents of a site.

    seen: what predictions show, by id of the result. repository: the address of the code, "" where it is not known.
    """

    board: Board
    found: Mapping[Path, RunResult]
    seen: Mapping[str, Seen] = field(default_factory=dict)
    preferences: Preferences = field(default_factory=Preferences)
    repository: str = ""
    space: bool = False

    def slugs(self) -> dict[str, str]:
        """Return a file name for each protocol, no two alike."""
        names = [section.name for section in (*self.board.measured, *self.board.reported)]
        names += [f"{dataset}{UNPLACED}" for dataset, _ in self.board.unplaced]
        slugs: dict[str, str] = {}
        for name in sorted(names):
            slug, number = file_name(name), 2
            while slug in slugs.values():
                slug, number = f"{file_name(name)}-{number}", number + 1
            slugs[name] = slug
        return slugs

    def protocols(self) -> list[Protocol]:
        """Return the protocols in the order of the page; within a data set figures without a list stand last."""
        tables, slugs = dict(self.board.tables), self.slugs()
        grids = [grid_of(section) for section in (*self.board.measured, *self.board.reported)]
        grids += [unplaced_grid(dataset, rows) for dataset, rows in self.board.unplaced]
        return [
            Protocol(grid=grid, slug=slugs[grid.name], table=tables.get(grid.name))
            for grid in self.preferences.ordered(grids)
        ]


def page(board: Board) -> str:
    """Return the page of a board alone: without rows below the first ones, and in no preferred order."""
    return build.index(board, Site(board=board, found={}).protocols())


def files(site: Site, processes: Processes) -> Iterator[tuple[str, bytes]]:
    """Yield the relative path and the bytes of every file of a site; the page itself comes last.

    processes: render the tables meanwhile, where there are any.
    """
    protocols = site.protocols()
    rows = _rows(site)
    of_tables = [(protocol.slug, protocol.table) for protocol in protocols if protocol.table is not None]
    rendering = processes.map(rendered, chain.from_iterable(starmap(tables, of_tables)))
    for protocol in protocols:
        yield f"data/{protocol.slug}.js", script("table", protocol.grid.name, content(protocol.grid)).encode()
        if protocol.table is not None:
            shown = [row.result for row in rows if row.slug == protocol.slug]
            yield f"downloads/{protocol.slug}-rounds.csv", rounds_csv(shown).encode()
    past = histories(site.found.values())
    for row in rows:
        name = row.result.stem
        details = details_of(row.row, row.result, addresses=row.addresses, history=past[name])
        evidence = site.seen[name].evidence if name in site.seen else None
        yield f"data/{row.slug}/{name}.js", script("row", name, details, evidence).encode()
        yield row.addresses.result, row.path.read_bytes()
        if row.addresses.predictions:
            yield row.addresses.predictions, results.scores_file(row.path, row.result).read_bytes()
    for n in sorted({seen.n_classes for seen in site.seen.values() if seen.n_classes >= MIN_CLASSES}):
        yield f"data/draws-{n}.js", script("draws", n, drawn(n)).encode()
    yield from rendering
    yield "data/overview.js", script("overview", overview(protocols)).encode()
    if site.space:
        yield "README.md", SPACE.encode()
    yield "index.html", build.index(site.board, protocols, repository=site.repository).encode()


def write(folder: Path, site: Site, processes: Processes) -> Path:
    """Write a site into a folder and return its page; files that an earlier build wrote and this one does not go.

    processes: see `files`.

    Raises:
        ZsarbenchError: a file cannot be written.
    """
    earlier, written = _listed(folder / LIST), set()
    _list(folder, earlier)
    # A file is listed before it is written, so that the next build knows all of one that was interrupted.
    with (folder / LIST).open("a", encoding="utf-8", newline="\n", buffering=1) as listing:
        for name, content_of_file in files(site, processes):
            if name not in earlier and _OF_FOLDERS.match(f"{name}\n"):
                listing.write(f"{name}\n")
            build.write_bytes(folder / name, content_of_file, whole=name == "index.html")
            written.add(name)
    for name in earlier - written:
        (folder / name).unlink(missing_ok=True)
    _list(folder, {name for name in written if _OF_FOLDERS.match(f"{name}\n")})
    return folder / "index.html"


def _list(folder: Path, names: Iterable[str]) -> None:
    build.write(folder / LIST, "".join(f"{name}\n" for name in sorted(names)))


def _listed(path: Path) -> set[str]:
    """Return which files of the three folders earlier builds wrote; an empty set where it says nothing legible."""
    try:
        return set(_OF_FOLDERS.findall(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return set()


class _Shown(NamedTuple):
    """A measured row of the page. slug: of its protocol."""

    slug: str
    path: Path
    result: RunResult
    row: Row
    addresses: Addresses


def _rows(site: Site) -> list[_Shown]:
    """Return all measured rows, protocol by protocol."""
    by_id = {result.stem: (path, result) for path, result in site.found.items()}
    slugs = site.slugs()
    shown = []
    for section in site.board.measured:
        for row in section.rows:
            if row.id:
                path, result = by_id[row.id]
                slug = slugs[section.name]
                shown.append(_Shown(slug, path, result, row, _addresses(slug, path, result)))
    return shown


def _addresses(slug: str, path: Path, result: RunResult) -> Addresses:
    has_scores = results.has_scores(result, path)
    return Addresses(
        result=f"results/{slug}/{result.stem}.json",  # the file itself may have any name, and another one the same
        predictions=f"results/{slug}/{results.scores_file(path, result).name}" if has_scores else "",
    )
