"""Progress: what of a bar stays readable on a narrow terminal, and log lines elsewhere."""

from __future__ import annotations

import io
import logging
import re
import sys

import pytest

from zsarbench.utils import progress
from zsarbench.utils.progress import LogProgress, TerminalProgress, default_progress

STYLE = re.compile(r"\x1b\[[\d;]*m")


@pytest.mark.parametrize("width", [80, 120])
def test_a_bar_keeps_its_count_and_the_time_left_whatever_is_noted(width: int) -> None:
    from rich.console import Console

    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    with TerminalProgress(console).task("training cezsar", 720) as bar:
        for _ in range(3):
            bar.advance(16, "epoch 4/12, loss 6.72, validation 7.46, and a note that is far longer than any terminal")
    (*_, last) = [line for line in re.split(r"[\r\n]", STYLE.sub("", screen.getvalue())) if "48/720" in line]
    assert re.search(r" 48/720 (-:--:--|\d:\d\d:\d\d) epoch 4/12", last)
    assert "…" in last


def test_without_a_terminal_a_line_is_logged_every_ten_seconds_of_work(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    caplog.set_level(logging.INFO)
    with LogProgress().task("encoding", 50) as lines, LogProgress().task("reading") as others:
        for now in (105.0, 109.9, 110.0, 111.0, 119.9, 121.0):
            lines.advance(note=f"at {now:.0f}")
        others.advance(7)
    assert [record.getMessage() for record in caplog.records] == [
        "encoding: 3 of 50 at 110",
        "encoding: 6 of 50 at 121",
        "reading: 7 ",
    ]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_bars_are_for_terminals_and_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    shown = default_progress()
    assert isinstance(shown, TerminalProgress) is is_terminal
    with shown.task("reading") as bar:
        bar.advance()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert ("reading" in printed.err) is is_terminal


def test_bars_vanish_when_their_work_is_done() -> None:
    from rich.console import Console

    screen = io.StringIO()
    with TerminalProgress(Console(file=screen, width=80, force_terminal=True)).task("reading") as bar:
        bar.advance()
    assert " 1/?" in STYLE.sub("", screen.getvalue())
    assert screen.getvalue().rstrip("\n").endswith("\x1b[2K")  # the line is erased
