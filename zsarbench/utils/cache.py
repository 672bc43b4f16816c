"""Says where zsarbench keeps what it downloads and computes, and which files are videos."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

VIDEO_ENDINGS = frozenset((".avi", ".mp4", ".mkv", ".webm", ".mov", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"))
"""What the names of video files end in, in lower case."""


def cache_dir() -> Path:
    """Return the cache folder: `ZSARBENCH_CACHE`, or else the user's cache as the platform has it.

    The folder need not exist yet; whoever writes makes it.
    """
    chosen = os.environ.get("ZSARBENCH_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("zsarbench")
