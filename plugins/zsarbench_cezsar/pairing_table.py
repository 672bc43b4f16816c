"""The table of a pairing: CSV parts while it is computed, one `pairs.csv` in the end."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.utils.atomic import atomic_path, write_atomic
from zsarbench.utils.targets import CACHE, check_folder, unwritable

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

    A part is written atomically, and its sha256 kept: a damaged one is computed again. Parts of another identity, or
    of a run that must not be continued, are removed. Where the folder cannot be written, nothing is kept.
    """

    def __init__(self, folder: Path | None, identity: str, *, resume: bool) -> None:
        self.folder = folder
        self._state: dict[str, Any] = {"identity": identity, "sha256": {}}
        if folder is not None:
            try:
                self._prepare(folder, identity, resume)
            except ZsarbenchError as error:
                _log.warning("%s. The pairing goes on without keeping it", error)
                self.folder = None

    def _prepare(self, folder: Path, identity: str, resume: bool) -> None:
        """Keep the parts that are sound and of this pairing, and remove others."""
        state = folder / STATE
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            before = _read_state(state) if resume else None
            stale = [*folder.glob(".*.tmp")]  # of a process that was killed
            if before is not None and before["identity"] == identity:
                self._state = before
                if self._is_sound(folder / TABLE):
                    return
            else:
                stale += [*folder.glob("part-*.csv"), folder / TABLE, state]
            for path in stale:
                path.unlink(missing_ok=True)
        check_folder(folder, "the table of pairs", CACHE)

    @property
    def path(self) -> Path | None:
        """Where the finished table is."""
        return self.folder and self.folder / TABLE

    def rows(self, n_parts: int, make: Callable[[int], Iterable[Row]]) -> Iterator[Row]:
        """Yield all rows, computing the missing parts, and join them into one file."""
        if self.folder is None:
            for number in range(n_parts):
                yield from make(number)
            return
        table = self.folder / TABLE
        if not self._is_sound(table):
            parts = [self.folder / f"part-{number:06d}.csv" for number in range(n_parts)]
            for number, path in enumerate(parts):
                if not self._is_sound(path):
                    self._write(path, make(number))
            self._write(table, (row for path in parts for row in read(path)))
            for path in parts:
                path.unlink(missing_ok=True)
        yield from read(table)

    def _is_sound(self, path: Path) -> bool:
        """Return whether a file is there as it was written."""
        if not path.exists() or path.name not in self._state["sha256"]:
            return False
        if hashlib.sha256(path.read_bytes()).hexdigest() == self._state["sha256"][path.name]:
            return True
        _log.warning("%s is damaged: it is not as it was written; it is computed again", path)
        return False

    def _write(self, path: Path, rows: Iterable[Row]) -> None:
        """Write a file and then its sha256."""
        with _writing(path.parent):
            with atomic_path(path) as temporary:
                with temporary.open("w", encoding="utf-8", newline="") as file:
                    writer = csv.writer(file)
                    writer.writerow(Row._fields)
                    writer.writerows(rows)
                self._state["sha256"][path.name] = hashlib.sha256(temporary.read_bytes()).hexdigest()
            write_atomic(path.parent / STATE, json.dumps(self._state).encode())


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(folder, "the table of pairs", error, CACHE) from error


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


def _read_state(path: Path) -> dict[str, Any] | None:
    """Return identity and sha256 of each file by name, None where they cannot be read."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(state["identity"], str) and isinstance(state["sha256"], dict):
            return state
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    _log.warning("%s is damaged; the table of pairs is computed again", path)
    return None
