"""Types are whole: mypy in strict mode, over the host and the plugins."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from locations import ROOT


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_types_are_whole() -> None:
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
