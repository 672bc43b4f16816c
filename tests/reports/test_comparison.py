"""Results next to reported figures: which share a table, and what a reporter must be and return."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import zsarbench
from samples import sample_result, sample_scores
from zsarbench import hookimpl, results
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import Table
from zsarbench.plugins import Host, load_plugins
from zsarbench.reports import comparison
from zsarbench.reports.comparison import check_reporter, render
from zsarbench.results import reported
from zsarbench.results.reported import ReportedRow

RESULT = sample_result(sample_scores())
ELSEWHERE = dataclasses.replace(RESULT, protocol=dataclasses.replace(RESULT.protocol, name="ucf101/all"))


def methods(table: Table) -> list[str]:
    """Return the kinds and methods of a table's rows."""
    return [f"{kind} {method}" for kind, method in zip(table.frame["kind"], table.frame["method"], strict=True)]


def test_results_on_one_protocol_share_a_table() -> None:
    assert methods(zsarbench.compare([RESULT])) == ["measured cezsar"]
    assert zsarbench.compare([RESULT, ELSEWHERE], protocol="toy/half").title.startswith("toy/half")
    with pytest.raises(UsageError, match=r"results on 2 protocols share no table\. Try: protocol='toy/half'"):
        zsarbench.compare([RESULT, ELSEWHERE])
    with pytest.raises(UsageError, match="unknown protocol among the results 'toy/hal'; did you mean 'toy/half'"):
        zsarbench.compare([RESULT], protocol="toy/hal")
    with pytest.raises(UsageError, match="there is no result to compare"):
        zsarbench.compare([])


def test_reported_figures_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    figure = ReportedRow("E2E", "toy/half", "top1", 0.452, "seen classes", "A Paper", "Table 3", "IMG", "owner/repo")
    monkeypatch.setattr(reported, "read_all", lambda: [figure])
    own = [RESULT]
    assert methods(zsarbench.compare(own, reported=False)) == ["measured cezsar"]
    assert methods(zsarbench.compare(own)) == ["measured cezsar", "reported E2E"]
    assert methods(comparison.compare(own)) == methods(zsarbench.compare(own))


class Lines:
    """A reporter of the methods alone."""

    def render(self, table: Table) -> Any:
        """Return the methods, and no text at all of a table without a result."""
        return "\n".join(methods(table)) + "\n\n"


class Silent:
    """A reporter that returns no text."""

    def render(self, table: Table) -> Any:
        """Return nothing."""
        return


class Plugin:
    """Brings both reporters."""

    @hookimpl
    def zsarbench_register(self, registry: Any) -> None:
        """Register them."""
        for name, kind in (("lines", "Lines"), ("silent", "Silent")):
            registry.add("reporter", name, f"{__name__}:{kind}", summary="A reporter.")


@pytest.fixture
def host() -> Host:
    """A session with both reporters."""
    return load_plugins(loaders={"made": Plugin})


def test_a_reporter_renders_without_a_line_at_the_end(host: Host, tmp_path: Path) -> None:
    scores = sample_scores()
    path = results.write(RESULT, scores, tmp_path)
    assert render(host, {path: results.read(path)}, "lines") == "measured cezsar"
    with pytest.raises(ZsarbenchError, match="reporter 'silent' returned NoneType, not text"):
        render(host, {path: results.read(path)}, "silent")


def test_a_reporter_is_looked_for_before_the_work(host: Host) -> None:
    check_reporter(host, "lines")
    with pytest.raises(UsageError, match="unknown reporter 'line'; did you mean 'lines'"):
        check_reporter(host, "line")
