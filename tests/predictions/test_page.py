"""The examples of docs/predictions.md are run as they stand, and say what the page shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from locations import ROOT
from zsarbench.cli.main import cli

PAGE = (ROOT / "docs" / "predictions.md").read_text(encoding="utf-8")
FILES = re.findall(r"<!-- file:(\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
RUNS = re.findall(r"<!-- run -->\n```bash\nzsarbench (.*?)\n```\n\n<!-- output -->\n```text\n(.*?)```", PAGE, re.DOTALL)


def shown(text: str) -> list[str]:
    """Return the lines of an output without blanks at their ends and without what differs from run to run."""
    return [re.sub(r"-\d{8}T\d{6}Z", "-DATE", line.rstrip()) for line in text.strip().splitlines()]


def test_every_example_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(RUNS) == len(re.findall("<!-- run -->", PAGE)) >= 2
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name, content in FILES:
        Path(name).write_text(content, encoding="utf-8")
    for command, expected in RUNS:
        done = CliRunner().invoke(cli, ["--quiet", *shlex.split(command)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert shown(f"{done.stdout.rstrip()}\n\n{done.stderr}") == shown(expected), command
