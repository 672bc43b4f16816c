"""Extraction as one plan, without a method: the clips of a data set or a protocol, a visual part, an executor."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import torch

from zsarbench.errors import UsageError
from zsarbench.features.extraction import plan as extract
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.harness.inputs import Inputs, of_dataset
from zsarbench.plugins import building
from zsarbench.protocols.clips import protocol_clips
from zsarbench.utils.compute import Machine

if TYPE_CHECKING:
    from zsarbench.features import FeatureStore
    from zsarbench.harness.spec import ExtractionSpec
    from zsarbench.interfaces import Progress, TextEncoder
    from zsarbench.plugins.registry import Registry

_PART = re.compile(r"(\d+)/(\d+)")
# Variables by which launchers number the processes they start: torchrun's, then those of SLURM's srun.
_RANKS = (("RANK", "WORLD_SIZE", "LOCAL_RANK"), ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"))


def part_of(text: str) -> tuple[int, int]:
    """Return (i, n) of "i/n", i from 0 to n - 1, or of "auto", which reads torchrun's or SLURM's variables.

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
    match = _PART.fullmatch(text)
    if match is None or int(match[1]) >= int(match[2]):
        raise UsageError(f"--shard {text} is not i/n with i from 0 to n - 1, e.g. 0/8 … 7/8, nor auto")
    return int(match[1]), int(match[2])


def device_of(device: str, part: tuple[int, int]) -> str:
    """Return the device for one of several processes: instead of "auto", a GPU of its own where there are any."""
    local = next((os.environ[name] for _, _, name in _RANKS if name in os.environ), None)
    if device == "auto" and part[1] > 1 and local is not None and torch.cuda.is_available():
        return f"cuda:{int(local) % torch.cuda.device_count()}"
    return device


def run(
    spec: ExtractionSpec,
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
    compute = Machine.named(device_of(spec.device, part), spec.dtype, spec.threads)
    with compute.repeatable():
        inputs = of_dataset(spec.data, spec.dataset.name, None)
        clip_ids = _clips(spec, inputs)
        done = extract.compute(
            inputs.dataset,
            inputs.revision,
            inputs.sources(clip_ids),
            _encoder(spec, registry, store, compute),
            store,
            executor=building.build(spec.executor, registry),
            progress=progress,
            settings=extract.Settings(device=str(compute.device), threads=compute.threads),
            strict=spec.strict,
            part=part,
        )
    return {
        "dataset": inputs.dataset,
        "revision": inputs.revision,
        "visual": spec.parts["visual"].name,
        "features": done.stored.folder.name,
        "clips": len(clip_ids),
        "already_stored": done.n_before,
        "made": done.n_made,
        "left_to_others": done.n_left,
        "failed": dict(done.failures),
    }


def _clips(spec: ExtractionSpec, inputs: Inputs) -> list[str]:
    """Return the ids of the clips to extract, in the manifest's order."""
    if spec.protocol is None:
        return list(inputs.manifest.index)
    learnt, tested = protocol_clips(spec.protocol.checked(spec.data), inputs.manifest.reset_index())
    used = {*learnt, *tested}
    return [clip_id for clip_id in inputs.manifest.index if clip_id in used]


def _encoder(spec: ExtractionSpec, registry: Registry, store: FeatureStore, compute: Machine) -> extract.EncoderPart:
    """Return the visual part as a run would build it, on its device."""

    def cached(encoder: TextEncoder) -> CachedTextEncoder:
        return CachedTextEncoder(encoder, store, spec.parts["text"])

    parts = building.build_parts(spec.parts, registry, cached, compute.device)
    assert parts.visual is not None
    return extract.EncoderPart(spec.parts["visual"], parts.visual, spec.parts.get("text"), parts.text)
