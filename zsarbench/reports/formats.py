"""Reporters: a comparison table as text for a terminal, a page, a paper or a program.

Each renders a `zsarbench.interfaces.Table`.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from zsarbench.reports import escaping
from zsarbench.reports.cells import INTERVAL, NOTHING
from zsarbench.reports.layout import Layout, TextGroup, lay_out
from zsarbench.reports.table import rows_of
from zsarbench.utils import output, terminal
from zsarbench.utils.data_frames import any_text
from zsarbench.utils.documents import json_text
from zsarbench.utils.schema import plain
from zsarbench.utils.terminal import PAGE_WIDTH

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table as Grid

    from zsarbench.interfaces import Table

MAX_LINES = 30
"""Lines under a table: a folder of a thousand older results must not bury it."""
MAX_METHOD_WIDTH = 30
"""Width from which the first column of a terminal's table is broken into lines."""
IDENTITY = ("#", "method")
"""Columns that every piece of a table too wide for its page repeats."""


class Rich:
    """Text for a terminal, sized to its width; bold only on a terminal, and not where NO_COLOR is set.

    width: columns; None asks the terminal, and takes 80 where there is none.
    """

    def __init__(self, width: int | None = None) -> None:
        self.width = width

    def render(self, table: Table) -> str:
        """Return the table as text; in a narrow one parts and intervals stand on second lines, then columns below."""
        from rich.console import Console
        from rich.text import Text

        width = self.width or terminal.columns(output.stdout())
        styled = terminal.is_styled(output.stdout())
        stream = io.StringIO()
        console = Console(file=stream, width=width, force_terminal=styled, no_color=True, highlight=False)
        shown = lay_out(table)
        groups = shown.groups
        if len(_pieces(groups, width, gap=2)) > 1:
            groups = tuple(_folded(group) for group in groups)
        console.print(Text(shown.title, style="bold"))
        console.print(Text("\n".join(_wrapped_items(shown.common, width))))
        for columns in _pieces(groups, width, gap=2):
            console.print(Text())
            console.print(_grid(groups, None, columns, shown.left))
            console.print(Text("─" * (sum(_column_width(groups, name) + 2 for name in columns) - 2)))
            for number, group in enumerate(groups):
                console.print(Text("\n" * (number > 0) + group.heading, style="italic"))
                console.print(_grid(groups, group, columns, shown.left))
        console.print(Text("\n".join(_below(shown, width))))
        return "\n".join(line.rstrip() for line in stream.getvalue().strip("\n").splitlines()) + "\n"


class Markdown:
    """Markdown with a table per group, legible as source at 80 columns: a table too wide goes on in a second one."""

    def __init__(self, width: int = PAGE_WIDTH) -> None:
        self.width = width

    def render(self, table: Table) -> str:
        """Return the table as GitHub-flavoured Markdown."""
        shown = lay_out(table)
        groups = [_parts_last(group) for group in shown.groups]
        lines = [f"### {escaping.markdown(shown.title)}", "", escaping.markdown(shown.common), ""]
        for group in groups:
            lines += [f"**{escaping.markdown(group.heading)}**", ""]
            for columns in _pieces(groups, self.width, gap=3, edge=1):
                if group.cells[columns[len(IDENTITY) :]].isin(["", NOTHING]).all(axis=None):
                    continue  # a piece of a wide table in which reported rows, say, have nothing
                lines += [*_markdown_rows(groups, group, columns, shown.left), ""]
        lines += [f"- {escaping.markdown(line)}" for line in _limited(shown.lines)]
        return "\n".join(lines).rstrip() + "\n"


class Csv:
    """Comma-separated values, every column in raw numbers; nothing but the rows."""

    def render(self, table: Table) -> str:
        """Return the table as CSV; the title, the remarks and what was left out are not in it."""
        return self.render_all([table])

    @any_text()
    def render_all(self, tables: Sequence[Table]) -> str:
        """Return the rows of all tables below one head: every column of any; `protocol` says whose each row is."""
        columns = list(dict.fromkeys(name for table in tables for name in table.frame))
        head, *rest = (_flat(table).reindex(columns=columns).rename(columns=escaping.csv_cell) for table in tables)
        texts = [head.to_csv(index=False, lineterminator="\n")]
        texts += [rows.to_csv(index=False, header=False, lineterminator="\n") for rows in rest]
        return "".join(texts)


