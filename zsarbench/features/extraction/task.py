"""What an executor runs: has clips encoded and writes shards of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zsarbench.data.video.frames import decoder_version
from zsarbench.features import FeatureSet
from zsarbench.features.extraction.encoding import Outcome, Settings, framed, threads_a_pass, told
from zsarbench.features.key import FeatureKey
from zsarbench.interfaces import CaptionsInSteps, ClipSource, Sampling, Shard, ShardReport, VisualEncoder
from zsarbench.plugins import building as assembly
from zsarbench.plugins import options
from zsarbench.utils.compute import processor, repeatable

if TYPE_CHECKING:
    from zsarbench.interfaces import TextEncoder
    from zsarbench.plugins.parts import PartSpec


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
        with repeatable(self.threads, self.settings.device):
            encoder = self.encoder.built(self.settings.device)
            sizes: list[tuple[int, int]] = []  # of the shards begun: index, clips

            def sources() -> Iterator[ClipSource]:
                for shard in shards:
                    sizes.append((shard.index, len(shard.clips)))
                    yield from shard.clips

            outcomes = (framed if self.encoder.decodes else told)(encoder, sources(), self.settings)
            waiting: list[Outcome] = []
            for outcome in outcomes:
                waiting.append(outcome)
                if len(waiting) == sizes[0][1]:
                    yield self._write(sizes.pop(0)[0], waiting, encoder)
                    waiting = []

    def _write(self, index: int, outcomes: list[Outcome], encoder: VisualEncoder) -> ShardReport:
        failures = {each.source.clip_id: each.failure for each in outcomes if each.failure is not None}
        rows = {each.source.clip_id: each.rows for each in outcomes if each.rows is not None}
        name = self.stored.write(
            rows,
            flags={each.source.clip_id: each.flags for each in outcomes if each.flags},
            sizes={each.source.clip_id: each.size for each in outcomes if each.size is not None},
            failures=failures,
            provenance=self._provenance(encoder),
        )
        stages = sorted({stage for each in outcomes for stage in each.seconds})
        return ShardReport(
            index,
            name,
            tuple(rows),
            {clip_id: failure.reason for clip_id, failure in failures.items()},
            {stage: sum(each.seconds.get(stage, 0.0) for each in outcomes) for stage in stages},
        )

    def _provenance(self, encoder: VisualEncoder) -> dict[str, Any]:
        import torch

        decoded = self.encoder.decodes
        return {
            "torch": torch.__version__,
            "device": self.settings.device,
            "threads": threads_a_pass(encoder, self.settings) if decoded else self.threads,
            "processor": processor(torch.device(self.settings.device)),
        }


def _constructed(part: PartSpec, filled: Mapping[str, Any], device: str) -> Any:
    options = {**part.options, **filled}
    return assembly.moved(assembly.construct(assembly.load_target(part.target), part.kind, part.name, options), device)
