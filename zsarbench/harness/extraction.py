"""Extraction as one plan, without a method: the clips of a data set or a protocol, a visual part, an executor."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import torch

from zsarbench.errors import UsageError
from zsarbench.features.extraction import plan as extract
from zsarbench.features.extraction.plan import Share
from zsarbench.features.text_cache import CachedTextEncoder
from zsarbench.harness.inputs import Inputs, of_dataset
from zsarbench.plugins import building
from zsarbench.protocols.clips import protocol_clips
from zsarbench.utils.compute import Compute, reuse_freed_memory

if TYPE_CHECKING:
    from zsarbench.features import FeatureStore
    from zsarbench.harness.spec import ExtractionSpec
    from zsarbench.interfaces import Progress
    from zsarbench.plugins.registry import Registry

_PART = re.compile(r"(\d+)/(\d+)")
# Variables by which launchers number the processes they start: torchrun's, then those of SLURM's srun.
_RANKS = (("RANK", "WORLD_SIZE", "LOCAL_RANK"), ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"))


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
    match = _PART.fullmatch(text)
    if match is None or int(match[1]) >= int(match[2]):
        raise UsageError(f"--shard {text} is not i/n with i from 0 to n - 1, e.g. 0/8 … 7/8, nor auto")
    return Share(int(match[1]), int(match[2]))


def device_of(device: str, share: Share) -> str:
    """Return the device for one of several processes: instead of "auto", a GPU of its own where there are any."""
    local = next((os.environ[name] for _, _, name in _RANKS if name in os.environ), None)
    if device == "auto" and share.count > 1 and local is not None and torch.cuda.is_available():
        return f"cuda:{int(local) % torch.cuda.device_count()}"
    return device


def run(
    spec: ExtractionSpec,
    registry: Registry,
    store: FeatureStore,
    progress: Progress,
    *,
    share: Share = Share(),  # noqa: B008 (it is frozen)
) -> dict[str, Any]:
    """Compute the features that the store lacks and return a summary, in JSON types.

    Raises:
        ZsarbenchError: see `zsarbench.features.extraction.plan.compute`.
    """
    compute = Compute.resolve(device_of(spec.device, share), spec.dtype, spec.threads)
    reuse_freed_memory()
    with compute.deterministic():
        inputs = of_dataset(spec.data, spec.dataset, None)
        clip_ids = _clips(spec, inputs)
        done = extract.compute(
            extract.Extraction(
                dataset=inputs.dataset,
                revision=inputs.revision,
                sources=inputs.sources(clip_ids),
                encoder=_encoder(spec, registry, store, compute),
                executor=building.build_executor(spec.executor, registry),
                settings=extract.Settings(device=str(compute.device), threads=compute.threads),
                strict=spec.strict,
                options=inputs.options,
            ),
            store,
            progress,
            share,
        )
    return {
        "dataset": inputs.dataset,
        "revision": inputs.revision,
        "visual": spec.parts["visual"].name,
        "features": done.stored.folder.name,
        "clips": len(clip_ids),
        "already_stored": done.n_before,
        "made": done.n_computed,
        "left_to_others": done.n_left,
        "failed": dict(done.failures),
    }


def _clips(spec: ExtractionSpec, inputs: Inputs) -> list[str]:
    """Return the ids of the clips to extract, in the manifest's order."""
    if spec.protocol is None:
        return list(inputs.manifest.index)
    learnt, tested = protocol_clips(spec.protocol.on(spec.data), inputs.manifest.reset_index())
    used = {*learnt, *tested}
    return [clip_id for clip_id in inputs.manifest.index if clip_id in used]


def _encoder(spec: ExtractionSpec, registry: Registry, store: FeatureStore, compute: Compute) -> extract.EncoderPart:
    """Return the visual part as a run would build it, on its device."""
    parts = spec.parts
    text: CachedTextEncoder | None = None
    if "text" in parts:
        text = CachedTextEncoder(building.build_text(parts["text"], registry, compute.device), store, parts["text"])
    visual = building.build_visual(parts["visual"], registry, compute.device, text)
    return extract.EncoderPart(parts["visual"], visual, parts.get("text"), text)
