"""Why a clip has no features, and what its file was like then; imports no video decoder."""

from __future__ import annotations

import os
from dataclasses import dataclass

FileState = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""


@dataclass(frozen=True)
class Failure:
    """Says why a clip has no features, and what its file was like then: a later run tries again when that changed.

    state: size and time of change of the file, None where there is none. lasting: False where the next run shall try
    again in any case, because the file is not to blame.
    """

    reason: str
    state: FileState | None = None
    lasting: bool = True


def file_state(path: str | None) -> FileState | None:
    """Return size and time of change of a file, None where there is none."""
    try:
        stat = os.stat(path) if path is not None else None
    except OSError:
        return None
    return (stat.st_size, stat.st_mtime_ns) if stat else None
