"""What the data sets of real videos share: name files, manifests, and finding the clips that are on the disk."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zsarbench.data.video import VIDEO_SUFFIXES
from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText
from zsarbench.utils.class_names import match, readable

if TYPE_CHECKING:
    import pandas as pd

    from zsarbench.data.downloads import Download

log = logging.getLogger(__name__)

DATA = Path(__file__).parent / "data"
MAX_DEPTH = 3  # folders between the root and a clip: train/part_0/abseiling


def read_names(file: str) -> tuple[str, ...]:
    """Return the lines of a file of this package's data, comments left out."""
    lines = (DATA / file).read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def read_text(path: Path) -> str:
    """Return a file's text: UTF-8 with bad bytes dropped, stripped."""
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
    return [line.split() for line in read_text(path).splitlines() if line.strip()]


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

    spans = spans or {}
    whole = (float("nan"), float("nan"))
    clip_ids = sorted(labels)
    frame = pd.DataFrame(
        {
            "clip_id": clip_ids,
            "label": [labels[clip_id] for clip_id in clip_ids],
            "path": [paths.get(clip_id) for clip_id in clip_ids],
            "start": [spans.get(clip_id, whole)[0] for clip_id in clip_ids],
            "end": [spans.get(clip_id, whole)[1] for clip_id in clip_ids],
            "group": [groups[clip_id] for clip_id in clip_ids],
        }
    )
    if videos is not None:
        frame["video"] = [videos[clip_id] for clip_id in clip_ids]
    texts = {"clip_id", "label", "path", "group", "video"}.intersection(frame.columns)
    return frame.astype(dict.fromkeys(texts, "string"))


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


def videos_under(root: Path, dataset: str) -> list[Path]:
    """Return the video files at most `MAX_DEPTH` folders below the root, sorted.

    Raises:
        UsageError: the root is not a folder, or holds no video.
    """
    root = Path(root).expanduser().absolute()
    if not root.is_dir():
        raise UsageError(f"{dataset}: folder {root} does not exist. Try --data-root {dataset}=FOLDER")
    videos = sorted(_videos(root, MAX_DEPTH))
    if not videos:
        raise UsageError(f"{dataset}: no video file is in {root} or its folders. Try --data-root {dataset}=FOLDER")
    return videos


def _videos(folder: Path, depth: int) -> Iterable[Path]:
    for path in folder.iterdir():
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
            yield path
        elif depth and path.is_dir():
            yield from _videos(path, depth - 1)


def locate(
    dataset: str,
    root: Path,
    labels: Mapping[str, str],
    aliases: Mapping[str, str],
    *,
    clip_of: Callable[[str], str | None],
    file_of: Callable[[str], str],
) -> dict[str, str]:
    """Return for each clip the absolute path where it is, or should be: in its class's folder, or flat in the root.

    A listed clip that is not on the disk keeps the path where it should be, so that it is missing when it is read
    and stays in the denominator. Videos of no listed clip are left out and logged.

    labels: class by clip id. clip_of: the clip id that a file name without its ending stands for. file_of: the file
    name that a clip is expected under.

    Raises:
        UsageError: the root is not a folder, or holds no video.
    """
    root = Path(root).expanduser().absolute()
    paths: dict[str, Path] = {}
    unlisted = []
    for path in videos_under(root, dataset):
        clip = clip_of(path.stem)
        if clip is None or clip not in labels:
            unlisted.append(str(path))
        elif paths.setdefault(clip, path) != path:
            log.warning("%s: clip %s lies in two places; %s is used, not %s", dataset, clip, paths[clip], path)
    log.info("%s: %d of %d listed clips are under %s", dataset, len(paths), len(labels), root)
    if unlisted:
        log.warning("%s: %d files are in no list and are left out: %s", dataset, len(unlisted), unlisted[:3])
    folders = _class_folders(paths, labels, aliases)
    default = (lambda label: root / label) if folders else (lambda label: root)
    return {
        clip: str(paths.get(clip) or folders.get(label, default(label)) / file_of(clip))
        for clip, label in labels.items()
    }


def _class_folders(paths: Mapping[str, Path], labels: Mapping[str, str], aliases: Mapping[str, str]) -> dict[str, Path]:
    """Return the folder of each class that has one, as far as the paths of clips show."""
    folders: dict[str, Path] = {}
    for clip, path in paths.items():
        label = labels[clip]
        if label not in folders and match(path.parent.name, (label,), aliases) is not None:
            folders[label] = path.parent
    return folders
