"""Differences between results on the same clips, with intervals in which what is hard for both cancels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from zsarbench import results
from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.evaluation import significance
from zsarbench.evaluation.bootstrap import TOO_FEW_CLASSES, PairedInterval, ScoredRound, paired_interval
from zsarbench.evaluation.scores import Scores
from zsarbench.evaluation.settings import METRICS, SETTINGS, Average, Metric
from zsarbench.evaluation.significance import Comparison, Effects, holm
from zsarbench.reports.differing import differing_settings
from zsarbench.results import RunResult
from zsarbench.utils import seeding

COMPARABLE = tuple(name for name, metric in METRICS.items() if metric.is_accuracy)
"""Metrics that are a mean of correctness: the paired bootstrap resamples nothing else."""


class RoundClips(NamedTuple):
    """The clips of a round, sorted by id (n,), and how far each is correct (n,), in [0, 1].

    clips: (n,) the same clips as indices into all of their own scores.
    """

    clip_ids: NDArray[np.str_]
    correct: NDArray[np.float64]
    clips: NDArray[np.integer[Any]]


Correctness: TypeAlias = dict[int, RoundClips]


def paired(paths: Sequence[Path], *, metric: str | None = None, against: Path | None = None) -> pd.DataFrame:
    """Return how far each result is above one of them, by default the best, on the same clips of the same rounds.

    Columns: method, settings, against, metric, difference (a fraction), low and high (its 95 % interval), p (two-sided,
    of a paired test over classes), p_holm (corrected for the number of comparisons), resolvable (the true difference
    that the test finds with 80 % power), share_not_better (of bootstrap replicates in which the result is not above the
    other; no p-value), for a single round only_this, only_other and p_mcnemar (clips that one alone has right, and what
    they would mean were they independent), n_rounds, id. Missing where there are too few classes.
    Several training seeds are averaged clip by clip; rounds that repeat another's class lists count once.

    metric: by default the one that is compared in their setting.

    Raises:
        UsageError: fewer than two results, a metric that is not a mean of correctness, `against` not among the results.
        ZsarbenchError: results of different protocols, data, denominators or clips, or without their scores.
    """
    if metric is not None and metric not in COMPARABLE:
        raise UsageError(unknown("metric for a paired comparison", metric, COMPARABLE))
    if len(paths) < 2:
        raise UsageError(
            f"a paired comparison needs two results, not {len(paths)}. Try: zsarbench compare A.json B.json"
        )
    if against is not None and against not in paths:
        raise UsageError(f"{against} is not among the results to compare")
    return _paired({path: results.read(path) for path in paths}, metric, against)


def describe_differences(paths: Sequence[Path], *, metric: str | None = None, against: Path | None = None) -> str:
    """Return the differences of `paired` for readers: one line per result, in percentage points.

    Raises:
        UsageError, ZsarbenchError: as `paired` does.
    """
    rows = paired(paths, metric=metric, against=against).to_dict("records")
    by_id = {result.stem: result for result in map(results.read, paths)}
    base = rows[0]["against"]
    name = f"{by_id[base].method.name} {differing_settings(by_id.values())[base]}".strip()
    lines = [
        f"difference in {rows[0]['metric']} to {name} ({base})",
        f"on the same clips, percentage points, {_interval_heading(rows[0])}:",
    ]
    for row in rows:
        lines.append(f"  {100 * row['difference']:+6.1f}{_ends(row)}  {row['method']} {row['settings']}".rstrip())
    return "\n".join([*lines, *_tests(rows)]) + "\n"


def _interval_heading(row: Mapping[Hashable, Any]) -> str:
    if pd.isna(row["low"]):
        return f"no interval of {TOO_FEW_CLASSES}"
    return "95 % interval, p of a paired test over classes, Holm's for all"


def _ends(row: Mapping[Hashable, Any]) -> str:
    if pd.isna(row["low"]):
        return ""
    ends = f"[{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
    return f" {ends:<14}  p {p_text(row['p']):<7}  Holm {p_text(row['p_holm']):<7}"


def p_text(p: float) -> str:
    """Return a p-value as readers see it.

    >>> p_text(0.0421), p_text(0.00001), p_text(1.0)
    ('0.042', '< 0.001', '1.000')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _tests(rows: Sequence[Mapping[Hashable, Any]]) -> list[str]:
    """Return what the comparisons could find at all, and the clips that only one of two has right."""
    found = [100 * row["resolvable"] for row in rows if not pd.isna(row["resolvable"])]
    lines = []
    if found:
        ends = f"{min(found):.1f}" if len(found) == 1 else f"{min(found):.1f} to {max(found):.1f}"
        lines.append(f"resolves, with 80 % power and before correction, true differences of {ends} points")
    if not pd.isna(rows[0]["p_mcnemar"]):
        lines.append("clips right in it alone and in the other alone, McNemar's p as if clips were independent:")
        lines += [
            f"  {row['only_this']:5} {row['only_other']:5}  p {p_text(row['p_mcnemar']):<7}  "
            f"{row['method']} {row['settings']}".rstrip()
            for row in rows
        ]
    return lines


