"""The leaderboard as a folder that opens from a disk: a small page, and scripts that it loads when they are looked at.

index.html                  the page, with the first rows of the first protocol for readers without scripts
data/PROTOCOL.js            the rows of a protocol
data/PROTOCOL/RESULT.js     what opens below a row
data/draws-C.js             the draws of C classes that paired comparisons share
data/overview.js            the best row of each method on each protocol
downloads/PROTOCOL.csv …    the tables, and every round, for other programs
results/PROTOCOL/…          the result files
"""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from zsarbench import results
from zsarbench.evaluation.settings import METRICS
from zsarbench.reports import escaping
from zsarbench.reports.cells import NOTHING
from zsarbench.reports.formats import Csv, Json, Latex
from zsarbench.reports.leaderboard import build
from zsarbench.reports.leaderboard.details import details_of, histories
from zsarbench.reports.leaderboard.evidence import drawn, evidence_of
from zsarbench.reports.leaderboard.grid import Protocol, content, grid_of, script, unplaced_grid
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
            yield from _downloads(protocol, [by_id[name][1] for name in rows])
            for name, row in rows.items():
                path, result = by_id[name]
                file = f"results/{protocol.slug}/{path.name}"
                yield file, path.read_bytes()
                tasks[f"data/{protocol.slug}/{name}.js"] = _Task(path, result, row, past[name], file)
    n_classes = set()
    for name, (text, n) in zip(tasks, _details(list(tasks.values())), strict=True):
        n_classes.add(n)
        yield name, text.encode()
    n_classes.discard(0)
    for n in sorted(n_classes):
        yield f"data/draws-{n}.js", script("draws", n, drawn(n)).encode()
    yield "data/overview.js", script("overview", _overview(protocols)).encode()
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


class _Task(NamedTuple):
    """A row whose details are to be made. file: the result file's address on the page."""

    path: Path
    result: RunResult
    row: Row
    history: Sequence[RunResult]
    file: str


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
    path, result = task.path, task.result
    evidence = evidence_of(result, results.read_scores(path, result)) if results.has_scores(result, path) else None
    details = details_of(task.row, result, file=task.file, history=task.history, evidence=evidence)
    return script("row", result.stem, details), len(evidence["kept"]) if evidence else 0


def _downloads(protocol: Protocol, shown: Sequence[RunResult]) -> Iterator[tuple[str, bytes]]:
    assert protocol.table is not None
    for suffix, reporter in (("csv", Csv()), ("json", Json()), ("tex", Latex())):
        yield f"downloads/{protocol.slug}.{suffix}", reporter.render(protocol.table).encode()
    yield f"downloads/{protocol.slug}-rounds.csv", _rounds(shown).encode()


def _rounds(shown: Sequence[RunResult]) -> str:
    """Return every round of every result as CSV, accuracies as fractions."""
    names = [name for name in METRICS if any(name in result.summary for result in shown)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    fixed = ["method", "id", "round", "duplicate_of", "seed", "n_classes", "n_expected", "n_scored", "n_failed"]
    writer.writerow([*fixed, *names])
    for result in shown:
        for item in result.rounds:
            values = [getattr(item, name) for name in fixed[2:]]
            metrics = [item.metrics.get(name, "") for name in names]
            writer.writerow([escaping.csv_cell(result.method.name), result.stem, *values, *metrics])
    return text.getvalue()


def _overview(protocols: Sequence[Protocol]) -> dict[str, Any]:
    """Return methods by protocols: of each method the best row, measured before reported, in the order of the page."""
    shown = [protocol.grid for protocol in protocols if any(column.kind == "main" for column in protocol.grid.columns)]
    methods: dict[str, dict[int, list[Any]]] = {}
    for number, grid in enumerate(shown):
        kinds = [column.kind for column in grid.columns]
        method, main = kinds.index("method"), kinds.index("main")
        for row in grid.rows:
            kind = grid.groups[row.group][0]
            value = row.cells[main]
            if value == NOTHING:
                continue
            cell = [number, value, kind, row.id]
            before = methods.setdefault(row.cells[method], {}).get(number)
            if before is None or _better(cell, before):
                methods[row.cells[method]][number] = cell
    rows = [[name, list(of_method.values())] for name, of_method in methods.items()]
    rows.sort(key=lambda item: (-sum(cell[2] == "measured" for cell in item[1]), -len(item[1]), item[0]))
    heads = [next(column.heading for column in grid.columns if column.kind == "main") for grid in shown]
    return {"protocols": [[grid.name, head] for grid, head in zip(shown, heads, strict=True)], "methods": rows}


def _better(cell: Sequence[Any], before: Sequence[Any]) -> bool:
    """Return whether a row stands for its method instead of another: measured ones do before reported ones."""

    def key(item: Sequence[Any]) -> tuple[bool, float]:
        return item[2] == "measured", float(item[1].split()[0])

    return key(cell) > key(before)
