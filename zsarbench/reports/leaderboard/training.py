"""Whether a result states what its method and parts were trained on, as their plugins declare it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.contamination import Contamination, overlaps
from zsarbench.evaluation.declared import Declared
from zsarbench.evaluation.label_sets import LabelSet, find
from zsarbench.plugins.registry import Registry
from zsarbench.predictions import identity
from zsarbench.results import RunResult
from zsarbench.results.problems import Problem
from zsarbench.results.verification import shortened
from zsarbench.utils.class_names import normalise

TrainedOn: TypeAlias = tuple[str, ...] | None


def training_problems(result: RunResult, registry: Registry, unseen: Collection[str]) -> Iterator[Problem]:
    """Yield where a result says otherwise than plugins do what was trained on what, or leaves it out of its audit.

    unseen: classes of the protocol. What is not registered here is not looked at, and near names are not looked for.
    """
    declared: dict[Declared, TrainedOn] = {}
    for who, stated in _stated(result).items():
        registered = _registered(registry, who, stated, result)
        if registered != stated:
            text = f"{who} was trained on {_words(registered)}, but the result says on {_words(stated)}"
            yield Problem("contamination", text)
        if registered is not None or who.kind in ("method", "visual", "text"):
            declared[who] = registered
    if result.train_on in registry.names("dataset"):
        other = registry.get("dataset", result.train_on).trained_on or (result.train_on,)
        declared[Declared("training data", result.train_on)] = other
    if (audit := result.contamination) is None:
        yield Problem("contamination", "contamination is null, but every result says what was looked for")
        return
    for who, names in declared.items():
        if names is None and who not in audit.unknown:
            yield Problem("contamination", f"{who} was trained on unknown data, which contamination.unknown leaves out")
        for name in names or ():
            if not _is_audited(audit, who, name):
                yield Problem("contamination", f"{who} was trained on {name}, which contamination.audited leaves out")
    yield from _left_out(audit, registry, unseen)


def _stated(result: RunResult) -> dict[Declared, TrainedOn]:
    stated: dict[Declared, TrainedOn] = {Declared("method", result.method.name): result.method.trained_on}
    return stated | {Declared.parse(f"{kind} {part.name}"): part.trained_on for kind, part in result.parts.items()}


def _registered(registry: Registry, who: Declared, stated: TrainedOn, result: RunResult) -> TrainedOn:
    """Return what a plugin declares; what is stated of predictions, and of what no plugin registers."""
    if who.kind == "other" or (who.kind == "method" and identity.is_of_predictions(result)):
        return stated
    return registry.get(who.kind, who.name).trained_on if who.name in registry.names(who.kind) else stated


def _is_audited(audit: Contamination, who: Declared, name: str) -> bool:
    listed = {normalise(label_set) for label_set, components in audit.audited.items() if who in components}
    return normalise(name) in listed or Declared("label set", f"{name} of {who}") in audit.unknown


def _left_out(audit: Contamination, registry: Registry, unseen: Collection[str]) -> Iterator[Problem]:
    """Yield which unseen classes a label set of the audit has by name, and the result does not list."""
    sets: Mapping[str, LabelSet | None] = {name: _label_set(name, registry) for name in audit.audited}
    found = overlaps(sorted(unseen), [one for one in sets.values() if one is not None])
    listed = {(item.candidate, item.label_set) for item in audit.overlapping}
    lacking = {f"{one.candidate} ({one.label_set})" for one in found if (one.candidate, one.label_set) not in listed}
    if lacking:
        text = f"contamination.overlapping leaves out {shortened(sorted(lacking))}, which have its names"
        yield Problem("contamination", text)


def _label_set(name: str, registry: Registry) -> LabelSet | None:
    try:
        return find(name, registry)
    except ZsarbenchError:
        return None


def _words(names: TrainedOn) -> str:
    return "unknown data" if names is None else ", ".join(names) or "nothing"
