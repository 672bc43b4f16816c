"""What other programs read of a protocol: its table as CSV, JSON and LaTeX, and every round of every result."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from zsarbench.evaluation.settings import METRICS
from zsarbench.interfaces import Reporter, Table
from zsarbench.reports import escaping
from zsarbench.reports.formats import Csv, Json, Latex
from zsarbench.results import RunResult


def tables(slug: str, table: Table) -> Iterator[tuple[str, Reporter, Table]]:
    """Yield the relative path of each file with the table of a protocol, and what `rendered` makes it of."""
    for suffix, reporter in (("csv", Csv()), ("json", Json()), ("tex", Latex())):
        yield f"downloads/{slug}.{suffix}", reporter, table


def rendered(item: tuple[str, Reporter, Table]) -> tuple[str, bytes]:
    """Return the relative path and the bytes of a file with a table."""
    path, reporter, table = item
    return path, reporter.render(table).encode()


def rounds_csv(shown: Sequence[RunResult]) -> str:
    """Return every round of every result as CSV, accuracies as fractions."""
    names = [name for name in METRICS if any(name in result.summary for result in shown)]
    fixed = ["round", "duplicate_of", "seed", "n_classes", "n_expected", "n_scored", "n_failed"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "id", *fixed, *names])
    for result in shown:
        for item in result.rounds:
            values = [getattr(item, name) for name in fixed]
            metrics = [item.metrics.get(name, "") for name in names]
            writer.writerow([escaping.csv_cell(result.method.name), result.stem, *values, *metrics])
    return text.getvalue()
