"""The leaderboard as a folder that opens from a disk: a small page, and scripts that it loads when they are looked at.

index.html                  the page, with the first rows of the first protocol for readers without scripts
data/PROTOCOL.js            the rows of a protocol
data/PROTOCOL/RESULT.js     what opens below a row
data/draws-C.js             the draws of C classes that paired comparisons share
data/overview.js            the best row of each method on each protocol
downloads/PROTOCOL.csv …    the tables, and every round, for other programs
results/PROTOCOL/…          the result files and their predictions
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from zsarbench import results
from zsarbench.evaluation.bootstrap import MIN_CLASSES
from zsarbench.reports.leaderboard import build
from zsarbench.reports.leaderboard.details import Addresses, details_of, histories
from zsarbench.reports.leaderboard.downloads import downloads
from zsarbench.reports.leaderboard.evidence import drawn, evidence_of
from zsarbench.reports.leaderboard.grid import Protocol, content, grid_of, script, unplaced_grid
from zsarbench.reports.leaderboard.overview import overview
from zsarbench.reports.leaderboard.preferences import Preferences
from zsarbench.reports.leaderboard.rows import Board, Row, Section
from zsarbench.results import RunResult
from zsarbench.results.record import file_name

MANY_ROWS = 300
"""Rows from which details are made by several processes: each takes a second to start."""

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


@dataclass(frozen=True, kw_only=True)
class Site:
    """Everything that a site is made of. repository: the address of the code, "" where it is not known."""

    board: Board
    found: Mapping[Path, RunResult]
    preferences: Preferences = field(default_factory=Preferences)
    repository: str = ""
    space: bool = False

    def protocols(self) -> list[Protocol]:
        """Return the protocols in the order of the page; within a data set figures without a list stand last."""
        sections: list[Section] = [*self.board.measured, *self.board.reported]
        named = {f"{dataset}/unplaced": rows for dataset, rows in self.board.unplaced}
        sections += [
            Section(name=name, summary="", about="", metrics=("",), groups=()) for name in named
        ]  # for their place among the others only
        tables = dict(self.board.tables)
        slugs = _slugs([section.name for section in sections])
        grids = []
        for section in self.preferences.ordered(sections):
            name = section.name
            grid = unplaced_grid(section.dataset, named[name]) if name in named else grid_of(section)
            grids.append(Protocol(grid=grid, slug=slugs[name], table=tables.get(name)))
        return grids


def page(board: Board) -> str:
    """Return the page of a board alone: without rows below the first ones, and in no preferred order."""
    return build.index(board, Site(board=board, found={}).protocols())


def files(site: Site) -> Iterator[tuple[str, bytes]]:
    """Yield the relative path and the bytes of every file of a site; the page itself comes last."""
    protocols = site.protocols()
    by_id = {result.stem: (path, result) for path, result in site.found.items()}
    rows_of = {section.name: {row.id: row for row in section.rows if row.id} for section in site.board.measured}
    past = histories(site.found.values())
    tasks: dict[str, _Task] = {}
    for protocol in protocols:
        yield f"data/{protocol.slug}.js", script("table", protocol.grid.name, content(protocol.grid)).encode()
        if protocol.table is not None:
            rows = rows_of[protocol.grid.name]
            yield from downloads(protocol.slug, protocol.table, [by_id[name][1] for name in rows])
            for name, row in rows.items():
                path, result = by_id[name]
                addresses = _addresses(f"results/{protocol.slug}", path, result)
                yield addresses.result, path.read_bytes()
                if addresses.predictions:
                    yield addresses.predictions, results.scores_file(path, result).read_bytes()
                tasks[f"data/{protocol.slug}/{name}.js"] = _Task(path, result, row, past[name], addresses)
    n_classes = set()
    for name, (text, n) in zip(tasks, _details(list(tasks.values())), strict=True):
        n_classes.add(n)
        yield name, text.encode()
    for n in sorted(n for n in n_classes if n >= MIN_CLASSES):
        yield f"data/draws-{n}.js", script("draws", n, drawn(n)).encode()
    yield "data/overview.js", script("overview", overview(protocols)).encode()
    if site.space:
        yield "README.md", SPACE.encode()
    yield "index.html", build.index(site.board, protocols, repository=site.repository).encode()


def write(folder: Path, site: Site) -> Path:
    """Write a site into a folder and return its page; scripts of an earlier build that are not of this one go.

    Raises:
        ZsarbenchError: a file cannot be written.
    """
    written = set()
    for name, content_of_file in files(site):
        written.add(build.write_bytes(folder / name, content_of_file, whole=name == "index.html"))
    for path in sorted((folder / "data").rglob("*.js")):
        if path not in written:
            path.unlink()
    return folder / "index.html"


def _slugs(names: Sequence[str]) -> dict[str, str]:
    """Return a file name for each protocol, no two alike."""
    slugs: dict[str, str] = {}
    for name in sorted(names):
        slug, number = file_name(name), 2
        while slug in slugs.values():
            slug, number = f"{file_name(name)}-{number}", number + 1
        slugs[name] = slug
    return slugs


def _addresses(folder: str, path: Path, result: RunResult) -> Addresses:
    has_scores = results.has_scores(result, path)
    return Addresses(
        result=f"{folder}/{path.name}",
        predictions=f"{folder}/{results.scores_file(path, result).name}" if has_scores else "",
    )


class _Task(NamedTuple):
    """A row whose details are to be made."""

    path: Path
    result: RunResult
    row: Row
    history: Sequence[RunResult]
    addresses: Addresses


def _details(tasks: Sequence[_Task]) -> Iterator[tuple[str, int]]:
    """Yield the script of each row's details, and of how many classes a pair with it draws; 0 where it has none.

    Many are made by as many processes as there are cores: to read the predictions takes most of a build.
    """
    n_processes = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(tasks) < MANY_ROWS or n_processes < 2:
        yield from map(_details_of, tasks)
        return
    with ProcessPoolExecutor(n_processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_details_of, tasks, chunksize=32)


def _details_of(task: _Task) -> tuple[str, int]:
    result, evidence = task.result, None
    if task.addresses.predictions:
        evidence = evidence_of(result, results.read_scores(task.path, result))
    details = details_of(task.row, result, addresses=task.addresses, history=task.history, evidence=evidence)
    return script("row", result.stem, details), len(evidence["kept"]) if evidence else 0
