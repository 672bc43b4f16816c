"""Whether a result is what its scores give."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.measures import measure_round
from zsarbench.evaluation.scores import Scores
from zsarbench.results.coverage import MIN_SHARE
from zsarbench.results.problems import Problem, ProblemName
from zsarbench.results.recomputation import recompute
from zsarbench.results.record import RunResult

TOLERANCE = 1e-9
"""Of a result's numbers against those of its scores: both come from the same arithmetic."""


def scores_problems(path: Path, result: RunResult, scores: Scores) -> list[Problem]:
    """Return where the result of a file differs from what its scores give; [] where it does not."""
    try:
        right = recompute(path, scores)
    except ZsarbenchError as error:
        return [Problem("predictions", str(error))]
    problems = []
    for number, (item, of_scores) in enumerate(zip(result.rounds, right.rounds, strict=True)):
        for name, stated, given in _differences(item, of_scores):
            text = f"{name} of round {item.round}, seed {item.seed} is {stated}, but the scores give {given}"
            problems.append(Problem("metrics", text))
        if len(scores.rounds[number].clips) != item.n_expected:
            n_clips = len(scores.rounds[number].clips)
            problems.append(Problem("clips", f"round {item.round} has {n_clips} clips in its scores"))
    for name in sorted({*result.summary, *right.summary}):
        for field, stated, given in _differences(result.summary.get(name), right.summary.get(name)):
            kind: ProblemName = "intervals" if field in ("ci95", "no_ci95") else "metrics"
            problems.append(Problem(kind, f"{field} of {name} is {stated}, but the scores give {given}"))
    for field, stated, given in _differences(result.contamination, right.contamination):
        text = f"contamination.{field} is {stated}, but the scores give {given}"
        problems.append(Problem("contamination", text))
    if strays := _without_scores(scores) - {failure.clip_id for failure in result.failures}:
        problems.append(Problem("clips", f"clip '{min(strays)}' has no scores, but is not among the failures"))
    return problems + [Problem("clips", text) for text in _coverage_problems(result, scores)]


def _coverage_problems(result: RunResult, scores: Scores) -> Iterator[str]:
    """Yield where the counts of clips that were there and read, by which a row is ranked, are not of its clips."""
    tested = {str(clip) for item in scores.rounds for clip in scores.clip_ids[item.clips]}
    missing = [failure.missing for failure in result.failures if failure.clip_id in tested]
    if (have := result.coverage) is None:
        if len(tested) - sum(missing) < MIN_SHARE * len(tested):  # as `Coverage.is_partial` has it
            yield f"{sum(missing)} of {len(tested)} test clips are missing, but it has no coverage that says so"
        return
    if have.n_test != len(tested):
        yield f"coverage.n_test is {have.n_test}, but its rounds test {len(tested)} clips"
    if have.n_test_missing != sum(missing):
        yield f"coverage.n_test_missing is {have.n_test_missing}, but {sum(missing)} of its failures are missing"
    if have.n_test_unreadable > len(missing) - sum(missing):
        others = len(missing) - sum(missing)
        yield f"coverage.n_test_unreadable is {have.n_test_unreadable}, but {others} of its failures are not missing"


def rounds_follow(result: RunResult, scores: Scores) -> bool:
    """Return whether the rounds of a result are what its scores give; intervals are not looked at, which takes long."""
    if len(scores.rounds) != len(result.rounds):
        return False
    setting, denominator = result.protocol.setting, result.denominator
    for number, item in enumerate(result.rounds):
        measured = measure_round(scores, number, setting, denominator)._asdict()
        if not all(_close(getattr(item, name), value) for name, value in measured.items()):
            return False
    return True


def _differences(stated: Any, given: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the fields in which two data classes differ, numbers by more than `TOLERANCE`, with both values."""
    if stated is None or given is None:
        if stated is not given:
            yield "", stated, given
        return
    for field in dataclasses.fields(given):
        pair = getattr(stated, field.name), getattr(given, field.name)
        if not _close(*pair):
            yield field.name, *pair


def _close(stated: Any, given: Any) -> bool:
    if isinstance(stated, Mapping) and isinstance(given, Mapping):
        return stated.keys() == given.keys() and all(_close(stated[key], given[key]) for key in given)
    if isinstance(stated, Sequence) and not isinstance(stated, str) and isinstance(given, Sequence):
        return len(stated) == len(given) and all(map(_close, stated, given))
    if isinstance(stated, float) and isinstance(given, float):
        return abs(stated - given) <= TOLERANCE
    return bool(stated == given)


def _without_scores(scores: Scores) -> set[str]:
    """Return the clips that a matrix holds no scores of."""
    return {
        str(scores.clip_ids[clip])
        for block in scores.blocks
        for clip in block.clips[np.isnan(block.scores).any(axis=1)]
    }


def shortened(value: Any) -> str:
    """Return a value as text of at most 200 characters."""
    text = str(value)
    return text if len(text) <= 200 else f"{text[:199]}…"
