"""Turns what a run measured into its result: metrics, intervals, who and what took part, where it ran."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch

import zsarbench
from zsarbench import results
from zsarbench.evaluation import bootstrap as statistics
from zsarbench.evaluation import contamination, metrics
from zsarbench.evaluation import summary as summaries
from zsarbench.evaluation.label_sets import LabelSet
from zsarbench.evaluation.summary import RoundResult
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.results import (
    ClassTextInfo,
    ClipFailure,
    DatasetInfo,
    Environment,
    MethodInfo,
    PartInfo,
    ProtocolInfo,
    RunResult,
)
from zsarbench.utils import seeding
from zsarbench.utils.compute import processor

if TYPE_CHECKING:
    from zsarbench.harness.outcome import Outcome
    from zsarbench.plugins.registry import Registry

N_RESAMPLES = 2000
N_REASONS = 8  # why clips could not be read, that the log tells; the result has all


def record(outcome: Outcome, registry: Registry) -> RunResult:
    """Return the result of a run."""
    spec = outcome.spec
    rounds = _rounds(outcome)
    return RunResult(
        method=_method(outcome, registry),
        parts={kind: _part(outcome, kind, registry) for kind in spec.parts},
        sampling=getattr(outcome.parts.visual, "sampling", None),
        views=1,
        protocol=ProtocolInfo(
            spec.protocol.name,
            spec.protocol.version,
            spec.protocol_hash,
            spec.protocol.setting,
            spec.protocol.summary,
            spec.protocol.source,
        ),
        dataset=DatasetInfo(spec.dataset.name, outcome.inputs.revision, dict(spec.dataset.options)),
        train_on="none" if outcome.method.learns_from == "nothing" else spec.train_on,
        class_text=ClassTextInfo(_form(spec.class_text), _texts_sha256(outcome)),
        denominator=spec.denominator,
        control=spec.control,
        limit=spec.limit,
        seed=spec.seed,
        seeds=tuple(range(spec.seed, spec.seed + spec.seeds)),
        rounds=rounds,
        summary=summaries.summarise(rounds, _intervals(outcome)),
        failures=tuple(ClipFailure(clip_id, reason) for clip_id, reason in sorted(outcome.failures.items())),
        objections=spec.objections,
        flags=_flags(outcome),
        environment=_environment(outcome),
        seconds={stage: round(seconds, 3) for stage, seconds in outcome.seconds.items()},
        created=results.utc_now(),
        spec=spec.identity(),
        spec_id=results.spec_id(spec.identity()),
        command=spec.command,
        contamination=_contamination(outcome, registry),
    )


def _rounds(outcome: Outcome) -> tuple[RoundResult, ...]:
    spec, fits = outcome.spec, list(outcome.fits)
    made = []
    for number, (fit, item) in enumerate(outcome.served):
        scores, labels = outcome.scores.round(number)
        seen = outcome.scores.rounds[number].seen if spec.protocol.setting != "zsl" else None
        values = metrics.evaluate(
            scores, labels, setting=spec.protocol.setting, seen=seen, denominator=spec.denominator
        )
        failed = int(np.isnan(scores).any(axis=1).sum())
        candidates, n_seen = item.round.candidates, len(set(item.round.seen) & set(item.round.candidates))
        made.append(
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
                    name: summaries.chance(name, len(candidates), n_seen, spec.protocol.setting) for name in values
                },
                candidates_sha256=results.names_sha256(candidates),
                duplicate_of=spec.protocol.duplicates.get(item.round.index),
            )
        )
    return tuple(made)


def _intervals(outcome: Outcome) -> dict[str, tuple[float, float]]:
    """Return the 95 % interval of every accuracy, by a bootstrap over classes and then source groups."""
    found: dict[str, tuple[float, float]] = {}
    setting = outcome.spec.protocol.setting
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
    sides: dict[str, list[statistics.ScoredRound]] = {side: [] for side in metrics.SIDES[outcome.spec.protocol.setting]}
    for number, (_, item) in enumerate(outcome.served):
        scores, labels = outcome.scores.round(number)
        if item.round.index in outcome.spec.protocol.duplicates or scores.shape[1] <= k:
            continue
        clips = outcome.scores.rounds[number].clips
        correct = metrics.topk_expectation(scores, labels, k)
        survivors = outcome.spec.denominator == "survivors"
        kept = ~np.isnan(scores).any(axis=1) if survivors else np.full(len(labels), True)
        of_seen = outcome.scores.rounds[number].seen[labels]
        for rounds, here in zip(sides.values(), (of_seen, ~of_seen) if len(sides) == 2 else (kept,), strict=True):
            rounds.append(statistics.ScoredRound(correct[here & kept], clips[here & kept]))
    return sides


def _interval(outcome: Outcome, rounds: Sequence[statistics.ScoredRound], statistic: Any) -> tuple[float, float]:
    low, high = statistics.bootstrap_interval(
        rounds, *_cells(outcome), statistic=statistic, rng=_rng(), n_resamples=N_RESAMPLES
    )
    return max(0.0, low), min(1.0, high)


def _cells(outcome: Outcome) -> tuple[Any, Any]:
    return outcome.scores.labels, outcome.scores.groups


def _rng() -> np.random.Generator:
    """Return the generator of the bootstrap: always the same draws, whatever the training seed."""
    return seeding.numpy_generator(0, "bootstrap")


def _contamination(outcome: Outcome, registry: Registry) -> contamination.Contamination:
    """Return which unseen classes of any round something of this run was trained on, and the accuracy on the others."""
    spec, training, aliases = outcome.spec, outcome.training, outcome.inputs.aliases
    text = spec.parts.get("text")
    unseen = list(dict.fromkeys(name for _, item in outcome.served for name in item.round.unseen))
    found = contamination.audit(
        contamination.declarations(
            registry,
            spec.method.name,
            {kind: part.name for kind, part in spec.parts.items()},
            spec.dataset.name,
            training.dataset if training else None,
        ),
        unseen,
        registry,
        aliases=aliases,
        built={text.name: outcome.parts.text} if text is not None and outcome.parts.text is not None else {},
        learnt=LabelSet(training.dataset, training.classes, training.aliases)
        if training and training.classes
        else None,
    )
    overlapping = {overlap.candidate for overlap in found.overlapping}
    found = replace(found, accuracy=contamination.accuracies(outcome.scores, overlapping, spec.denominator))
    if outcome.method.learns_from != "captions":
        return found
    data = training or outcome.inputs
    sentences = [sentence for clip in outcome.learnt for sentence in data.captions.get(clip, ())]
    naming = contamination.sentences_naming(unseen, sentences, aliases=aliases)
    return replace(found, n_sentences=len(sentences), naming=naming)


def _method(outcome: Outcome, registry: Registry) -> MethodInfo:
    part = outcome.spec.method
    entry = registry.get("method", part.name)
    record = {"fits": list(outcome.records)} if any(outcome.records) else {}
    options = part.identity()["options"]
    return MethodInfo(
        part.name,
        part.plugin,
        entry.summary,
        entry.source,
        options,
        outcome.method.learns_from,
        entry.trained_on,
        record,
    )


def _part(outcome: Outcome, kind: str, registry: Registry) -> PartInfo:
    part = outcome.spec.parts[kind]
    made = getattr(outcome.parts, kind)
    parameters = getattr(made.encoder if isinstance(made, CachedTextEncoder) else made, "parameters", None)
    count = sum(weight.numel() for weight in parameters()) if callable(parameters) else None
    return PartInfo(
        part.name,
        part.plugin,
        part.identity()["options"],
        dict(getattr(made, "fingerprint", {})),
        count,
        registry.get(kind, part.name).trained_on,
    )


def _flags(outcome: Outcome) -> tuple[str, ...]:
    """Return why the row is not simply the method under the protocol, for its footnotes."""
    spec, flags = outcome.spec, list(outcome.flags)
    if spec.denominator != "all":
        flags.append("denominator: only clips that could be read")
    if spec.limit is not None:
        flags.append(f"limit: at most {spec.limit} clips a class")
    if spec.control != "none":
        flags.append(f"control: {spec.control}")
    parts = {"method": spec.method, **spec.parts, "dataset": spec.dataset, "train_dataset": spec.train_dataset}
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
    texts = outcome.inputs.texts
    lines = [f"{name}\t{sentence}" for name in sorted(texts) for sentence in texts[name].texts]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _environment(outcome: Outcome) -> Environment:
    machine = outcome.machine
    commit, dirty = _git_state(Path(zsarbench.__file__).parent.parent)
    return Environment(
        python=platform.python_version(),
        torch=torch.__version__,
        zsarbench=zsarbench.__version__,
        platform=f"{platform.system()}-{platform.machine()}",
        device=f"{machine.device.type} ({processor(machine.device)})",
        dtype=outcome.spec.dtype,
        threads=machine.threads,
        commit=commit,
        dirty=dirty,
    )


def _git_state(folder: Path) -> tuple[str | None, bool | None]:
    """Return commit and dirtiness of the checkout zsarbench runs from; (None, None) for an installed package."""
    if not (folder / ".git").exists():
        return None, None
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit, bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def describe_failures(failures: Mapping[str, str]) -> str:
    """Return a line a reason with its clips: what the log says of unread clips."""
    by_reason: dict[str, list[str]] = {}
    for clip_id, reason in sorted(failures.items()):
        by_reason.setdefault(reason, []).append(clip_id)
    frequent = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    told = [f"{len(clips)} × {reason} (e.g. {clips[0]})" for reason, clips in frequent[:N_REASONS]]
    rest = sum(len(clips) for _, clips in frequent[N_REASONS:])
    return "; ".join([*told, f"{rest} × other reasons"] if rest else told)
