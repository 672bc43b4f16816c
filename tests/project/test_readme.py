"""The README tells the truth: its tables are what the committed results give, and its commands exist."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys

import click
import pytest

from locations import ROOT
from zsarbench.cli.main import cli
from zsarbench.plugins import load_plugins

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_are_made_from_the_committed_results() -> None:
    done = subprocess.run([sys.executable, ROOT / ".ci" / "readme.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SHELL = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL))


@pytest.mark.parametrize("line", sorted(set(re.findall(r"(?:^|/|&& )zsarbench (.+)$", SHELL, re.MULTILINE))))
def test_commands_of_the_readme_name_what_exists(line: str) -> None:
    words = line.split("#")[0].split()
    registry = load_plugins().registry
    names = {entry.name for entry in registry}
    command = cli.get_command(click.Context(cli, obj={}), words[0])
    assert command is not None
    for flag in (word.split("=")[0] for word in words if word.startswith("--")):
        assert any(flag in parameter.opts for parameter in command.params), f"{words[0]} has no option {flag}"
    for flag, name in itertools.pairwise(words):
        if flag in ("--method", "--protocol", "--visual", "--text", "--loss"):
            assert name in names, name


def test_every_verb_is_in_the_readme_and_none_that_is_not() -> None:
    verbs = set(cli.list_commands(click.Context(cli, obj={})))
    rows = [row.split("|")[1] for row in README.splitlines() if row.startswith("| `zsarbench")]
    named = {word for row in rows for word in re.findall(r"`(?:zsarbench )?(\w+)", row)} & verbs
    assert named | {word for row in rows for word in re.findall(r"`zsarbench (\w+)", row)} == verbs


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(((?!http)[^)#]+)\)", README))))
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).exists()
