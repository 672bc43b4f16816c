"""What a terminal shows: no word is broken, colour repeats words, and pipes and NO_COLOR get plain text."""

from __future__ import annotations

import io
import logging
import re

import click
import pytest
from click.testing import CliRunner

from zsarbench import hookimpl
from zsarbench.cli.main import Session, cli
from zsarbench.plugins import load_plugins
from zsarbench.utils.progress import TerminalProgress
from zsarbench.utils.terminal import columns, is_styled, on_terminal, styled, wrapped

ERROR = (
    "error: unknown method 'cezzar'; did you mean 'cezsar'? Known: ale, cezsar, cezsar-pretrained, chance. "
    "Try: zsarbench list"
)
STYLE = re.compile(r"\x1b\[[\d;]*m")


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_word_is_broken_at_any_width(width: int) -> None:
    lines = wrapped(ERROR, width).split("\n")
    assert " ".join(line.strip() for line in lines) == ERROR
    assert max(map(len, lines)) <= width


def test_a_path_longer_than_the_line_stays_whole() -> None:
    path = "/a-folder" * 20
    assert path in wrapped(f"result: {path} is there", 80).split("\n  ")


def test_an_error_is_coloured_and_its_advice_has_a_line_of_its_own() -> None:
    shown = on_terminal(ERROR, Terminal())
    assert shown.startswith("\x1b[1;31merror:\x1b[0m ")
    assert STYLE.sub("", shown).split("\n")[-1] == "  Try: zsarbench list"


def test_a_pipe_gets_the_line_as_it_is() -> None:
    assert on_terminal(ERROR, io.StringIO()) == ERROR


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert not is_styled(Terminal())
    assert STYLE.search(on_terminal(ERROR, Terminal())) is None
    assert styled("text", "bold", Terminal()) == "text"


def test_the_width_is_that_of_the_terminal_or_eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    assert columns(Terminal()) == 80
    monkeypatch.setenv("COLUMNS", "132")
    assert columns(Terminal()) == 132
    monkeypatch.delenv("COLUMNS")
    assert columns(io.StringIO()) == 80


@pytest.mark.parametrize("width", [80, 120])
def test_a_bar_keeps_its_count_and_the_time_left_whatever_is_noted(width: int) -> None:
    from rich.console import Console

    screen = Terminal()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    with TerminalProgress(console).task("training cezsar", 720) as bar:
        for _ in range(3):
            bar.advance(16, "epoch 4/12, loss 6.72, validation 7.46, and a note that is far longer than any terminal")
    (*_, last) = [line for line in re.split(r"[\r\n]", STYLE.sub("", screen.getvalue())) if "48/720" in line]
    assert re.search(r" 48/720 (-:--:--|\d:\d\d:\d\d) epoch 4/12", last)
    assert "…" in last


def test_a_warning_of_a_package_is_shown_once_also_where_the_package_prints_it() -> None:
    stream = io.StringIO()
    hub, other = logging.getLogger("some_hub.files"), logging.getLogger("some_package")

    @click.command("warn")
    def warn() -> None:
        hub.warning("no network")
        other.warning("old format")
        other.info("a detail")

    @hookimpl
    def zsarbench_add_commands(group: click.Group) -> None:
        group.add_command(warn)

    plugin = type("plugin", (), {"zsarbench_add_commands": staticmethod(zsarbench_add_commands)})
    session, handler = Session((), load_plugins(loaders={"x": lambda: plugin})), logging.StreamHandler(stream)
    logging.getLogger("some_hub").addHandler(handler)
    try:
        done = CliRunner().invoke(cli, ["warn"], obj={"session": session})
    finally:
        logging.getLogger("some_hub").removeHandler(handler)
    assert done.exit_code == 0, done.output
    assert stream.getvalue() == "no network\n"
    assert done.stderr == "warning: old format\n"
