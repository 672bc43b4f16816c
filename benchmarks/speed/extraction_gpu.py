"""Times extraction with the model on a GPU against what decoding on all cores and the forward pass there allow.

The limit is the slower of two rates. Decoding: n cores make n / decode clips a second, where `decode` is the CPU time
that a clip takes to decode and prepare while every core does so. Forward: the GPU makes 1 / (steps * forward), where
`forward` is the time of a step in groups of whole batches as extraction makes them, frames and rows carried there and
back, with as many passes at a time as extraction has. The weights are random: their values do not change the time.
Extraction is timed whole, the start of the decoding processes included, which takes about a second: few clips show it.

The clips, 320x240 at 25 frames a second like UCF-101's (7 s on average), are those of extraction.py.

    python benchmarks/speed/extraction_gpu.py                                   # CEZSAR's encoder, 400 clips
    python benchmarks/speed/extraction_gpu.py --model tf_efficientnet_lite0 --clips 2000
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import extraction  # before torch is loaded: it sets how threads wait and where large tensors lie
import numpy as np
import torch

from zsarbench.features.extraction.encoding import GPU_PASSES, MAX_BATCHES_PER_GROUP
from zsarbench.interfaces import Clips, ClipSource
from zsarbench.plugins.parts import PartSpec
from zsarbench.utils.compute import deterministic, processor
from zsarbench.utils.cores import cores
from zsarbench_encoders.visual import Timm


def decode_rate(encoder: Timm, sources: Sequence[ClipSource]) -> tuple[float, float]:
    """Return the clips a second that all cores decode, each in a process of its own, and the steps of a clip."""
    n, some = cores(), sources[: extraction.DISTINCT]
    with ProcessPoolExecutor(n, mp_context=multiprocessing.get_context("forkserver")) as pool:
        measured = list(pool.map(extraction.decode_seconds, [encoder.sampling] * n, [encoder.prepare] * n, [some] * n))
    seconds, n_steps = np.mean(measured, axis=0).tolist()
    return n / seconds, n_steps


def steps_a_second(encoder: Timm, device: str, repeats: int = 8) -> float:
    """Return the rate of the forward pass over groups of random frames, after one of each pass."""
    size = encoder.prepare(np.zeros((240, 320, 3), dtype=np.uint8)).shape[-1]
    n = MAX_BATCHES_PER_GROUP * encoder.batch_size
    frames = torch.randint(0, 256, (1, n, 1, 3, size, size), dtype=torch.uint8)
    clips = Clips(("clip",), frames, None, torch.ones(1, n, dtype=torch.bool))
    with deterministic(cores(), device), ThreadPoolExecutor(GPU_PASSES) as passes:
        list(passes.map(encoder.encode, [clips] * GPU_PASSES))
        start = time.perf_counter()
        list(passes.map(encoder.encode, [clips] * repeats))
    return repeats * n / (time.perf_counter() - start)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnetv2_152x2_bit.goog_in21k", help="of timm")
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], help="of the forward pass")
    parser.add_argument("--repeats", type=int, default=2, help="extractions of each dtype; the fastest counts")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "clips").mkdir()
        sources = extraction.write_clips(folder / "clips", options.clips)
        where = processor(torch.device(options.device))
        print(f"{options.model} on {where}, {len(sources)} clips, {cores()} cores, torch {torch.__version__}")
        for dtype in options.dtypes:
            encoder = Timm(model=options.model, pretrained=False, compute_dtype=dtype)
            encoder.to(options.device)
            decoded, n_steps = decode_rate(encoder, sources)
            forward = steps_a_second(encoder, options.device)
            limit = min(decoded, forward / n_steps)
            print(
                f"{dtype:9s} decoding {decoded:.1f} clips/s, forward {forward:.0f} steps/s = "
                f"{forward / n_steps:.1f} clips/s"
            )
            chosen = {"model": options.model, "pretrained": False, "compute_dtype": dtype}
            part = PartSpec("visual", "timm", "zsarbench_encoders.visual:Timm", "encoders", chosen)
            rate = max(
                len(sources) / extraction.extracted(folder / f"{dtype}{n}", encoder, part, sources, options.device)[0]
                for n in range(options.repeats)
            )
            share = rate / limit
            print(f"          extraction {rate:.1f} clips/s, {rate * n_steps:.0f} steps/s: {share:.0%} of the limit")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
