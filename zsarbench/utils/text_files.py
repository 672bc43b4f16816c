"""Reads text files as people and spreadsheets write them: whole, by lines, or as tables with a header.

All text is UTF-8, with or without a byte order mark, with line endings of any system. Blanks around lines and cells do
not count. A file in another encoding is refused with the line, the encoding it looks like and what to do: a guess would
change names silently.
"""

from __future__ import annotations

import codecs
import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.utils.encodings import CUT_OFF, likeness
from zsarbench.utils.foreign import check_file, read_bytes

MAX_BYTES = 256 * 2**20
"""The largest file that is read whole, unless a reader sets another limit."""
MAX_LINE = 2**26
"""The most characters of a line or a cell: all web pages that were gathered for a class are less."""
DELIMITERS = (",", ";", "\t")  # spreadsheets of countries that write 0,5 separate cells by semicolons
SAMPLE_BYTES = 2**16  # of a file's beginning, by which its encoding is known
MAX_SHOWN = 80
_UNSEEN = "\ufeff\u200b"  # byte order marks of joined files, and blanks of no width


def read_text(path: Path, what: str, max_bytes: int = MAX_BYTES) -> str:
    """Return the text of a file without its byte order mark; `what` names it in messages, e.g. "result file".

    Raises:
        UsageError: the file does not exist, cannot be read, is larger than it may be, is not UTF-8 or holds a NUL.
    """
    with _usage():
        content = read_bytes(path, what, max_bytes)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(path, what, content[: error.start].count(b"\n") + 1, likeness(content, error.start))
    if (at := content.find(b"\0")) >= 0:
        _refuse(path, what, content[:at].count(b"\n") + 1, likeness(content, None))
    return text


