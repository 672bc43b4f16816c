"""The lists of Kinetics: public ones, official CSV files, and what all of them say of a clip."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from zsarbench.data.files import files_below
from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.utils import text_files
from zsarbench.utils.class_names import match
from zsarbench_datasets import common
from zsarbench_datasets.spans import Span, read_span

log = logging.getLogger(__name__)

FILE_NAME = re.compile(r"(?P<id>[\w-]{11})(?:_(?P<start>\d+)_(?P<end>\d+))?", re.ASCII)
COLUMNS = ("label", "youtube_id", "time_start", "time_end")
_SPLITS = {"validate": "val"}


class Annotation(NamedTuple):
    """The label of a clip and its span in the video, in seconds; None where a list does not say."""

    label: str
    span: Span | None


Lists = dict[str, dict[str, Annotation]]
"""Annotations by list name, then by YouTube id."""


def parse_name(stem: str) -> tuple[str | None, Span | None]:
    """Return the YouTube id and the span that a file name without its ending says.

    >>> parse_name("3caPS4FHFF8_000036_000046"), parse_name("3caPS4FHFF8"), parse_name("holiday")
    (('3caPS4FHFF8', (36.0, 46.0)), ('3caPS4FHFF8', None), (None, None))
    """
    found = FILE_NAME.fullmatch(stem)
    if found is None:
        return None, None
    return found["id"], (float(found["start"]), float(found["end"])) if found["start"] else None


def read_indexed(path: Path, labels: Path) -> dict[str, Annotation]:
    """Read a list: `[folder/]<id>[_<start>_<end>].mp4 <index>` and the label file that its indices count in."""
    names = [row["name"] for _, row in text_files.rows(labels, "label file", ("name",))]
    indexed = {}
    for name, index in common.rows(path):
        clip, span = parse_name(Path(name).stem)
        if clip is None:
            raise ZsarbenchError(f"{path}: '{name}' is not named <youtube_id>_<start>_<end>.mp4")
        indexed[clip] = Annotation(names[int(index)], span)
    return indexed


def read_own(path: Path | None, classes: Sequence[str], aliases: Mapping[str, str]) -> Lists:
    """Read the user's official CSV files: lists by what their split column says, or by the file's name.

    Where both times of a clip are empty, they are not known, as in lists without times.

    Raises:
        UsageError: a file does not exist or cannot be read; a row has an unknown class, no YouTube id, or times that
            are none.
    """
    if path is None:
        return {}
    path = Path(path).expanduser()
    files = list(files_below(path, (".csv",), max_depth=0).taken) if os.path.isdir(path) else [path]
    if not files or not all(os.path.isfile(file) for file in files):
        raise UsageError(f"annotations: {path} is neither a CSV file nor a folder of them")
    lists: Lists = {}
    others = []
    for file in files:
        for where, split, clip, item in _rows(file, classes, aliases):
            if lists.setdefault(split, {}).setdefault(clip, item) != item:
                others.append(where)
    if others:
        log.warning("%d clips are annotated twice, and otherwise; the first counts: %s", len(others), others[:3])
    return lists


def _rows(path: Path, classes: Sequence[str], aliases: Mapping[str, str]) -> Iterator[tuple[str, str, str, Annotation]]:
    """Yield where each row of an official CSV file is, its list, YouTube id and annotation."""
    official: dict[str, str | None] = {}
    for where, row in text_files.rows(path, "annotations", COLUMNS):
        name, clip, start, end = (row[column] for column in COLUMNS)
        if name not in official:
            official[name] = match(name, classes, aliases)
        label = official[name]
        if label is None:
            raise UsageError(f"{where}: " + unknown("class", name, classes))
        if parse_name(clip) != (clip, None):
            raise UsageError(f"{where}: '{clip:.40}' is not a YouTube id, which has 11 letters, digits, - and _")
        if bool(start) != bool(end):
            raise UsageError(f"{where}: one of time_start and time_end is empty. Try: both, or neither")
        split = row.get("split") or path.stem
        yield where, _SPLITS.get(split, split), clip, Annotation(label, read_span(start, end, where))


def revision(version: str, lists: Lists) -> str:
    """Return the version and a hash over all that the lists say."""
    listed: dict[str, list[str]] = {}
    for name, clips in lists.items():
        for clip in clips:
            listed.setdefault(clip, []).append(name)
    return common.revision(
        version, {clip: common.fields_text(*item, sorted(listed[clip])) for clip, item in union(lists).items()}
    )


def union(lists: Lists) -> dict[str, Annotation]:
    """Return every clip of any list: the label that the first says, the span that the first that has one says."""
    merged: dict[str, Annotation] = {}
    for name, clips in lists.items():
        others = {"labels": 0, "times": 0}  # clips that this list describes otherwise
        for clip, item in clips.items():
            known = merged.setdefault(clip, item)
            others["labels"] += known.label != item.label
            if known.span is None:
                merged[clip] = Annotation(known.label, item.span)
            else:
                others["times"] += item.span not in (None, known.span)
        for what, count in others.items():
            if count:
                log.warning("list %s has other %s of %d clips than lists before it, which count", name, what, count)
    return merged
