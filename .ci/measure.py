"""Measures the rows of a table in one command; what is measured already is not measured again.

python .ci/measure.py benchmarks/ucf101.toml [--out benchmarks/results] [--threads 1] [--protocol ucf101/all]

The file names protocols, and rows of methods with what a run of them is asked (as in zsarbench.spec.RunRequest). Every
row is tried on every protocol; one that does not apply is listed with its reason: the file's, or what zsarbench says. A
result answers a row that has the same spec on the same data, so an interrupted command goes on when it is typed again.
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsarbench import results, sweep
from zsarbench.errors import NotApplicable, UsageErrors
from zsarbench.plugins import Host, load_plugins
from zsarbench.progress import LogProgress
from zsarbench.resolve import resolve
from zsarbench.spec import RunRequest
from zsarbench.sweep import Cell, Done

METRIC = "top1_per_video"


@dataclass(frozen=True)
class Row:
    """One method as the file asks for it; `not_on`: protocols by name with the reason why it is not measured there."""

    label: str
    asked: Mapping[str, Any]
    not_on: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """What became of a row on a protocol; seconds: that it took now; busy: those of all threads on a processor."""

    row: str
    protocol: str
    done: Done
    seconds: float
    busy: float


def read_rows(content: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a file, one for each of the methods that a table of it names."""
    rows = []
    for table in content["rows"]:
        asked = {name: value for name, value in table.items() if name not in ("methods", "not_on", "label")}
        for method in table["methods"]:
            label = f"{method} {table['label']}" if "label" in table else method
            rows.append(Row(label, {"method": method, **asked}, table.get("not_on", {})))
    return rows


def cell(row: Row, protocol: str, given: Mapping[str, Any], host: Host) -> Cell:
    """Return what a row means on a protocol; its spec is None where it does not apply."""
    if reason := row.not_on.get(protocol) or row.not_on.get("everywhere"):
        return Cell(f"{row.label} on {protocol}", None, reason)
    try:
        spec = resolve(RunRequest(protocol=protocol, **row.asked, **given), host)
    except NotApplicable as error:
        said = str(error).removeprefix("not applicable: ").partition(". Try:")[0]
        names = ((f"method '{row.asked['method']}' ", ""), (f"protocol '{protocol}'", "the protocol"))
        for name, word in names:  # one reason for all that it holds for
            said = said.replace(name, word)
        return Cell(f"{row.label} on {protocol}", None, said)
    return Cell(f"{row.label} on {protocol}", spec)


def measure(rows: Sequence[Row], protocols: Sequence[str], given: Mapping[str, Any], host: Host) -> Iterator[Measured]:
    """Yield every row on every protocol when it is measured; what is wrong with any row is told before the first."""
    asked = [(row, protocol) for protocol in protocols for row in rows]
    cells = [cell(row, protocol, given, host) for row, protocol in asked]
    start, busy = time.perf_counter(), time.process_time()
    for (row, protocol), done in zip(asked, sweep.run(cells, Path(given["out"]), host, LogProgress()), strict=True):
        yield Measured(row.label, protocol, done, time.perf_counter() - start, time.process_time() - busy)
        start, busy = time.perf_counter(), time.process_time()


def figure(item: Measured) -> str:
    """Return a row's accuracy in percent with its spreads over rounds and over seeds, or "–"."""
    if item.done.path is None:
        return "–"
    result = results.read(item.done.path)
    value = result.summary[METRIC]
    spread = f" ± {100 * value.std:.1f}" if value.std is not None else ""
    seeds = f" (seeds ± {100 * value.seed_std:.1f})" if value.seed_std is not None else ""
    return f"{100 * value.mean:.1f}{spread}{seeds}"


def table(items: Sequence[Measured], protocols: Sequence[str]) -> str:
    """Return the rows as Markdown, a column for each protocol, and below them why cells are empty."""
    labels = list(dict.fromkeys(item.row for item in items))
    found = {(item.row, item.protocol): item for item in items}
    lines = ["| method | " + " | ".join(protocols) + " |", "|---" * (len(protocols) + 1) + "|"]
    lines += [f"| {label} | " + " | ".join(figure(found[label, name]) for name in protocols) + " |" for label in labels]
    empty: dict[tuple[str, str], list[str]] = {}
    for item in items:
        if item.done.path is None:
            empty.setdefault((item.row, item.done.reason), []).append(item.protocol)
    groups: dict[tuple[str, str], list[str]] = {}
    for (label, reason), where in empty.items():
        groups.setdefault((", ".join(where), reason), []).append(label)
    return "\n".join([*lines, "", *(f"- {', '.join(who)} on {on}: {why}" for (on, why), who in groups.items())])


def main(arguments: Sequence[str]) -> int:
    """Measure and print the table; return the exit code, 1 where a row that applies has no result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", default="benchmarks/results")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--protocol", action="append", help="only these of the file's")
    options = parser.parse_args(arguments)
    content = tomllib.loads(options.file.read_text(encoding="utf-8"))
    protocols = options.protocol or content["protocols"]
    items = []
    given = {"out": options.out, "threads": options.threads}
    for item in measure(read_rows(content), protocols, given, load_plugins()):
        items.append(item)
        said = figure(item) if item.done.path else item.done.reason
        spent = f"{item.seconds:7.1f} s ({item.busy:.1f} busy)"
        print(f"{spent}  {item.row} on {item.protocol}: {said}", file=sys.stderr, flush=True)
    print(table(items, protocols))
    return int(any(item.done.path is None and item.done.cell.spec is not None for item in items))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UsageErrors as error:
        sys.exit(str(error))
