"""The board as a page and as Markdown: the same board gives the same bytes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from zsarbench import results
from zsarbench.errors import ZsarbenchError
from zsarbench.reports import escaping
from zsarbench.reports.backing import BACKINGS, badge
from zsarbench.reports.leaderboard.grid import Grid, GridRow, Protocol
from zsarbench.reports.leaderboard.rows import Board, Row, Unplaced
from zsarbench.results import RunResult
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.output import visible
from zsarbench.utils.targets import unwritable

SCRIPTS = tuple(
    f"{name}.js"
    for name in (
        *("state", "elements", "load", "rows", "statistics"),
        *("details", "pair", "overview", "filters", "table", "protocol", "page"),
    )
)
"""The files of the page's script; each uses those before it."""
PLAIN_ROWS = 60
"""Rows of the first protocol that stand in the page itself, for readers without scripts."""


def read_results(folder: Path) -> dict[Path, RunResult]:
    """Return every result under a folder by its path.

    Raises:
        ZsarbenchError: some are not valid; the message names each with its problems.
    """
    sound, problems = results.read_all(folder)
    if problems:
        raise ZsarbenchError("\n".join(problems.values()))
    return sound


def index(board: Board, protocols: Sequence[Protocol], *, repository: str = "") -> str:
    """Return the page: its styles, its script, and the first rows of the first protocol; the rest lies in scripts.

    Text from results is escaped. A content security policy allows no style but these, and no script but this one and
    those that it loads itself.
    """
    style, script = _asset("page.css"), _script()
    first = protocols[0] if protocols else None
    return _template("page.html.j2", autoescape=True).render(
        board=board,
        datasets=_by_dataset(protocols),
        badges=[badge(kind) for kind in BACKINGS],
        settings=sorted({item.grid.setting for item in protocols if item.grid.setting}),
        first=first,
        plain_rows=_plain_rows(first.grid) if first else [],
        repository=repository.rstrip("/"),
        style=Markup(style),
        script=Markup(script),
        style_hash=_policy_hash(style),
        script_hash=_policy_hash(script),
    )


def _by_dataset(protocols: Sequence[Protocol]) -> list[tuple[str, list[Protocol]]]:
    datasets: dict[str, list[Protocol]] = {}
    for item in protocols:
        datasets.setdefault(item.grid.dataset, []).append(item)
    return list(datasets.items())


def _plain_rows(grid: Grid) -> list[tuple[str, list[GridRow]]]:
    """Return the first rows with the heading of their group."""
    groups: dict[int, list[GridRow]] = {}
    for row in grid.rows[:PLAIN_ROWS]:
        groups.setdefault(row.group, []).append(row)
    return [(grid.groups[number][1], rows) for number, rows in groups.items()]


def markdown(board: Board) -> str:
    """Return the board as GitHub-flavoured Markdown."""
    return _template("leaderboard.md.j2", autoescape=False).render(board=board).rstrip("\n") + "\n"


def write(path: Path, text: str) -> Path:
    """Write a text file atomically, create the folders it needs, and return its path.

    Raises:
        ZsarbenchError: it cannot be written.
    """
    return write_bytes(path, text.encode(), whole=True)


def write_bytes(path: Path, content: bytes, *, whole: bool) -> Path:
    """Write a file, create the folders it needs, and return its path.

    whole: atomically. Of thousands of files that the page is written after, none needs to be flushed alone.

    Raises:
        ZsarbenchError: it cannot be written.
    """
    try:
        if not path.parent.is_dir():  # as it is for most of thousands
            path.parent.mkdir(parents=True, exist_ok=True)
        if whole:
            write_atomic(path, content)
        else:
            path.write_bytes(content)
    except OSError as error:
        raise unwritable(path, "the leaderboard", error) from error
    return path


@cache
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


def _script() -> str:
    """Return the page's script: every file of `assets`, in one scope."""
    return "(() => {\n" + "\n".join(_asset(name) for name in SCRIPTS) + "})();\n"


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
