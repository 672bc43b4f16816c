"""What `zsarbench doctor` reports, on machines that lack something too."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from zsarbench.cli.main import cli


def report() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(CliRunner().invoke(cli, ["doctor", "--json"], catch_exceptions=False).stdout)
    return content


def test_the_cores_are_counted_on_a_platform_without_affinities(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS and Windows have no `os.sched_getaffinity`."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert report()["cores"] == os.cpu_count()


def test_a_machine_without_torch_is_reported_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "zsarbench.utils.compute", raising=False)
    content = report()
    assert "torch" in content["devices"][0]
    assert content["bfloat16"].startswith("unknown: ")
    assert content["decoder"] == "ok"