class Json:
    """JSON with the title, every column in raw numbers, the remarks and what was left out, with reasons."""

    def render(self, table: Table) -> str:
        """Return the table as an object; a missing value is null."""
        return json_text(_content(table)) + "\n"

    def render_all(self, tables: Sequence[Table]) -> str:
        """Return a list of what `render` returns of each table."""
        return json_text([_content(table) for table in tables]) + "\n"


class Latex:
    r"""LaTeX for a paper: a `table` with booktabs rules; needs `\usepackage{booktabs}`."""

    def render(self, table: Table) -> str:
        """Return the table as LaTeX; what was left out stands in comments."""
        import pandas as pd

        shown = lay_out(table)
        cells = pd.concat([_with_group(group) for group in shown.groups], ignore_index=True)
        constant = [name for name in ("kind", "trained on", "class text") if cells[name].nunique() == 1]
        cells = cells.drop(columns=constant).rename(columns={"#": "rank"})
        left = shown.left | {"kind", "trained on", "class text"}
        aligned = "".join("l" if name in left else "r" for name in cells)
        head, *rows = (
            " & ".join(escaping.latex(str(cell)) for cell in row) + r" \\"
            for row in (list(cells), *cells.itertuples(index=False, name=None))
        )
        about = shown.groups[0].heading + "; " if len(shown.groups) == 1 else ""
        return "\n".join(
            [
                *(f"% {line}" for line in _limited(shown.lines) if line not in shown.notes),
                r"\begin{table}",
                r"\centering",
                rf"\caption{{{escaping.latex(f'{shown.title}; {about}{shown.common}.')}}}",
                rf"\begin{{tabular}}{{{aligned}}}",
                r"\toprule",
                head,
                r"\midrule",
                *rows,
                r"\bottomrule",
                r"\end{tabular}",
                *(rf"\par{{\footnotesize {escaping.latex(line)}}}" for line in shown.notes),
                r"\end{table}",
                "",
            ]
        )


# --- fitting a table to a width ---------------------------------------------------------------------------------------


def _pieces(groups: Sequence[TextGroup], width: int, *, gap: int, edge: int = 0) -> list[list[str]]:
    """Return the columns of each piece that a table is cut into for the width; each repeats those of IDENTITY."""
    identity = list(IDENTITY)
    pieces, used = [list(identity)], 0
    start = edge + sum(_column_width(groups, name) + gap for name in identity)
    for name in groups[0].cells.columns[len(identity) :]:
        wide = _column_width(groups, name) + gap
        if start + used + wide > width and used:
            pieces.append(list(identity))
            used = 0
        pieces[-1].append(name)
        used += wide
    return pieces


def _column_width(groups: Sequence[TextGroup], name: str) -> int:
    cells = [name, *(cell for group in groups for cell in group.cells[name])]
    return max(terminal.width_of(line) for cell in cells for line in cell.split("\n"))


def _folded(group: TextGroup) -> TextGroup:
    """Return a group with parts and settings under the method's name, and the interval under its accuracy."""
    cells, columns = group.cells.copy(), list(group.cells)
    ranking = columns[columns.index(INTERVAL) - 1]
    cells[ranking] = _stacked(cells[ranking], cells[INTERVAL])
    cells = cells.rename(columns={ranking: f"{ranking}\n[{INTERVAL}]"})
    for name in ("parts", "settings"):
        if name in cells:
            wrapped = ["\n".join(textwrap.wrap(cell, MAX_METHOD_WIDTH)) for cell in cells[name]]
            cells["method"] = _stacked(cells["method"], wrapped)
    return TextGroup(group.about, cells.drop(columns=[INTERVAL, "parts", "settings"], errors="ignore"))


