"""Results beside the figures that papers report, as a reporter of the session renders them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Reporter
from zsarbench.plugins import Host
from zsarbench.plugins.guarding import named
from zsarbench.reports import table
from zsarbench.reports.backing import backings_of
from zsarbench.results import RunResult, reported


def render(host: Host, results: Mapping[Path, RunResult], reporter: str, *, rank_by: str | None = None) -> str:
    """Return the table of results on one protocol and of the figures reported on it, without a newline at its end.

    results: by their files, next to which their predictions are. reporter: a registered name. rank_by: the metric that
    ranks; by default that of the protocol's setting.

    Raises:
        UsageError: the reporter does not exist, or no result has the metric.
    """
    component: Reporter = host.registry.get("reporter", reporter).load()()
    comparison = table.build(
        list(results.values()),
        reported.read_all(),
        rank_by=rank_by,
        extra_columns=host.columns_of,
        backings=backings_of(results),
    )
    with named(host.registry):
        text = component.render(comparison)
    if not isinstance(text, str):
        raise ZsarbenchError(f"reporter '{reporter}' returned {type(text).__name__}, not text")
    return text.rstrip("\n")
