"""Which fits a run needs, and what each of them is given: a training set, parts, randomness, a checkpoint folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from zsarbench.errors import ZsarbenchError
from zsarbench.harness import inputs
from zsarbench.interfaces import ClipFeatures, Context, Loss, Method, TrainSet
from zsarbench.plugins import building
from zsarbench.utils import seeding
from zsarbench.utils.cache import cache_dir
from zsarbench.utils.targets import CACHE, unwritable

if TYPE_CHECKING:
    from zsarbench.harness.inputs import Inputs, RoundClips
    from zsarbench.harness.preparation import Loaded, Prepared

_log = logging.getLogger(__name__)
AGAIN, BEFORE = ".again", ".before"  # endings of the folder of a fit that is done again, and of one that it replaces


@dataclass(frozen=True, kw_only=True)
class Fit:
    """One fit: the training set's clips and classes, its training seed, and the rounds it serves."""

    train: tuple[str, ...]
    seen: tuple[str, ...]
    validation: tuple[str, ...]
    round_seed: int
    seed: int
    rounds: tuple[RoundClips, ...]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A method that has learnt, the context to score with, and the ids of the clips it was given to learn from.

    checkpoints: where its checkpoints belong; a fit that is done again writes elsewhere until it is scored.
    """

    method: Method
    context: Context
    learnt: tuple[str, ...]
    checkpoints: Path | None


def fits(loaded: Loaded) -> list[Fit]:
    """Return one fit per seed and distinct training set, each with the rounds it serves."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], list[RoundClips]] = {}
    learns = loaded.method_class.learns_from != "nothing" and loaded.training is None
    for item in loaded.inputs.rounds:
        key = (item.train, item.round.seen, item.round.validation) if learns else ((), (), ())
        groups.setdefault(key, []).append(item)
    what = loaded.spec.what
    return [
        Fit(
            train=train,
            seen=seen,
            validation=validation,
            round_seed=items[0].round.seed,
            seed=seed,
            rounds=tuple(items),
        )
        for seed in range(what.seed, what.seed + what.seeds)
        for (train, seen, validation), items in groups.items()
    ]


def fitted(prepared: Prepared, fit: Fit) -> Fitted:
    """Return a method that has learnt from a training set.

    Raises:
        ZsarbenchError: the method cannot be built, or no clip can be learnt from.
    """
    method = building.build_method(prepared.spec.what.method, prepared.registry)
    folder = checkpoint_folder(prepared, fit)
    fit_context, train = context(prepared, fit, folder), train_set(prepared, fit)
    method.fit(train, fit_context)
    learnt = tuple(train.clips.ids) if train is not None else ()
    return Fitted(method=method, context=fit_context, learnt=learnt, checkpoints=folder)


def train_set(prepared: Prepared, fit: Fit) -> TrainSet | None:
    """Return what a fit may learn from, None for a method that learns nothing; nothing of an unseen class is in it.

    Raises:
        ZsarbenchError: no clip of the seen classes can be read.
    """
    protocol = prepared.spec.what.protocol
    if prepared.method_class.learns_from == "nothing":
        return None
    if prepared.training is not None and prepared.train_features is not None:
        return _labelled(prepared, fit, prepared.training, prepared.train_features, prepared.training.classes)
    data = prepared.inputs
    learnt, for_choosing = clips_of(prepared, fit)
    clips, held = prepared.clips(learnt), prepared.clips(for_choosing)
    if not len(clips):
        raise ZsarbenchError(
            f"protocol '{protocol.name}' has seen classes, but none of their training clips can be read. "
            f"Try: zsarbench data verify {data.dataset}, or zsarbench protocol check {protocol.name}"
        )
    return replace(
        _labelled(prepared, fit, data, clips, fit.seen),
        validation=fit.validation,
        validation_set=_labelled(prepared, fit, data, held, fit.validation) if len(held) else None,
    )


