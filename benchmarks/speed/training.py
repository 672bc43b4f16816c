"""Times CEZSAR's training on a simulated corpus in the feature store against the same training without reading.

The windows are synthetic: 16 steps x 4096 features of the paper's shape, stored as bfloat16 by default (1e5
windows weigh 13 GB so, 26 GB in float32), each with a caption of its own in 768 features. "pure compute" is the very
trainer of the method on clips that are always the same one batch, which lies where the model computes. Both take the
same batches of the same corpus, in turns; the fastest pass of each counts. Of the windows, peak memory grows with their
captions alone.

    python benchmarks/speed/training.py                                       # 4,000 windows, 0.5 GB of disk
    python benchmarks/speed/training.py --windows 1e5 --batches 100 --folder DIR   # 13 GB of disk in DIR
    python benchmarks/speed/training.py --device cuda --dtype bfloat16
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from zsarbench.features import FeatureStore
from zsarbench.features.key import FeatureKey
from zsarbench.interfaces import CaptionsInSteps, ClipFeatures, Context, Parts, Steps
from zsarbench.utils.compute import deterministic
from zsarbench.utils.progress import LogProgress
from zsarbench.utils.seeding import fork_rng, generator
from zsarbench_cezsar.batches import Corpus
from zsarbench_cezsar.losses import Triplet
from zsarbench_cezsar.model import JointModel
from zsarbench_cezsar.negatives import Uniform
from zsarbench_cezsar.pairs import Pairs
from zsarbench_cezsar.training import Options, Trainer

STEPS, DIM, TEXT_DIM = 16, 4096, 768  # of a window and of a caption; the paper's
WINDOWS_A_SHARD = 250
FREE_BYTES = 2e9  # of the disk that are left free


class Resident:
    """Clips that are always the same batch, already in the memory of the device that computes."""

    captions: tuple[tuple[str, ...], ...] | None = None
    captions_in_steps: CaptionsInSteps = "none"

    def __init__(self, clips: ClipFeatures, batch_size: int, device: torch.device) -> None:
        self.ids, self.dim, self.max_steps = clips.ids, clips.dim, clips.max_steps
        batch = clips.rows(range(min(len(clips), batch_size)))
        self.batch = Steps(batch.values.to(device), batch.mask)

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, index: Sequence[int] | Tensor) -> Steps:
        return Steps(self.batch.values[: len(index)], self.batch.mask[: len(index)])

    def subset(self, index: Sequence[int] | Tensor) -> ClipFeatures:
        raise NotImplementedError


class Clock:
    """Times the steps of training after the first ones; a GPU is waited for at both ends only, as a fit does."""

    def __init__(self, device: torch.device, skipped: int) -> None:
        self.device = device
        self.skipped = skipped
        self.steps = 0
        self.start = self.end = 0.0

    @contextlib.contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[Clock]:
        yield self
        self.end = self._now()

    def advance(self, n: int = 1, note: str = "") -> None:
        self.steps += n
        if n and self.steps == self.skipped:
            self.start = self._now()

    def steps_per_second(self) -> float:
        return (self.steps - self.skipped) / (self.end - self.start)

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def write_windows(folder: Path, n: int, dtype: str, seed: int) -> ClipFeatures:
    """Write synthetic windows into a feature store, a shard at a time, and return them as clips."""
    stored = FeatureStore(folder).open(FeatureKey("made", str(seed), {"name": "made"}, {}, dtype=dtype), DIM)
    for start in range(0, n, WINDOWS_A_SHARD):
        rows_of_shard = torch.rand(
            min(WINDOWS_A_SHARD, n - start), STEPS, DIM, generator=generator(seed, "shard", start)
        )
        rows = {
            f"{start + number:07d}": window.to(getattr(torch, dtype)) for number, window in enumerate(rows_of_shard)
        }
        stored.adopt(stored.write(rows))
    return stored.clips([f"{number:07d}" for number in range(n)])


def make_corpus(clips: ClipFeatures, n_pairs: int, seed: int) -> Corpus:
    """Pair some of the windows, anywhere in the corpus, with a caption of their own each; all captions are the pool."""
    n = len(clips)
    numbers = torch.arange(n)
    chosen = torch.randperm(n, generator=generator(seed, "pairs"))[:n_pairs]
    groups = numbers[:, None]
    pairs = Pairs(
        texts=clips.ids, clip=chosen, text=chosen, source=chosen, groups=groups[chosen], pool_text=numbers,
        pool_groups=groups, pool_row=chosen,
    )  # fmt: skip
    return Corpus(clips, pairs, torch.randn(n, TEXT_DIM, generator=generator(seed, "captions")))


def windows_per_second(corpus: Corpus, options: Options, context: Context, skipped: int) -> float:
    """Train and return the windows per second, the first steps left out."""
    clock = Clock(context.device, skipped)
    with fork_rng(context.generator("fit")):
        model = JointModel(DIM, TEXT_DIM)
        Trainer(model, Triplet(), corpus, options, replace(context, progress=clock), None).run()
    return clock.steps_per_second() * options.batch_size


def peak_gigabytes() -> float:
    """Return the most memory that this process ever held, in GB of 1e9 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def number(text: str) -> int:
    """Read "1e5" as well as "100000"."""
    return int(float(text))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=number, default=4000)
    parser.add_argument("--batches", type=int, default=20, help="of an epoch, windows drawn from the whole corpus")
    parser.add_argument("--epochs", type=int, default=1, help="of a pass")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--stored", choices=("bfloat16", "float32"), default="bfloat16", help="dtype in the store")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="to compute in")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2, help="passes of each side, in turn; the fastest counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the corpus is written; a temporary folder unless given")
    options = parser.parse_args(arguments)

    gigabytes = options.windows * STEPS * DIM * (2 if options.stored == "bfloat16" else 4) / 1e9
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        if shutil.disk_usage(place).free < gigabytes * 1e9 + FREE_BYTES:
            parser.error(f"{gigabytes:.1f} GB do not fit on the disk of {place}; give fewer --windows, or --folder")
        clips = write_windows(Path(place), options.windows, options.stored, options.seed)
        print(
            f"{len(clips)} windows x {STEPS} x {DIM}, stored as {options.stored} ({gigabytes:.1f} GB), "
            f"{min(options.batches * options.batch_size, len(clips))} of them an epoch in batches of "
            f"{options.batch_size}, {options.dtype} on {options.device}, {options.threads} threads"
        )
        training = Options(batch_size=options.batch_size, max_epochs=options.epochs, validation_fraction=0.0)
        context = Context(
            Parts(negatives=Uniform()), torch.device(options.device), getattr(torch, options.dtype),
            lambda name: generator(options.seed, name), None, False, LogProgress(),
        )  # fmt: skip
        stored = make_corpus(clips, options.batches * options.batch_size, options.seed)
        resident = replace(stored, clips=Resident(clips, options.batch_size, context.device))
        sides = {"pure compute": resident, "from the store": stored}
        rates = dict.fromkeys(sides, 0.0)
        with deterministic(options.threads, context.device):
            for _ in range(options.repeats):
                for name, corpus in sides.items():
                    rates[name] = max(rates[name], windows_per_second(corpus, training, context, skipped=3))
    for name, rate in rates.items():
        print(f"{name:15s} {rate:9.1f} windows/s")
    print(f"ratio {rates['from the store'] / rates['pure compute']:.3f}, peak memory {peak_gigabytes():.2f} GB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
