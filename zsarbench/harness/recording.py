"""Turns what a run measured into its result: metrics, intervals, who and what took part, where it ran."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from zsarbench import results
from zsarbench.evaluation import bootstrap as statistics
from zsarbench.evaluation import contamination, metrics
from zsarbench.evaluation import summary as summaries
from zsarbench.evaluation.label_sets import LabelSet
from zsarbench.evaluation.summary import RoundResult
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.harness.environment import environment_of
from zsarbench.results import (
    ClassTextInfo,
    ClipFailure,
    DatasetInfo,
    MethodInfo,
    PartInfo,
    ProtocolInfo,
    RunResult,
)
from zsarbench.utils import seeding
from zsarbench.utils.schema import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zsarbench.harness.execution import Outcome

N_RESAMPLES = 2000


def record(outcome: Outcome) -> RunResult:
    """Return the result of a run."""
    prepared, spec = outcome.prepared, outcome.prepared.spec
    what, rounds = spec.what, _rounds(outcome)
    return RunResult(
        method=_method(outcome),
        parts={kind: _part(outcome, kind) for kind in what.parts},
        sampling=getattr(outcome.parts.visual, "sampling", None),
        views=1,
        protocol=ProtocolInfo(
            name=what.protocol.name,
            version=what.protocol.version,
            hash=what.protocol_hash,
            setting=what.protocol.setting,
            summary=what.protocol.summary,
            source=what.protocol.source,
        ),
        dataset=DatasetInfo(
            name=what.dataset.name, revision=prepared.inputs.revision, options=what.dataset.identity()["options"]
        ),
        train_on="none" if outcome.method.learns_from == "nothing" else what.train_on,
        class_text=ClassTextInfo(form=_form(what.class_text), sha256=_texts_sha256(outcome)),
        denominator=what.denominator,
        control=what.control,
        limit=what.limit,
        seed=what.seed,
        seeds=tuple(range(what.seed, what.seed + what.seeds)),
        rounds=rounds,
        summary=summaries.summarise(rounds, _intervals(outcome)),
        failures=tuple(ClipFailure(clip_id, reason) for clip_id, reason in sorted(outcome.failures.items())),
        objections=spec.objections,
        flags=_flags(outcome),
        environment=environment_of(prepared.compute, what.dtype),
        seconds={stage: round(seconds, 3) for stage, seconds in outcome.seconds.items()},
        created=results.utc_now(),
        spec=what.identity(),
        spec_id=results.spec_id(what.identity()),
        command=spec.command,
        contamination=_contamination(outcome),
    )


def _rounds(outcome: Outcome) -> tuple[RoundResult, ...]:
    what, fits = outcome.prepared.spec.what, list(outcome.fits)
    found = []
    for number, (fit, item) in enumerate(outcome.served):
        scores, labels = outcome.scores.round(number)
        seen = outcome.scores.rounds[number].seen if what.protocol.setting != "zsl" else None
        values = metrics.evaluate(
            scores, labels, setting=what.protocol.setting, seen=seen, denominator=what.denominator
        )
        failed = int(np.isnan(scores).any(axis=1).sum())
        candidates, n_seen = item.round.candidates, len(set(item.round.seen) & set(item.round.candidates))
        found.append(
            RoundResult(
                round=item.round.index,
                seed=fit.seed,
                fit=fits.index(fit),
                n_classes=len(candidates),
                n_seen=len(item.round.seen),
                n_expected=len(labels),
                n_scored=len(labels) - failed,
                n_failed=failed,
                metrics=values,
                chance={
                    name: summaries.chance(name, len(candidates), n_seen, what.protocol.setting) for name in values
                },
                candidates_sha256=results.names_sha256(candidates),
                duplicate_of=what.protocol.duplicates.get(item.round.index),
            )
        )
    return tuple(found)


def _intervals(outcome: Outcome) -> dict[str, tuple[float, float]]:
    """Return the 95 % interval of every accuracy, by a bootstrap over classes and then source groups."""
    found: dict[str, tuple[float, float]] = {}
    setting = outcome.prepared.spec.what.protocol.setting
    for k in (1, 5) if setting == "zsl" else (1,):
        sides = _correct(outcome, k)
        for statistic in get_args(statistics.Statistic):
            for side, rounds in sides.items():
                if rounds:
                    found[f"top{k}_{statistic}{side}"] = _interval(outcome, rounds, statistic)
            name = "harmonic_mean" if statistic == "per_class" else "harmonic_mean_per_video"
            if name in metrics.check_metrics(None, setting):
                of_seen, of_unseen = sides.values()
                low, high = statistics.harmonic_interval(
                    of_seen,
                    of_unseen,
                    *_cells(outcome),
                    statistic=statistic,
                    rng=_rng(),
                    n_resamples=N_RESAMPLES,
                )
                found[name] = (low, high)
    return found


def _correct(outcome: Outcome, k: int) -> dict[str, list[statistics.ScoredRound]]:
    """Return the correctness of every round by the sides of its setting, `metrics.SIDES`; duplicates left out."""
    what = outcome.prepared.spec.what
    sides: dict[str, list[statistics.ScoredRound]] = {side: [] for side in metrics.SIDES[what.protocol.setting]}
    for number, (_, item) in enumerate(outcome.served):
        scores, labels = outcome.scores.round(number)
        if item.round.index in what.protocol.duplicates or scores.shape[1] <= k:
            continue
        clips = outcome.scores.rounds[number].clips
        correct = metrics.topk_expectation(scores, labels, k)
        survivors = what.denominator == "survivors"
        kept = ~np.isnan(scores).any(axis=1) if survivors else np.full(len(labels), True)
        of_seen = outcome.scores.rounds[number].seen[labels]
        for rounds, here in zip(sides.values(), (of_seen, ~of_seen) if len(sides) == 2 else (kept,), strict=True):
            rounds.append(statistics.ScoredRound(correct[here & kept], clips[here & kept]))
    return sides


def _interval(
    outcome: Outcome, rounds: Sequence[statistics.ScoredRound], statistic: statistics.Statistic
) -> tuple[float, float]:
    low, high = statistics.bootstrap_interval(
        rounds, *_cells(outcome), statistic=statistic, rng=_rng(), n_resamples=N_RESAMPLES
    )
    return max(0.0, low), min(1.0, high)


def _cells(outcome: Outcome) -> tuple[NDArray[np.int32], NDArray[np.str_]]:
    """Return the labels and the source groups of all clips: (N,) and (N,)."""
    return outcome.scores.labels, outcome.scores.groups


def _rng() -> np.random.Generator:
    """Return the generator of the bootstrap: always the same draws, whatever the training seed."""
    return seeding.numpy_generator(0, "bootstrap")


def _contamination(outcome: Outcome) -> contamination.Contamination:
    """Return which unseen classes of any round something of this run was trained on, and the accuracy on the others."""
    prepared, what = outcome.prepared, outcome.prepared.spec.what
    training, aliases, registry = prepared.training, prepared.inputs.aliases, prepared.registry
    text = what.parts.get("text")
    unseen = list(dict.fromkeys(name for _, item in outcome.served for name in item.round.unseen))
    found = contamination.audit(
        contamination.declarations(
            registry,
            what.method.name,
            {kind: part.name for kind, part in what.parts.items()},
            what.dataset.name,
            training.dataset if training else None,
        ),
        unseen,
        registry,
        aliases=aliases,
        encoder=outcome.parts.text if text is not None and text.name == contamination.NEAR_ENCODER else None,
        learnt=LabelSet(training.dataset, training.classes, training.aliases)
        if training and training.classes
        else None,
    )
    overlapping = {overlap.candidate for overlap in found.overlapping}
    found = replace(found, accuracy=contamination.accuracies(outcome.scores, overlapping, what.denominator))
    if outcome.method.learns_from != "captions":
        return found
    data = training or prepared.inputs
    sentences = [sentence for clip in outcome.learnt for sentence in data.captions.get(clip, ())]
    naming = contamination.sentences_naming(unseen, sentences, aliases=aliases)
    return replace(found, n_sentences=len(sentences), naming=naming)


def _method(outcome: Outcome) -> MethodInfo:
    part = outcome.prepared.spec.what.method
    entry = outcome.prepared.registry.get("method", part.name)
    return MethodInfo(
        name=part.name,
        plugin=part.plugin,
        summary=entry.summary,
        source=entry.source,
        options=part.identity()["options"],
        learns_from=outcome.method.learns_from,
        trained_on=entry.trained_on,
        record={"fits": plain(outcome.records, "record.fits")} if any(outcome.records) else {},
    )


def _part(outcome: Outcome, kind: str) -> PartInfo:
    part = outcome.prepared.spec.what.parts[kind]
    component = getattr(outcome.parts, kind)
    if isinstance(component, CachedTextEncoder):
        component = component.encoder
    parameters = getattr(component, "parameters", None)
    return PartInfo(
        name=part.name,
        plugin=part.plugin,
        options=part.identity()["options"],
        fingerprint=dict(getattr(component, "fingerprint", {})),
        parameters=sum(weight.numel() for weight in parameters()) if callable(parameters) else None,
        trained_on=outcome.prepared.registry.get(kind, part.name).trained_on,
    )


def _flags(outcome: Outcome) -> tuple[str, ...]:
    """Return why the row is not simply the method under the protocol, for its footnotes."""
    what, flags = outcome.prepared.spec.what, list(outcome.prepared.flags)
    if what.denominator != "all":
        flags.append("denominator: only clips that could be read")
    if what.limit is not None:
        flags.append(f"limit: at most {what.limit} clips a class")
    if what.control != "none":
        flags.append(f"control: {what.control}")
    parts = {"method": what.method, **what.parts, "dataset": what.dataset, "train_dataset": what.train_dataset}
    for kind, part in parts.items():
        if part is None:
            continue
        for who in ("protocol", "command line"):
            given = {name: part.options[name] for name, source in sorted(part.sources.items()) if source == who}
            if given:
                text = ", ".join(f"{kind}.{name}={value}" for name, value in given.items())
                flags.append(f"settings of the {who}: {text}")
    for fit in outcome.records:
        flags += [flag for flag in fit.get("flags", ()) if flag not in flags]
    return tuple(flags)


def _form(class_text: str) -> str:
    return Path(class_text).name if Path(class_text).suffix else class_text


def _texts_sha256(outcome: Outcome) -> str:
    texts = outcome.prepared.inputs.texts
    lines = [f"{name}\t{sentence}" for name in sorted(texts) for sentence in texts[name].texts]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