def _paired(by_path: Mapping[Path, RunResult], metric: str | None, against: Path | None) -> pd.DataFrame:
    metric = metric or SETTINGS[next(iter(by_path.values())).protocol.setting].paired_by.name
    check_comparable(list(by_path.values()), metric)
    base = against or max(by_path, key=lambda path: by_path[path].summary[metric].mean)
    base_scores, compared = results.read_scores(base), Metric.parse(metric)
    base_correct = correctness(by_path[base], base_scores, compared)
    base_effects = effects(base_correct, base_scores, compared.average)
    settings = differing_settings(by_path.values())
    rows = []
    for path, result in by_path.items():
        if path != base:
            scores = results.read_scores(path)
            correct = correctness(result, scores, compared)
            _check_same_clips(correct, base_correct, result.stem, by_path[base].stem)
            interval = _interval(correct, base_correct, base_scores, compared)
            tested = significance.compare(effects(correct, scores, compared.average), base_effects)
            rows.append(
                {
                    "method": result.method.name,
                    "settings": settings[result.stem],
                    "against": by_path[base].stem,
                    "metric": metric,
                    **interval._asdict(),
                    "p": tested.p,
                    "resolvable": _resolvable(tested, base_effects),
                    **_mcnemar(correct, base_correct),
                    "n_rounds": len(base_correct),
                    "id": result.stem,
                }
            )
    frame = pd.DataFrame(rows)
    p = np.array([np.nan if row["p"] is None else row["p"] for row in rows], dtype=np.float64)
    frame.insert(list(frame).index("p") + 1, "p_holm", holm(p))
    return frame.sort_values(["difference", "id"], ascending=[False, True], ignore_index=True)


def effects(rounds: Correctness, scores: Scores, average: Average) -> Effects:
    """Return the mean accuracy of rounds with what each class, by name, adds to it."""
    names, classes = _classes(scores)
    found = significance.accuracy_effects(_scored(rounds.values()), classes, average=average)
    return replace(found, classes=names[found.classes])


def harmonic_effects(seen: Correctness, unseen: Correctness, scores: Scores, average: Average) -> Effects:
    """Return the mean over rounds of the harmonic mean of two sides with what each class, by name, adds to it."""
    names, classes = _classes(scores)
    first, second = (_scored(side.values()) for side in (seen, unseen))
    found = significance.harmonic_effects(first, second, classes, average=average)
    return replace(found, classes=names[found.classes])


def _classes(scores: Scores) -> tuple[NDArray[np.str_], NDArray[np.intp]]:
    """Return the class names, sorted, and the class of every clip as an index into them."""
    order = np.argsort(scores.class_names)
    places = np.empty(len(order), dtype=np.intp)
    places[order] = np.arange(len(order))
    return scores.class_names[order], places[scores.labels]


def _resolvable(tested: Comparison, of: Effects) -> float | None:
    return None if tested.error is None else significance.resolvable(tested.error, of.n_classes)


def _mcnemar(own: Correctness, base: Correctness) -> dict[str, Any]:
    """Return McNemar's counts and p for a single round; with several, a clip would count more than once."""
    names = ("only_this", "only_other", "p_mcnemar")
    if len(own) != 1:
        return dict.fromkeys(names)
    (one,), (other,) = own.values(), base.values()
    return dict(zip(names, significance.mcnemar(one.correct > 0.5, other.correct > 0.5), strict=True))


def check_comparable(compared: Sequence[RunResult], metric: str) -> None:
    """Check that results may be paired, as far as their records say.

    Raises:
        ZsarbenchError: of different protocols, data or denominators, of a part of the clips, or without the metric.
    """
    first = compared[0]
    for result in compared:
        for what, own, others in (
            ("protocol", result.protocol.hash, first.protocol.hash),
            ("data set", (result.dataset.name, result.dataset.revision), (first.dataset.name, first.dataset.revision)),
        ):
            if own != others:
                raise ZsarbenchError(f"{result.stem} and {first.stem} cannot be paired: the {what} differs")
        if result.denominator != "all":
            raise ZsarbenchError(f"{result.stem} cannot be paired: it leaves unread clips out of the denominator")
        if result.coverage is not None and result.coverage.is_partial:
            raise ZsarbenchError(f"{result.stem} cannot be paired: {result.coverage.lacks}")
        if metric not in result.summary:
            raise ZsarbenchError(unknown(f"metric of {result.stem}", metric, result.summary))


def _check_same_clips(own: Correctness, base: Correctness, name: str, base_name: str) -> None:
    same = own.keys() == base.keys()
    if not same or any(not np.array_equal(own[number].clip_ids, base[number].clip_ids) for number in own):
        raise ZsarbenchError(f"{name} and {base_name} cannot be paired: their rounds hold other clips (a --limit?)")


def correctness(result: RunResult, scores: Scores, metric: Metric) -> Correctness:
    """Return the clips of each distinct round with their correctness at a metric's k, averaged over training seeds."""
    by_round = defaultdict(list)
    for number, item in enumerate(result.rounds):
        if item.duplicate_of is None:
            of_round = scores.rounds[number]
            kept = of_round.clips
            correct = scores.ranks(number).correct(metric.k)
            if metric.side is not None:
                of_side = of_round.seen[scores.true_columns(number)] == metric.side.of_seen
                kept, correct = kept[of_side], correct[of_side]
            order = np.argsort(scores.by_id[kept])
            by_round[item.round].append((kept[order], correct[order]))
    return {
        number: RoundClips(
            scores.clip_ids[seeds[0][0]], np.mean([correct for _, correct in seeds], axis=0), seeds[0][0]
        )
        for number, seeds in by_round.items()
    }


def _interval(own: Correctness, base: Correctness, scores: Scores, metric: Metric) -> PairedInterval:
    """Return how far one is above the other, on the same clips; scores: of the other."""
    others = [base[number] for number in own]
    return paired_interval(
        _scored(item._replace(clips=other.clips) for item, other in zip(own.values(), others, strict=True)),
        _scored(others),
        scores.labels,
        average=metric.average,
        rng=generator(),
    )


def generator() -> np.random.Generator:
    """Return the generator that every paired comparison draws classes from, always from its start."""
    return seeding.numpy_generator(0, "paired")


def _scored(rounds: Iterable[RoundClips]) -> list[ScoredRound]:
    return [ScoredRound(item.correct, item.clips) for item in rounds]
