"""Where a reader of the pages types: in a copy of the repository, and an environment that packages go into."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import site
import subprocess
import venv
from pathlib import Path

from locations import ROOT


def clone(here: Path) -> None:
    """Copy the repository as it is, without what is made in it, and make it one of git's."""
    made = {".git", ".tox", ".venv", "build", "dist", "results", "site"}  # at the top; `benchmarks/results` is copied
    shutil.copytree(ROOT, here, ignore=lambda folder, _: made if folder == str(ROOT) else {"__pycache__"})
    subprocess.run(["git", "init", "--quiet"], cwd=here, check=True)


def environment(here: Path) -> Path:
    """Make an environment that holds what this one does and may get more; return the folder of its programs."""
    venv.create(here, with_pip=True)
    programs = here / "bin"
    [packages] = here.glob("lib/*/site-packages")
    inherited = [*os.environ.get("PYTHONPATH", "").split(os.pathsep), *site.getsitepackages()]
    lines = [f"import site; site.addsitedir({str(Path(folder).resolve())!r})" for folder in inherited if folder]
    (packages / "inherited.pth").write_text("\n".join(lines), encoding="utf-8")
    for entry in importlib.metadata.entry_points(group="console_scripts"):
        if entry.name in ("zsarbench", "ray"):
            lines = [f"#!{programs}/python", "import sys", f"from {entry.module} import {entry.attr} as start"]
            (programs / entry.name).write_text("\n".join([*lines, "sys.exit(start())"]), encoding="utf-8")
            (programs / entry.name).chmod(0o755)
    return programs


def types(script: str, programs: Path, variables: dict[str, str]) -> int:
    """Give commands to one bash in the working folder, and return its exit code: that of the first that fails.

    variables: of the environment, besides those of this process; Python and torch find their own way there.
    """
    inherited = {name: os.environ[name] for name in os.environ if name not in ("PYTHONPATH", "OMP_NUM_THREADS")}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-euxo", "pipefail", "-c", script]
    return subprocess.run(command, env={**inherited, **variables, "PATH": path}).returncode
