"""Why a clip has no features, and the state of its file at that time; imports no video decoder."""

from __future__ import annotations

import os
from dataclasses import dataclass

FileState = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""


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
