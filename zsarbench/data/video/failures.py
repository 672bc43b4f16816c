"""Why a clip has no features, and the state of its file at that time; imports no video decoder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

FileState = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""

MAX_REASONS = 8  # why clips could not be read, that the log lists; the result has all


@dataclass(frozen=True)
class Failure:
    """Why a clip has no features.

    state: size and time of change of the file at that time, None where it did not exist; a later run tries again when
    they differ. permanent: False where the file is not to blame, so that the next run tries again in any case.
    """

    reason: str
    state: FileState | None = None
    permanent: bool = True


def file_state(path: str | None) -> FileState | None:
    """Return size and time of change of a file, None where it does not exist."""
    try:
        stat = os.stat(path) if path is not None else None
    except (OSError, ValueError):  # a ValueError is a name that no file can have
        return None
    return (stat.st_size, stat.st_mtime_ns) if stat else None


def describe_failures(failures: Mapping[str, str]) -> str:
    """Return the reasons why clips could not be read, the most frequent first, each with its count and one clip."""
    by_reason: dict[str, list[str]] = {}
    for clip_id, reason in sorted(failures.items()):
        by_reason.setdefault(reason, []).append(clip_id)
    frequent = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    reasons = [f"{len(clips)} × {reason} (e.g. {clips[0]})" for reason, clips in frequent[:MAX_REASONS]]
    rest = sum(len(clips) for _, clips in frequent[MAX_REASONS:])
    return "; ".join([*reasons, f"{rest} × other reasons"] if rest else reasons)
