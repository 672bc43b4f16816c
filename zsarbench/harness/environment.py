"""Where a run took place: versions, processor, and the commit of a checkout."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import zsarbench
from zsarbench.results import Environment


def environment_of(*, torch: str, device: str, dtype: str, threads: int) -> Environment:
    """Return where a run took place; torch: its version; device: kind and model of the processor that computed."""
    commit, dirty = _git_state(Path(zsarbench.__file__).parent.parent)
    return Environment(
        python=platform.python_version(),
        torch=torch,
        zsarbench=zsarbench.__version__,
        platform=f"{platform.system()}-{platform.machine()}",
        device=device,
        dtype=dtype,
        threads=threads,
        commit=commit,
        dirty=dirty,
    )


def _git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Return commit and dirtiness of the checkout zsarbench runs from; (None, None) for an installed package."""
    if not (folder / ".git").exists():
        return None, None
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit, bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
