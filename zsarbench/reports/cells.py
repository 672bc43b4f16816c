"""How a value of a table becomes text: the same in the terminal, in Markdown, in LaTeX and on the leaderboard.

A row maps the columns of `zsarbench.interfaces.Table.frame` to their values; accuracies are shown in percent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from zsarbench.evaluation.settings import vague_name

Row: TypeAlias = Mapping[str, Any]

NOTHING = "–"
"""A cell without a value."""
INTERVAL = "95 % CI"


# --- headings ---------------------------------------------------------------------------------------------------------


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


def rank(row: Row) -> str:
    """Return the ranks that a row may have: one, or those that it shares with rows that tests do not separate from it.

    >>> rank({"rank": 1, "rank_last": 4}), rank({"rank": 5, "rank_last": 5}), rank({"rank": None})
    ('1 to 4', '5', '–')
    """
    first, last = row["rank"], row.get("rank_last")
    if pd.isna(first) or pd.isna(last) or first == last:
        return integer(first)
    return f"{integer(first)} to {integer(last)}"


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


def stated_name(row: Row, metric: str) -> str | None:
    """Return under which name a row has a metric: its own, or that without an average; None where under neither."""
    names = (metric, vague_name(metric))
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
