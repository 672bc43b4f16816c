"""What a run reads: its rounds with their clips, class texts and captions, and the training sets built from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from zsarbench import protocols
from zsarbench.data import class_texts
from zsarbench.data.manifest import checked_manifest, clip_sources
from zsarbench.errors import ZsarbenchError
from zsarbench.features import CaptionView
from zsarbench.interfaces import ClassText, ClipFeatures, ClipSource, Round, TrainSet

if TYPE_CHECKING:
    from torch import Tensor

    from zsarbench.harness.spec import RunSpec
    from zsarbench.interfaces import Dataset
    from zsarbench.plugins.parts import PartSpec


@dataclass(frozen=True)
class RoundClips:
    """A round with the ids of its training and test clips, in the manifest's order; see `Round.given`."""

    round: Round
    train: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """A data set as a run uses it. The manifest is indexed by clip id; texts are by class name.

    aliases: other spelling to class name. choices: the options of every test clip of a multiple choice, by clip id; {}
    where all candidates compete. options: of the data set, but for those that are paths: what lies there is
    in the revision.
    """

    dataset: str
    revision: str
    classes: tuple[str, ...]
    manifest: pd.DataFrame
    texts: Mapping[str, ClassText]
    captions: Mapping[str, Sequence[str]]
    aliases: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    rounds: tuple[RoundClips, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def sources(self, clip_ids: Sequence[str]) -> list[ClipSource]:
        """Return where the content of these clips lies."""
        return clip_sources(self.manifest, clip_ids, self.captions)

    def used_clips(self) -> list[str]:
        """Return the ids of all clips that any round trains on or tests, in the manifest's order."""
        used = {clip for item in self.rounds for clip in (*item.train, *item.test)}
        return [clip_id for clip_id in self.manifest.index if clip_id in used]

    def labels(self, clip_ids: Sequence[str], classes: Sequence[str]) -> np.ndarray:
        """Return (N,) int64, the position of each clip's label in `classes`, -1 for a clip without a label."""
        position = {name: index for index, name in enumerate(classes)}
        return np.array(
            [position.get(label, -1) for label in self.manifest.loc[list(clip_ids), "label"]], dtype=np.int64
        )


def load(spec: RunSpec) -> Inputs:
    """Return the data set of a run's protocol with its rounds.

    Raises:
        ZsarbenchError: the manifest is malformed, a round's clips are not what it needs (`protocols.round_clips`), or
            their number is not the one that the protocol's file states.
    """
    what = spec.what
    bare = of_dataset(spec.data.tested, what.dataset, what.class_text)
    rows = bare.manifest.reset_index()
    choices = what.protocol.choices_on(spec.data.tested)
    rounds = []
    for item in what.protocol.on(spec.data.tested):
        train, test = protocols.round_clips(item, rows)
        if what.limit is not None:
            train, test = (_limited(ids, bare.manifest, what.limit) for ids in (train, test))
        elif problem := protocols.miscounted(what.protocol, item.index, len(test)):
            raise ZsarbenchError(problem)
        if choices:
            protocols.check_choices(choices, test, item.candidates, bare.manifest["label"].to_dict())
        rounds.append(RoundClips(item, tuple(train), tuple(test)))
    return replace(bare, rounds=tuple(rounds), choices=choices)


def load_training(spec: RunSpec) -> Inputs | None:
    """Return the other data set a method is trained on (`--train-on DATASET`), or None."""
    if spec.data.learnt is None or spec.what.train_dataset is None:
        return None
    return of_dataset(spec.data.learnt, spec.what.train_dataset, spec.what.class_text)


def of_dataset(dataset: Dataset, part: PartSpec, class_text: str | None) -> Inputs:
    """Return a data set without rounds; part: its name and options; class_text: form of the texts, None for none.

    Raises:
        ZsarbenchError: the manifest is malformed, or the data set has no texts of this form.
    """
    return Inputs(
        dataset=part.name,
        revision=dataset.revision,
        classes=tuple(dataset.classes),
        manifest=checked_manifest(dataset, part.name).set_index("clip_id"),
        texts=class_texts.load(dataset, class_text) if dataset.classes and class_text is not None else {},
        captions=dataset.captions(),
        aliases=dataset.aliases,
        options={
            name: value
            for name, value in part.identity()["options"].items()
            if not isinstance(part.options[name], Path)
        },
    )


def _limited(clip_ids: Sequence[str], manifest: pd.DataFrame, per_class: int) -> list[str]:
    """Return at most `per_class` clips of each class, drawn by the hash of their ids so that groups mix."""
    drawn = sorted(clip_ids, key=lambda clip_id: hashlib.sha256(clip_id.encode()).digest())
    labels = manifest.loc[drawn, "label"]
    chosen = set(labels.groupby(labels).head(per_class).index)
    return [clip_id for clip_id in clip_ids if clip_id in chosen]


def train_set(inputs: Inputs, features: ClipFeatures, classes: Sequence[str], label_order: Tensor | None) -> TrainSet:
    """Return a training set over these features without validation, checked to hold nothing but clips of `classes`.

    label_order: a permutation of the labels over the clips (`--control shuffle-labels`), or None.

    Raises:
        ZsarbenchError: a clip of another class is among the features.
    """
    labels = torch.from_numpy(inputs.labels(features.ids, classes)) if classes else None
    if labels is not None:
        if (labels < 0).any():
            stray = features.ids[int((labels < 0).nonzero()[0])]
            raise ZsarbenchError(f"training clip '{stray}' belongs to no class that may be learnt from")
        if label_order is not None:
            labels = labels[label_order]
    return TrainSet(
        clips=features,
        labels=labels,
        groups=tuple(str(group) for group in inputs.manifest.loc[list(features.ids), "group"]),
        classes=tuple(inputs.texts[name] for name in classes),
        validation=(),
        dataset=inputs.dataset,
    )


def shuffle_captions(clips: ClipFeatures, order: Tensor) -> ClipFeatures:
    """Return clips with permuted captions: the control that shows how far a method depends on them.

    order: (N,) a permutation; clip i gets the captions of clip order[i], and its steps too where these were made from
    captions.
    """
    captions = clips.captions and tuple(clips.captions[i] for i in order.tolist())
    return CaptionView(clips, captions, None if clips.captions_in_steps == "none" else order)
