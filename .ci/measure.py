"""Measures the rows of a table in one command; what is measured already is not measured again.

python .ci/measure.py benchmarks/ucf101.toml [--out benchmarks/results] [--jobs 2] [--protocol ucf101/all]

The file names protocols, and rows of methods with what a run of them is asked (as in
zsarbench.harness.spec.RunRequest). Every row is tried on every protocol; one that does not apply is listed with its
reason: the file's, or what zsarbench says. A result answers a row that has the same spec on the same data, so an
interrupted command goes on when it is typed again.
Rows are measured by --jobs processes of one thread each, in the file's order: slow ones should stand early, but after a
quick one that reads the same features, since those that read a set of features wait for the first of them. Rows whose
classes have documents encode these one after the other, each what the ones before it left.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import sys
import threading
import time
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from zsarbench import results
from zsarbench.errors import NotApplicable, UsageErrors
from zsarbench.harness import sweep
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import RunRequest
from zsarbench.harness.sweep import Cell
from zsarbench.plugins import Host, load_plugins
from zsarbench.utils.progress import LogProgress

METRIC = "top1_per_video"


@dataclass(frozen=True)
class Row:
    """One method as the file asks for it; `not_on`: protocols by name with the reason why it is not measured there."""

    label: str
    asked: Mapping[str, Any]
    not_on: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """What became of a row on a protocol: a result, or the reason why there is none, and whether that is a failure.

    seconds: that it took now; busy: those on a processor.
    """

    row: str
    protocol: str
    path: Path | None
    reason: str
    failed: bool
    seconds: float
    busy: float


class Reads(NamedTuple):
    """Which set of features a task reads, and which documents; "" for none."""

    features: str
    documents: str


Asked = tuple[Row, str, Mapping[str, Any]]
"""A row on a protocol with what is asked of every run."""


@functools.cache
def host() -> Host:
    """Return the plugins, loaded once in each process."""
    return load_plugins()


def read_rows(content: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a file, one for each of the methods that a table of it names."""
    rows = []
    for table in content["rows"]:
        asked = {name: value for name, value in table.items() if name not in ("methods", "not_on", "label")}
        for method in table["methods"]:
            label = f"{method} {table['label']}" if "label" in table else method
            rows.append(Row(label, {"method": method, **asked}, table.get("not_on", {})))
    return rows


def cell(row: Row, protocol: str, given: Mapping[str, Any]) -> Cell:
    """Return what a row means on a protocol; its spec is None where it does not apply."""
    if reason := row.not_on.get(protocol) or row.not_on.get("everywhere"):
        return Cell(f"{row.label} on {protocol}", None, reason)
    try:
        spec = resolve_run(RunRequest(protocol=protocol, **row.asked, **given), host())
    except NotApplicable as error:
        said = str(error).removeprefix("not applicable: ").partition(". Try:")[0]
        names = ((f"method '{row.asked['method']}' ", ""), (f"protocol '{protocol}'", "the protocol"))
        for name, word in names:  # one reason for all that it holds for
            said = said.replace(name, word)
        return Cell(f"{row.label} on {protocol}", None, said)
    return Cell(f"{row.label} on {protocol}", spec)


def one(row: Row, protocol: str, given: Mapping[str, Any]) -> Measured:
    """Measure a row on a protocol unless its result is there."""
    start, busy = time.perf_counter(), time.process_time()
    made = cell(row, protocol, given)
    if made.spec is None:
        return Measured(row.label, protocol, None, made.reason, False, 0.0, 0.0)
    [done] = sweep.run([made], Path(given["out"]), host(), LogProgress())
    spent = time.perf_counter() - start, time.process_time() - busy
    return Measured(row.label, protocol, done.path, done.reason, done.path is None, *spent)


