"""What a run works on, from its spec: data sets, parts and the features of all clips."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from zsarbench.data import class_texts
from zsarbench.data.video.failures import describe_failures
from zsarbench.errors import ZsarbenchError
from zsarbench.features import FeatureStore
from zsarbench.features.clips import MemoryClips
from zsarbench.features.extraction import plan as extraction
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.harness import inputs, presence
from zsarbench.harness.presence import Presence, Side
from zsarbench.interfaces import ChecksParts, ClipFeatures, HasFailures, Parts, Progress, TextEncoder
from zsarbench.plugins import building
from zsarbench.results import Coverage
from zsarbench.utils.cache import cache_dir
from zsarbench.utils.compute import Compute, Stopwatch, reuse_freed_memory

if TYPE_CHECKING:
    from zsarbench.harness.inputs import Inputs
    from zsarbench.harness.spec import RunSpec
    from zsarbench.plugins.registry import Registry

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a run works on before any feature is read.

    compute: device, dtype and threads. training: the other data set that is learnt from, or None. parts: all but the
    loss, which every fit builds for itself.
    """

    spec: RunSpec
    registry: Registry
    progress: Progress
    compute: Compute
    store: FeatureStore
    inputs: Inputs
    training: Inputs | None
    parts: Parts

    @property
    def method_class(self) -> Any:
        """The class of the method."""
        return self.registry.get("method", self.spec.what.method.name).load()


@dataclass(frozen=True, kw_only=True)
class Prepared(Loaded):
    """What a run works on, with the features of every clip that a round trains on or tests.

    train_features: of the clips of `training` that can be read. positions: of clips in `features`, by id. unread: why
    clips of `features` could not be read, by id. presence: which clips existed before they were read. coverage: how
    many were, and were read. flags: remarks on the features, for the result.
    """

    features: ClipFeatures
    train_features: ClipFeatures | None
    positions: Mapping[str, int]
    unread: Mapping[str, str]
    presence: Presence
    coverage: Coverage
    flags: tuple[str, ...]

    def clips(self, clip_ids: Sequence[str]) -> ClipFeatures:
        """Return the features of these clips."""
        return self.features.subset([self.positions[clip_id] for clip_id in clip_ids])

    def readable(self, clip_ids: Sequence[str]) -> list[str]:
        """Return those of these clips that could be read."""
        return [clip_id for clip_id in clip_ids if clip_id not in self.unread]


def load(spec: RunSpec, registry: Registry, progress: Progress, watch: Stopwatch | None = None) -> Loaded:
    """Return the data sets' manifests and texts, and the parts on their device.

    Raises:
        ZsarbenchError: the data is malformed, or a part cannot be built or does not fit the method.
    """
    watch = watch or Stopwatch()
    compute = Compute.resolve(spec.where.device, spec.what.dtype, spec.where.threads)
    with compute.deterministic():
        with watch("data"):
            data, training = inputs.load(spec), inputs.load_training(spec)
        with watch("parts"):
            store = FeatureStore(cache_dir() / "features")

            def cached(encoder: TextEncoder) -> CachedTextEncoder:
                return CachedTextEncoder(encoder, store, spec.what.parts["text"])

            parts = building.build_parts(spec.what.parts, registry, cached, compute.device)
            method = building.build_method(spec.what.method, registry)
            if isinstance(method, ChecksParts):
                method.check_parts(parts)
        with watch("class texts"):
            data = _with_chosen_texts(data, spec, parts)
            training = training and _with_chosen_texts(training, spec, parts)
    return Loaded(
        spec=spec,
        registry=registry,
        progress=progress,
        compute=compute,
        store=store,
        inputs=data,
        training=training,
        parts=parts,
    )


def _with_chosen_texts(data: Inputs, spec: RunSpec, parts: Parts) -> Inputs:
    return replace(data, texts=class_texts.choose(data.texts, spec.what.class_text, parts.text))


def prepare(spec: RunSpec, registry: Registry, progress: Progress, watch: Stopwatch | None = None) -> Prepared:
    """Return what a run works on; features that the store lacks are extracted.

    Raises:
        UsageError: too few clips exist (`zsarbench.harness.presence`).
        ZsarbenchError: see `load`; no test clip or no clip of the training data can be read, or, with `strict`, any
            clip cannot.
    """
    watch = watch or Stopwatch()
    loaded = load(spec, registry, progress, watch)
    reuse_freed_memory()
    present = presence_of(loaded)
    presence.require(present, spec)
    if loaded.parts.visual is not None:
        presence.announce(present, spec)
    with loaded.compute.deterministic(), watch("features"):
        features = read_features(loaded, loaded.inputs, loaded.inputs.used_clips())
        flags = _remarks(features, loaded.inputs)
        unread = failures_of(features)
        _check_any_read(loaded, present, unread)
        train_features, unread_of_training = None, unread
        if loaded.training is not None:
            train_features, unread_of_training, more = _training_features(loaded, loaded.training)
            flags += more
    return Prepared(
        **vars(loaded),
        features=features,
        train_features=train_features,
        positions={clip_id: index for index, clip_id in enumerate(features.ids)},
        unread=unread,
        presence=present,
        coverage=present.coverage(unread, unread_of_training),
        flags=tuple(flags),
    )


