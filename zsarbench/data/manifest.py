"""The manifest of a data set, and its checks."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from zsarbench.errors import ZsarbenchError, unknown
from zsarbench.interfaces import ClipSource
from zsarbench.utils.class_names import namesakes
from zsarbench.utils.file_names import shown

if TYPE_CHECKING:
    import pandas as pd

    from zsarbench.interfaces import Dataset

_log = logging.getLogger(__name__)
MANIFEST_COLUMNS = ("clip_id", "label", "path", "start", "end", "group")


def checked_manifest(dataset: Dataset, name: str) -> pd.DataFrame:
    """Return the manifest of a data set, sorted by clip id, after checking it; what is odd in its classes is logged.

    Raises:
        ZsarbenchError: a column or every clip is missing, a clip id is empty or repeated, a label is not a class, a
            clip has no length or times that are none.
    """
    manifest = dataset.manifest()
    where = f"manifest of dataset '{name}'"
    missing = [column for column in MANIFEST_COLUMNS if column not in manifest.columns]
    if missing:
        raise ZsarbenchError(f"{where} lacks the columns {', '.join(missing)}")
    if manifest.empty:
        raise ZsarbenchError(f"{where} is empty")
    ids = manifest["clip_id"]
    if ids.isna().any() or (ids == "").any():
        raise ZsarbenchError(f"{where} has a clip without an id")
    if ids.duplicated().any():
        repeated = sorted(set(ids[ids.duplicated()]))
        raise ZsarbenchError(f"{where} lists {len(repeated)} clip ids twice, e.g. '{repeated[0]}'")
    if unknown_labels := sorted(set(manifest["label"].dropna()) - set(dataset.classes)):
        raise ZsarbenchError(f"{where}: " + unknown("label", unknown_labels[0], dataset.classes))
    _check_spans(manifest, where)
    for remark in _remarks(dataset.classes):
        _log.warning("dataset '%s': %s", name, remark)
    return manifest.sort_values("clip_id", ignore_index=True)


def _check_spans(manifest: pd.DataFrame, where: str) -> None:
    import pandas as pd

    try:
        start, end = (pd.to_numeric(manifest[column]).astype("float64") for column in ("start", "end"))
    except (TypeError, ValueError) as error:
        raise ZsarbenchError(f"{where}: start and end are not seconds: {error}") from error
    unfit = (start < 0) | (start == float("inf")) | (end <= start.fillna(0.0)) | (end == float("inf"))
    if unfit.any():
        clip, first, last = manifest["clip_id"][unfit].iloc[0], start[unfit].iloc[0], end[unfit].iloc[0]
        raise ZsarbenchError(
            f"{where}: {int(unfit.sum())} clips have invalid times, e.g. '{shown(clip)}' goes from {first:g} to "
            f"{last:g} seconds"
        )


def _remarks(classes: Collection[str]) -> list[str]:
    """Return what a user should know of class names before anything is measured."""
    remarks = [
        f"the classes {' and '.join(repr(name) for name in names)} differ in spelling alone, and no protocol may have "
        "them. Try: one name for all of their clips"
        for names in namesakes(classes)
    ]
    if classes and all(name.isdecimal() for name in classes):
        remarks.append(
            f"its {len(classes)} classes are numbers, e.g. '{min(classes)}'; a method knows nothing else of a class. "
            "Try: names as labels, or --class-text FILE.csv with the columns class and text"
        )
    return remarks


def clip_sources(
    manifest: pd.DataFrame, clip_ids: Sequence[str], captions: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> list[ClipSource]:
    """Return where the content of these clips lies; manifest: with the clip ids as its index."""
    import pandas as pd

    rows = manifest.loc[list(clip_ids)].reindex(columns=["path", "start", "end", "video"])
    return [
        ClipSource(
            clip_id=clip_id,
            path=None if pd.isna(path) else str(path),
            start=None if pd.isna(start) else float(start),
            end=None if pd.isna(end) else float(end),
            captions=tuple(captions.get(clip_id, ())),
            video=None if pd.isna(video) else str(video),
        )
        for clip_id, path, start, end, video in rows.itertuples()
    ]