def measure(rows: Sequence[Row], protocols: Sequence[str], given: Mapping[str, Any], jobs: int) -> Iterator[Measured]:
    """Yield every row on every protocol when it is measured; what is wrong with any row is told before the first."""
    left = [(task := (row, protocol, given), reads(task)) for row in rows for protocol in protocols]
    if jobs == 1:
        yield from (one(*task) for task, _ in left)
        return
    stored: set[str] = {""}
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=spawning, initializer=end_with_parent) as pool:
        running: dict[Future[Measured], Reads] = {}
        while left or running:
            while len(running) < jobs and (free := next_free(left, running.values(), stored)) is not None:
                task, reading = left.pop(free)
                running[pool.submit(one, *task)] = reading
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                stored.add(running.pop(future).features)
                yield future.result()


def next_free(left: Sequence[tuple[Asked, Reads]], running: Iterable[Reads], stored: Container[str]) -> int | None:
    """Return the first task that need not wait for what a running one encodes, None where all of them must."""
    features = {reading.features for reading in running if reading.features not in stored}
    documents = {reading.documents for reading in running if reading.documents}
    for number, (_, reading) in enumerate(left):
        if reading.features not in features and reading.documents not in documents:
            return number
    return None


def end_with_parent() -> None:
    """Have this process end as soon as the one that started it is gone, also where that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def reads(task: Asked) -> Reads:
    """Return what a task reads."""
    spec = cell(*task).spec
    if spec is None or "visual" not in spec.parts:
        return Reads("", "")
    text = spec.parts.get("text")
    documents = repr((text, spec.dataset)) if spec.class_text.startswith("documents") else ""
    return Reads(repr((spec.parts["visual"], text, spec.dataset)), documents)


def figure(item: Measured) -> str:
    """Return a row's accuracy in percent with its spreads over rounds and over seeds, or "–"."""
    if item.path is None:
        return "–"
    result = results.read(item.path)
    value = result.summary[METRIC]
    spread = f" ± {100 * value.std:.1f}" if value.std is not None else ""
    seeds = f" (seeds ± {100 * value.seed_std:.1f})" if value.seed_std is not None else ""
    return f"{100 * value.mean:.1f}{spread}{seeds}"


def table(items: Sequence[Measured], labels: Sequence[str], protocols: Sequence[str]) -> str:
    """Return the rows as Markdown, a column for each protocol, and below them why cells are empty."""
    found = {(item.row, item.protocol): item for item in items}
    lines = ["| method | " + " | ".join(protocols) + " |", "|---" * (len(protocols) + 1) + "|"]
    lines += [f"| {label} | " + " | ".join(figure(found[label, name]) for name in protocols) + " |" for label in labels]
    empty: dict[tuple[str, str], list[str]] = {}
    for item in sorted(items, key=lambda item: (labels.index(item.row), protocols.index(item.protocol))):
        if item.path is None:
            empty.setdefault((item.row, item.reason), []).append(item.protocol)
    groups: dict[tuple[str, str], list[str]] = {}
    for (label, reason), where in empty.items():
        groups.setdefault((", ".join(where), reason), []).append(label)
    return "\n".join([*lines, "", *(f"- {', '.join(who)} on {on}: {why}" for (on, why), who in groups.items())])


def main(arguments: Sequence[str]) -> int:
    """Measure and print the table; return the exit code, 1 where a row that applies has no result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", default="benchmarks/results")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes, of one thread each")
    parser.add_argument("--protocol", action="append", help="only these of the file's")
    options = parser.parse_args(arguments)
    content = tomllib.loads(options.file.read_text(encoding="utf-8"))
    protocols = options.protocol or content["protocols"]
    rows, items = read_rows(content), []
    for item in measure(rows, protocols, {"out": options.out, "threads": 1}, options.jobs):
        items.append(item)
        spent = f"{item.seconds:7.1f} s ({item.busy:.1f} busy)"
        print(f"{spent}  {item.row} on {item.protocol}: {item.reason or figure(item)}", file=sys.stderr, flush=True)
    print(table(items, [row.label for row in rows], protocols))
    return int(any(item.failed for item in items))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UsageErrors as error:
        sys.exit(str(error))
