"""Results beside the figures that papers report, as a reporter of the session renders them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zsarbench.interfaces import Reporter
from zsarbench.plugins import Host
from zsarbench.reports import table
from zsarbench.results import RunResult, reported


def render(host: Host, results: Sequence[RunResult], reporter: str, *, rank_by: str | None = None) -> str:
    """Return the table of results on one protocol and of the figures reported on it, without a newline at its end.

    reporter: a registered name. rank_by: the metric that ranks; by default that of the protocol's setting.

    Raises:
        UsageError: the reporter does not exist, or no result has the metric.
    """
    component: Reporter = host.registry.get("reporter", reporter).load()()
    columns = columns_of_plugins(host)
    comparison = table.build(results, reported.read_all(), rank_by=rank_by, extra_columns=columns)
    return component.render(comparison).rstrip("\n")


def columns_of_plugins(host: Host) -> Callable[[RunResult], dict[str, Any]]:
    """Return a function that gives the columns which plugins add to a result's row."""

    def columns(result: RunResult) -> dict[str, Any]:
        values = host.call_each("zsarbench_add_columns", result=result)
        return {name: value for _, added in values for name, value in (added or {}).items()}

    return columns