def _stacked(above: Iterable[str], below: Iterable[str]) -> list[str]:
    return [
        f"{first}\n{second}" if second not in ("", NOTHING) else first
        for first, second in zip(above, below, strict=True)
    ]


def _parts_last(group: TextGroup) -> TextGroup:
    names = sorted(group.cells, key=lambda name: name in ("settings", "parts"))
    return TextGroup(group.about, group.cells[names])


def _wrapped_items(line: str, width: int) -> list[str]:
    """Return a line of items (`a · b c`) broken between items only."""
    unbroken = " · ".join(item.replace(" ", "\u00a0") for item in line.split(" · "))
    return [part.replace("\u00a0", " ") for part in textwrap.wrap(unbroken, width)]


def _below(shown: Layout, width: int) -> list[str]:
    lines = [""] if shown.lines else []
    for line in _limited(shown.lines):
        lines += textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False)
    return lines


def _limited(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MAX_LINES
    return [*lines[:MAX_LINES], f"… and {more} more lines; the JSON format has them all"] if more > 0 else list(lines)


# --- values for programs ----------------------------------------------------------------------------------------------


def _flat(table: Table) -> pd.DataFrame:
    """Return the rows of a table with every cell a number or a text that no spreadsheet acts on."""
    import pandas as pd

    flat = table.frame.assign(notes=["; ".join(notes) for notes in table.frame["notes"]])
    for name in flat.columns[[not pd.api.types.is_numeric_dtype(dtype) for dtype in flat.dtypes]]:
        flat[name] = flat[name].map(lambda value: escaping.csv_cell(value) if isinstance(value, str) else value)
    return flat


def _content(table: Table) -> Any:
    """Return a table as JSON has it."""
    import pandas as pd

    rows = rows_of(table)
    for row in rows:
        row.update({name: None for name, value in row.items() if pd.api.types.is_scalar(value) and pd.isna(value)})
    about = {name: getattr(table, name) for name in ("title", "rank_by", "extra_columns", "remarks", "left_out")}
    return plain(about | {"rows": rows}, "table")


# --- cells ------------------------------------------------------------------------------------------------------------


def _grid(groups: Sequence[TextGroup], group: TextGroup | None, columns: Sequence[str], left: Collection[str]) -> Grid:
    """Return the rows of a group, or for None the heads, in columns as wide as any group needs them."""
    from rich.table import Table
    from rich.text import Text

    widths = {name: _column_width(groups, name) for name in columns}

    def padded(cell: str, name: str) -> Text:  # by hand: versions of rich differ in the least width of a last column
        lines = (terminal.padded(line, widths[name], left=name in left) for line in cell.split("\n"))
        return Text("\n".join(lines))

    grid = Table(box=None, show_header=group is None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        grid.add_column(padded(name, name), no_wrap=True)
    if group is not None:
        for row in group.cells[list(columns)].itertuples(index=False, name=None):
            grid.add_row(*(padded(str(cell), name) for cell, name in zip(row, columns, strict=True)))
    return grid


def _markdown_rows(
    groups: Sequence[TextGroup], group: TextGroup, columns: Sequence[str], left: Collection[str]
) -> list[str]:
    widths = [max(_column_width(groups, name), 2) for name in columns]
    at_left = [name in left for name in columns]

    def line(cells: Sequence[str]) -> str:
        padded = (
            terminal.padded(cell, width, left=is_left)
            for cell, width, is_left in zip(cells, widths, at_left, strict=True)
        )
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * width if is_left else "-" * (width - 1) + ":" for width, is_left in zip(widths, at_left, strict=True)]
    rows = group.cells[list(columns)].itertuples(index=False, name=None)
    head = line([name if name in IDENTITY else escaping.markdown(name) for name in columns])
    return [
        head,
        "| " + " | ".join(rule) + " |",
        *(line([escaping.markdown(str(cell)) for cell in row]) for row in rows),
    ]


def _with_group(group: TextGroup) -> pd.DataFrame:
    about = {"kind": "kind", "train_on": "trained on", "class_text": "class text"}
    return group.cells.assign(**{heading: group.about[key] or "–" for key, heading in about.items()})
