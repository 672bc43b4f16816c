"""Turns what a run measured into its result: metrics, intervals, who and what took part, where it ran."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from zsarbench import protocols, results
from zsarbench.data import class_texts
from zsarbench.evaluation import caption_names, contamination
from zsarbench.evaluation.label_sets import LabelSet
from zsarbench.evaluation.measures import measure_round, summarise_scores
from zsarbench.evaluation.summary import RoundResult
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.harness.environment import environment_of
from zsarbench.interfaces import Fingerprinted, HasParameters
from zsarbench.plugins.distributions import distributions_of
from zsarbench.results import (
    ClassTextInfo,
    ClipFailure,
    DatasetInfo,
    Flag,
    MethodInfo,
    PartInfo,
    ProtocolInfo,
    RunResult,
)
from zsarbench.utils.compute import processor
from zsarbench.utils.schema import plain

if TYPE_CHECKING:
    from zsarbench.harness.execution import Outcome
    from zsarbench.harness.spec import RunSpec


def record(outcome: Outcome) -> RunResult:
    """Return the result of a run."""
    prepared, spec = outcome.prepared, outcome.prepared.spec
    what, rounds = spec.what, _rounds(outcome)
    return RunResult(
        method=_method(outcome),
        parts={kind: _part(outcome, kind) for kind in what.parts},
        sampling=None if outcome.parts.visual is None else outcome.parts.visual.sampling,
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
        class_text=ClassTextInfo(form=_form(what.class_text), sha256=class_texts.digest(outcome.prepared.inputs.texts)),
        denominator=what.denominator,
        control=what.control,
        limit=what.limit,
        seed=what.seed,
        seeds=tuple(range(what.seed, what.seed + what.seeds)),
        rounds=rounds,
        summary=summarise_scores(
            rounds, outcome.scores, what.protocol.setting, what.denominator, partial=prepared.coverage.is_partial
        ),
        failures=_failures(outcome),
        objections=spec.objections,
        flags=_flags(outcome),
        environment=environment_of(
            torch=torch.__version__,
            device=f"{prepared.compute.device.type} ({processor(prepared.compute.device)})",
            dtype=what.dtype,
            threads=prepared.compute.threads,
        ),
        seconds={stage: round(seconds, 3) for stage, seconds in outcome.seconds.items()},
        created=results.utc_now(),
        spec=what.identity(),
        spec_id=results.spec_id(what.identity()),
        command=spec.command,
        contamination=_contamination(outcome),
        coverage=prepared.coverage,
        distributions=distributions_of(_plugins(spec)),
    )


def _plugins(spec: RunSpec) -> list[str]:
    """Return the plugins whose components take part in a run."""
    what = spec.what
    parts = [what.method, *what.parts.values(), what.dataset, what.train_dataset, spec.where.executor]
    return [what.protocol.plugin, *(part.plugin for part in parts if part is not None)]


def _failures(outcome: Outcome) -> tuple[ClipFailure, ...]:
    """Return the clips of the tested data set that have no features or no scores, those that are missing marked."""
    present = outcome.prepared.presence
    missing = present.tested.absent | (present.learnt.absent if outcome.prepared.training is None else frozenset())
    return tuple(
        ClipFailure(clip_id, reason, missing=clip_id in missing) for clip_id, reason in sorted(outcome.failures.items())
    )


def _rounds(outcome: Outcome) -> tuple[RoundResult, ...]:
    what, fits = outcome.prepared.spec.what, list(outcome.fits)
    return tuple(
        RoundResult(
            round=item.round.index,
            seed=fit.seed,
            fit=fits.index(fit),
            n_seen=len(item.round.seen),
            candidates_sha256=results.names_sha256(item.round.candidates),
            duplicate_of=what.protocol.rounds[item.round.index].duplicate_of,
            **measure_round(outcome.scores, number, what.protocol.setting, what.denominator)._asdict(),
        )
        for number, (fit, item) in enumerate(outcome.served)
    )


def _contamination(outcome: Outcome) -> contamination.Contamination:
    """Return which unseen classes of any round something of this run was trained on, and the accuracy on the others."""
    prepared, what = outcome.prepared, outcome.prepared.spec.what
    training, aliases, registry = prepared.training, prepared.inputs.aliases, prepared.registry
    text = what.parts.get("text")
    unseen = list(dict.fromkeys(name for _, item in outcome.served for name in item.round.unseen))
    audit = contamination.audit(
        contamination.declarations(
            registry,
            what.method.name,
            {kind: part.name for kind, part in what.parts.items()},
            what.dataset.name,
            training.dataset if training else None,
            [text.partition("=")[0] for text in what.captions],
        ),
        unseen,
        registry,
        aliases=aliases,
        built={text.name: outcome.parts.text} if text is not None and outcome.parts.text is not None else {},
        learnt=LabelSet(training.dataset, training.classes, training.aliases)
        if training and training.classes
        else None,
    )
    overlapping = {overlap.candidate for overlap in audit.overlapping}
    audit = replace(
        audit,
        accuracy=contamination.accuracies(outcome.scores, overlapping, what.denominator),
        tested=_tested_captions(outcome),
    )
    if outcome.method.learns_from != "captions":
        return audit
    data = training or prepared.inputs
    sentences = [sentence for clip in outcome.learnt for sentence in data.captions.get(clip, ())]
    naming = caption_names.sentences_naming(unseen, sentences, aliases=aliases)
    return replace(audit, n_sentences=len(sentences), naming=naming)


def _tested_captions(outcome: Outcome) -> caption_names.CaptionNaming | None:
    """Return how often the captions that stand for test clips give their class away; None where none are read."""
    visual, data = outcome.parts.visual, outcome.prepared.inputs
    if visual is None or visual.needs != "captions":
        return None
    tested = sorted({clip for _, item in outcome.served for clip in item.test})
    labels = {str(clip): str(label) for clip, label in data.manifest.loc[tested, "label"].dropna().items()}
    candidates = list(dict.fromkeys(name for _, item in outcome.served for name in item.round.candidates))
    return caption_names.naming(data.captions, labels, candidates, data.aliases)[0]


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
    weighted = component.encoder if isinstance(component, CachedTextEncoder) else component
    count = sum(weight.numel() for weight in weighted.parameters()) if isinstance(weighted, HasParameters) else None
    return PartInfo(
        name=part.name,
        plugin=part.plugin,
        options=part.identity()["options"],
        fingerprint=dict(component.fingerprint) if isinstance(component, Fingerprinted) else {},
        parameters=count,
        trained_on=outcome.prepared.registry.get(kind, part.name).trained_on,
    )


def _flags(outcome: Outcome) -> tuple[Flag, ...]:
    """Return why the row is not simply the method under the protocol, for its footnotes."""
    what, flags = outcome.prepared.spec.what, [Flag.parse(text) for text in outcome.prepared.flags]
    if what.denominator != "all":
        flags.append(Flag("denominator", "only clips that could be read"))
    if what.limit is not None:
        flags.append(Flag("limit", f"at most {what.limit} clips a class"))
    if what.control != "none":
        flags.append(Flag("control", what.control))
    for text in what.captions:
        name, _, sha256 = text.partition("=")
        flags.append(Flag("remark", f"captions of the user's own for {name} (sha256 {sha256[:10]})"))
    if isinstance(outcome.parts.text, CachedTextEncoder):
        flags += [Flag("remark", str(change)) for change in outcome.parts.text.code_changes]
    for text in (_shared_sources(outcome), _alike_under_seeds(outcome)):
        if text:
            flags.append(Flag("remark", text))
    if text := outcome.prepared.coverage.lacks:
        flags.append(Flag("partial" if outcome.prepared.coverage.is_partial else "remark", text))
    parts = {"method": what.method, **what.parts, "dataset": what.dataset, "train_dataset": what.train_dataset}
    for kind, part in parts.items():
        if part is None:
            continue
        for who in ("protocol", "command line"):
            given = {name: part.options[name] for name, source in sorted(part.sources.items()) if source == who}
            if given:
                text = ", ".join(f"{kind}.{name}={value}" for name, value in given.items())
                flags.append(Flag("remark", f"settings of the {who}: {text}"))
    for fit in outcome.records:
        flags += [flag for flag in map(Flag.parse, fit.get("flags", ())) if flag not in flags]
    return tuple(flags)


def _shared_sources(outcome: Outcome) -> str:
    """Return how many test clips of seen classes show a source video that was learnt from; "" for none."""
    prepared = outcome.prepared
    if outcome.method.learns_from == "nothing" or prepared.training is not None:
        return ""
    shared: set[str] = set()
    tested: set[str] = set()
    for _, item in outcome.served:
        train = prepared.readable(item.train)
        found, of_seen = protocols.sharing_a_source(item.round, train, item.test, prepared.inputs.manifest)
        shared.update(found)
        tested.update(of_seen)
    if not shared:
        return ""
    count = f"{len(shared):,} of {len(tested):,}"
    return f"{count} test clips of seen classes share a source video with training clips"


def _alike_under_seeds(outcome: Outcome) -> str:
    """Return that every training seed gave the scores of the first, so that no deviation over seeds means anything."""
    first: dict[int, int] = {}
    for number, (_, item) in enumerate(outcome.served):
        own = first.setdefault(item.round.index, number)
        scores = outcome.scores
        if own != number and not np.array_equal(scores.round(own)[0], scores.round(number)[0], equal_nan=True):
            return ""
    n_seeds = len({fit.seed for fit in outcome.fits})
    return f"all {n_seeds} training seeds gave the same scores" if n_seeds > 1 else ""


def _form(class_text: str) -> str:
    return Path(class_text).name if Path(class_text).suffix else class_text
