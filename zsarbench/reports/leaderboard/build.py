"""The board as a page and as Markdown: the same board gives the same bytes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from zsarbench import results
from zsarbench.errors import ZsarbenchError
from zsarbench.reports import escaping
from zsarbench.reports.leaderboard.rows import Board, Row, Unplaced
from zsarbench.results import RunResult
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.output import visible
from zsarbench.utils.targets import unwritable


def read_results(folder: Path) -> list[RunResult]:
    """Return every result under a folder.

    Raises:
        ZsarbenchError: some are not valid; the message names each with its problems.
    """
    sound, problems = results.read_all(folder)
    if problems:
        raise ZsarbenchError("\n".join(problems.values()))
    return list(sound.values())


def page(board: Board) -> str:
    """Return the board as one HTML page that needs no other file: styles, script and drawings are in it.

    Text from results is escaped; a content security policy also allows no style and no script but these.
    """
    style, script = _asset("page.css"), _asset("page.js")
    return _template("page.html.j2", autoescape=True).render(
        board=board,
        style=Markup(style),
        script=Markup(script),
        style_hash=_policy_hash(style),
        script_hash=_policy_hash(script),
    )


def markdown(board: Board) -> str:
    """Return the board as GitHub-flavoured Markdown."""
    return _template("leaderboard.md.j2", autoescape=False).render(board=board).rstrip("\n") + "\n"


def write(path: Path, text: str) -> Path:
    """Write a text file atomically, create the folders it needs, and return its path.

    Raises:
        ZsarbenchError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())
    except OSError as error:
        raise unwritable(path, "the leaderboard", error) from error
    return path


def _template(name: str, *, autoescape: bool) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("zsarbench.reports.leaderboard"),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalized,
    )
    environment.filters |= {"md": escaping.markdown, "fence": _fence}
    environment.globals["noted"] = _noted
    return environment.get_template(name)


def _finalized(value: Any) -> Any:
    """Return what a template inserts, control characters of others shown; styles and scripts are the package's own."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _noted(rows: Iterable[Row | Unplaced]) -> dict[str, int]:
    """Return the number of each distinct note of a table, in the order of its rows."""
    notes = dict.fromkeys(note for row in rows for note in row.notes)
    return {note: number for number, note in enumerate(notes, start=1)}


def _asset(name: str) -> str:
    return (files("zsarbench.reports.leaderboard") / "assets" / name).read_text(encoding="utf-8")


def _policy_hash(text: str) -> str:
    """Return the name of an inline style or script in a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# --- Markdown ---------------------------------------------------------------------------------------------------------


def _fence(rows: Iterable[Row]) -> str:
    """Return the commands of measured rows as a block, fenced by more backticks than any of them holds."""
    commands = [(f"# {row.method}, {row.date}", row.command) for row in rows if row.command]
    lines = [escaping.terminal(line) for pair in commands for line in pair]
    longest = max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}bash", *lines, fence])
