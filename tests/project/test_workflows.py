"""The workflow that may comment on pull requests runs nothing of them; that of the pages runs what no other does."""

from __future__ import annotations

import re

from locations import ROOT

RESULTS = (ROOT / ".github" / "workflows" / "results.yml").read_text(encoding="utf-8")
PAGES = (ROOT / ".github" / "workflows" / "documentation.yml").read_text(encoding="utf-8")
SCRIPT = (ROOT / ".ci" / "contributed").read_text(encoding="utf-8")


def test_contributed_rows_are_checked_by_the_code_of_the_base_branch() -> None:
    assert "pull_request_target:" in RESULTS
    assert "persist-credentials: false" in RESULTS
    assert "ref:" not in RESULTS  # nothing but the base branch is checked out
    assert "head." not in RESULTS  # and no name of the pull request reaches a command
    commands = [line for line in RESULTS.splitlines() if "FETCH_HEAD" in line]
    assert commands == ["      - run: .ci/contributed FETCH_HEAD report.md"]


def test_of_a_contribution_files_of_results_alone_are_taken_as_data() -> None:
    (checkout,) = [line for line in SCRIPT.splitlines() if " checkout " in line]
    assert "core.symlinks=false" in checkout
    assert checkout.endswith("-- benchmarks/results")
    assert "! -name '*.json' ! -name '*.npz' ! -name SHA256SUMS -delete" in SCRIPT


def test_what_runs_apart_is_run_every_week_and_by_hand() -> None:
    assert re.search(r"^  schedule:\n    - cron: \"\d+ \d+ \* \* \d\"\n  workflow_dispatch:$", PAGES, re.MULTILINE)
    (command,) = re.findall(r"- run: tox run -e tests -- (.*)", PAGES)
    assert command.split()[:2] == ["-m", "apart"]
    assert (ROOT / command.split()[-1]).is_file()
