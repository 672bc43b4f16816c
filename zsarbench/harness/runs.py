"""Runs a spec: features, fits, scores, metrics, result. Asserts shapes at both plugin boundaries."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zsarbench import results
from zsarbench.data import class_texts
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.scores import Block, RoundScores, Scores
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.features import FeatureStore
from zsarbench.features.clips import MemoryClips
from zsarbench.features.extraction import plan as extraction
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.harness import inputs, recording
from zsarbench.harness.inputs import Inputs, RoundClips
from zsarbench.harness.outcome import Fit, Outcome
from zsarbench.harness.resolve import resolve
from zsarbench.harness.spec import RunSpec, request
from zsarbench.interfaces import (
    ChecksParts,
    ClipFeatures,
    Context,
    HasFailures,
    Loss,
    Method,
    Progress,
    Recording,
    TextEncoder,
    TrainSet,
)
from zsarbench.plugins import Host, building, load_plugins
from zsarbench.results import RunResult
from zsarbench.utils import seeding
from zsarbench.utils.cache import cache_dir
from zsarbench.utils.compute import Compute, Stopwatch, reuse_freed_memory
from zsarbench.utils.progress import LogProgress

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registry

_log = logging.getLogger(__name__)
N_PROBED = 8  # clips that `--plan` extracts to estimate the rest; start-up of the decoders makes it an upper bound


class Run:
    """One run of a spec, from names to scores."""

    def __init__(self, spec: RunSpec, registry: Registry, progress: Progress) -> None:
        self.spec = spec
        self.registry = registry
        self.progress = progress
        self.machine = Compute.resolve(spec.device, spec.dtype, spec.threads)
        self.watch = Stopwatch()
        self.unread: Mapping[str, str] = {}
        self.failures: dict[str, str] = {}
        self.learnt: dict[str, None] = {}
        self.flags: list[str] = []
        self.method_class = registry.get("method", spec.method.name).load()

    def load(self) -> None:
        """Load the data sets' manifests and build the parts."""
        with self.watch("data"):
            self.inputs = inputs.load(self.spec, self.registry)
            self.training = inputs.load_training(self.spec, self.registry)
        with self.watch("parts"):
            self.store = FeatureStore(cache_dir() / "features")
            self.parts = building.build_parts(self.spec.parts, self.registry, self._cached_text, self.machine.device)
            method = building.build_method(self.spec.method, self.registry)
            if isinstance(method, ChecksParts):
                method.check_parts(self.parts)
        with self.watch("class texts"):
            self.inputs = self._with_chosen_texts(self.inputs)
            self.training = self.training and self._with_chosen_texts(self.training)

    def _with_chosen_texts(self, data: Inputs) -> Inputs:
        return replace(data, texts=class_texts.choose(data.texts, self.spec.class_text, self.parts.text))

    def execute(self) -> Outcome:
        """Load, extract, fit and score.

        Raises:
            ZsarbenchError: the data is malformed, a plugin broke its contract, or, with `strict`, a clip is unreadable.
        """
        reuse_freed_memory()
        with self.machine.deterministic():
            self.read()
            return self._fit_and_score()

    def read(self) -> None:
        """Load the data sets and parts, and extract or read the features of all clips."""
        self.load()
        with self.watch("features"):
            self.features = self._features(self.inputs, self.inputs.used_clips())
            self.positions = {clip_id: index for index, clip_id in enumerate(self.features.ids)}
            self.unread = _failures(self.features)
            self.failures |= self.unread
            self.train_features = self._training_features(self.training) if self.training is not None else None

    def _cached_text(self, encoder: TextEncoder) -> CachedTextEncoder:
        return CachedTextEncoder(encoder, self.store, self.spec.parts["text"])

    def _features(self, data: Inputs, clip_ids: list[str]) -> ClipFeatures:
        """Return the features of these clips, extracting those the store lacks."""
        sources = data.sources(clip_ids)
        if self.parts.visual is None:
            return MemoryClips(tuple(clip_ids), [torch.zeros(1, 1)] * len(clip_ids))
        stored = extraction.ensure(
            extraction.Extraction(
                dataset=data.dataset,
                revision=data.revision,
                sources=sources,
                encoder=self._encoder_part(),
                executor=building.build_executor(self.spec.executor, self.registry),
                settings=extraction.Settings(device=str(self.machine.device), threads=self.machine.threads),
                strict=self.spec.strict,
            ),
            self.store,
            self.progress,
        )
        if stored.flags:
            clip_id, remarks = min(stored.flags.items())
            self.flags.append(f"{len(stored.flags)} clips of {data.dataset} have remarks, e.g. {clip_id}: {remarks[0]}")
        return stored

    def _training_features(self, data: Inputs) -> ClipFeatures:
        """Return the features of the clips of another data set that can be read; a flag tells how many cannot.

        Raises:
            ZsarbenchError: none can.
        """
        clips = self._features(data, list(data.manifest.index))
        failures = _failures(clips)
        n_read = len(clips) - len(failures)
        told = f"trained on {data.dataset}, revision {data.revision}: {n_read} of {len(clips)} clips"
        self.flags.append(told)
        if not failures:
            return clips
        reasons = recording.describe_failures(failures)
        _log.warning("%s can be read; not read: %s", told, reasons)
        if n_read == 0:
            raise ZsarbenchError(
                f"no clip of the training data set '{data.dataset}' can be read: {reasons}. "
                f"Try: --data-root {data.dataset}=DIR, or a visual part that reads what is there"
            )
        return clips.subset([number for number, clip_id in enumerate(clips.ids) if clip_id not in failures])

    def _encoder_part(self) -> extraction.EncoderPart:
        assert self.parts.visual is not None
        parts = self.spec.parts
        return extraction.EncoderPart(parts["visual"], self.parts.visual, parts.get("text"), self.parts.text)

    def fits(self) -> list[Fit]:
        """Return one fit per seed and distinct training set, each with the rounds it serves."""
        groups: dict[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], list[RoundClips]] = {}
        for item in self.inputs.rounds:
            learns = self.method_class.learns_from != "nothing" and self.training is None
            key = (item.train, item.round.seen, item.round.validation) if learns else ((), (), ())
            groups.setdefault(key, []).append(item)
        seeds = range(self.spec.seed, self.spec.seed + self.spec.seeds)
        return [
            Fit(*key, round_seed=items[0].round.seed, seed=seed, rounds=tuple(items))
            for seed in seeds
            for key, items in groups.items()
        ]

    def _fit_and_score(self) -> Outcome:
        fits = self.fits()
        blocks: list[Block] = []
        scored: list[RoundScores] = []
        served: list[tuple[Fit, RoundClips]] = []
        records: list[dict[str, Any]] = []
        classes = self.inputs.classes
        for number, fit in enumerate(fits):
            n_train = len(fit.train) if self.train_features is None else len(self.train_features)
            _log.info("fit %d of %d (seed %d, %d training clips)", number + 1, len(fits), fit.seed, n_train)
            method, context = self.fit(fit)
            records.append(dict(method.record()) if isinstance(method, Recording) else {})
            with self.watch("score"):
                for rounds in [fit.rounds] if method.class_independent else [(item,) for item in fit.rounds]:
                    block = self._score(method, rounds, context)
                    scored += [self._round_scores(item, len(blocks), classes) for item in rounds]
                    served += [(fit, item) for item in rounds]
                    blocks.append(block)
        names = self.inputs.manifest.loc[list(self.features.ids), "group"].astype(str)
        scores = Scores(
            clip_ids=np.array(self.features.ids),
            groups=np.array(names),
            class_names=np.array(classes),
            labels=self.inputs.labels(self.features.ids, classes).astype(np.int32),
            blocks=tuple(blocks),
            rounds=tuple(scored),
        )
        return Outcome(
            self.spec, self.machine, context.parts, self.inputs, self.training, tuple(self.learnt), scores,
            tuple(served), tuple(fits), tuple(records), self.failures, tuple(self.flags), dict(self.watch.seconds),
            method,
        )  # fmt: skip

    def fit(self, fit: Fit) -> tuple[Method, Context]:
        """Return a method that has learnt from a training set, and the context to score with."""
        method = building.build_method(self.spec.method, self.registry)
        context = self._context(fit)
        train = self._train_set(fit)
        self.learnt |= dict.fromkeys(train.clips.ids if train is not None else ())
        with self.watch("fit"):
            method.fit(train, context)
        return method, context

    def _train_set(self, fit: Fit) -> TrainSet | None:
        """Return what a fit may learn from; nothing of an unseen class is in it."""
        if self.method_class.learns_from == "nothing":
            return None
        if self.training is not None and self.train_features is not None:
            return self._labelled(fit, self.training, self.train_features, self.training.classes)
        labels = self.inputs.manifest.loc[list(fit.train), "label"].drop(list(self.unread), errors="ignore")
        for_choosing = labels.isin(fit.validation if self.spec.protocol.validation_only else ())
        clips, held = (self._clips(labels.index[kept]) for kept in (~for_choosing, for_choosing))
        if not len(clips):
            name = self.spec.protocol.name
            raise ZsarbenchError(
                f"protocol '{name}' has seen classes, but no training clip of theirs can be read. "
                f"Try: zsarbench protocol check {name}"
            )
        return replace(
            self._labelled(fit, self.inputs, clips, fit.seen),
            validation=fit.validation,
            validation_set=self._labelled(fit, self.inputs, held, fit.validation) if len(held) else None,
        )

    def _clips(self, clip_ids: Iterable[str]) -> ClipFeatures:
        return self.features.subset([self.positions[clip_id] for clip_id in clip_ids])

    def _labelled(self, fit: Fit, data: Inputs, clips: ClipFeatures, classes: Sequence[str]) -> TrainSet:
        """Return a training set of clips, with captions or labels dealt out anew where the run is such a control."""
        order = None
        if self.spec.control == "shuffle-labels":
            order = torch.randperm(len(clips), generator=seeding.generator(fit.seed, "shuffle-labels"))
        return inputs.train_set(data, self._controlled(clips, fit.seed, "train"), classes, order)

    def _controlled(self, clips: ClipFeatures, seed: int, use: str) -> ClipFeatures:
        """Return the clips, with captions dealt out anew where the run is that control."""
        if self.spec.control != "shuffle-captions":
            return clips
        dealt = torch.randperm(len(clips), generator=seeding.generator(seed, "shuffle-captions", use))
        return inputs.shuffle_captions(clips, dealt)

    def _context(self, fit: Fit) -> Context:
        """Return what the harness lends to one fit; its checkpoint folder is named by all that decides the fit."""
        decides = {
            "method": self.spec.method.identity(),
            "parts": {kind: part.identity() for kind, part in sorted(self.spec.parts.items())},
            "dtype": self.spec.dtype,
            "class_text": self.spec.class_text,
            "control": self.spec.control,
            "data": [self.inputs.revision, self.training and self.training.revision],
            "fit": [fit.train, fit.seen, fit.validation, fit.round_seed, fit.seed],
        }
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
        return Context(
            parts=replace(self.parts, loss=self._loss(fit)),
            device=self.machine.device,
            dtype=self.machine.dtype,
            generator=lambda name: seeding.generator(fit.seed, fit.round_seed, name),
            checkpoints=cache_dir() / "checkpoints" / f"{self.spec.method.name}-{digest}",
            resume=self.spec.resume,
            progress=self.progress,
        )

    def _loss(self, fit: Fit) -> Loss | None:
        """Return a loss of this fit's own: it may have weights, drawn from the fit's seed."""
        if "loss" not in self.spec.parts:
            return None
        with seeding.fork_rng(seeding.generator(fit.seed, fit.round_seed, "loss")):
            return building.build_loss(self.spec.parts["loss"], self.registry, self.machine.device)

    def _score(self, method: Method, rounds: Sequence[RoundClips], context: Context) -> Block:
        """Return one score matrix over the clips and candidates of these rounds; clips that were not read get NaN."""
        index = np.array(sorted({self.positions[clip_id] for item in rounds for clip_id in item.test}))
        wanted = {name for item in rounds for name in item.round.candidates}
        columns = np.array([number for number, name in enumerate(self.inputs.classes) if name in wanted])
        texts = [self.inputs.texts[self.inputs.classes[number]] for number in columns]
        clips = self._controlled(self.features.subset(torch.from_numpy(index)), self.spec.seed, "test")
        scores = np.full((len(index), len(columns)), -np.inf, dtype=np.float32)
        for rows, among in self._kinds(rounds, index, columns):
            given = method.score(clips.subset(torch.from_numpy(rows)), [texts[c] for c in among], context)
            if tuple(given.shape) != (len(rows), len(among)):
                raise ZsarbenchError(
                    f"method '{self.spec.method.name}' returned scores {tuple(given.shape)} for {len(rows)} clips and "
                    f"{len(among)} classes; they are (N, C)"
                )
            scores[np.ix_(rows, among)] = given.detach().to("cpu", torch.float32).numpy()
        unread = np.array([self.features.ids[i] in self.unread for i in index])
        scores[unread] = np.nan
        self._note_nan(scores, unread, index)
        return Block(index.astype(np.int32), columns.astype(np.int32), scores)

    def _kinds(
        self, rounds: Sequence[RoundClips], index: np.ndarray, columns: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return which rows of a score matrix are asked for among which of its columns: all, or each kind its own."""
        if not SETTINGS[self.spec.protocol.setting].own_kind_only:
            return [(np.arange(len(index)), np.arange(len(columns)))]
        names = self.inputs.classes
        seen = {name for item in rounds for name in item.round.seen}
        of_seen = np.array([names[column] in seen for column in columns])
        labels = self.inputs.labels([self.features.ids[i] for i in index], names)
        rows_of_seen = np.isin(labels, columns[of_seen])
        return [(np.flatnonzero(rows_of_seen == kind), np.flatnonzero(of_seen == kind)) for kind in (True, False)]

    def _note_nan(self, scores: np.ndarray, unread: np.ndarray, index: np.ndarray) -> None:
        """List clips whose scores a method could not compute beside those that could not be read."""
        for row in np.flatnonzero(np.isnan(scores).any(axis=1) & ~unread):
            self.failures[self.features.ids[index[row]]] = f"method '{self.spec.method.name}' scored it NaN"

    def _round_scores(self, item: RoundClips, block: int, classes: Sequence[str]) -> RoundScores:
        number = {name: index for index, name in enumerate(classes)}
        seen = set(item.round.seen)
        return RoundScores(
            block=block,
            clips=np.array([self.positions[clip_id] for clip_id in item.test], dtype=np.int32),
            classes=np.array([number[name] for name in item.round.candidates], dtype=np.int32),
            seen=np.array([name in seen for name in item.round.candidates]),
        )

    def plan(self) -> dict[str, Any]:
        """Return what the run would cost: clips, those to extract, their bytes, and minutes by a probe of a few."""
        reuse_freed_memory()
        with self.machine.deterministic():
            self.load()
            used = [(self.inputs, self.inputs.used_clips())]
            if self.training is not None:
                used.append((self.training, list(self.training.manifest.index)))
            content: dict[str, Any] = {
                "rounds": len(self.inputs.rounds),
                "fits": len(self.fits()),
                "clips": sum(len(clip_ids) for _, clip_ids in used),
            }
            if self.parts.visual is None:
                return content | {"clips_to_extract": 0}
            part, dim = self._encoder_part(), self.parts.visual.dim
            missing = [
                (data, source)
                for data, clip_ids in used
                for stored in [self.store.open(part.key(data.dataset, data.revision), dim)]
                for source in stored.missing(data.sources(clip_ids))
            ]
            paths = [Path(source.path) for _, source in missing if source.path is not None]
            content |= {
                "clips_to_extract": len(missing),
                "bytes_to_read": sum(path.stat().st_size for path in paths if path.is_file()),
                "bytes_to_store": 4 * len(missing) * dim * self.parts.visual.sampling.max_steps,
            }
            probe = missing[:: max(1, len(missing) // N_PROBED)][:N_PROBED]
            if probe:
                start = time.perf_counter()
                for data, _ in used:
                    self._features(data, [source.clip_id for of, source in probe if of is data])
                seconds = (time.perf_counter() - start) * (len(missing) - len(probe)) / len(probe)
                content["minutes_to_extract"] = round(seconds / 60, 1)
            return content


def plan(spec: RunSpec, host: Host, progress: Progress) -> dict[str, Any]:
    """Return what a run would cost, without running it; the few clips that a probe extracts are kept.

    Fitting is not in the minutes: only the method knows how long it learns.
    """
    return Run(spec, host.registry, progress).plan()


def run(spec: RunSpec, host: Host, progress: Progress) -> tuple[RunResult, Path]:
    """Run a spec, write its result under `spec.out`, tell the observers, and return the result with its path.

    Raises:
        ZsarbenchError: the run cannot be finished; what was extracted and checkpointed is kept.
    """
    outcome = Run(spec, host.registry, progress).execute()
    if outcome.failures:
        _log.warning(
            "%d clips count as wrong: %s", len(outcome.failures), recording.describe_failures(outcome.failures)
        )
    result = recording.record(outcome, host.registry)
    path = results.write(result, outcome.scores, Path(spec.out))
    host.call_each("zsarbench_run_finished", result=result, path=path)
    return results.read(path), path


def run_request(method: str, *, progress: Progress | None = None, **asked: Any) -> RunResult:
    """Run what a user asks for by name; see `zsarbench.run`."""
    host = load_plugins()
    result, _ = run(resolve(request(method, **asked), host), host, progress or LogProgress())
    return result


def _failures(clips: ClipFeatures) -> Mapping[str, str]:
    """Return why clips could not be read, by clip id."""
    return clips.failures if isinstance(clips, HasFailures) else {}
