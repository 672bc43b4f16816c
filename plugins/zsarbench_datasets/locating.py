"""Finds the clips of a data set's lists among the files of a user."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from zsarbench.data.files import HIDDEN, FoundFiles, files_below
from zsarbench.errors import UsageError
from zsarbench.utils.class_names import match
from zsarbench.utils.file_names import VIDEO_SUFFIXES, shown

log = logging.getLogger(__name__)
MAX_DEPTH = 3  # folders between the root and a clip: train/part_0/abseiling


def videos_under(root: Path, dataset: str, max_depth: int | None = MAX_DEPTH) -> tuple[Path, ...]:
    """Return the video files in a folder and in so many folders below it, sorted; what is left out is logged.

    max_depth: None: in all.

    Raises:
        UsageError: the root is not a folder, cannot be read, or holds no video.
    """
    root = Path(root).expanduser().absolute()
    if not os.path.isdir(root):
        raise UsageError(f"{dataset}: folder {shown(root)} does not exist. Try: --data-root {dataset}=FOLDER")
    found = files_below(root, VIDEO_SUFFIXES, max_depth)
    _log_left_out(dataset, found)
    if not found.taken:
        others = found.others_in_words()
        raise UsageError(
            f"{dataset}: no video file is in {shown(root)} or its folders{f', but {others}' if others else ''}. "
            f"Try: --data-root {dataset}=FOLDER"
        )
    return found.taken


def locate(
    dataset: str,
    root: Path,
    labels: Mapping[str, str],
    aliases: Mapping[str, str],
    *,
    clip_of: Callable[[str], str | None],
    file_of: Callable[[str], str],
    choose: Callable[[str, Sequence[Path]], Path | None] | None = None,
) -> dict[str, str]:
    """Return for each clip the absolute path where it is, or should be: in its class's folder, or flat in the root.

    A listed clip that is not on the disk keeps the path where it should be, so that it is missing when it is read
    and stays in the denominator. Videos of no listed clip are left out and logged.

    labels: class by clip id. clip_of: the clip id that a file name without its ending stands for. file_of: the file
    name that a clip is expected under. choose: which of the files that stand for a clip it is; None: none of them. By
    default the first is taken, and a second one is logged.

    Raises:
        UsageError: the root is not a folder, or holds no video.
    """
    root = Path(root).expanduser().absolute()
    files: dict[str, list[Path]] = {}
    unlisted = []
    for path in videos_under(root, dataset):
        clip = clip_of(path.stem)
        if clip is None or clip not in labels:
            unlisted.append(shown(path))
        else:
            files.setdefault(clip, []).append(path)
    chosen = {clip: (choose or first_of)(clip, paths) for clip, paths in files.items()}
    paths = {clip: path for clip, path in chosen.items() if path is not None}
    log.info("%s: %d of %d listed clips are under %s", dataset, len(paths), len(labels), shown(root))
    if unlisted:
        log.warning("%s: %d files are in no list and are left out: %s", dataset, len(unlisted), unlisted[:3])
    folders = _class_folders(paths, labels, aliases)
    default = (lambda label: root / label) if folders else (lambda label: root)
    return {
        clip: str(paths.get(clip) or folders.get(label, default(label)) / file_of(clip))
        for clip, label in labels.items()
    }


def first_of(clip: str, paths: Sequence[Path]) -> Path:
    """Return the first of the files of a clip, and log that there are more."""
    for other in paths[1:]:
        log.warning("clip %s lies in two places; %s is used, not %s", clip, shown(paths[0]), shown(other))
    return paths[0]


def _class_folders(paths: Mapping[str, Path], labels: Mapping[str, str], aliases: Mapping[str, str]) -> dict[str, Path]:
    """Return the folder of each class that has one, as far as the paths of clips show."""
    folders: dict[str, Path] = {}
    for clip, path in paths.items():
        label = labels[clip]
        if label not in folders and match(path.parent.name, (label,), aliases) is not None:
            folders[label] = path.parent
    return folders


def _log_left_out(dataset: str, found: FoundFiles) -> None:
    hidden = [shown(path) for path, reason in found.left_out.items() if reason == HIDDEN]
    if hidden:
        log.info("%s: %d hidden files and folders are left out, e.g. %s", dataset, len(hidden), hidden[0])
    for path, reason in found.left_out.items():
        if reason != HIDDEN:
            log.warning("%s: %s is left out: it is %s", dataset, shown(path), reason)
