"""Results and reported figures to one table of numbers that can be compared; what cannot is left out with its reason.

A table holds one protocol, by hash, on one revision of one data set. Rows are ranked only among rows that learnt from
the same data and read the same form of class text, and only where nothing speaks against them.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd

from zsarbench.errors import UsageError, unknown
from zsarbench.results import RunResult
from zsarbench.results.reported import NOT_STATED, ReportedRow

_log = logging.getLogger(__name__)

RANKED_BY = {"zsl": "top1_per_video", "gzsl": "harmonic_mean", "base-to-novel": "harmonic_mean_per_video"}
"""The metric that ranks in a setting unless another is asked for."""

GROUP = ["kind", "train_on", "class_text"]
"""Columns in which rows must agree to be ranked against each other."""
UNRANKING_FLAGS = ("control:", "limit:", "denominator:")
"""Beginnings of flags that repeat a field of the result; the table says these in its own words."""

ExtraColumns: TypeAlias = Callable[[RunResult], Mapping[str, Any]]


@dataclass(frozen=True)
class Table:
    """A comparison on one protocol.

    frame: one row per result or reported method, in raw numbers, accuracies as fractions; see `build` for its columns.
    Its `attrs` carry `rank_by`, `extra_columns` and the two fields below: reporters are given the frame alone.
    remarks: lines that belong under the table. left_out: "id: reason" for each result that is not in it.
    """

    title: str
    frame: pd.DataFrame
    remarks: tuple[str, ...]
    left_out: tuple[str, ...]


def build(
    results: Sequence[RunResult],
    reported: Sequence[ReportedRow] = (),
    *,
    like: RunResult | None = None,
    rank_by: str | None = None,
    extra_columns: ExtraColumns | None = None,
) -> Table:
    """Return the table of one protocol: that of `like`, by default the newest result.

    Columns: rank (missing where the row is not ranked), method, settings (what tells rows of one method apart), kind
    (measured, reported), visual, text, negatives, loss, train_on, class_text; for each metric its mean under its name
    and `_std`, `_ci_low`, `_ci_high`, `_seed_std`, `_chance`; n_rounds, n_distinct_rounds (without those that repeat an
    earlier one), n_seeds, n_expected, n_scored, n_failed (sums over the rounds of one seed), notes (list), id, spec_id,
    created, command, and the extra columns.

    Args:
        reported: figures of papers; those of other protocols are ignored.
        rank_by: the metric that ranks; by default that of the setting in `RANKED_BY`.
        extra_columns: gives further columns for a result.

    Raises:
        UsageError: there is no result, or `rank_by` is no metric of them.
    """
    if not results:
        raise UsageError("there is no result to compare. Try: zsarbench run --method NAME")
    like = like or max(results, key=_age)
    kept, left_out = _comparable(results, like)
    metrics = sorted({name for result in kept for name in result.summary})
    rank_by = rank_by or RANKED_BY[like.protocol.setting]
    if rank_by not in metrics:
        raise UsageError(unknown("metric to rank by", rank_by, metrics))
    settings = differing_settings(kept)
    rows = [_measured_row(result, settings[result.stem]) for result in kept]
    extra = [_checked_extra(result, extra_columns) for result in kept]
    placed = [row for row in reported if row.protocol == like.protocol.name]
    rows = [row | more for row, more in zip(rows, extra, strict=True)] + _reported_rows(placed)
    remarks = [] if placed else [f"no published row for {like.protocol.name}"]
    frame = _ranked(pd.DataFrame(rows), rank_by)
    further = list(dict.fromkeys(name for more in extra for name in more))
    frame.attrs = {"rank_by": rank_by, "extra_columns": further, "remarks": remarks, "left_out": left_out}
    return Table(_title(like), frame, tuple(remarks), tuple(left_out))


def build_all(
    results: Sequence[RunResult],
    reported: Sequence[ReportedRow] = (),
    *,
    extra_columns: ExtraColumns | None = None,
) -> list[Table]:
    """Return one table for each protocol that has a result, by name."""
    by_protocol = defaultdict(list)
    for result in results:
        by_protocol[result.protocol.name].append(result)
    return [build(by_protocol[name], reported, extra_columns=extra_columns) for name in sorted(by_protocol)]


def unranked_because(result: RunResult) -> list[str]:
    """Return why a result is shown but not ranked; [] where it is ranked."""
    reasons = [f"not ranked: {objection}" for objection in result.objections]
    if result.control != "none":
        reasons.append(f"not ranked: control run, {result.control}")
    if result.limit is not None:
        reasons.append(f"not ranked: only {result.limit} clips a class")
    if result.denominator == "survivors":
        reasons.append("not ranked: clips that could not be read are left out of the denominator")
    return reasons


def contamination_notes(result: RunResult) -> list[str]:
    """Return which unseen classes something was trained on and what that is worth; [] where nothing is known of any.

    A text encoder of unknown origin is told in the result alone: it has seen no clip.
    """
    audit = result.contamination
    if audit is None:
        return ["contamination: not audited"]
    notes = []
    if audit.n_overlapping:
        sets = {item.label_set for item in audit.overlapping}
        learnt = "; ".join(f"{name}: {', '.join(audit.audited[name])}" for name in sorted(sets))
        told = [f"{100 * values['top1_per_video']:.1f} on {side}" for side, values in sorted(audit.accuracy.items())]
        of_all = f"{audit.n_overlapping} of {audit.n_overlapping + audit.n_clean}"
        notes.append(
            f"contamination: {of_all} unseen classes were trained on ({learnt}); top-1/video {', '.join(told)} classes"
        )
    if hidden := [who for who in audit.unknown if not who.startswith("text ")]:
        notes.append(f"contamination: unknown what was trained on: {', '.join(hidden)}")
    if audit.naming:
        named = sum(audit.naming.values())
        notes.append(f"contamination: {named:,} of {audit.n_sentences:,} training sentences name an unseen class")
    return notes


def differing_settings(results: Iterable[RunResult]) -> dict[str, str]:
    """Return, by result id, the settings in which a result differs from others of its method, as `loss.margin=0.5`.

    Options of a part are compared only between results that use the same part.
    """
    by_method = defaultdict(list)
    for result in results:
        by_method[result.method.name].append((result.stem, _settings(result)))
    texts = {}
    for rows in by_method.values():
        values = defaultdict(set)
        for _, settings in rows:
            for key, value in settings.items():
                values[key].add(value)
        for stem, settings in rows:
            differing = [(key, value) for key, value in settings.items() if len(values[key]) > 1]
            texts[stem] = ", ".join(f"{key[-1]}={value}" for key, value in differing)
    return texts


def _settings(result: RunResult) -> dict[tuple[str, ...], str]:
    """Return setting values by (component name, setting); the name keeps options of different parts apart."""
    flat: dict[tuple[str, ...], str] = {}
    for kind, part in sorted(result.parts.items()):
        flat["", kind] = part.name
        flat |= {(part.name, f"{kind}.{key}"): _text(value) for key, value in sorted(part.options.items())}
    flat |= {("", f"method.{key}"): _text(value) for key, value in sorted(result.method.options.items())}
    flat["", "dtype"] = result.environment.dtype
    flat["", "seeds"] = ",".join(map(str, result.seeds))
    return flat


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _age(result: RunResult) -> tuple[str, str]:
    return result.created, result.stem


def _title(like: RunResult) -> str:
    protocol, dataset = like.protocol, like.dataset
    return (
        f"{protocol.name} (version {protocol.version}, hash {protocol.hash[:8]}) "
        f"on {dataset.name} (revision {dataset.revision[:12]})"
    )


def _comparable(results: Sequence[RunResult], like: RunResult) -> tuple[list[RunResult], list[str]]:
    """Return the results that may share a table with `like`, and "id: reason" for the others."""
    counts = _usual_counts(results, like)
    reasons = {result.stem: _reason_apart(result, like, counts) for result in results}
    newest: dict[str, RunResult] = {}
    for result in sorted(results, key=_age):
        if reasons[result.stem] is None:
            newest[result.spec_id] = result
    kept, left_out = [], []
    for result in sorted(results, key=_age, reverse=True):
        if reason := reasons[result.stem]:
            left_out.append(f"{result.stem}: {reason}")
        elif result is not newest[result.spec_id]:
            left_out.append(f"{result.stem}: older result of the spec that {newest[result.spec_id].stem} has")
        else:
            kept.append(result)
    return kept, left_out


def _reason_apart(result: RunResult, like: RunResult, counts: dict[int, int] | None) -> str | None:
    if result.protocol.name != like.protocol.name:
        return f"it is on {result.protocol.name}"
    if result.protocol.hash != like.protocol.hash:
        return (
            f"its {like.protocol.name} is another (version {result.protocol.version}, hash {result.protocol.hash[:8]})"
        )
    if result.dataset.name != like.dataset.name or result.dataset.revision != like.dataset.revision:
        return f"its data are {result.dataset.name}, revision {result.dataset.revision[:12]}"
    if result.limit is None and counts is not None and _counts(result) != counts:
        return f"its rounds expect {sum(_counts(result).values())} clips, not {sum(counts.values())}"
    return None


def _usual_counts(results: Iterable[RunResult], like: RunResult) -> dict[int, int] | None:
    """Return the clips that each round expects: those of `like`, or where it is limited of the newest that is not."""
    if like.limit is None:
        return _counts(like)
    whole = [result for result in results if result.limit is None and _reason_apart(result, like, None) is None]
    return _counts(max(whole, key=_age)) if whole else None


def _counts(result: RunResult) -> dict[int, int]:
    return {item.round: item.n_expected for item in result.rounds}


def _measured_row(result: RunResult, settings: str) -> dict[str, Any]:
    one_seed = [item for item in result.rounds if item.seed == result.rounds[0].seed]
    notes = unranked_because(result) + contamination_notes(result)
    notes += [flag for flag in result.flags if not flag.startswith(UNRANKING_FLAGS)]
    row: dict[str, Any] = {"method": result.method.name, "settings": settings, "kind": "measured"}
    for kind in ("visual", "text", "negatives", "loss"):
        row[kind] = result.parts[kind].name if kind in result.parts else None
    row |= {"train_on": result.train_on, "class_text": result.class_text.form}
    for name, summary in result.summary.items():
        low, high = summary.ci95 or (None, None)
        row |= {name: summary.mean, f"{name}_std": summary.std, f"{name}_ci_low": low, f"{name}_ci_high": high}
        row |= {f"{name}_seed_std": summary.seed_std, f"{name}_chance": summary.chance}
    n_distinct = sum(item.duplicate_of is None for item in one_seed)
    row |= {"n_rounds": len(one_seed), "n_distinct_rounds": n_distinct, "n_seeds": len(result.seeds)}
    row |= {key: sum(getattr(item, key) for item in one_seed) for key in ("n_expected", "n_scored", "n_failed")}
    row |= {"notes": notes, "id": result.stem, "spec_id": result.spec_id}
    return row | {"created": result.created, "command": result.command}


def _checked_extra(result: RunResult, extra_columns: ExtraColumns | None) -> dict[str, Any]:
    """Return a result's further columns without those that would replace the table's own."""
    own = _measured_row(result, "") | {"rank": None}
    given = dict(extra_columns(result)) if extra_columns else {}
    for name in sorted(set(given) & set(own)):
        _log.warning("a plugin's column '%s' of %s is ignored: the table has one of that name", name, result.stem)
    return {name: value for name, value in given.items() if name not in own}


def _reported_rows(rows: Sequence[ReportedRow]) -> list[dict[str, Any]]:
    """Return one row for each method of each source; several metrics of one join in it."""
    joined: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        key = (row.method, row.train, row.paper, row.table)
        start = {"method": row.method, "settings": "", "kind": "reported", "train_on": row.train, "class_text": ""}
        into = joined.setdefault(key, start | {"notes": []})
        into |= {row.name: row.value, f"{row.name}_std": row.std}
        notes = [row.citation, *(["averaging not stated there"] if row.averaging == NOT_STATED else [])]
        into["notes"] += [note for note in notes if note not in into["notes"]]
    return list(joined.values())


def without_average(metric: str) -> str:
    """Return the name of a mean over clips as papers have it that do not say over what they average.

    >>> without_average("top1_per_video_novel")
    'top1_novel'
    """
    return metric.replace("_per_video", "")


def _ranked(frame: pd.DataFrame, rank_by: str) -> pd.DataFrame:
    """Return the rows by group, best first, the ranks counted within each group; unranked ones last."""
    for column in frame.columns[frame.columns.str.startswith(("n_",))]:
        frame[column] = frame[column].astype("Int64")
    free = [not any(note.startswith("not ranked") for note in notes) for notes in frame["notes"]]
    rankable = pd.Series(free, index=frame.index) & (frame["kind"] == "measured")
    ranks = frame[rankable].groupby(GROUP)[rank_by].rank(method="min", ascending=False)
    frame.insert(0, "rank", ranks.reindex(frame.index).astype("Int64"))
    stated = frame[rank_by]
    if (vague := without_average(rank_by)) in frame:
        stated = stated.fillna(frame[vague])
    order = frame.assign(_unranked=frame["rank"].isna(), _value=-stated.astype(float))
    order = order.sort_values([*GROUP, "_unranked", "_value", "method", "settings"], kind="stable")
    return frame.loc[order.index].reset_index(drop=True)
