"""A result as Python shows it: one line, a table of rounds, a table of classes, HTML for a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from zsarbench.evaluation.settings import SETTINGS, Setting
from zsarbench.evaluation.summary import RoundResult, Summary

if TYPE_CHECKING:
    import pandas as pd

    from zsarbench.evaluation.by_class import ClassAccuracy


def in_percent(summary: Summary) -> str:
    """Return a metric's mean, spread and interval in percent, e.g. "49.0 ± 3.1 [43.2, 54.6]"."""
    text = f"{100 * summary.mean:.1f}"
    if summary.std is not None:
        text += f" ± {100 * summary.std:.1f}"
    if summary.ci95 is not None:
        low, high = summary.ci95
        text += f" [{100 * low:.1f}, {100 * high:.1f}]"
    return text


def ranking_metric(setting: Setting, summary: Mapping[str, Summary]) -> str:
    """Return the metric that ranks in a setting, or the first one where the summary lacks it."""
    name = SETTINGS[setting].paired_by.name
    return name if name in summary else min(summary)


def rounds_frame(rounds: Sequence[RoundResult]) -> pd.DataFrame:
    """Return a row for each round under each seed: counts, then metrics as fractions."""
    import pandas as pd

    rows = []
    for item in rounds:
        row = {name: value for name, value in asdict(item).items() if not isinstance(value, dict)}
        del row["candidates_sha256"]
        rows.append({**row, **item.metrics})
    frame = pd.DataFrame(rows)
    return frame.assign(duplicate_of=frame["duplicate_of"].astype("Int64"))


def classes_frame(accuracies: Iterable[ClassAccuracy]) -> pd.DataFrame:
    """Return a row for each class, the best first; the column `seen` stands where some are and some are not."""
    import pandas as pd

    frame = pd.DataFrame([asdict(one) for one in accuracies]).rename(columns={"name": "class"})
    return frame.set_index("class") if frame["seen"].nunique() > 1 else frame.drop(columns="seen").set_index("class")


def as_html(title: str, summary: Mapping[str, Summary], lines: Sequence[str]) -> str:
    """Return a heading, a row for each metric, and lines of text, as HTML without scripts or styles of its own."""
    rows = [
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(in_percent(one))}</td>"
        f"<td>{'' if one.chance is None else f'{100 * one.chance:.1f}'}</td></tr>"
        for name, one in sorted(summary.items())
    ]
    head = "<tr><th>metric, in %</th><th>mean ± deviation [95 % interval]</th><th>chance</th></tr>"
    text = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f"<p><b>{html.escape(title)}</b></p><table>{head}{''.join(rows)}</table><ul>{text}</ul>"
