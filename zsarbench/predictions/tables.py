"""Rows of tables that a package of its own reads: parquet, and spreadsheets of the format xlsx."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, redirect_stdout
from pathlib import Path
from typing import Any, Final

import numpy as np

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.utils.text_files import bare

TRY: Final = "Try: open it and save it as CSV"
Rows = Iterator[tuple[str, Mapping[str, Any]]]
"""Where each row is, for messages, and its cells by column, in the types of JSON."""
MAX_UNPACKED: Final = 128 * 2**20
"""Bytes of all parts of a spreadsheet, unpacked: rows of 20,000 clips, each with a prompt of a page, have 0.1 GB."""
MAX_TAGS: Final = 4_000_000
"""In all parts: a cell has four, so a million cells. One of four bytes in the file takes hundreds in memory."""
MAX_CELLS: Final = 4_000_000
"""Of a sheet, rows and empty cells between others included: two numbers in the file may stand for all there can be."""


def parquet_rows(path: Path, what: str) -> Rows:
    """Yield the rows of a parquet file; `what` names it in messages.

    Raises:
        UsageError: pyarrow is not installed.
    """
    import pandas as pd

    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"{what} {path}: parquet is read by pyarrow, which is not installed. Try: pip install 'zsarbench[parquet]'"
        ) from error
    frame = pd.read_parquet(path, engine="pyarrow")
    names = [str(name) for name in frame.columns]
    for number, row in enumerate(frame.itertuples(index=False, name=None)):
        yield f"{what} {path}, row {number}", dict(zip(names, map(_plain, row), strict=True))


def spreadsheet_rows(path: Path, what: str) -> Rows:
    """Yield the rows of a spreadsheet's first sheet, whose first row names the columns, in any case.

    Of a formula the value counts that was stored beside it; nothing is ever calculated. Empty rows are left out.

    Raises:
        UsageError: openpyxl is not installed; there is no sheet, or nothing in it; a column is there twice, a cell has
            no column, or a formula no value.
        ZsarbenchError: it is larger than it may be.
    """
    _check_size(path, what)
    with closing(_book(path, what, values=True)) as book, closing(_book(path, what, values=False)) as formulas:
        header: Sequence[str] = ()
        n_cells = 0
        pairs = zip(_first_sheet(book, path, what), _first_sheet(formulas, path, what), strict=True)
        for number, (row, raw) in enumerate(pairs, start=1):
            n_cells += 1 + len(row)
            if n_cells > MAX_CELLS:
                raise ZsarbenchError(f"{what} {path} has more than {MAX_CELLS:,} cells. {TRY}")
            if not row:
                continue
            where = f"{what} {path}, row {number}"
            if any(one.data_type == "f" and cell.value is None for cell, one in zip(row, raw, strict=True)):
                raise UsageError(f"{where} has a formula without a value. {TRY}")
            cells = [_cell(cell.value) for cell in row]
            if all(cell is None for cell in cells):
                continue
            if not header:
                header = _header(cells, where)
                continue
            if any(cell is not None for cell in cells[len(header) :]):
                raise UsageError(f"{where} has {len(cells)} cells, but its first row names {len(header)} columns")
            cells += [None] * (len(header) - len(cells))
            yield where, dict(zip(header, cells, strict=False))
    if not header:
        raise UsageError(f"{what} {path} is empty: its first sheet has no row")


def _check_size(path: Path, what: str) -> None:
    """Refuse a spreadsheet for its size: that which its archive states, before anything is unpacked, and its tags."""
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
        if size > MAX_UNPACKED:
            raise ZsarbenchError(
                f"{what} {path} has {size:,} bytes when it is unpacked; spreadsheets of more than {MAX_UNPACKED:,} are "
                f"not read. {TRY}"
            )
        n_tags = sum(archive.read(part).count(b"<") for part in archive.infolist())
    if n_tags > MAX_TAGS:
        raise ZsarbenchError(
            f"{what} {path} has {n_tags:,} XML tags; spreadsheets of more than {MAX_TAGS:,}, about a million cells, "
            f"are not read. {TRY}"
        )


def _book(path: Path, what: str, *, values: bool) -> Any:
    """Return a workbook whose rows are read one by one; values: those that are stored, in place of the formulas."""
    try:
        import openpyxl
    except ImportError as error:
        raise UsageError(
            f"{what} {path}: spreadsheets are read by openpyxl, which is not installed. "
            "Try: pip install 'zsarbench[xlsx]', or save it as CSV"
        ) from error
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # it prints of broken styles
        warnings.simplefilter("ignore")  # of styles and extensions that are not read
        return openpyxl.load_workbook(path, read_only=True, data_only=values, keep_links=False)


def _first_sheet(book: Any, path: Path, what: str) -> Iterator[Sequence[Any]]:
    """Return the rows of cells of the first sheet, each as wide as it is.

    Raises:
        UsageError: there is none.
    """
    if not book.worksheets:
        raise UsageError(f"{what} {path} is empty: it has no sheet")
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # what a file states of them may be anything
    rows: Iterator[Sequence[Any]] = sheet.iter_rows()
    return rows


def _header(cells: Sequence[Any], where: str) -> Sequence[str]:
    """Return the names of the columns in lower case, up to the last one that has a name.

    Raises:
        UsageError: a name is there twice.
    """
    names = ["" if cell is None else str(cell).lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if twice := next((name for name in names if name and names.count(name) > 1), ""):
        raise UsageError(f"{where} has the column '{twice:.80}' twice")
    return names


def _cell(value: Any) -> Any:
    """Return a cell of a sheet in the types of JSON: None for an empty one, a date as text."""
    if isinstance(value, str):
        return bare(value) or None
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _plain(cell: Any) -> Any:
    """Return a cell of a data frame in the types of JSON."""
    if isinstance(cell, np.ndarray | list):
        return [_plain(one) for one in cell]
    if isinstance(cell, np.generic):
        cell = cell.item()
    return None if isinstance(cell, float) and np.isnan(cell) else cell
