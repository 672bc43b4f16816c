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
from zsarbench.features.extraction.plan import Share
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.harness.inputs import Inputs
from zsarbench.harness.resolve import Resolver
from zsarbench.harness.spec import RunRequest
from zsarbench.plugins import building
from zsarbench.plugins.parts import PartSpec
from zsarbench.protocols.clips import protocol_clips
from zsarbench.utils.compute import Compute, reuse_freed_memory

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


def share_of(text: str) -> Share:
    """Return the share of "i/n", i from 0 to n - 1, or of "auto", which reads the variables of torchrun or SLURM.

    >>> share_of("2/8")
    Share(index=2, count=8)

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
    return Share(int(found[1]), int(found[2]))


def device_of(asked: str, share: Share) -> str:
    """Return the device for one of several processes: where it is left open, a GPU of its own, unless one is named."""
    import torch

    local = next((os.environ[name] for _, _, name in _RANKS if name in os.environ), None)
    if asked == "auto" and share.count > 1 and local is not None and torch.cuda.is_available():
        return f"cuda:{int(local) % torch.cuda.device_count()}"
    return asked


def run(
    extraction: Extraction,
    registry: Registry,
    store: FeatureStore,
    progress: Progress,
    *,
    share: Share = Share(),  # noqa: B008 (it is frozen)
) -> dict[str, Any]:
    """Compute what the store lacks and return what became of it, in JSON types.

    Raises:
        ZsarbenchError: see `zsarbench.features.extraction.plan.compute`.
    """
    asked = extraction.asked
    machine = Compute.resolve(device_of(asked.device, share), asked.dtype, asked.threads)
    reuse_freed_memory()
    with machine.deterministic():
        inputs, clip_ids = _clips(extraction, registry)
        done = extract.compute(
            extract.Extraction(
                dataset=inputs.dataset,
                revision=inputs.revision,
                sources=inputs.sources(clip_ids),
                encoder=_encoder(extraction, registry, store, machine),
                executor=building.build_executor(extraction.parts["executor"], registry),
                settings=extract.Settings(device=str(machine.device), threads=machine.threads),
                strict=asked.strict,
            ),
            store,
            progress,
            share,
        )
    return {
        "dataset": inputs.dataset,
        "revision": inputs.revision,
        "visual": extraction.parts["visual"].name,
        "features": done.stored.folder.name,
        "clips": len(clip_ids),
        "already_stored": done.n_before,
        "made": done.n_computed,
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


def _encoder(extraction: Extraction, registry: Registry, store: FeatureStore, machine: Compute) -> extract.EncoderPart:
    """Return the visual part as a run would build it, on its device."""
    parts = extraction.parts
    text: CachedTextEncoder | None = None
    if "text" in parts:
        text = CachedTextEncoder(building.build_text(parts["text"], registry, machine.device), store, parts["text"])
    visual = building.build_visual(parts["visual"], registry, machine.device, text)
    return extract.EncoderPart(parts["visual"], visual, parts.get("text"), text)
