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

Rows = Iterator[tuple[str, Mapping[str, Any]]]
"""Where each row is, for messages, and its cells by column, in the types of JSON."""
MAX_UNPACKED: Final = 256 * 2**20
"""Bytes of all parts of a spreadsheet, unpacked: rows of 20,000 clips, each with a prompt of a page, have 0.1 GB."""
MAX_ROWS: Final = 2**20
"""Of a sheet, as Excel has them; a number of a row that is larger would be so many empty ones."""


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
        UsageError: openpyxl is not installed; there is no sheet, nothing in it, or too many rows; a column is there
            twice, a cell has no column, or a formula no value.
        ZsarbenchError: unpacked it is larger than it may be.
    """
    _check_unpacked(path, what)
    with closing(_book(path, what, values=True)) as book, closing(_book(path, what, values=False)) as formulas:
        header: Sequence[str] = ()
        pairs = zip(_first_sheet(book, path, what), _first_sheet(formulas, path, what), strict=True)
        for number, (row, raw) in enumerate(pairs, start=1):
            where = f"{what} {path}, row {number}"
            if number > MAX_ROWS:
                raise UsageError(f"{what} {path} has more than {MAX_ROWS:,} rows")
            if any(one.data_type == "f" and cell.value is None for cell, one in zip(row, raw, strict=True)):
                raise UsageError(f"{where} has a formula without a value. Try: open it and save it as CSV")
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


def _check_unpacked(path: Path, what: str) -> None:
    """Refuse a spreadsheet by what its archive states; no more than that is ever unpacked of a part."""
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
    if size > MAX_UNPACKED:
        raise ZsarbenchError(
            f"{what} {path} has {size:,} bytes when it is unpacked; spreadsheets of more than {MAX_UNPACKED:,} are not "
            "read. Try: save it as CSV"
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
