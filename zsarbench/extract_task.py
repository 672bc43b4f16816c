"""What an executor runs: decodes clips, encodes them in large groups, and writes shards."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from zsarbench import assembly, options
from zsarbench.decoding import Decoded, DecodePool, Failure
from zsarbench.errors import ZsarbenchError
from zsarbench.features import FeatureSet
from zsarbench.features_key import FeatureKey
from zsarbench.interfaces import CaptionsInSteps, Clips, ClipSource, Sampling, Shard, ShardReport, VisualEncoder
from zsarbench.machine import repeatable
from zsarbench.video import decoder_version
from zsarbench.workers import cores

if TYPE_CHECKING:
    from torch import Tensor

    from zsarbench.interfaces import Prepare, TextEncoder
    from zsarbench.spec import PartSpec

# Clips are encoded in groups of at most this many batches: the last one is filled up, which wastes half the steps of a
# clip on average.
BATCHES_A_GROUP = 8
CLIPS_A_GROUP = 512  # where nothing is decoded
MAX_CLIPS_AHEAD = 128


@dataclass(frozen=True)
class Settings:
    """How extraction uses a machine.

    device: as torch names it. threads: of the model, by default one for each core; other counts give other bits.
    decoders: processes; None: as many as threads. seconds_per_clip: after this long a clip counts as undecodable.
    clips_per_shard: what a kill may cost.
    ahead_bytes: memory for frames that wait for the model, and as much again for those in it.
    """

    device: str = "cpu"
    threads: int = field(default_factory=cores)
    decoders: int | None = None
    seconds_per_clip: float = 300.0
    clips_per_shard: int = 64
    ahead_bytes: int = 256 * 2**20


class EncoderPart:
    """A visual encoder of a run, with the specs that it, and the text part it may use, are built again from.

    Pickling leaves the encoder itself behind: weights are loaded where they are used.
    """

    def __init__(
        self, part: PartSpec, encoder: VisualEncoder, text_part: PartSpec | None = None, text: TextEncoder | None = None
    ) -> None:
        self.part = part
        self.text_part = text_part if options.takes(type(encoder), "text_encoder") else None
        self.name = part.name
        self.dim = encoder.dim
        self.decodes = encoder.needs == "frames"
        self.captions_in_steps: CaptionsInSteps = getattr(
            encoder, "captions_in_steps", "all" if encoder.needs == "captions" else "none"
        )
        self._sampling: Sampling = encoder.sampling
        self._fingerprint = dict(encoder.fingerprint)
        self._text_fingerprint = dict(text.fingerprint) if text is not None else {}
        self._encoder: VisualEncoder | None = encoder

    def key(self, dataset: str, revision: str, dtype: str = "float32") -> FeatureKey:
        """Return the key that features of a data set by this encoder are stored under."""
        text = None
        if self.text_part is not None:
            text = {**self.text_part.identity(), "fingerprint": self._text_fingerprint}
        decoder = decoder_version() if self.decodes else None
        part = self.part.identity()
        return FeatureKey(dataset, revision, part, self._fingerprint, self._sampling, decoder, text, dtype)

    def built(self, device: str) -> VisualEncoder:
        """Return the encoder, building it where only its spec came along."""
        if self._encoder is None:
            filled = {}
            if self.text_part is not None:
                filled["text_encoder"] = _constructed(self.text_part, {}, device)
            self._encoder = _constructed(self.part, filled, device)
        return self._encoder

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_encoder": None}


@dataclass(frozen=True)
class Outcome:
    """What became of a clip: rows (t, D), or a failure. size: of its file, in bytes, where one was decoded."""

    source: ClipSource
    rows: Tensor | None
    failure: Failure | None
    flags: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    size: int | None = None


@dataclass(frozen=True)
class EncodeTask:
    """Makes shards of features with one encoder; an `ExtractionTask`."""

    encoder: EncoderPart
    stored: FeatureSet
    settings: Settings

    @property
    def threads(self) -> int:
        """The threads that it computes with wherever it runs."""
        return self.settings.threads

    def run(self, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        """Decode, encode and write each shard, decoding ahead of the model; a report comes once its files are safe.

        Raises:
            ZsarbenchError: a file cannot be written, or the encoder does not return what its interface says.
        """
        with repeatable(self.threads):
            encoder = self.encoder.built(self.settings.device)
            sizes: list[tuple[int, int]] = []  # of the shards begun: index, clips

            def sources() -> Iterator[ClipSource]:
                for shard in shards:
                    sizes.append((shard.index, len(shard.clips)))
                    yield from shard.clips

            outcomes = (_framed if self.encoder.decodes else _told)(encoder, sources(), self.settings)
            waiting: list[Outcome] = []
            for outcome in outcomes:
                waiting.append(outcome)
                if len(waiting) == sizes[0][1]:
                    yield self._write(sizes.pop(0)[0], waiting)
                    waiting = []

    def _write(self, index: int, outcomes: list[Outcome]) -> ShardReport:
        failures = {each.source.clip_id: each.failure for each in outcomes if each.failure is not None}
        rows = {each.source.clip_id: each.rows for each in outcomes if each.rows is not None}
        name = self.stored.write(
            rows,
            flags={each.source.clip_id: each.flags for each in outcomes if each.flags},
            sizes={each.source.clip_id: each.size for each in outcomes if each.size is not None},
            failures=failures,
            provenance=_provenance(self.settings),
        )
        stages = sorted({stage for each in outcomes for stage in each.seconds})
        return ShardReport(
            index,
            name,
            tuple(rows),
            {clip_id: failure.reason for clip_id, failure in failures.items()},
            {stage: sum(each.seconds.get(stage, 0.0) for each in outcomes) for stage in stages},
        )


def _framed(encoder: VisualEncoder, sources: Iterable[ClipSource], settings: Settings) -> Iterator[Outcome]:
    """Decode clips in worker processes and encode them in groups."""
    prepare: Prepare = encoder.prepare  # type: ignore[attr-defined]
    sampling = encoder.sampling
    workers = settings.decoders or settings.threads
    clip_bytes = _clip_bytes(prepare, sampling)
    ahead = min(MAX_CLIPS_AHEAD, max(workers + 1, settings.ahead_bytes // clip_bytes))
    group_steps = BATCHES_A_GROUP * int(getattr(encoder, "batch_size", 32))
    group_clips = max(1, settings.ahead_bytes // clip_bytes)
    with DecodePool(
        prepare, sampling, workers=workers, seconds_per_clip=settings.seconds_per_clip, max_ahead=ahead
    ) as pool:
        group: list[Decoded] = []
        n_steps = 0
        for decoded in pool.decode(sources):
            n_new = 0 if decoded.frames is None else len(decoded.frames)
            # One step more than whole batches costs another batch, so a group ends before it has too many.
            if group and (n_steps + n_new > group_steps or len(group) >= group_clips):
                yield from _encoded_frames(encoder, group)
                group, n_steps = [], 0
            group.append(decoded)
            n_steps += n_new
        yield from _encoded_frames(encoder, group)


def _encoded_frames(encoder: VisualEncoder, group: list[Decoded]) -> Iterator[Outcome]:
    import torch

    framed = [(decoded.source, decoded.frames) for decoded in group if decoded.frames is not None]
    rows: dict[str, Tensor | Failure] = {}
    seconds = 0.0
    if framed:
        start = perf_counter()
        longest = max(len(frames) for _, frames in framed)
        padded = np.zeros((len(framed), longest, *framed[0][1].shape[1:]), dtype=framed[0][1].dtype)
        for place, (_, frames) in zip(padded, framed, strict=True):
            place[: len(frames)] = frames
        lengths = torch.tensor([len(frames) for _, frames in framed])
        mask = torch.arange(longest) < lengths[:, None]
        ids = tuple(source.clip_id for source, _ in framed)
        rows = _rows(
            encoder, Clips(ids, torch.from_numpy(padded), None, mask), "the visual encoder made no step of its frames"
        )
        seconds = (perf_counter() - start) / len(framed)
    for decoded in group:
        made = rows.get(decoded.source.clip_id, decoded.failure)
        spent = {"decode": decoded.seconds, "encode": 0.0 if decoded.frames is None else seconds}
        yield _outcome(decoded.source, made, decoded.flags, spent, decoded.size)


def _told(encoder: VisualEncoder, sources: Iterable[ClipSource], settings: Settings) -> Iterator[Outcome]:
    """Encode clips of which nothing is decoded: their captions, or features that lie in files."""
    reads_captions = encoder.needs == "captions"
    reason = "the clip has no captions" if reads_captions else "there are no features of this clip"
    group: list[ClipSource] = []
    clip_bytes = 4 * encoder.dim * encoder.sampling.max_steps
    size = max(1, min(CLIPS_A_GROUP, settings.ahead_bytes // clip_bytes))

    def encoded() -> Iterator[Outcome]:
        start = perf_counter()
        ids = tuple(source.clip_id for source in group)
        if reads_captions:
            clips = Clips(ids, captions=tuple(source.captions for source in group))
        else:
            clips = Clips(ids, sources=tuple(group))
        rows = _rows(encoder, clips, reason)
        seconds = (perf_counter() - start) / len(group)
        for source in group:
            yield _outcome(source, rows[source.clip_id], (), {"encode": seconds})

    for source in sources:
        group.append(source)
        if len(group) == size:
            yield from encoded()
            group = []
    if group:
        yield from encoded()


def _rows(encoder: VisualEncoder, clips: Clips, when_none: str) -> dict[str, Tensor | Failure]:
    """Return each clip's rows (t, D), or why it has none.

    Raises:
        ZsarbenchError: the shapes are not those of the interface.
    """
    import torch

    with torch.no_grad():
        steps = encoder.encode(clips)
    values, mask = steps.values.detach().float().cpu(), steps.mask.cpu()
    shape = (len(clips.ids), mask.shape[1] if clips.mask is None else clips.mask.shape[1])
    if tuple(mask.shape) != shape or tuple(values.shape) != (*shape, encoder.dim):
        raise ZsarbenchError(
            f"visual encoder {type(encoder).__name__} returned values {tuple(values.shape)} and mask "
            f"{tuple(mask.shape)}; they are {(*shape, encoder.dim)} and {shape}"
        )
    found: dict[str, Tensor | Failure] = {}
    for clip_id, value, kept in zip(clips.ids, values, mask, strict=True):
        rows = value[kept]
        if not len(rows):
            found[clip_id] = Failure(steps.reasons.get(clip_id, when_none), lasting=False)
        elif not torch.isfinite(rows).all():
            found[clip_id] = Failure("the visual encoder returned values that are not finite", lasting=False)
        else:
            found[clip_id] = rows
    return found


def _outcome(
    source: ClipSource,
    made: Tensor | Failure | None,
    flags: tuple[str, ...],
    seconds: Mapping[str, float],
    size: int | None = None,
) -> Outcome:
    if made is None or isinstance(made, Failure):
        return Outcome(source, None, made, flags, seconds, size)
    return Outcome(source, made, None, flags, seconds, size)


def _clip_bytes(prepare: Prepare, sampling: Sampling) -> int:
    """Return the bytes of the longest clip's frames; every frame size gives the same prepared size."""
    frame = prepare(np.zeros((240, 320, 3), dtype=np.uint8))
    return frame.nbytes * sampling.max_steps * sampling.frames_per_step


def _constructed(part: PartSpec, filled: Mapping[str, Any], device: str) -> Any:
    made = assembly.construct(assembly.load_target(part.target), part.kind, part.name, {**part.options, **filled})
    if hasattr(made, "to"):
        made.to(device)
    return made


def _provenance(settings: Settings) -> dict[str, Any]:
    import torch

    return {
        "torch": torch.__version__,
        "device": settings.device,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }
