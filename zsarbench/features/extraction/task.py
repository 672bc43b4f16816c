"""The task that executors run: it encodes clips and writes shards of their features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zsarbench.data.video.frames import decoder_version
from zsarbench.features import FeatureSet
from zsarbench.features.extraction.encoding import (
    EncodedClip,
    Settings,
    encode_decoded,
    encode_undecoded,
    threads_per_pass,
)
from zsarbench.features.key import FeatureKey
from zsarbench.features.store.origins import Reads, origin_of
from zsarbench.interfaces import (
    CaptionsInSteps,
    CaptionSteps,
    ChecksSources,
    ClipSource,
    Sampling,
    Shard,
    ShardReport,
    VisualEncoder,
)
from zsarbench.plugins import building, options
from zsarbench.plugins.distributions import distributions_of
from zsarbench.utils.compute import deterministic, processor, reuse_freed_memory

if TYPE_CHECKING:
    from zsarbench.interfaces import TextEncoder
    from zsarbench.plugins.parts import PartSpec


class EncoderPart:
    """A visual encoder of a run, with the parts from which it, and the text encoder it may use, can be built again.

    Pickling leaves out the encoder itself: weights are loaded where they are used.
    """

    def __init__(
        self, part: PartSpec, encoder: VisualEncoder, text_part: PartSpec | None = None, text: TextEncoder | None = None
    ) -> None:
        self.part = part
        self.text_part = text_part if options.takes(type(encoder), "text_encoder") else None
        self.name = part.name
        self.plugins = tuple(one.plugin for one in (part, self.text_part) if one is not None)
        self.dim = encoder.dim
        self.reads: Reads = encoder.needs
        self.decodes = encoder.needs == "frames"
        self.captions_in_steps: CaptionsInSteps = "all" if encoder.needs == "captions" else "none"
        if isinstance(encoder, CaptionSteps):
            self.captions_in_steps = encoder.captions_in_steps
        self._sampling: Sampling = encoder.sampling
        self._fingerprint = dict(encoder.fingerprint)
        self._text_fingerprint = dict(text.fingerprint) if text is not None else {}
        self._encoder: VisualEncoder | None = encoder

    def key(self, dataset: str, revision: str, options: Mapping[str, Any]) -> FeatureKey:
        """Return the key that features of a data set with these options by this encoder are stored under."""
        text = None
        if self.text_part is not None:
            text = {**self.text_part.identity(), "fingerprint": self._text_fingerprint}
        decoder = decoder_version() if self.decodes else None
        part = self.part.identity()
        return FeatureKey(
            dataset, revision, part, self._fingerprint, self._sampling, decoder, text, dataset_options=options
        )

    def build(self, device: str) -> VisualEncoder:
        """Return the encoder, building it where only its part was pickled."""
        if self._encoder is None:
            text = None if self.text_part is None else building.build_text(self.text_part, None, device)
            self._encoder = building.build_visual(self.part, None, device, text)
        return self._encoder

    def check(self, sources: Sequence[ClipSource]) -> None:
        """Raise where the encoder does not go with these clips, if it says so."""
        if isinstance(self._encoder, ChecksSources):
            self._encoder.check_sources(sources)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_encoder": None}


@dataclass(frozen=True)
class EncodeTask:
    """Computes shards of features with one encoder; an `ExtractionTask`."""

    encoder: EncoderPart
    stored: FeatureSet
    settings: Settings

    @property
    def threads(self) -> int:
        """The number of threads that it computes with wherever it runs."""
        return self.settings.threads

    def run(self, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        """Decode, encode and write each shard, decoding ahead of the model; yield a report once its files are safe.

        Raises:
            ZsarbenchError: a file cannot be written, or the encoder does not return what its interface requires.
        """
        reuse_freed_memory()  # an executor may run this in a process of its own
        with deterministic(self.threads, self.settings.device):
            encoder = self.encoder.build(self.settings.device)
            provenance = self._provenance(encoder)
            begun: list[tuple[int, int]] = []  # shards: index, number of clips

            def sources() -> Iterator[ClipSource]:
                for shard in shards:
                    begun.append((shard.index, len(shard.clips)))
                    yield from shard.clips

            encode = encode_decoded if self.encoder.decodes else encode_undecoded
            waiting: list[EncodedClip] = []
            for clip in encode(encoder, sources(), self.settings):
                waiting.append(clip)
                if len(waiting) == begun[0][1]:
                    yield self._write(begun.pop(0)[0], waiting, provenance)
                    waiting = []

    def _write(self, index: int, clips: list[EncodedClip], provenance: dict[str, Any]) -> ShardReport:
        failures = {each.source.clip_id: each.failure for each in clips if each.failure is not None}
        rows = {each.source.clip_id: each.rows for each in clips if each.rows is not None}
        name = self.stored.write(
            rows,
            flags={each.source.clip_id: each.flags for each in clips if each.flags},
            origins={each.source.clip_id: origin_of(each.source, self.encoder.reads, each.state) for each in clips},
            failures=failures,
            provenance=provenance,
        )
        stages = sorted({stage for each in clips for stage in each.seconds})
        return ShardReport(
            index,
            name,
            tuple(rows),
            {clip_id: failure.reason for clip_id, failure in failures.items()},
            {stage: sum(each.seconds.get(stage, 0.0) for each in clips) for stage in stages},
        )

    def _provenance(self, encoder: VisualEncoder) -> dict[str, Any]:
        import torch

        decoded = self.encoder.decodes
        return {
            "torch": torch.__version__,
            "device": self.settings.device,
            "threads": threads_per_pass(encoder, self.settings) if decoded else self.threads,
            "processor": processor(torch.device(self.settings.device)),
            "distributions": [asdict(one) for one in distributions_of(self.encoder.plugins)],
        }
