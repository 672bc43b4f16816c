"""The CSV file in which a user lists clips: what its cells mean, and which files they name."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from zsarbench.errors import UsageError
from zsarbench.utils import text_files
from zsarbench.utils.file_names import VIDEO_SUFFIXES, same_name, shown
from zsarbench_datasets.spans import Span, read_span, span_name

log = logging.getLogger(__name__)
COLUMNS = ("clip", "label", "start", "end", "group", "split")
MAX_NAME = 255  # bytes of a file's name on the file systems in use


class Row(NamedTuple):
    """One clip of the user's; an empty label means that the clip has none. video: the clip id of its whole file."""

    path: Path
    label: str
    span: Span | None
    group: str
    split: str
    video: str


def read_list(path: Path, root: Path | None) -> dict[str, Row]:
    """Return the clips of a CSV file by clip id; its paths are relative to the root, or to the file's own folder.

    A path may be written with backslashes, without its ending, or with its ending in another case: it means the file
    that exists. What does not exist stays as it is written, so that it is found missing when it is read. Columns that
    are not read are logged: of times under other names, every clip would be its whole video.

    Raises:
        UsageError: the file is not a readable table of these columns; a row names no file, several or one that cannot
            be, has times that are none, or lists a clip again.
    """
    unread = [name for name in text_files.header(path, "annotations", COLUMNS[:1]) if name and name not in COLUMNS]
    if unread:
        log.warning(
            "annotations %s: the columns %s are not read; those that are: %s",
            path,
            ", ".join(unread),
            ", ".join(COLUMNS),
        )
    base = (root if root is not None else path.parent).expanduser().absolute()
    rows: dict[str, Row] = {}
    names_in: dict[Path, list[str]] = {}
    for where, cells in text_files.rows(path, "annotations", COLUMNS[:2]):
        _check_cells(cells, where)
        below = _below(cells["clip"], where)
        span = read_span(cells.get("start", ""), cells.get("end", ""), where)
        video = str(below.with_suffix("") if below.suffix.lower() in VIDEO_SUFFIXES else below)
        clip = f"{video}#{span_name(span)}" if span else video
        if clip in rows:
            raise UsageError(f"{where}: clip '{clip}' is listed twice")
        file = _file_of(base, below, names_in, where)
        rows[clip] = Row(file, cells["label"], span, cells.get("group") or str(below), cells.get("split", ""), video)
    return rows


def _check_cells(cells: Mapping[str, str], where: str) -> None:
    """Refuse names that no list, table or terminal can show."""
    for column in COLUMNS:
        if shown(cells.get(column, "")) != cells.get(column, ""):
            raise UsageError(f"{where}: its cell in the column {column} holds a line break or a control character")


def _below(cell: str, where: str) -> PurePosixPath:
    """Return the path that a cell means."""
    below = PurePosixPath(cell.replace("\\", "/"))
    if not below.name or below.name == "..":
        raise UsageError(f"{where}: its cell in the column clip is '{cell}', which names no file")
    if any(len(part.encode()) > MAX_NAME for part in below.parts):
        raise UsageError(f"{where}: '{cell:.40}…' is not a file name: a part of it has more than {MAX_NAME} bytes")
    return below


def _file_of(base: Path, below: PurePosixPath, names_in: dict[Path, list[str]], where: str) -> Path:
    """Return the file that a path means; names_in: what is in each folder, which is filled here."""
    path = base / below
    if os.path.isfile(path):
        return path
    if path.parent not in names_in:
        names_in[path.parent] = _names(path.parent)
    names = names_in[path.parent]
    found = [name for name in names if same_name(name, path.name)] or [
        name
        for name in names
        if os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES and same_name(os.path.splitext(name)[0], path.name)
    ]
    if len(found) > 1:
        raise UsageError(f"{where}: '{below}' can be {' or '.join(map(shown, found))}. Try: the name with its ending")
    return path.with_name(found[0]) if found else path


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
