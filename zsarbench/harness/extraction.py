"""Extraction as one plan, without a method: the clips of a data set or a protocol, a visual part, an executor."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zsarbench.data.manifest import checked_manifest
from zsarbench.errors import UsageError
from zsarbench.features.extraction import plan as extract
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.harness.inputs import Inputs
from zsarbench.harness.resolve import Resolver
from zsarbench.harness.spec import RunRequest
from zsarbench.plugins import building, options
from zsarbench.plugins.parts import PartSpec
from zsarbench.protocols.clips import protocol_clips
from zsarbench.utils.compute import Machine

if TYPE_CHECKING:
    from zsarbench.features import FeatureStore
    from zsarbench.interfaces import Progress
    from zsarbench.plugins.registry import Registry
    from zsarbench.protocols import FileProtocol

_PART = re.compile(r"(\d+)/(\d+)")
# Who starts several processes tells each its number: torchrun, then SLURM's srun.
_RANKS = (("RANK", "WORLD_SIZE", "LOCAL_RANK"), ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"))


@dataclass(frozen=True)
class Extraction:
    """What shall be extracted, checked: of a protocol its training and test clips, else all clips of the data set."""

    asked: RunRequest
    dataset: PartSpec
    protocol: FileProtocol | None
    parts: Mapping[str, PartSpec]
    roots: Mapping[str, str]


def resolve(asked: RunRequest, dataset: str | None, registry: Registry) -> Extraction:
    """Return what a request stands for: its `protocol`, or where that is empty the data set named beside it.

    A protocol's options of its parts count, as in a run, so that the run finds the features.

    Raises:
        UsageErrors: everything that is wrong with it, at once.
    """
    if bool(asked.protocol) == bool(dataset):
        raise UsageError("extraction is of a data set or of a protocol. Try: --dataset NAME, or --protocol NAME")
    return _Resolver(asked, registry).extraction(dataset)


class _Resolver(Resolver):
    def extraction(self, dataset: str | None) -> Extraction:
        asked = self.asked
        self._check_choices()
        protocol = self._protocol() if asked.protocol else None
        named = dataset if protocol is None else protocol.dataset
        entries = {
            "dataset": self._entry("dataset", named) if named is not None else None,
            "visual": self._entry("visual", asked.visual or ""),
            "executor": self._entry("executor", asked.executor),
        }
        if asked.text is not None:
            entries["text"] = self._entry("text", asked.text)
        settings, roots = self._settings(), self._roots()
        self._check_kinds(settings, (*entries, "text"), "extraction")
        self._check_addressed(settings, entries)
        self._raise()
        entries.pop("text", None)  # taken up where the visual part reads through it
        chosen = {kind: entry for kind, entry in entries.items() if entry is not None}
        specs = {kind: self._complete(kind, entry, protocol, settings) for kind, entry in chosen.items()}
        self._raise()
        self._add_text_part(specs, protocol, settings)
        self._raise()
        return Extraction(asked, specs.pop("dataset"), protocol, specs, roots)


def part_of(text: str) -> tuple[int, int]:
    """Return (i, n) of "i/n", i from 0 to n - 1, or of "auto", which asks torchrun's or SLURM's variables.

    >>> part_of("2/8")
    (2, 8)

    Raises:
        UsageError: it is neither, or no such variables are set.
    """
    if text == "auto":
        for rank, size, _ in _RANKS:
            if rank in os.environ and size in os.environ:
                text = f"{os.environ[rank]}/{os.environ[size]}"
                break
        else:
            raise UsageError("--shard auto finds neither RANK and WORLD_SIZE nor SLURM_PROCID and SLURM_NTASKS set")
    found = _PART.fullmatch(text)
    if found is None or int(found[1]) >= int(found[2]):
        raise UsageError(f"--shard {text} is not i/n with i from 0 to n - 1, e.g. 0/8 … 7/8, nor auto")
    return int(found[1]), int(found[2])


def device_of(asked: str, part: tuple[int, int]) -> str:
    """Return the device for one of several processes: where it is left open, a GPU of its own, unless one is named."""
    import torch

    local = next((os.environ[name] for _, _, name in _RANKS if name in os.environ), None)
    if asked == "auto" and part[1] > 1 and local is not None and torch.cuda.is_available():
        return f"cuda:{int(local) % torch.cuda.device_count()}"
    return asked


def run(
    extraction: Extraction,
    registry: Registry,
    store: FeatureStore,
    progress: Progress,
    *,
    part: tuple[int, int] = (0, 1),
) -> dict[str, Any]:
    """Compute what the store lacks and return what became of it, in JSON types.

    Raises:
        ZsarbenchError: see `zsarbench.features.extraction.plan.compute`.
    """
    asked = extraction.asked
    machine = Machine.named(device_of(asked.device, part), asked.dtype, asked.threads)
    with machine.repeatable():
        inputs, clip_ids = _clips(extraction, registry)
        done = extract.compute(
            inputs.dataset,
            inputs.revision,
            inputs.sources(clip_ids),
            _encoder(extraction, registry, store, machine),
            store,
            executor=building.build(extraction.parts["executor"], registry),
            progress=progress,
            settings=extract.Settings(device=str(machine.device), threads=machine.threads),
            strict=asked.strict,
            part=part,
        )
    return {
        "dataset": inputs.dataset,
        "revision": inputs.revision,
        "visual": extraction.parts["visual"].name,
        "features": done.stored.folder.name,
        "clips": len(clip_ids),
        "already_stored": done.n_before,
        "made": done.n_made,
        "left_to_others": done.n_left,
        "failed": dict(done.failures),
    }


def _clips(extraction: Extraction, registry: Registry) -> tuple[Inputs, list[str]]:
    """Return the data set and the ids of the clips to extract, in the manifest's order."""
    part, protocol = extraction.dataset, extraction.protocol
    dataset = building.build_dataset(part, extraction.roots, registry)
    manifest = checked_manifest(dataset, part.name)
    ids = list(manifest["clip_id"])
    if protocol is not None:
        learnt, tested = protocol_clips(protocol.checked(dataset), manifest)
        used = {*learnt, *tested}
        ids = [clip_id for clip_id in ids if clip_id in used]
    indexed = manifest.set_index("clip_id")
    inputs = Inputs(part.name, dataset.revision, tuple(dataset.classes), indexed, {}, dataset.captions(), {})
    return inputs, ids


def _encoder(extraction: Extraction, registry: Registry, store: FeatureStore, machine: Machine) -> extract.EncoderPart:
    """Return the visual part as a run would build it, on its device."""
    parts = extraction.parts
    text: Any = None
    if "text" in parts:
        text = CachedTextEncoder(
            building.moved(building.build(parts["text"], registry), machine.device), store, parts["text"]
        )
    takes_text = options.takes(registry.get("visual", parts["visual"].name).load(), "text_encoder")
    visual = building.build(parts["visual"], registry, **({"text_encoder": text} if takes_text else {}))
    return extract.EncoderPart(parts["visual"], building.moved(visual, machine.device), parts.get("text"), text)
