"""What commands print with: numbers in words, long lines on a terminal, files that the user named."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from zsarbench.cli.toolkit import (
    Group,
    counted,
    data_root_option,
    echo,
    format_option,
    json_option,
    settings_option,
    write_text,
)
from zsarbench.errors import UsageError


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@contextmanager
def terminal() -> Iterator[Terminal]:
    """Make stdout and stderr a terminal of 20 columns."""
    stream = Terminal()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(stream), redirect_stderr(stream):
        patched.setenv("COLUMNS", "20")
        patched.setenv("TERM", "xterm")
        patched.delenv("NO_COLOR", raising=False)
        yield stream


def test_a_number_of_things_is_in_the_singular_for_one_alone() -> None:
    assert [counted(number, "bug") for number in (0, 1, 2)] == ["0 bugs", "1 bug", "2 bugs"]


def test_what_follows_a_broken_line_hangs_by_two_blanks_or_as_many_as_asked() -> None:
    with terminal() as shown:
        echo("ten letters, and ten letters")
        echo("ten letters, and ten letters", hang=4, nl=False)
    assert shown.getvalue() == "ten letters, and ten\n  letters\nten letters, and ten\n    letters"


def test_what_can_be_typed_is_coloured_once_and_headings_are_bold() -> None:
    with terminal() as shown:
        echo("Try: list, list", typed="list")
        echo("list", bold=True, err=True)
        echo("list")
    assert shown.getvalue() == "Try: \x1b[36mlist\x1b[0m, list\n\x1b[1mlist\x1b[0m\nlist\n"


def test_stdout_and_stderr_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    echo("a result\x1b[31m")
    echo("a remark", err=True)
    assert capsys.readouterr() == ("a result\\x1b[31m\n", "a remark\n")


def test_a_file_that_cannot_be_written_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    write_text(tmp_path / "report.txt", "é\n")
    assert (tmp_path / "report.txt").read_bytes() == b"\xc3\xa9\n"
    with pytest.raises(UsageError, match=r"cannot be written: Is a directory\. Try: another FILE"):
        write_text(tmp_path, "text")


def test_a_group_lists_whole_sentences_of_all_but_hidden_commands() -> None:
    long = f"Say {'a long ' * 30}sentence."
    group = Group("group")
    group.add_command(click.Command("long", help=long))
    group.add_command(click.Command("hidden", hidden=True, help="Hide."))
    text = CliRunner().invoke(group, ["--help"]).stdout
    assert " ".join(text.split()).endswith(f"Commands: long {' '.join(long.split())}")
    assert "Commands" not in CliRunner().invoke(Group("group"), ["--help"]).stdout


def test_shared_options_are_flags_or_may_be_repeated() -> None:
    got = {}

    @click.command()
    @json_option
    @settings_option
    @data_root_option
    @format_option
    def command(**given: object) -> None:
        got.update(given)

    words = ["--set", "a.b=1", "--set", "a.c=2", "--data-root", "x=1", "--data-root", "y=2", "--json"]
    assert CliRunner().invoke(command, words).exit_code == 0
    assert got == {
        "as_json": True, "settings": ("a.b=1", "a.c=2"), "data_root": ("x=1", "y=2"), "format_": "table",
    }  # fmt: skip
    assert "[default: table]" in " ".join(CliRunner().invoke(command, ["--help"]).stdout.split())
