"""zsarbench measures zero-shot action recognition: one harness, exact protocols, swappable methods and parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import pluggy

from zsarbench.harness.run_options import RunOptions
from zsarbench.interfaces import Progress, Table
from zsarbench.interfaces.lazy import Lazy

if TYPE_CHECKING:
    from zsarbench.results import record
else:
    record = Lazy("zsarbench.results.record")

__version__ = "0.1.0"

hookimpl = pluggy.HookimplMarker("zsarbench")
"""Marks a function of a plugin as an implementation of a hook of `zsarbench.plugins.hookspecs`."""

__all__ = ["__version__", "compare", "hookimpl", "load_results", "run"]


def run(method: str, *, progress: Progress | None = None, **options: Unpack[RunOptions]) -> record.RunResult:
    """Run one method under one protocol and return its result; what `zsarbench run` does, from Python.

    A finished run is not measured again: its result is read from the folder `out`, unless `refit=True`.

    method: a registered name (`zsarbench list method`). progress: where progress is shown; None logs it. options: those
    of `zsarbench run`, with underscores for hyphens (`settings` for `--set`): protocol, visual, text, negatives, loss,
    settings, seed, seeds, train_on, class_text, captions, data_root, device, dtype, threads, denominator, control,
    limit, partial, executor, out, strict, refit.

    Raises:
        zsarbench.errors.UsageError: a name, option or protocol that does not exist, or things that do not go together.
        zsarbench.errors.ZsarbenchError: the run failed.
    """
    from zsarbench.harness.runs import run_request

    return run_request(method, progress=progress, **options)


def load_results(*places: Path | str) -> list[record.RunResult]:
    """Return the results of files and of all files under folders, by default of `./results`, the newest first.

    A file that is not a valid result is left out, and the log says why.

    Raises:
        zsarbench.errors.UsageError: what is given is no path, does not exist, or holds no result.
    """
    from zsarbench import results

    return results.load(*places)


def compare(
    results: Sequence[record.RunResult],
    *,
    protocol: str | None = None,
    rank_by: str | None = None,
    reported: bool = True,
) -> Table:
    """Return the table of results on one protocol, as `zsarbench compare` prints it.

    Results that were read from files or written to them are ranked by their predictions; of others, intervals decide.

    Its `frame` has a row for each result, the best of each group first; `left_out` says which results do not belong
    into one table with the others, and why.

    protocol: the one to compare, where results are on several. rank_by: the metric that ranks; by default that of the
    setting. reported: whether to add the figures that papers report on the protocol.

    Raises:
        zsarbench.errors.UsageError: there is no result, what is given is none, results are on several protocols and
            none is named, or no result has the metric.
    """
    from zsarbench.reports import comparison

    return comparison.compare(results, protocol=protocol, rank_by=rank_by, with_reported=reported)