def clips_of(prepared: Prepared, fit: Fit) -> tuple[list[str], list[str]]:
    """Return the ids of the clips that a fit can learn from, and of those that are for choosing settings alone.

    Clips that could not be read are among neither; of another training data set all are learnt from.
    """
    if prepared.method_class.learns_from == "nothing":
        return [], []
    if prepared.train_features is not None:
        return list(prepared.train_features.ids), []
    chosen_on = set(fit.validation) if prepared.spec.what.protocol.validation_only else set()
    readable = prepared.readable(fit.train)
    labels = prepared.inputs.manifest["label"]
    return (
        [clip_id for clip_id in readable if labels[clip_id] not in chosen_on],
        [clip_id for clip_id in readable if labels[clip_id] in chosen_on],
    )


def _labelled(prepared: Prepared, fit: Fit, data: Inputs, clips: ClipFeatures, classes: Sequence[str]) -> TrainSet:
    """Return a training set of clips, with captions or labels shuffled where the run is such a control."""
    order = None
    if prepared.spec.what.control == "shuffle-labels":
        order = torch.randperm(len(clips), generator=seeding.generator(fit.seed, "shuffle-labels"))
    return inputs.train_set(data, controlled(prepared, clips, fit.seed, "train"), classes, order)


def controlled(prepared: Prepared, clips: ClipFeatures, seed: int, use: str) -> ClipFeatures:
    """Return the clips, with captions shuffled where the run is that control; use: "train" or "test"."""
    if prepared.spec.what.control != "shuffle-captions":
        return clips
    order = torch.randperm(len(clips), generator=seeding.generator(seed, "shuffle-captions", use))
    return inputs.shuffle_captions(clips, order)


def context(prepared: Prepared, fit: Fit, folder: Path | None) -> Context:
    """Return what the harness lends to one fit.

    folder: of its checkpoints. A fit that is repeated gets an empty one next to it: what is finished there stays
    whole until this one is, see `adopt`.
    """
    again = prepared.spec.where.refit
    if again and folder is not None:
        folder = folder.with_name(f"{folder.name}{AGAIN}")
        shutil.rmtree(folder, ignore_errors=True)
    return Context(
        parts=replace(prepared.parts, loss=_loss(prepared, fit)),
        device=prepared.compute.device,
        dtype=prepared.compute.dtype,
        generator=lambda name: seeding.generator(fit.seed, fit.round_seed, name),
        checkpoints=folder,
        resume=not again,
        progress=prepared.progress,
    )


def adopt(done: Fitted) -> None:
    """Put the checkpoints of a fit that was done again in the place of those before it."""
    new, place = done.context.checkpoints, done.checkpoints
    if new is None or place is None or new == place or not new.is_dir():
        return
    before = place.with_name(f"{place.name}{BEFORE}")
    try:
        shutil.rmtree(before, ignore_errors=True)
        if place.exists():
            place.rename(before)
        new.rename(place)
        shutil.rmtree(before, ignore_errors=True)
    except OSError as error:
        _log.warning("%s", unwritable(place, "checkpoints", error, CACHE))


def checkpoint_folder(prepared: Prepared, fit: Fit) -> Path | None:
    """Return the folder of a fit's checkpoints, named by all that decides the fit.

    None where none exists and none can be created.
    """
    what = prepared.spec.what
    decides = {
        "method": what.method.identity(),
        "parts": {kind: part.identity() for kind, part in sorted(what.parts.items())},
        "dtype": what.dtype,
        "class_text": what.class_text,
        "control": what.control,
        "data": [prepared.inputs.revision, prepared.training and prepared.training.revision],
        "fit": [fit.train, fit.seen, fit.validation, fit.round_seed, fit.seed],
    }
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_dir() / "checkpoints" / f"{what.method.name}-{digest}"
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if existing != folder and not (existing.is_dir() and os.access(existing, os.W_OK)):
        _log.info("no checkpoints are kept: %s cannot be written", existing)
        return None
    return folder


def _loss(prepared: Prepared, fit: Fit) -> Loss | None:
    """Return a loss of this fit's own: it may have weights, drawn from the fit's seed."""
    if "loss" not in prepared.spec.what.parts:
        return None
    with seeding.fork_rng(seeding.generator(fit.seed, fit.round_seed, "loss")):
        return building.build_loss(prepared.spec.what.parts["loss"], prepared.registry, prepared.compute.device)
