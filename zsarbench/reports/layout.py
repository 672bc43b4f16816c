"""A table as people read it: percent with one decimal, headings, footnotes; what all rows share is said once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from zsarbench.protocols import rounds_in_words
from zsarbench.reports.table import GROUP, without_average

NOTHING = "–"
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
FOR_PEOPLE = {
    "zsl": ("top1_per_video", "top1_per_class", "top5_per_video"),
    "gzsl": ("harmonic_mean", "top1_per_class_seen", "top1_per_class_unseen", "ausuc"),
    "base-to-novel": ("harmonic_mean_per_video", "top1_per_video_base", "top1_per_video_novel"),
}
"""Metrics of a setting that get a column here; CSV and JSON have all. What only papers report gets one as well."""


@dataclass(frozen=True)
class Group:
    """Rows that may be ranked against each other: what sets them apart from other groups, and their cells."""

    about: Mapping[str, str]
    cells: pd.DataFrame

    @property
    def heading(self) -> str:
        """The group in one line, such as "measured · trained on seen · class text sentence"."""
        words = {"kind": "", "train_on": "trained on ", "class_text": "class text "}
        about = {**self.about, "train_on": self.about["train_on"].replace("none", "nothing")}
        return " · ".join(words[key] + value for key, value in about.items() if value)


@dataclass(frozen=True)
class Display:
    """A table in text.

    common: what all measured rows share, in one line. groups: all with the same columns. lines: footnotes ("[a] text",
    the marks standing behind the methods' names), remarks and what was left out, to go below.
    """

    common: str
    groups: tuple[Group, ...]
    lines: tuple[str, ...]


def display(frame: pd.DataFrame) -> Display:
    """Return the frame of a `zsarbench.reports.table.Table` as text."""
    rank_by = frame.attrs["rank_by"]
    rows = _rows(frame)
    marks, footnotes = _footnotes(rows)
    cells = pd.DataFrame(
        {
            "#": [_integer(row["rank"]) for row in rows],
            "method": [row["method"] + _marks(row, marks) for row in rows],
            "settings": [row["settings"] or "" for row in rows],
            "parts": [_parts(row) for row in rows],
        }
    )
    for name in shown_metrics(frame):
        spread = bool(frame[f"{name}_std"].notna().any())
        cells[HEADINGS.get(name, name)] = [_accuracy(row, name, spread) for row in rows]
        if name == rank_by:
            cells[INTERVAL] = [_interval(row, name) for row in rows]
    cells["seed std"] = [_percent(row[f"{rank_by}_seed_std"]) for row in rows]
    cells["scored"] = [_scored(row) for row in rows]
    cells["chance"] = [_percent(row[f"{rank_by}_chance"]) for row in rows]
    for name in frame.attrs["extra_columns"]:
        cells[name] = [NOTHING if pd.isna(row[name]) else str(row[name]) for row in rows]
    common, shared = _common(cells, frame)
    cells = cells.drop(columns=shared)
    by_group: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        by_group.setdefault(tuple(row[key] for key in GROUP), []).append(number)
    groups = tuple(
        Group(dict(zip(GROUP, key, strict=True)), cells.iloc[numbers].reset_index(drop=True))
        for key, numbers in by_group.items()
    )
    left_out = [f"left out: {line}" for line in frame.attrs["left_out"]]
    return Display(common, groups, (*footnotes, *frame.attrs["remarks"], *left_out))


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(map(str, frame.columns), row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def _common(cells: pd.DataFrame, frame: pd.DataFrame) -> tuple[str, list[str]]:
    """Return in words what all measured rows share, and the columns that need not be shown for it."""
    measured = cells[frame["kind"] == "measured"]
    shared = [name for name in ("settings", "parts", "seed std", "scored", "chance") if measured[name].nunique() == 1]
    said = {name: measured[name].iloc[0] for name in shared}
    words = [f"{name} {said[name]}" for name in ("parts", "scored") if said.get(name, NOTHING) != NOTHING]
    if said.get("chance", NOTHING) != NOTHING:
        metric = frame.attrs["rank_by"]
        words.append(f"chance {said['chance']} ({HEADINGS.get(metric, metric)})")
    counts = frame[["n_rounds", "n_distinct_rounds"]].dropna().drop_duplicates().sort_values("n_rounds")
    rounds = " or ".join(rounds_in_words(*row) for row in counts.itertuples(index=False, name=None))
    words.append(f"{rounds}, so no spread" if rounds == "1 round" else rounds)
    seeds = set(frame["n_seeds"].dropna())
    words.append("1 training seed" if seeds == {1} else " or ".join(map(str, sorted(seeds))) + " training seeds")
    return " · ".join(["in %", *words]), shared


def shown_metrics(frame: pd.DataFrame) -> list[str]:
    """Return the metrics of a table that get a column: the ranking one, the usual ones, those that only papers report.

    A paper's vague `top1` stands in the column of `top1_per_video`.
    """
    measured = [str(name) for name in frame if f"{name}_chance" in frame]
    usual = FOR_PEOPLE[
        "base-to-novel" if "top1_per_video_base" in measured else "gzsl" if "harmonic_mean" in measured else "zsl"
    ]
    vague = {without_average(name) for name in measured if "_per_video" in name}
    papers = [name for name in map(str, frame) if f"{name}_std" in frame and name not in measured]
    papers = [name for name in papers if not name.endswith("_seed") and name not in vague]
    return list(dict.fromkeys([frame.attrs["rank_by"], *(name for name in usual if name in measured), *papers]))


def _accuracy(row: Mapping[str, Any], name: str, spread: bool) -> str:
    vague = without_average(name)
    if pd.isna(row[name]) and not pd.isna(row.get(vague)):
        name = vague
    if pd.isna(row[name]):
        return NOTHING
    if pd.isna(row[f"{name}_std"]):
        return _percent(row[name]) + (f" ± {NOTHING}" if spread else "")
    return f"{_percent(row[name])} ± {_percent(row[f'{name}_std'])}"


def _interval(row: Mapping[str, Any], name: str) -> str:
    low, high = row[f"{name}_ci_low"], row[f"{name}_ci_high"]
    return NOTHING if pd.isna(low) else f"[{_percent(low)}, {_percent(high)}]"


def _percent(value: Any) -> str:
    return NOTHING if pd.isna(value) else f"{100 * value:.1f}"


def _integer(value: Any) -> str:
    return NOTHING if pd.isna(value) else str(int(value))


def _scored(row: Mapping[str, Any]) -> str:
    return NOTHING if pd.isna(row["n_expected"]) else f"{row['n_scored']:,}/{row['n_expected']:,}"


def _parts(row: Mapping[str, Any]) -> str:
    names = [row[kind] for kind in ("visual", "text") if not pd.isna(row[kind])]
    return " / ".join(names) or NOTHING


def _footnotes(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], list[str]]:
    """Return a mark for each distinct note, in the order of the rows, and the footnotes."""
    notes = dict.fromkeys(note for row in rows for note in row["notes"])
    marks = {note: _letters(number) for number, note in enumerate(notes)}
    return marks, [f"[{mark}] {note}" for note, mark in marks.items()]


def _marks(row: Mapping[str, Any], marks: Mapping[str, str]) -> str:
    own = ",".join(marks[note] for note in row["notes"])
    return f" [{own}]" if own else ""


def _letters(number: int) -> str:
    """Return a, b, …, z, aa, ab, …

    >>> _letters(0), _letters(25), _letters(26)
    ('a', 'z', 'aa')
    """
    return ("" if number < 26 else _letters(number // 26 - 1)) + chr(ord("a") + number % 26)
