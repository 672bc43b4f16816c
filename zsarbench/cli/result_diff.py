"""`zsarbench result diff`: what differs between two results, or between the tables of two folders of results."""

from __future__ import annotations

from pathlib import Path

import click

from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import echo, echo_json, json_option
from zsarbench.errors import UsageError, ZsarbenchError


@click.command("diff")
@click.argument("old", type=Place())
@click.argument("new", type=Place())
@json_option
def diff(old: Path, new: Path, as_json: bool) -> None:
    """Print what differs from OLD to NEW: two result files, or two folders of results.

    For files: settings, environment, figures, and how many predictions are right in one file only. For folders: the
    rows that are added (+), removed (-), or changed in rank or figure (~) in the table of each protocol.

    \b
    Examples:
      zsarbench result diff a.json b.json
      zsarbench result diff benchmarks/results results/
    """
    from zsarbench import results
    from zsarbench.reports import differences

    if missing := [path for path in (old, new) if not path.exists()]:
        raise UsageError(f"'{missing[0]}' does not exist; give two result files or two folders that hold them")
    if old.is_file() != new.is_file():
        raise UsageError(f"'{old}' and '{new}' are a file and a folder; give two files or two folders")
    if old.is_file():
        lines = differences.of_results(old, new)
    else:
        sides = []
        for folder in (old, new):
            sound, problems = results.read_all(folder)
            if problems:
                raise ZsarbenchError("\n".join(problems.values()))
            sides.append(list(sound.values()))
        lines = differences.of_boards(*sides)
    if as_json:
        echo_json({"differences": lines})
    else:
        echo("\n".join(lines) or "no difference")
