"""The manifest of a data set, and its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsarbench.errors import ZsarbenchError, unknown

if TYPE_CHECKING:
    import pandas as pd

    from zsarbench.interfaces import Dataset

MANIFEST_COLUMNS = ("clip_id", "label", "path", "start", "end", "group")


def checked_manifest(dataset: Dataset, name: str) -> pd.DataFrame:
    """Return the manifest of a data set, sorted by clip id, after checking it.

    Raises:
        ZsarbenchError: a column or every clip is missing, a clip id is empty or repeated, a label is not a class.
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
    return manifest.sort_values("clip_id", ignore_index=True)
