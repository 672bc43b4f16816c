"""Anyone's own videos: a folder per class, or a CSV file of clips."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from zsarbench.data.video import VIDEO_SUFFIXES
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import ClassText
from zsarbench_datasets import common

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("clip", "label", "start", "end")


class Row(NamedTuple):
    """One clip as the user lists it; an empty label means that the clip has none."""

    path: Path
    label: str
    span: tuple[float, float] | None
    group: str
    split: str


class Folder:
    """Videos in `<root>/<class>/…`, or those that a CSV file lists with the columns clip, label, start, end.

    A protocol for them is a file too: `dataset = "folder"`, and class names as the folders or labels are called.
    """

    aliases: Mapping[str, str] = {}

    def __init__(self, *, root: Path | None = None, annotations: Path | None = None) -> None:
        """Remember where the videos and the list are.

        root: a folder of class folders, or what the paths of the CSV file are relative to. annotations: the CSV file;
        start and end are in seconds and may be empty, a label may be empty; the columns group (source video) and split
        (name of a list of clips) may be added.
        """
        self.root = root
        self.annotations = annotations

    @cached_property
    def revision(self) -> str:
        """A hash over all fields of the clips and the sizes of their files, so that no two folders are alike."""
        return common.revision(
            "1",
            {
                clip: common.fields_text(row.label, row.span, row.group, row.split, _size(row.path))
                for clip, row in self._rows.items()
            },
        )

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The class folders with a video, or the labels of the CSV file, sorted; none without a root."""
        if self.root is None and self.annotations is None:
            return ()
        return tuple(sorted({row.label for row in self._rows.values()} - {""}))

    def manifest(self) -> pd.DataFrame:
        """Return one row per clip, sorted by clip_id.

        clip_id: the path below the root without its ending, and `#start-end` where the clip is a span of the file.
        label: NA where the CSV file has none. group: what its column says, else the file.

        Raises:
            ZsarbenchError: neither root nor CSV file was given, or one cannot be read.
        """
        rows = self._rows
        frame = common.manifest(
            {clip: row.label for clip, row in rows.items()},
            {clip: row.group for clip, row in rows.items()},
            {clip: str(row.path) for clip, row in rows.items()},
            {clip: row.span for clip, row in rows.items() if row.span is not None},
        )
        frame["label"] = frame["label"].replace("", None)
        return frame

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Return the clip ids by what the column split of the CSV file says."""
        names = sorted({row.split for row in self._rows.values()} - {""})
        return {name: tuple(clip for clip, row in self._rows.items() if row.split == name) for name in names}

    def captions(self) -> Mapping[str, Sequence[str]]:
        """Return nothing."""
        return {}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        """Return the names of the classes as words (form "name").

        Raises:
            UsageError: the data set has no texts of that form.
        """
        hint = ", or a CSV file with the columns class and text"
        return common.name_texts("folder", form, self.classes, hint=hint)

    @cached_property
    def _rows(self) -> dict[str, Row]:
        if self.annotations is not None:
            return _read_csv(Path(self.annotations).expanduser(), self.root)
        if self.root is None:
            raise UsageError("folder: no folder was given. Try --data-root folder=FOLDER")
        root = Path(self.root).expanduser().absolute()
        rows: dict[str, Row] = {}
        for path in common.videos_under(root, "folder"):
            below = path.relative_to(root)
            if len(below.parts) > 1:
                rows[_clip_id(below, rows)] = Row(path, below.parts[0], None, below.as_posix(), "")
        if not rows:
            raise UsageError(
                f"folder: the videos in {root} lie in no class folder. Try --set dataset.annotations=CLIPS.csv"
            )
        return rows


def _size(path: Path) -> int:
    """Return the bytes of a file, -1 where it does not exist."""
    return path.stat().st_size if path.is_file() else -1


def _clip_id(below: Path, taken: Mapping[str, Row]) -> str:
    """Return the path without its ending, or with it where another file has that name already."""
    short = below.with_suffix("").as_posix()
    return below.as_posix() if short in taken else short


def _read_csv(path: Path, root: Path | None) -> dict[str, Row]:
    base = (root if root is not None else path.parent).expanduser().absolute()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS[:2] if column not in (reader.fieldnames or ())]
            entries = list(reader)
    except OSError as error:
        raise UsageError(f"folder: cannot read {path}: {error.strerror}") from error
    if missing:
        raise ZsarbenchError(
            f"{path} lacks the columns {', '.join(missing)}; it takes {', '.join(COLUMNS)}, group, split"
        )
    rows: dict[str, Row] = {}
    for number, entry in enumerate(entries, start=2):
        below = Path(entry["clip"])
        span = _span(entry.get("start") or "", entry.get("end") or "", f"{path}, line {number}")
        clip = below.with_suffix("").as_posix() if below.suffix.lower() in VIDEO_SUFFIXES else below.as_posix()
        clip += f"#{span[0]:g}-{span[1]:g}".removesuffix("nan") if span else ""
        if clip in rows:
            raise ZsarbenchError(f"{path}, line {number}: clip '{clip}' is listed twice")
        group = entry.get("group") or entry["clip"]
        rows[clip] = Row(base / below, (entry["label"] or "").strip(), span, group, entry.get("split") or "")
    return rows


def _span(start: str, end: str, where: str) -> tuple[float, float] | None:
    if not start and not end:
        return None
    try:
        span = (float(start or 0), float(end or "nan"))
    except ValueError:
        raise ZsarbenchError(f"{where}: start and end are seconds, not '{start}' and '{end}'") from None
    if span[0] < 0 or span[1] <= span[0]:
        raise ZsarbenchError(f"{where}: a clip cannot go from {start} to {end}")
    return span
