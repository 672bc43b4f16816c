"""How a value of a table becomes text: the same in the terminal, in Markdown, in LaTeX and on the leaderboard.

A row maps the columns of `zsarbench.interfaces.Table.frame` to their values; accuracies are shown in percent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

Row: TypeAlias = Mapping[str, Any]

NOTHING = "–"
"""A cell without a value."""
INTERVAL = "95 % CI"
HEADINGS = {
    "top1_per_video": "top-1/video",
    "top1_per_class": "top-1/class",
    "top5_per_video": "top-5/video",
    "top5_per_class": "top-5/class",
    "harmonic_mean": "H/class",
    "top1_per_class_seen": "seen/class",
    "top1_per_class_unseen": "unseen/class",
    "ausuc": "AUSUC",
    "top1_per_video_base": "base/video",
    "top1_per_video_novel": "novel/video",
    "harmonic_mean_per_video": "H/video",
}
PAPER_HEADINGS = {
    **HEADINGS,
    "top1": "top-1",
    "top5": "top-5",
    "top1_base": "top-1, base",
    "top1_novel": "top-1, novel",
    "harmonic_mean": "harmonic mean",
    "mean_top1_top5": "mean of top-1 and top-5",
}
"""Of figures that only papers report: an average that a paper does not name is not named here either."""


# --- headings ---------------------------------------------------------------------------------------------------------


def metric_heading(metric: str) -> str:
    """Return the heading of a metric.

    >>> metric_heading("top1_per_video"), metric_heading("gflops")
    ('top-1/video', 'gflops')
    """
    return HEADINGS.get(metric, metric)


def paper_heading(metric: str) -> str:
    """Return the heading of a metric that only papers report.

    >>> paper_heading("top1"), paper_heading("harmonic_mean")
    ('top-1', 'harmonic mean')
    """
    return PAPER_HEADINGS.get(metric, metric)


def group_heading(kind: str, train_on: str, class_text: str) -> str:
    """Return in one line what rows that are ranked against each other share.

    >>> group_heading("measured", "none", "sentence")
    'measured · trained on nothing · class text sentence'
    """
    parts = [kind, f"trained on {'nothing' if train_on == 'none' else train_on}"]
    return " · ".join([*parts, f"class text {class_text}"] if class_text else parts)


# --- single values ----------------------------------------------------------------------------------------------------


def text(value: Any) -> str:
    """Return a value as it is; a missing one as a dash."""
    return NOTHING if pd.isna(value) else str(value)


def integer(value: Any) -> str:
    """Return a whole number, which pandas may hold as a float."""
    return NOTHING if pd.isna(value) else str(int(value))


def percent(value: Any) -> str:
    """Return a fraction in percent.

    >>> percent(0.4904), percent(None)
    ('49.0', '–')
    """
    return NOTHING if pd.isna(value) else f"{100 * value:.1f}"


def spread(mean: Any, std: Any, *, always: bool = False) -> str:
    """Return a mean ± its standard deviation; always: with a dash where there is no deviation, so that columns align.

    >>> spread(0.49, 0.02), spread(0.49, None), spread(0.49, None, always=True)
    ('49.0 ± 2.0', '49.0', '49.0 ± –')
    """
    if pd.isna(mean):
        return NOTHING
    return percent(mean) + (f" ± {percent(std)}" if always or not pd.isna(std) else "")


# --- cells of rows ----------------------------------------------------------------------------------------------------


def without_average(metric: str) -> str:
    """Return the name of a mean over clips in papers that do not state over what they average.

    >>> without_average("top1_per_video_novel")
    'top1_novel'
    """
    return metric.replace("_per_video", "")


def stated_name(row: Row, metric: str) -> str | None:
    """Return under which name a row has a metric: its own, or that without an average; None where under neither."""
    names = (metric, without_average(metric))
    return next((name for name in names if not pd.isna(row.get(name))), None)


def accuracy(row: Row, metric: str, *, always_spread: bool = False) -> str:
    """Return the mean of a metric ± its deviation over rounds; see `spread`."""
    name = stated_name(row, metric)
    return NOTHING if name is None else spread(row[name], row[f"{name}_std"], always=always_spread)


def interval(row: Row, metric: str) -> str:
    """Return the 95 % interval of a metric, as `[47.1, 52.9]`."""
    low, high = row[f"{metric}_ci_low"], row[f"{metric}_ci_high"]
    return NOTHING if pd.isna(low) else f"[{percent(low)}, {percent(high)}]"


def scored(row: Row) -> str:
    """Return the clips that have scores, of those expected, as `3,701/3,783`."""
    return NOTHING if pd.isna(row["n_expected"]) else f"{row['n_scored']:,}/{row['n_expected']:,}"


def part_names(row: Row, kinds: Sequence[str]) -> list[str]:
    """Return the names of the parts of these kinds that a row was run with."""
    return [row[kind] for kind in kinds if not pd.isna(row[kind])]