def numbered_lines(path: Path, what: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of every line as it is, without its ending.

    Raises:
        UsageError: as `read_text`; but files of any size are read, and lines of up to `MAX_LINE` characters.
    """
    with _usage():
        check_file(path, what, sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig") as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise UsageError(f"{what} {path}, line {number} has more than {MAX_LINE:,} characters")
                if "\0" in line:
                    with path.open("rb") as raw:
                        _refuse(path, what, number, likeness(raw.read(SAMPLE_BYTES), None))
                yield number, line.removesuffix("\n")
    except UnicodeDecodeError:
        _refuse_where_it_is_not_utf8(path, what)
    except OSError as error:
        raise UsageError(f"{what} {path} cannot be read: {error.strerror}") from error


def lines(path: Path, what: str) -> Iterator[tuple[str, str]]:
    """Yield where each line is, for messages, and its text without blanks at its ends; empty lines are left out.

    Raises:
        UsageError: as `numbered_lines`.
    """
    for number, line in numbered_lines(path, what):
        if text := bare(line):
            yield f"{what} {path}, line {number}", text


def names(path: Path, what: str) -> list[str]:
    """Return the lines of a list, but empty ones and comments: # and a blank. Clips of HMDB-51 begin with # alone.

    Raises:
        UsageError: as `lines`.
    """
    return [text for _, line in numbered_lines(path, what) if (text := bare(line)) and text.split(maxsplit=1)[0] != "#"]


def rows(path: Path, what: str, columns: Sequence[str]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield where each row of a table is, for messages, and its cells by column, without blanks at their ends.

    columns: what the first line must name, in any case and order, perhaps among others. Cells are separated by commas,
    or by semicolons or tabs where the names are. Empty rows are left out; what a short row lacks is "".

    Raises:
        UsageError: as `lines`; a column is missing or occurs twice, a row has more cells than the first line, a quote
            is not closed.
    """
    numbered = numbered_lines(path, what)
    number, first = next(((number, line) for number, line in numbered if bare(line)), (1, ""))
    delimiter, header = _header(first, columns)
    _check_header(f"{what} {path}", first, header, columns)
    row_number = next_number = number + 1

    behind_quote = re.compile(rf'(?<!")" +(?={re.escape(delimiter)}|$)')

    def texts() -> Iterator[str]:
        nonlocal next_number
        for at, line in numbered:
            next_number = at + 1
            yield behind_quote.sub('"', line) + "\n"

    csv.field_size_limit(MAX_LINE)  # of this process; the default, 131,072 characters, is less than a web page
    table = csv.reader(texts(), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for row in table:
            where, row_number = f"{what} {path}, line {row_number}", next_number
            cells = [bare(cell) for cell in row]
            if any(cells[len(header) :]):
                raise UsageError(
                    f"{where} has {len(cells)} cells, but the first line has {len(header)}. "
                    f"Try: double quotes around a cell that holds '{delimiter}'"
                )
            if any(cells):
                yield where, {name: cells[at] if at < len(cells) else "" for at, name in enumerate(header)}
    except csv.Error as error:
        raise UsageError(
            f"{what} {path}, line {row_number} is not a row of cells: {error}. Try: double quotes around a cell that "
            "holds a quote or a line break, and two for each quote in it"
        ) from error


def header(path: Path, what: str, one_of: Sequence[str]) -> list[str]:
    """Return the column names of a table, in lower case, as `rows` reads them; one of these names is among them.

    Raises:
        UsageError: as `lines`; none of the columns exists.
    """
    _, first = next(((number, line) for number, line in numbered_lines(path, what) if bare(line)), (1, ""))
    for name in one_of:
        found = _header(first, [name])[1]
        if name in found:
            return found
    state = f"its first line is '{_short(bare(first))}'" if first else "it is empty"
    raise UsageError(f"{what} {path} has none of the columns {', '.join(one_of)}; {state}")


def bare(text: str) -> str:
    """Return a text without blanks at its ends, those of no width included."""
    text = text.strip()
    if text.isascii():  # as most lines and cells are, which is known at once
        return text
    while text and (text[0] in _UNSEEN or text[-1] in _UNSEEN):
        text = text.strip(_UNSEEN).strip()
    return text


def _header(line: str, columns: Sequence[str]) -> tuple[str, list[str]]:
    """Return the delimiter by which the first line has the columns, a comma where none does, and its names."""
    found = {}
    for delimiter in DELIMITERS:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        found[delimiter] = [bare(cell).lower() for cell in cells]
        if not set(columns) - set(found[delimiter]):
            return delimiter, found[delimiter]
    return ",", found[","]


def _check_header(where: str, line: str, header: Sequence[str], columns: Sequence[str]) -> None:
    if missing := [name for name in columns if name not in header]:
        state = f"its first line is '{_short(bare(line))}'" if line else "it is empty"
        raise UsageError(
            f"{where} lacks the columns {', '.join(missing)}; {state}. Try: {','.join(columns)} as its first line"
        )
    if twice := [name for name in header if name and header.count(name) > 1]:
        raise UsageError(f"{where} has the column '{_short(twice[0])}' twice")


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


@contextmanager
def _usage() -> Iterator[None]:
    """Turn what the door says of a file into a mistake of the user, who named it."""
    try:
        yield
    except ZsarbenchError as error:
        raise UsageError(str(error)) from error


def _refuse_where_it_is_not_utf8(path: Path, what: str) -> NoReturn:
    """Refuse a file that is read line by line, with the number of its first line that is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    number = 1
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            try:
                number += decoder.decode(chunk).count("\n")
            except UnicodeDecodeError as error:
                number += error.object[: error.start].count(b"\n")
                _refuse(path, what, number, likeness(error.object, error.start))
    _refuse(path, what, number, CUT_OFF)


def _refuse(path: Path, what: str, number: int, found: tuple[str, str]) -> NoReturn:
    """Refuse a file for a line; found: what the file looks like, and the name that iconv has for it."""
    looks, name = found
    advice = f". Try: save it as UTF-8, e.g. by iconv -f {name} -t UTF-8 FILE > NEW" if name else ""
    raise UsageError(f"{what} {path}, line {number} is not UTF-8 text: {looks}{advice}")
