"""Tables and reported figures as the leaderboard shows them: text, bars and details; nothing is computed anew.

Measured rows come from `zsarbench.reports.table`, which decides what may stand beside what. Accuracies are
shown in percent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from zsarbench.protocols import rounds_in_words
from zsarbench.reports import table as tables
from zsarbench.reports.layout import HEADINGS, NOTHING, shown_metrics
from zsarbench.reports.leaderboard.rows import (
    Board,
    Group,
    Row,
    Section,
    Unplaced,
    accuracy,
    bar_of,
    figure,
    interval,
    percent,
    scale_of,
)
from zsarbench.reports.table import GROUP, ExtraColumns, Table
from zsarbench.results import RunResult
from zsarbench.results.reported import NOT_STATED, ReportedRow

UNPLACED = "/unplaced"
CONTAMINATED = "contaminated classes"
REPORTED_ORDER = ("top1_per_video", "top1_per_class", "top1", "top5", "top1_base", "top1_novel", "harmonic_mean")
"""Metrics of tables without a measured row, in the order of their columns; others follow by name."""
REPORTED_HEADINGS = {
    **HEADINGS,
    "top1": "top-1",
    "top5": "top-5",
    "top1_base": "top-1, base",
    "top1_novel": "top-1, novel",
    "harmonic_mean": "harmonic mean",
    "mean_top1_top5": "mean of top-1 and top-5",
}
"""Here an average that a paper does not name is not named either."""


def make(
    results: Sequence[RunResult],
    reported: Sequence[ReportedRow],
    *,
    summaries: Mapping[str, str] | None = None,
    extra_columns: ExtraColumns | None = None,
) -> Board:
    """Return the board of these results and figures.

    Args:
        summaries: a sentence for each protocol; results bring their own.
        extra_columns: gives further columns for a result.
    """
    by_protocol: dict[str, list[ReportedRow]] = defaultdict(list)
    for row in reported:
        by_protocol[row.protocol].append(row)
    by_name = {result.stem: result for result in results}
    made = tables.build_all(results, reported, extra_columns=extra_columns)
    measured = tuple(_measured_section(table, by_name) for table in made)
    taken = {section.name for section in measured}
    alone = [name for name in sorted(by_protocol) if name not in taken and not name.endswith(UNPLACED)]
    unplaced = [name for name in sorted(by_protocol) if name.endswith(UNPLACED)]
    return Board(
        measured,
        tuple(_reported_section(name, by_protocol[name], (summaries or {}).get(name, "")) for name in alone),
        tuple((name.removesuffix(UNPLACED), _unplaced(by_protocol[name])) for name in unplaced),
        len(results),
        len(reported),
        max((result.created[:10] for result in results), default=""),
    )


# --- protocols with measured rows -------------------------------------------------------------------------------------


def _measured_section(table: Table, results: Mapping[str, RunResult]) -> Section:
    frame = table.frame
    rows = [dict(zip(map(str, frame.columns), row, strict=True)) for row in frame.itertuples(index=False, name=None)]
    metrics = shown_metrics(frame)
    like = results[next(row["id"] for row in rows if row["kind"] == "measured")]
    extra = tuple(frame.attrs["extra_columns"])
    if any(results[row["id"]].contamination for row in rows if row["kind"] == "measured"):
        extra = (CONTAMINATED, *extra)
    for row in rows:
        row[CONTAMINATED] = _contaminated(results[row["id"]]) if row["kind"] == "measured" else None
    scale = scale_of(rows, metrics[0])
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        shown = _shared(row, metrics, extra, scale)
        made = _measured_row(shown, row, metrics, results[row["id"]]) if row["kind"] == "measured" else shown
        groups[tuple(row[key] for key in GROUP)].append(made)
    return Section(
        name=like.protocol.name,
        summary=like.protocol.summary,
        about=_about(like),
        metrics=tuple(HEADINGS.get(name, REPORTED_HEADINGS.get(name, name)) for name in metrics),
        groups=tuple(Group(key[0], _heading(*key), tuple(of_key)) for key, of_key in groups.items()),
        extra=extra,
        scale=scale,
        remarks=table.remarks,
        left_out=table.left_out,
    )


def _about(like: RunResult) -> str:
    rounds = {item.round: item.duplicate_of for item in like.rounds}
    classes = sorted({item.n_classes for item in like.rounds})
    words = [
        f"setting {like.protocol.setting}",
        rounds_in_words(len(rounds), list(rounds.values()).count(None)),
        f"{' or '.join(map(str, classes))} candidate classes",
        f"protocol version {like.protocol.version}, hash {like.protocol.hash[:8]}",
        f"data set {like.dataset.name}, revision {like.dataset.revision[:12]}",
    ]
    return " · ".join(words)


def _heading(kind: str, train_on: str, class_text: str) -> str:
    """Return a group in one line, such as "measured · trained on seen · class text sentence"."""
    about = [kind, f"trained on {'nothing' if train_on == 'none' else train_on}"]
    return " · ".join([*about, f"class text {class_text}"] if class_text else about)


def _shared(row: Mapping[str, Any], metrics: Sequence[str], extra: Sequence[str], scale: int) -> Row:
    """Return what measured and reported rows of one table have in common."""
    return Row(
        kind=row["kind"],
        method=row["method"],
        values=tuple(accuracy(row, name) for name in metrics),
        bar=bar_of(row, metrics[0], scale),
        extra=tuple(NOTHING if pd.isna(row[name]) else str(row[name]) for name in extra),
        notes=tuple(row["notes"]),
    )


def _measured_row(shown: Row, row: Mapping[str, Any], metrics: Sequence[str], result: RunResult) -> Row:
    kinds = [kind for kind in ("visual", "text", "negatives", "loss") if not pd.isna(row[kind])]
    parts = " / ".join(row[kind] for kind in kinds) or "no parts"
    spread = row[f"{metrics[0]}_seed_std"]
    seeds = "" if pd.isna(spread) else f"{row['n_seeds']} training seeds ± {percent(spread)}"
    return replace(
        shown,
        rank=NOTHING if pd.isna(row["rank"]) else str(int(row["rank"])),
        about=" · ".join(word for word in (parts, row["settings"], seeds) if word),
        interval=interval(row, metrics[0]),
        scored=f"{row['n_scored']:,}/{row['n_expected']:,}",
        date=result.created[:10],
        facts=tuple(_facts(row, kinds, metrics, result)),
        command=result.command,
    )


def _contaminated(result: RunResult) -> str | None:
    """Return how many unseen classes something was trained on, of all; "≥" where part of the training is unknown."""
    audit = result.contamination
    if audit is None:
        return None
    unknown = any(not who.startswith("text ") for who in audit.unknown)  # a text encoder has seen no clip
    return f"{'≥ ' if unknown else ''}{audit.n_overlapping}/{audit.n_overlapping + audit.n_clean}"


def _facts(
    row: Mapping[str, Any], kinds: Sequence[str], metrics: Sequence[str], result: RunResult
) -> Iterable[tuple[str, str]]:
    """Give what no column holds."""
    main, where = metrics[0], result.environment
    yield "method", f"{result.method.summary} {result.method.source}".strip()
    yield from ((kind, row[kind]) for kind in kinds)
    for name in sorted(set(result.summary) - set(metrics)):
        yield HEADINGS.get(name, name), accuracy(row, name)
    yield "chance", f"{percent(row[f'{main}_chance'])} ({HEADINGS.get(main, main)})"
    yield "rounds", rounds_in_words(row["n_rounds"], row["n_distinct_rounds"])
    yield "training seeds", str(row["n_seeds"])
    if not pd.isna(row[f"{main}_seed_std"]):
        yield "deviation over training seeds", f"{percent(row[f'{main}_seed_std'])} ({HEADINGS.get(main, main)})"
    yield "clips that could not be read", f"{row['n_failed']:,}"
    yield "environment", f"zsarbench {where.zsarbench}, torch {where.torch}, {where.device}, {where.dtype}"
    yield "result", row["id"]


# --- protocols that only papers report on, and figures without a list -------------------------------------------------


def _reported_section(name: str, rows: Sequence[ReportedRow], summary: str) -> Section:
    order = {metric: number for number, metric in enumerate(REPORTED_ORDER)}
    metrics = sorted({row.name for row in rows}, key=lambda metric: (order.get(metric, len(order)), metric))
    groups: dict[str, list[dict[str, ReportedRow]]] = defaultdict(list)
    for figures in joined(rows):
        groups[next(iter(figures.values())).train].append(figures)

    def best_first(figures: Mapping[str, ReportedRow]) -> list[float]:
        return [-figures[metric].value if metric in figures else 0.0 for metric in metrics]

    return Section(
        name=name,
        summary=summary,
        about="no measured row yet",
        metrics=tuple(REPORTED_HEADINGS.get(metric, metric) for metric in metrics),
        groups=tuple(
            Group(
                "reported",
                _heading("reported", train, ""),
                tuple(_figures_row(figures, metrics) for figures in sorted(groups[train], key=best_first)),
            )
            for train in sorted(groups)
        ),
    )


def _figures_row(figures: Mapping[str, ReportedRow], metrics: Sequence[str]) -> Row:
    one = next(iter(figures.values()))
    vague = any(row.averaging == NOT_STATED for row in figures.values())
    return Row(
        kind="reported",
        method=one.method,
        values=tuple(figure(figures[metric]) if metric in figures else NOTHING for metric in metrics),
        notes=(one.citation, *(["averaging not stated there"] if vague else [])),
    )


def joined(rows: Iterable[ReportedRow]) -> list[dict[str, ReportedRow]]:
    """Return the figures of one method in one place of one source together, by metric; none replaces another."""
    places: dict[tuple[str, ...], list[dict[str, ReportedRow]]] = defaultdict(list)
    for row in rows:
        figures = places[row.method, row.train, row.wording, row.citation]
        free = next((known for known in figures if row.name not in known), None)
        if free is None:
            figures.append(free := {})
        free[row.name] = row
    return [known for figures in places.values() for known in figures]


def _unplaced(rows: Sequence[ReportedRow]) -> tuple[Unplaced, ...]:
    made = []
    for figures in joined(rows):
        one = next(iter(figures.values()))
        words = [f"{REPORTED_HEADINGS.get(name, name)} {figure(row)}" for name, row in sorted(figures.items())]
        made.append(Unplaced(one.method, "; ".join(words), one.train, one.wording, (one.citation,)))
    return tuple(made)
