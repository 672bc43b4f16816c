"""Progress of long work on stderr: bars on a terminal, elsewhere a log line every few seconds."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

_log = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 10.0
SECONDS_OF_SPEED = 600.0  # the window that the time left is estimated from: batches may take a minute
BAR_WIDTH = 12  # columns: at 80 of them the count, the time left and a note have room


class _Bar:
    def __init__(self, progress: Progress, description: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=total, note="")

    def advance(self, n: int = 1, note: str = "") -> None:
        if note:
            self._progress.update(self._task, note=note)
        self._progress.advance(self._task, n)


class _Lines:
    def __init__(self, description: str, total: int | None) -> None:
        self._description = description
        self._total = total
        self._done = 0
        self._last = time.monotonic()

    def advance(self, n: int = 1, note: str = "") -> None:
        self._done += n
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            total = f" of {self._total}" if self._total else ""
            _log.info("%s: %d%s %s", self._description, self._done, total, note)


class TerminalProgress:
    """Progress bars, drawn by rich; they vanish when their work is done."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[_Bar]:
        """Open a bar of `total` counts."""
        rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # what the other columns leave
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR_WIDTH),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", table_column=rest),
        )
        bars = Progress(
            *columns, console=self._console, transient=True, expand=True, speed_estimate_period=SECONDS_OF_SPEED
        )
        with bars as progress:
            yield _Bar(progress, description, total)


class LogProgress:
    """Progress as one log line every ten seconds of work."""

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[_Lines]:
        """Open a count towards `total` in the log."""
        yield _Lines(description, total)


def default_progress() -> TerminalProgress | LogProgress:
    """Return bars where stderr is a terminal, otherwise log lines."""
    return TerminalProgress(Console(stderr=True)) if sys.stderr.isatty() else LogProgress()
