"""The table of a pairing: CSV parts while it is made, one `pairs.csv` in the end."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from zsarbench.errors import UsageError
from zsarbench.utils.atomic import atomic_path, write_atomic

_log = logging.getLogger(__name__)
STATE, TABLE = "pairing.json", "pairs.csv"


class Row(NamedTuple):
    """A sentence that was kept for a caption because of the objects in a window; empty where none was.

    clip_seconds: what is stored of the clip, where its windows can lie. start and end: of the window, seconds from the
    clip's start. objects: the likeliest, each with its probability.
    """

    clip_id: str
    clip_seconds: float
    start: float
    end: float
    objects: str
    caption: str
    sentence: str
    cosine: float


class PairingTable:
    """Keeps the parts of a table in a folder; without a folder, nothing is kept.

    A part is written atomically. Parts of another identity, or of a run that must not be continued, are removed.
    """

    def __init__(self, folder: Path | None, identity: str, *, resume: bool) -> None:
        self.folder = folder
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        state = folder / STATE
        for path in folder.glob(".*.tmp"):  # of a process that was killed
            path.unlink(missing_ok=True)
        if not (resume and _identity_in(state) == identity):
            for path in (*folder.glob("part-*.csv"), folder / TABLE, state):
                path.unlink(missing_ok=True)
            write_atomic(state, json.dumps({"identity": identity}).encode())

    @property
    def path(self) -> Path | None:
        """Where the finished table is."""
        return self.folder and self.folder / TABLE

    def rows(self, n_parts: int, make: Callable[[int], Iterable[Row]]) -> Iterator[Row]:
        """Yield all rows, making the parts that are not there yet, and join them into one file."""
        if self.folder is None:
            for number in range(n_parts):
                yield from make(number)
            return
        table = self.folder / TABLE
        if not table.exists():
            parts = [self.folder / f"part-{number:06d}.csv" for number in range(n_parts)]
            for number, path in enumerate(parts):
                if not path.exists():
                    _write(path, make(number))
            _write(table, (row for path in parts for row in read(path)))
            for path in parts:
                path.unlink()
        yield from read(table)


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of a table.

    Raises:
        UsageError: it cannot be read, or is another table.
    """
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            if next(reader, None) != list(Row._fields):
                raise UsageError(f"{path} is not a table of pairs: its columns are not {', '.join(Row._fields)}")
            for clip_id, clip_seconds, start, end, objects, caption, sentence, cosine in reader:
                span = float(clip_seconds), float(start), float(end)
                yield Row(clip_id, *span, objects, caption, sentence, float(cosine))
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"the table of pairs {path} cannot be read: {error}") from error


def _write(path: Path, rows: Iterable[Row]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        writer.writerows(rows)


def _identity_in(state: Path) -> str | None:
    try:
        identity: str = json.loads(state.read_text(encoding="utf-8"))["identity"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return identity
