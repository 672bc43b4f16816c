"""Results next to the figures that papers report, rendered by a reporter of the session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.interfaces import RendersAll, Reporter, Table
from zsarbench.plugins import Host, load_plugins
from zsarbench.plugins.guarding import named
from zsarbench.reports import table
from zsarbench.reports.backing import backings_of
from zsarbench.reports.paired import check_comparable
from zsarbench.results import RunResult, read_scores, reported


def compare(
    results: Sequence[RunResult], *, protocol: str | None = None, rank_by: str | None = None, with_reported: bool = True
) -> Table:
    """Return the table of results on one protocol; see `zsarbench.compare`."""
    results = _results(results)
    names = sorted({result.protocol.name for result in results})
    if protocol is None and len(names) > 1:
        raise UsageError(f"results on {len(names)} protocols share no table. Try: protocol='{names[0]}'")
    chosen = [result for result in results if protocol in (None, result.protocol.name)]
    if not chosen:
        if protocol is None:
            raise UsageError("there is no result to compare. Try: zsarbench.load_results(FOLDER)")
        raise UsageError(unknown("protocol among the results", protocol, names))
    figures = reported.read_all() if with_reported else []
    backings = backings_of({result.path: result for result in chosen if result.path is not None})
    return table.build(chosen, figures, rank_by=rank_by, extra_columns=load_plugins().columns_of, backings=backings)


def _results(given: object) -> list[RunResult]:
    """Return what may be compared.

    Raises:
        UsageError: it is something else.
    """
    several: Iterable[object] = given if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]
    found = []
    for one in several:
        if not isinstance(one, RunResult):
            raise UsageError(f"{one!r:.80} is no result. Try: zsarbench.compare(zsarbench.load_results(FOLDER))")
        found.append(one)
    return found


def check_reporter(host: Host, reporter: str) -> None:
    """Check that results can be rendered, before the work whose results they are.

    Raises:
        UsageError: the reporter does not exist.
        ZsarbenchError: it cannot be loaded.
    """
    _load(host, reporter)


def _load(host: Host, reporter: str) -> Reporter:
    entry = host.registry.get("reporter", reporter)
    with named(host.registry):
        component: Reporter = entry.load()()
    return component


def render(host: Host, results: Mapping[Path, RunResult], reporter: str, *, rank_by: str | None = None) -> str:
    """Return the table of results on one protocol and of the figures reported on it, without a newline at its end.

    results: by their files, next to which their predictions are. reporter: a registered name. rank_by: the metric that
    ranks; by default that of the protocol's setting.

    Raises:
        UsageError: the reporter does not exist, or no result has the metric.
    """
    component = _load(host, reporter)
    comparison = _built(host, results, rank_by)
    with named(host.registry):
        return _text(component.render(comparison), reporter)


def render_all(
    host: Host, results: Mapping[str, Mapping[Path, RunResult]], reporter: str, *, rank_by: str | None = None
) -> str | None:
    """Return the tables of several protocols as one document; None where the reporter makes a text of each alone.

    The document of one protocol is the one that `render` returns.

    results: those of each protocol; for these and the rest see `render`.
    """
    component = _load(host, reporter)
    if not isinstance(component, RendersAll):
        return None
    comparisons = [_built(host, compared, rank_by) for compared in results.values()]
    with named(host.registry):
        text = component.render_all(comparisons) if len(comparisons) > 1 else component.render(comparisons[0])
    return _text(text, reporter)


def _built(host: Host, results: Mapping[Path, RunResult], rank_by: str | None) -> Table:
    return table.build(
        list(results.values()),
        reported.read_all(),
        rank_by=rank_by,
        extra_columns=host.columns_of,
        backings=backings_of(results),
    )


def _text(returned: object, reporter: str) -> str:
    if not isinstance(returned, str):
        raise ZsarbenchError(f"reporter '{reporter}' returned {type(returned).__name__}, not text")
    return returned.rstrip("\n")


def pairable(found: Mapping[Path, RunResult], metric: str | None) -> tuple[list[Path], list[str]]:
    """Return the files of the table's rows that can be paired with each other, and "id: reason" for its other rows."""
    rows = {result.stem for result in table.comparable(list(found.values()), table.newest(found.values()))[0]}
    paths, reasons = [], []
    for path, result in found.items():
        if result.stem in rows:
            try:
                check_comparable([result], metric or SETTINGS[result.protocol.setting].paired_by.name)
                read_scores(path, result)
            except ZsarbenchError as error:
                reasons.append(f"{result.stem}: {error}")
            else:
                paths.append(path)
    return paths, reasons
