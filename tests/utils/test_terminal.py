"""Text on a terminal: no word is broken, colour repeats words, and pipes and NO_COLOR get plain text."""

from __future__ import annotations

import io
import os
import re
import termios

import pytest

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


def test_a_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert on_terminal(ERROR, stream) == ERROR


def test_the_width_of_the_terminal_itself_counts_where_no_other_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    main, terminal = os.openpty()
    try:
        termios.tcsetwinsize(terminal, (24, 97))
        with os.fdopen(terminal, "w") as stream:
            assert columns(stream) == 97
            termios.tcsetwinsize(stream.fileno(), (24, 0))
            assert columns(stream, 61) == 61
    finally:
        os.close(main)


def test_what_follows_a_broken_line_hangs_by_its_own_blanks_and_more() -> None:
    assert wrapped("  one two three", 10) == "  one two\n    three"
    assert wrapped("  one two three", 10, hang=1) == "  one two\n   three"
    assert wrapped("one two\nthree four", 9) == "one two\nthree\n  four"
    assert wrapped("exactly ten", 11) == "exactly ten"


def test_tabs_and_hyphens_stay_as_they_are() -> None:
    assert wrapped("a\tb and more", 8) == "a\tb and\n  more"
    assert wrapped("the well-known-name is long", 12) == "the\n  well-known-name\n  is long"


@pytest.mark.parametrize("label", ["error", "warning"])
def test_a_label_alone_is_coloured_and_other_text_is_left(label: str) -> None:
    shown = on_terminal(f"{label}: it is. Try: that", Terminal())
    colour = {"error": "1;31", "warning": "1;33"}[label]
    assert shown == f"\x1b[{colour}m{label}:\x1b[0m it is.\n  \x1b[36mTry:\x1b[0m that"
    assert on_terminal("an error: it is. Try: that", Terminal()) == "an error: it is. Try: that"
    assert styled("", "bold", Terminal()) == ""
    assert styled("more", "better", Terminal()) == "\x1b[34mmore\x1b[0m"
