"""README and docs are up to date: tables are what the committed results give, commands, options and links exist."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from locations import ROOT
from zsarbench.cli.main import cli
from zsarbench.plugins import load_plugins

PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")]
}
SHELL = "\n".join(re.findall(r"```bash\n(.*?) *```", "\n".join(PAGES.values()), re.DOTALL)).replace("\\\n", " ")
OF_SAMPLES = {"soft-margin", "squared-hinge", "ridge-to-text", "fast-zsl"}
"""Names that the sample plugins of the pages and of the template register."""
SITE = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
"""Also lists the pages that are generated with the site; `mkdocs build --strict` follows the links to them."""
LINKS = [
    (page, link) for page, text in PAGES.items() for link in set(re.findall(r"\]\(((?!http|#)[^)#\s]+)[^)]*\)", text))
]


def test_tables_are_generated_from_the_committed_results() -> None:
    done = subprocess.run([sys.executable, ROOT / ".ci" / "readme.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", sorted(set(re.findall(r"(?:^ *|/|&& )zsarbench (.+)$", SHELL, re.MULTILINE))))
def test_commands_of_the_pages_name_what_exists(line: str) -> None:
    words = line.split("#")[0].split()
    registry = load_plugins().registry
    names = {entry.name for entry in registry}
    command, path = cli, []
    while isinstance(command, click.Group) and words and not words[0].startswith("--"):
        found = command.get_command(click.Context(command, obj={}), words[0])
        assert found is not None, f"{' '.join(path)} has no command {words[0]}"
        command, path = found, [*path, words.pop(0)]
    for flag in (word.split("=")[0] for word in words if word.startswith("--")):
        known = any(flag in parameter.opts for parameter in command.params)
        assert known or flag in ("--help", "--version"), f"{' '.join(path)} has no option {flag}"
    for flag, name in itertools.pairwise(words):
        if flag in ("--method", "--protocol", "--visual", "--text", "--loss") and path != ["plugin", "new"]:
            assert name in names | OF_SAMPLES or name.endswith(".toml"), name


def test_every_command_is_on_the_page_of_commands_and_no_other_is() -> None:
    verbs = set(cli.list_commands(click.Context(cli, obj={})))
    rows = [
        row.split("|")[1] for row in PAGES["docs/reference/commands.md"].splitlines() if row.startswith("| `zsarbench")
    ]
    named = {word for row in rows for word in re.findall(r"`(?:zsarbench )?(\w+)", row)} & verbs
    assert named | {word for row in rows for word in re.findall(r"`zsarbench (\w+)", row)} == verbs


@pytest.mark.parametrize(("page", "link"), sorted(LINKS))
def test_links_lead_somewhere(page: str, link: str) -> None:
    place = ROOT / Path(page).parent / link
    in_site = os.path.relpath(place.resolve(), ROOT / "docs")
    assert place.exists() or f"- {in_site}\n" in SITE


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", PAGES["ARCHITECTURE.md"]))))
def test_modules_of_the_architecture_exist(path: str) -> None:
    assert (ROOT / "zsarbench" / path).is_file()
