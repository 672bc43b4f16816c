"""Carries out a spec: prepares, fits and scores, up to what a run measured."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from zsarbench.evaluation.scores import Block, RoundScores, Scores
from zsarbench.harness.fitting import Fit, Fitted, adopt, clips_of, fits, fitted
from zsarbench.harness.preparation import Prepared, prepare
from zsarbench.harness.scoring import block_without_scores, round_scores, score_block, share_a_matrix
from zsarbench.interfaces import Method, Parts, Progress, Recording
from zsarbench.utils.compute import Stopwatch

if TYPE_CHECKING:
    from zsarbench.harness.inputs import RoundClips
    from zsarbench.harness.spec import RunSpec
    from zsarbench.plugins.registry import Registry

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run measured, before it is written down.

    parts: those of the last fit, with its loss. learnt: ids of the clips that any fit was given, of the training data
    set where there is one; those that could not be read are not among them. scores: every round of every seed, in the
    order of `served`. records: what each fit chose and measured. failures: why a clip could not be read or scored, by
    clip id. method: as the last fit left it.
    """

    prepared: Prepared
    parts: Parts
    learnt: tuple[str, ...]
    scores: Scores
    served: tuple[tuple[Fit, RoundClips], ...]
    fits: tuple[Fit, ...]
    records: tuple[Mapping[str, Any], ...]
    failures: Mapping[str, str]
    seconds: Mapping[str, float]
    method: Method


def execute(spec: RunSpec, registry: Registry, progress: Progress) -> Outcome:
    """Load, extract, fit and score.

    Raises:
        ZsarbenchError: the data is malformed, a plugin broke its contract, or, with `strict`, a clip is unreadable.
    """
    watch = Stopwatch()
    prepared = prepare(spec, registry, progress, watch)
    with prepared.compute.deterministic():
        return _fit_and_score(prepared, watch)


def _fit_and_score(prepared: Prepared, watch: Stopwatch) -> Outcome:
    all_fits = fits(prepared)
    blocks: list[Block] = []
    scored: list[RoundScores] = []
    served: list[tuple[Fit, RoundClips]] = []
    records: list[dict[str, Any]] = []
    learnt: dict[str, None] = {}
    failures = dict(prepared.unread)
    nowhere = not any(clips_of(prepared, fit)[0] for fit in all_fits)  # then the first fit says what is wrong
    done: Fitted | None = None
    for number, fit in enumerate(all_fits, start=1):
        n_train, n_choosing = map(len, clips_of(prepared, fit))
        more = f" and {n_choosing} to choose settings by" if n_choosing else ""
        _log.info("fit %d of %d (seed %d, %d training clips%s)", number, len(all_fits), fit.seed, n_train, more)
        current: Fitted | None = None
        if n_train or nowhere:
            with watch("fit"):
                current = done = fitted(prepared, fit)
            learnt |= dict.fromkeys(current.learnt)
        else:
            _log.warning("no training clip of fit %d can be read: its test clips count as wrong", number)
        method = current.method if current is not None else None
        records.append(dict(method.record()) if isinstance(method, Recording) else {})
        with watch("score"):
            together = method is None or (method.class_independent and share_a_matrix(prepared, fit.rounds))
            for rounds in [fit.rounds] if together else [(item,) for item in fit.rounds]:
                block, without_score = (
                    score_block(prepared, current, rounds) if current else block_without_scores(prepared, rounds)
                )
                scored += [round_scores(prepared, item, len(blocks)) for item in rounds]
                served += [(fit, item) for item in rounds]
                blocks.append(block)
                failures |= without_score
        if current is not None:
            adopt(current)
    assert done is not None
    return Outcome(
        prepared=prepared,
        parts=done.context.parts,
        learnt=tuple(learnt),
        scores=_scores(prepared, blocks, scored),
        served=tuple(served),
        fits=tuple(all_fits),
        records=tuple(records),
        failures=failures,
        seconds=dict(watch.seconds),
        method=done.method,
    )


def _scores(prepared: Prepared, blocks: list[Block], rounds: list[RoundScores]) -> Scores:
    data, ids = prepared.inputs, prepared.features.ids
    return Scores(
        clip_ids=np.array(ids),
        groups=np.array(data.manifest.loc[list(ids), "group"].astype(str)),
        class_names=np.array(data.classes),
        labels=data.labels(ids, data.classes).astype(np.int32),
        blocks=tuple(blocks),
        rounds=tuple(rounds),
    )
