"""How accuracy depends on one option: results of one protocol that differ in it, as the lines of one figure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zsarbench.errors import UsageError, unknown
from zsarbench.evaluation.settings import SETTINGS, heading
from zsarbench.evaluation.summary import Summary
from zsarbench.reports.differing import Setting, settings_of
from zsarbench.reports.table import comparable
from zsarbench.results import RunResult


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Lines of points that differ in one option alone.

    option: as in `--set`, or `class_text`, `visual`, …. metric: as tables head it. values: of the option, in order.
    numeric: whether all of them are numbers. lines: by what sets a line apart from the others, its accuracies by value.
    chance: of the metric, where all results have one and the same. left_out: "id: reason".
    """

    protocol: str
    option: str
    metric: str
    values: tuple[str, ...]
    numeric: bool
    lines: Mapping[str, Mapping[str, Summary]]
    chance: float | None
    left_out: tuple[str, ...]


def sensitivity(results: Sequence[RunResult], *, over: str | None = None, metric: str | None = None) -> Sensitivity:
    """Return how the metric of results depends on an option.

    Args:
        results: of the protocol of the newest; those that cannot be compared with it are left out.
        over: the option, by default the only one in which they differ.
        metric: by default the one that ranks in the protocol's setting.

    Raises:
        UsageError: there is no result, the results do not differ in `over`, differ in several options and `over` does
            not say which one, or lack the metric.
    """
    if not results:
        raise UsageError("there is no result to draw. Try: zsarbench sweep --grid OPTION=VALUE,VALUE")
    like = max(results, key=lambda result: result.created)
    kept, left_out = comparable(results, like)
    metrics = sorted(set.intersection(*(set(result.summary) for result in kept)))
    metric = metric or SETTINGS[like.protocol.setting].ranked_by.name
    if metric not in metrics:
        raise UsageError(unknown("metric of all these results", metric, metrics))
    options = [_options(result) for result in kept]
    differing = _differing(options)
    over = _axis(over, [name for _, name in differing])
    lines: dict[str, dict[str, Summary]] = defaultdict(dict)
    for result, one in zip(kept, options, strict=True):
        mine = {key: one[key] for key in differing if key in one}
        value = next((value for (_, name), value in mine.items() if name == over), None)
        if value is None:
            left_out.append(f"{result.stem}: it has no option {over}")
            continue
        label = ", ".join(f"{name}={value}" for (_, name), value in mine.items() if name != over)
        lines[label][value] = result.summary[metric]
    found = {value for line in lines.values() for value in line}
    numeric = all(_is_number(value) for value in found)
    values = sorted(found, key=float if numeric else str)
    chances = {summary.chance for line in lines.values() for summary in line.values()}
    return Sensitivity(
        protocol=like.protocol.name,
        option=over,
        metric=heading(metric),
        values=tuple(values),
        numeric=numeric,
        lines={
            label: {value: line[value] for value in values if value in line} for label, line in sorted(lines.items())
        },
        chance=chances.pop() if len(chances) == 1 else None,
        left_out=tuple(left_out),
    )


def _options(result: RunResult) -> dict[Setting, str]:
    """Return all that may be an axis, each as it is typed."""
    about = {"method": result.method.name, "train_on": result.train_on, "class_text": result.class_text.form}
    return {("", name): value for name, value in about.items()} | settings_of(result)


def _differing(options: Sequence[Mapping[Setting, str]]) -> list[Setting]:
    """Return the settings that have several values among the results that have them."""
    values: dict[Setting, set[str]] = defaultdict(set)
    for one in options:
        for key, value in one.items():
            values[key].add(value)
    return [key for key, found in values.items() if len(found) > 1]


def _axis(over: str | None, differing: Sequence[str]) -> str:
    if over is None and len(differing) == 1:
        return differing[0]
    if not differing:
        raise UsageError("the results differ in no option. Try: zsarbench sweep --grid OPTION=VALUE,VALUE")
    if over is None:
        raise UsageError(f"the results differ in {', '.join(differing)}. Try: --over {differing[0]}")
    if over not in differing:
        raise UsageError(unknown("option in which the results differ", over, differing))
    return over


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
