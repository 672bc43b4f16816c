"""Anyone's own videos: a folder per class, or a CSV file of clips."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText
from zsarbench.utils.file_names import shown
from zsarbench_datasets import common
from zsarbench_datasets.folder_list import Row, read_list
from zsarbench_datasets.locating import videos_under

if TYPE_CHECKING:
    import pandas as pd


log = logging.getLogger(__name__)


class Folder:
    """Videos in `<root>/<class>/…`, or those that a CSV file lists with the columns clip, label, start, end.

    A protocol for them is a file too: `dataset = "folder"`, and class names as the folders or labels are called.
    """

    aliases: Mapping[str, str] = {}

    def __init__(self, *, root: Path | None = None, annotations: Path | None = None) -> None:
        """Remember where the videos and the list are.

        root: a folder of class folders, or what the paths of the CSV file are relative to. annotations: the CSV file;
        start and end are in seconds and may be empty, a label may be empty; the columns group (source video) and split
        (name of a list of clips) may be added. A file may be written without its ending, and with backslashes.
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
            videos={clip: row.video for clip, row in rows.items()},
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
            return read_list(Path(self.annotations).expanduser(), self.root)
        if self.root is None:
            raise UsageError("folder: no folder was given. Try --data-root folder=FOLDER")
        root = Path(self.root).expanduser().absolute()
        rows: dict[str, Row] = {}
        of_no_class = []
        for path in videos_under(root, "folder", max_depth=None):
            below = Path(shown(path.relative_to(root)))
            if len(below.parts) > 1:
                clip = _clip_id(below, rows)
                rows[clip] = Row(path, below.parts[0], None, below.as_posix(), "", clip)
            else:
                of_no_class.append(below.name)
        if not rows:
            raise UsageError(
                f"folder: the videos in {shown(root)} lie in no class folder. Try --set dataset.annotations=CLIPS.csv"
            )
        if of_no_class:
            log.warning(
                "folder: %d videos lie in %s itself, so they have no class and are left out: %s",
                len(of_no_class), shown(root), ", ".join(of_no_class[:3]),
            )  # fmt: skip
        return rows


def _size(path: Path) -> int:
    """Return the bytes of a file, -1 where it does not exist."""
    return path.stat().st_size if path.is_file() else -1


def _clip_id(below: Path, taken: Mapping[str, Row]) -> str:
    """Return the path without its ending, or with it where another file has that name already."""
    short = below.with_suffix("").as_posix()
    return below.as_posix() if short in taken else short