def presence_of(loaded: Loaded) -> Presence:
    """Return which of the clips that a run tests or may learn from exist; no file is opened."""
    tested, training = loaded.inputs, loaded.training
    clips = frozenset(clip for item in tested.rounds for clip in item.test)
    learnt: frozenset[str] = frozenset()
    if training is not None:
        learnt = frozenset(training.manifest.index)
    elif loaded.method_class.learns_from != "nothing":
        learnt = frozenset(clip for item in tested.rounds for clip in item.train)
    absent = _absent(loaded, tested, clips if training is not None else clips | learnt)
    absent_learnt = absent if training is None else _absent(loaded, training, learnt)
    visual = loaded.parts.visual
    return Presence(
        tested=Side(dataset=tested.dataset, clips=clips, absent=clips & absent),
        learnt=Side(dataset=(training or tested).dataset, clips=learnt, absent=learnt & absent_learnt),
        needs="" if visual is None else visual.needs,
    )


def _absent(loaded: Loaded, data: Inputs, clips: frozenset[str]) -> frozenset[str]:
    """Return which clips have neither stored features nor anything that the visual part could read."""
    encoder, visual = encoder_part(loaded), loaded.parts.visual
    if encoder is None or visual is None:
        return frozenset()
    stored = loaded.store.open(encoder.key(data.dataset, data.revision, data.options), encoder.dim).stored_ids()
    return presence.absent_clips(data.sources(sorted(clips - stored)), visual)


def _check_any_read(loaded: Loaded, present: Presence, unread: Mapping[str, str]) -> None:
    """Raise where no test clip could be read, though some exist."""
    clips = present.tested.clips
    if clips and not clips.difference(unread):
        reasons = describe_failures({clip_id: unread[clip_id] for clip_id in clips})
        raise ZsarbenchError(
            f"no test clip of protocol '{loaded.spec.what.protocol.name}' can be read: {reasons}. "
            f"Try: zsarbench data verify {present.tested.dataset}, or another visual part (zsarbench list visual)"
        )


def read_features(loaded: Loaded, data: Inputs, clip_ids: Sequence[str]) -> ClipFeatures:
    """Return the features of these clips, extracting those that the store lacks."""
    encoder = encoder_part(loaded)
    if encoder is None:
        return MemoryClips(tuple(clip_ids), [torch.zeros(1, 1)] * len(clip_ids))
    where = loaded.spec.where
    request = extraction.Extraction(
        dataset=data.dataset,
        revision=data.revision,
        sources=data.sources(clip_ids),
        encoder=encoder,
        executor=building.build_executor(where.executor, loaded.registry),
        settings=extraction.Settings(device=str(loaded.compute.device), threads=loaded.compute.threads),
        strict=where.strict,
        options=data.options,
    )
    return extraction.ensure(request, loaded.store, loaded.progress)


def failures_of(clips: ClipFeatures) -> Mapping[str, str]:
    """Return why clips could not be read, by clip id."""
    return clips.failures if isinstance(clips, HasFailures) else {}


def encoder_part(loaded: Loaded) -> extraction.EncoderPart | None:
    """Return the visual part with the text part it may read through; None where the method uses none."""
    specs, parts = loaded.spec.what.parts, loaded.parts
    if parts.visual is None:
        return None
    return extraction.EncoderPart(specs["visual"], parts.visual, specs.get("text"), parts.text)


def _remarks(features: ClipFeatures, data: Inputs) -> list[str]:
    """Return flags for what the encoder remarked on clips, and for features that other code computed than this."""
    remarks: Mapping[str, Sequence[str]] = getattr(features, "flags", {})
    changes = [str(change) for change in getattr(features, "code_changes", ())]
    if not remarks:
        return changes
    clip_id, texts = min(remarks.items())
    return [*changes, f"{len(remarks)} clips of {data.dataset} have remarks, e.g. {clip_id}: {texts[0]}"]


def _training_features(loaded: Loaded, data: Inputs) -> tuple[ClipFeatures, Mapping[str, str], list[str]]:
    """Return the features of the clips of another data set that can be read, why others cannot, and flags.

    One flag states how many can be read.

    Raises:
        ZsarbenchError: none can be read.
    """
    clips = read_features(loaded, data, list(data.manifest.index))
    failures = failures_of(clips)
    n_read = len(clips) - len(failures)
    summary = f"trained on {data.dataset}, revision {data.revision}: {n_read} of {len(clips)} clips"
    flags = [*_remarks(clips, data), summary]
    if not failures:
        return clips, failures, flags
    reasons = describe_failures(failures)
    _log.warning("%s can be read; not read: %s", summary, reasons)
    if n_read == 0:
        raise ZsarbenchError(
            f"no clip of the training data set '{data.dataset}' can be read: {reasons}. "
            f"Try: --data-root {data.dataset}=DIR, or a visual part that reads what the data set has"
        )
    readable = [number for number, clip_id in enumerate(clips.ids) if clip_id not in failures]
    return clips.subset(readable), failures, flags
