"""Calls in another process: what comes back, what is raised there, and that nothing of it stays behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from zsarbench.testing import elsewhere
from zsarbench.utils.time_limit import TimeIsUp, limited

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


def test_a_function_runs_in_this_folder_and_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert elsewhere.call("os:getcwd") == str(tmp_path)
    assert elsewhere.call("os:getpid") != os.getpid()


def test_what_fails_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(elsewhere.Failed, match="FileNotFoundError"):
        elsewhere.call("os:listdir", path=str(tmp_path / "missing"))
    with pytest.raises(elsewhere.Failed, match="the process ended"):
        elsewhere.call("os:_exit", status=3)
    assert elsewhere.call("os:listdir", path=str(tmp_path)) == []


def test_what_hangs_there_ends_with_the_limit_and_the_next_call_is_answered(tmp_path: Path) -> None:
    elsewhere.call("os:getpid")  # the process is there
    begun = tmp_path / "begun"
    with pytest.raises(TimeIsUp), limited(5.0):
        elsewhere.call("subprocess:check_call", args=["sh", "-c", f"echo $$ > {begun}; exec sleep 600"])
    hung = Path("/proc") / begun.read_text().strip()
    deadline = time.monotonic() + 10
    while hung.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not hung.exists()
    assert elsewhere.call("os:listdir", path=str(tmp_path)) == ["begun"]
