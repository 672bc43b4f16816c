"""The commit of the checkout that a folder lies in."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Return the commit of the checkout that holds a folder, and whether files of that checkout were changed since.

    (None, None) outside a checkout, and in one that does not hold the folder itself, such as site-packages in a virtual
    environment in there. Files that git does not know are no change.
    """
    try:
        commit = _git(folder, "rev-parse", "HEAD", "HEAD:./").split()[0]
        return commit, bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
