"""Where a run took place: versions, processor, and the commit of a checkout."""

from __future__ import annotations

import platform
from pathlib import Path

import zsarbench
from zsarbench.results import Environment
from zsarbench.utils.checkouts import git_state


def environment_of(*, torch: str, device: str, dtype: str, threads: int) -> Environment:
    """Return where a run took place; torch: its version; device: kind and model of the processor that computed."""
    commit, dirty = git_state(Path(zsarbench.__file__).parent.parent)
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
