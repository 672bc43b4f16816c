"""A result computed again from its scores alone, without method, model or data."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.contamination import accuracies
from zsarbench.evaluation.measures import measure_round, summarise_scores
from zsarbench.evaluation.scores import Scores
from zsarbench.results.files import read, read_scores
from zsarbench.results.record import RunResult, names_sha256
from zsarbench.utils.foreign import guarded


def recompute(path: Path, scores: Scores | None = None) -> RunResult:
    """Return the result of a file with all that scores decide computed from the scores file next to it.

    That is the counts, metrics, chance and candidates of every round, means, spreads and intervals, and the accuracy on
    clean and on overlapping classes. What else the file holds stays as it is.

    scores: of that file, where they were read already.

    Raises:
        ZsarbenchError: the scores file is missing, damaged, of other rounds, or not the one whose sha256 the result
            holds.
    """
    result = read(path)
    scores = scores or read_scores(path)
    if len(scores.rounds) != len(result.rounds):
        raise ZsarbenchError(f"scores of {path} hold {len(scores.rounds)} rounds, but the result {len(result.rounds)}")
    with guarded("result file", path):
        return _from_scores(result, scores)


def _from_scores(result: RunResult, scores: Scores) -> RunResult:
    setting, denominator = result.protocol.setting, result.denominator
    rounds = tuple(
        dataclasses.replace(
            item,
            candidates_sha256=names_sha256(_candidates(scores, number)),
            **measure_round(scores, number, setting, denominator)._asdict(),
        )
        for number, item in enumerate(result.rounds)
    )
    audit = result.contamination
    if audit is not None:
        overlapping = {overlap.candidate for overlap in audit.overlapping}
        audit = dataclasses.replace(audit, accuracy=accuracies(scores, overlapping, denominator))
    partial = result.coverage is not None and result.coverage.is_partial
    summary = summarise_scores(rounds, scores, setting, denominator, partial=partial)
    return dataclasses.replace(result, rounds=rounds, summary=summary, contamination=audit)


def _candidates(scores: Scores, number: int) -> list[str]:
    return [str(name) for name in scores.class_names[scores.rounds[number].classes]]
