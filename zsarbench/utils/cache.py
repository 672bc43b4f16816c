"""The folder in which zsarbench keeps what it downloads and computes."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from zsarbench.utils.targets import expanded

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """Return the cache folder: `ZSARBENCH_CACHE`, by default the user's cache folder on this platform.

    The folder need not exist; whoever writes creates it.
    """
    chosen = os.environ.get("ZSARBENCH_CACHE")
    return expanded(chosen).absolute() if chosen else platformdirs.user_cache_path("zsarbench")
