"""What the data sets of real videos share: name files, lists, manifests and revisions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText
from zsarbench.utils import text_files
from zsarbench.utils.class_names import readable

if TYPE_CHECKING:
    import pandas as pd

    from zsarbench.data.downloads import Download

DATA = Path(__file__).parent / "data"


def read_names(file: str) -> tuple[str, ...]:
    """Return the lines of a file of this package's data, comments left out."""
    return tuple(text_files.names(DATA / file, "list of names"))


def read_released(path: Path) -> str:
    """Return the text of a pinned download as its authors read it: UTF-8 with bad bytes dropped, stripped."""
    return path.read_bytes().decode("utf-8", errors="ignore").strip()


def name_texts(
    dataset: str, form: str, classes: Iterable[str], *, text_of: Callable[[str], str] = readable, hint: str = ""
) -> list[ClassText]:
    """Return the texts of a data set that has the form "name" alone.

    text_of: turns a class's name into its text.

    Raises:
        UsageError: another form was requested; `hint` ends the message.
    """
    if form != "name":
        raise UsageError(
            f"{dataset} has no class texts of the form '{form}'; it has: name. Try --class-text name{hint}"
        )
    return [ClassText(name, (text_of(name),)) for name in classes]


def rows(path: Path) -> list[list[str]]:
    """Return the lines of a list file, split at blanks."""
    lines = (text_files.bare(line) for _, line in text_files.numbered_lines(path, "list"))
    return [line.split() for line in lines if line]


def manifest(
    labels: Mapping[str, str | None],
    groups: Mapping[str, str],
    paths: Mapping[str, str],
    spans: Mapping[str, tuple[float, float]] | None = None,
    *,
    videos: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return one row per clip of `labels`, sorted by clip_id; a path that is not given is NA, so are start and end.

    videos: what the files of clips are called that are spans of a video.
    """
    import pandas as pd

    from zsarbench.utils.data_frames import any_text

    spans = spans or {}
    whole = (float("nan"), float("nan"))
    clip_ids = sorted(labels)
    columns = {
        "clip_id": clip_ids,
        "label": [labels[clip_id] for clip_id in clip_ids],
        "path": [paths.get(clip_id) for clip_id in clip_ids],
        "start": [spans.get(clip_id, whole)[0] for clip_id in clip_ids],
        "end": [spans.get(clip_id, whole)[1] for clip_id in clip_ids],
        "group": [groups[clip_id] for clip_id in clip_ids],
    }
    if videos is not None:
        columns["video"] = [videos[clip_id] for clip_id in clip_ids]
    texts = {"clip_id", "label", "path", "group", "video"}.intersection(columns)
    with any_text():
        return pd.DataFrame(columns).astype(dict.fromkeys(texts, pd.StringDtype("python")))


def revision(version: str, clips: Mapping[str, str], *pinned: Download) -> str:
    """Return the version and a hash over clip ids, what is known of them and the sha256 of pinned files.

    It is the same on every machine. A protocol's hash knows an official list by its name alone, and stored features
    know a clip by its id: where a user's file decides which lists contain a clip or which span it is, these must
    be part of what is known.

    clips: by clip id its label, or more of it as `fields_text` writes it.
    """
    lines = [f"{clip_id}\t{clips[clip_id]}" for clip_id in sorted(clips)]
    lines += [file.sha256 for download in pinned for file in download.files]
    return f"{version}-{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:12]}"


def fields_text(*values: object) -> str:
    """Return the fields of a clip as one text, by which no two clips that differ are alike."""
    return json.dumps(values, ensure_ascii=False)
