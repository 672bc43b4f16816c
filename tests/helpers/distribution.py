"""A plugin that is installed as a distribution of its own: a module, or what takes its place, and its metadata."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CODE = "import small\n\nzsarbench_register = small.SmallPlugin().zsarbench_register\n"


def install(folder: Path, version: str = "1.0", *, origin: Mapping[str, Any] | None = None, code: str = CODE) -> None:
    """Put the plugin `small` of the distribution `small-plugin` into a folder of the path, in place of another version.

    origin: what `direct_url.json` says (PEP 610); None: it came from an index.
    """
    sys.modules.pop("small_plugin", None)  # of another folder, where another test installed it
    for old in folder.glob("small_plugin-*.dist-info"):
        shutil.rmtree(old)
    (folder / "small_plugin.py").write_text(code)
    about = folder / f"small_plugin-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: small-plugin\nVersion: {version}\n")
    (about / "entry_points.txt").write_text("[zsarbench]\nsmall = small_plugin\n")
    if origin is not None:
        (about / "direct_url.json").write_text(json.dumps(origin))


def commit(folder: Path) -> str:
    """Commit everything in a folder, which becomes a checkout where it is none, and return the commit."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        return subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True).stdout

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "work")
    return git("rev-parse", "HEAD").strip()
