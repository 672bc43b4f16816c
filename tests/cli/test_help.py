"""Help pages fit a terminal of 80 columns, and tell a command's options apart."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from zsarbench import __version__
from zsarbench.cli.main import cli, main


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command below a group."""
    context = click.Context(group, obj={})
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


ALL = list(commands(cli))


def page(*words: str) -> str:
    done = CliRunner().invoke(cli, [*words, "--help"], terminal_width=80, max_content_width=80)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("words", [(), *ALL], ids=" ".join)
def test_no_line_of_a_help_page_is_wider_than_a_terminal(words: tuple[str, ...]) -> None:
    assert [line for line in page(*words).splitlines() if len(line) > 80] == []


def test_pages_are_no_wider_than_a_hundred_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Longer lines are hard to read; click leaves two columns free."""
    monkeypatch.setenv("COLUMNS", "200")
    lines: list[str] = []
    for words in ALL:
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        lines += capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) == 98


@pytest.mark.parametrize("words", [(), *[words for words in ALL if len(words) == 1]], ids=" ".join)
def test_a_list_of_commands_cuts_no_sentence(words: tuple[str, ...]) -> None:
    assert "..." not in page(*words).partition("Commands:")[2]


def test_options_that_decide_scores_stand_apart_from_those_of_the_machine() -> None:
    text = page("run")
    measured, machine, rest = (text.index(head) for head in ("What is measured:", "How, on this machine:", "Options:"))
    assert measured < text.index("  --method") < text.index("  --seeds") < machine < text.index("  --device") < rest
    assert rest < text.index("  --format")
    assert "float32|bfloat16" in text


def test_the_package_is_a_command_too() -> None:
    done = subprocess.run([sys.executable, "-m", "zsarbench", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"zsarbench, version {__version__}\n"), done.stderr


def test_a_mistake_in_options_ends_with_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["run", "--method"], ["run", "--no-such-option"], ["no-such-verb"]):
        with pytest.raises(SystemExit):
            main(arguments)
        printed = " ".join(capsys.readouterr().err.split())
        assert re.search(r"(?<!\.)[.?)] Try: zsarbench", printed), printed
