"""Which unseen classes were seen after all: label sets of training against the candidates of a protocol.

A name is matched, no image or clip: two data sets may mean different things by one name, and a class may have been seen
under a name that nothing here finds. "Clean" always means: as far as the declared label sets show.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation import metrics
from zsarbench.evaluation.caption_names import CaptionNaming
from zsarbench.evaluation.declared import Declared
from zsarbench.evaluation.label_sets import LabelSet, find
from zsarbench.evaluation.settings import TOP1_PER_CLASS, TOP1_PER_VIDEO
from zsarbench.interfaces import CaptionsTrained, Denominator
from zsarbench.plugins import building
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.utils.class_names import normalise, readable
from zsarbench.utils.schema import Count, Fraction

if TYPE_CHECKING:
    from zsarbench.evaluation.scores import Scores
    from zsarbench.interfaces import TextEncoder
    from zsarbench.plugins.registry import Registry

_log = logging.getLogger(__name__)

NO_ALIASES: Mapping[str, str] = MappingProxyType({})

NOTHING_BUILT: Mapping[str, TextEncoder] = MappingProxyType({})


@dataclass(frozen=True)
class NearNames:
    """What finds near names: a text encoder with its name, and the cosine from which two of its vectors are near."""

    name: str
    encoder: TextEncoder
    min_cosine: float


@dataclass(frozen=True)
class Overlap:
    """A candidate class that a label set has.

    candidate: the class. label_set: that has it. label: its name there. how: "exact", equal but for case, spaces and
    punctuation; "alias", equal to another name of either; "near", not equal, but close in the text embedding.
    similarity: the cosine there; null unless near.
    """

    candidate: str
    label_set: str
    label: str
    how: Literal["exact", "alias", "near"]
    similarity: float | None = None


@dataclass(frozen=True)
class Contamination:
    """What a method and its parts saw of the unseen classes before they were tested on them.

    audited: for each label set, who was trained on it. unknown: training data without a known label set, e.g. the web;
    never clean. near_by: the text encoder that found near names; None where only spellings were compared.
    overlapping: by candidate and label set. n_overlapping: distinct unseen classes among them, over all rounds.
    n_clean: the other unseen classes, clean as far as `audited` shows. accuracy: top1_per_video and top1_per_class on
    the clips of "clean" and of "overlapping" classes among all candidates, mean over the rounds that have such clips.
    n_sentences: captions of all clips that the method was given to learn from, each clip once however many fits; clips
    that could not be read were not given, and do not count. What the method leaves out of these itself, such as clips
    that it validates on, does count; what it writes in addition, such as CEZSAR's sentences about objects, does not.
    None where it learns from no captions. naming: how many of them name an unseen class, by class. tested: how often
    the captions that the visual part reads of test clips give their class away; null where it reads none, and in
    results that do not state it.
    """

    audited: Mapping[str, tuple[Declared, ...]]
    unknown: tuple[Declared, ...]
    near_by: str | None
    overlapping: tuple[Overlap, ...]
    n_overlapping: Count
    n_clean: Count
    accuracy: Mapping[str, Mapping[str, Fraction]]
    n_sentences: Count | None = None
    naming: Mapping[str, Count] = field(default_factory=dict)
    tested: CaptionNaming | None = None

    @property
    def unknown_of_clips(self) -> tuple[Declared, ...]:
        """What is unknown and may have seen clips of unseen classes; a text encoder has seen none."""
        return tuple(declared for declared in self.unknown if declared.saw_clips)


# --- what was declared ------------------------------------------------------------------------------------------------


def declarations(
    registry: Registry,
    method: str | None,
    parts: Mapping[str, str],
    dataset: str,
    train_dataset: str | None,
    own_captions: Collection[str] = (),
) -> dict[Declared, tuple[str, ...] | None]:
    """Return the label sets that each trained thing of a run declares; None is unknown.

    parts: names by kind. own_captions: data sets with captions of the user's own, whose writer is not known. A loss or
    a sampler that declares nothing is code, and left out.
    """
    declared: dict[Declared, tuple[str, ...] | None] = {}
    learns_from = None
    if method is not None:
        declared[Declared("method", method)] = registry.get("method", method).trained_on
        learns_from = registry.get("method", method).load().learns_from
    for kind in PART_KINDS:
        if kind in parts:
            trained_on = registry.get(kind, parts[kind]).trained_on
            if trained_on is not None or kind in ("visual", "text"):
                declared[Declared(kind, parts[kind])] = trained_on
    if train_dataset is not None:
        trained_on = registry.get("dataset", train_dataset).trained_on or (train_dataset,)
        declared[Declared("training data", train_dataset)] = trained_on
    captioned = []
    if "visual" in parts and getattr(registry.get("visual", parts["visual"]).load(), "needs", "") == "captions":
        captioned.append(dataset)
    if learns_from == "captions":
        captioned.append(train_dataset or dataset)
    for name in captioned:
        target = registry.get("dataset", name).load()
        declared[Declared("captions of", name)] = (
            target.captions_trained_on if isinstance(target, CaptionsTrained) and name not in own_captions else None
        )
    return declared


# --- what it means for a protocol -------------------------------------------------------------------------------------


def audit(
    declared: Mapping[Declared, tuple[str, ...] | None],
    unseen: Sequence[str],
    registry: Registry,
    *,
    aliases: Mapping[str, str] = NO_ALIASES,
    built: Mapping[str, TextEncoder] = NOTHING_BUILT,
    learnt: LabelSet | None = None,
) -> Contamination:
    """Return which unseen classes the declared label sets have, without accuracies.

    declared: as `declarations` returns it. unseen: official class names. aliases: other spelling to official name.
    built: text encoders that exist already, by name; the one that finds near names is built where it is not among them,
    a label set of actions needs it, and it is installed. learnt: the classes of the training data where they are at
    hand, as for a data set of the user's own.
    """
    unknown = [component for component, names in declared.items() if names is None]
    sets: dict[str, LabelSet] = {}
    audited: dict[str, tuple[Declared, ...]] = {}
    for component, names in declared.items():
        for name in names or ():
            try:
                label_set = learnt if learnt and name == learnt.name else find(name, registry)
            except ZsarbenchError as error:  # a plugin's missing file must not cost the run its result
                _log.warning("%s of %s is not audited: %s", name, component, error)
                label_set = None
            if label_set is None:
                unknown.append(Declared("label set", f"{name} of {component}"))
            else:
                sets[label_set.name] = label_set
                audited[label_set.name] = (*audited.get(label_set.name, ()), component)
    near = near_names(registry, built) if any(label_set.actions for label_set in sets.values()) else None
    overlapping = overlaps(unseen, list(sets.values()), near, aliases=aliases)
    n_overlapping = len({overlap.candidate for overlap in overlapping})
    return Contamination(
        audited=audited,
        unknown=tuple(unknown),
        near_by=near.name if near is not None else None,
        overlapping=tuple(overlapping),
        n_overlapping=n_overlapping,
        n_clean=len(set(unseen)) - n_overlapping,
        accuracy={},
    )


def near_names(registry: Registry, built: Mapping[str, TextEncoder] = NOTHING_BUILT) -> NearNames | None:
    """Return what finds near names, or None where no plugin declares it or it is not installed; built: see `audit`."""
    declared = registry.near_encoder
    if declared is None:
        return None
    if declared.name in built:
        return NearNames(declared.name, built[declared.name], declared.min_cosine)
    try:
        target = registry.get("text", declared.name).load()
        return NearNames(declared.name, building.construct(target, "text", declared.name, {}), declared.min_cosine)
    except ZsarbenchError:
        return None


def overlaps(
    candidates: Sequence[str],
    label_sets: Sequence[LabelSet],
    near: NearNames | None = None,
    *,
    aliases: Mapping[str, str] = NO_ALIASES,
) -> list[Overlap]:
    """Return, for each candidate and label set, the one label that names it best: exact before alias before near.

    near: finds near names; None: only spellings are compared. Near names are looked for among actions only:
    the threshold was fixed on pairs of actions, and to have seen a violin is not to have seen it played.
    aliases: other spelling of a candidate to the candidate.
    """
    by_label_set = {}
    for labels in label_sets:
        named = _named(candidates, labels, aliases)
        rest = [name for name in candidates if name not in named]
        if near is not None and labels.actions and rest:
            named |= _near(rest, labels, near)
        by_label_set[labels.name] = named
    return [named[name] for name in candidates for named in by_label_set.values() if name in named]


def _named(candidates: Sequence[str], labels: LabelSet, aliases: Mapping[str, str]) -> dict[str, Overlap]:
    by_label = {normalise(label): label for label in labels.labels}
    by_alias = by_label | {
        normalise(alias): label for alias, label in labels.aliases.items() if normalise(alias) not in by_label
    }
    named: dict[str, Overlap] = {}
    for name in candidates:
        if label := by_label.get(normalise(name)):
            named[name] = Overlap(name, labels.name, label, "exact")
            continue
        spellings = [name, *(alias for alias, official in aliases.items() if official == name)]
        hit = next((by_alias[key] for key in map(normalise, spellings) if key in by_alias), None)
        if hit is not None:
            named[name] = Overlap(name, labels.name, hit, "alias")
    return named


def _near(candidates: Sequence[str], labels: LabelSet, near: NearNames) -> dict[str, Overlap]:
    cosine = similarities(candidates, labels.labels, near.encoder)
    best = cosine.argmax(axis=1)
    return {
        name: Overlap(name, labels.name, labels.labels[column], "near", round(float(row[column]), 3))
        for name, row, column in zip(candidates, cosine, best, strict=True)
        if row[column] >= near.min_cosine
    }


def similarities(names: Sequence[str], labels: Sequence[str], encoder: TextEncoder) -> np.ndarray:
    """Return the cosines (N, L) between class names, as words in lower case."""
    rows = [encoder.encode([readable(name).lower() for name in side]).float().numpy() for side in (names, labels)]
    left, right = (row / np.linalg.norm(row, axis=1, keepdims=True) for row in rows)
    return np.asarray(left @ right.T)


def accuracies(
    scores: Scores, overlapping: Collection[str], denominator: Denominator = "all"
) -> dict[str, dict[str, float]]:
    """Return top-1 on the clips of clean and of overlapping unseen classes, all candidates competing.

    By side ("clean", "overlapping"), then metric; the mean over the rounds that have a clip of that side, which a
    round of a half split may lack. Seen classes of the generalised setting belong to neither side.
    """
    by_side: dict[str, list[tuple[float, float]]] = {"clean": [], "overlapping": []}
    for number, item in enumerate(scores.rounds):
        labels, ranked = scores.true_columns(number), scores.ranks(number)
        candidates = [str(name) for name in scores.class_names[item.classes]]
        touched = np.array([name in overlapping for name in candidates])
        correct, kept = ranked.correct(1), ranked.counted(denominator)
        for side, columns in (("clean", ~touched & ~item.seen), ("overlapping", touched & ~item.seen)):
            here = kept & columns[labels]
            if here.any():
                per_class = metrics.per_class(correct[here], labels[here], len(candidates))
                by_side[side].append((metrics.per_video(correct[here]), per_class))
    names = (TOP1_PER_VIDEO.name, TOP1_PER_CLASS.name)
    return {
        side: dict(zip(names, np.mean(values, axis=0).tolist(), strict=True))
        for side, values in by_side.items()
        if values
    }
