"""Times batches gathered from the feature store against one `.npy` file an item read through a DataLoader.

Both sides hold the same synthetic features of the paper's shape, 16 steps x 4096, in the same dtype, and give the same
batches (B, 16, 4096) float32 in the same shuffled order; that they are equal is checked, byte for byte, and so is that
the same seed gives them again. The cache is warm: every file was just written and is read once before. The DataLoader
has its two workers running before the clock starts; the store reads with as many threads, and memory is as in a run.

    python benchmarks/speed/training_reads.py
    python benchmarks/speed/training_reads.py --windows 8000 --dtype bfloat16
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zsarbench.features import FeatureStore
from zsarbench.features.key import FeatureKey
from zsarbench.features.store.clips import StoredClips
from zsarbench.utils.compute import deterministic, reuse_freed_memory
from zsarbench.utils.seeding import generator

STEPS, DIM = 16, 4096  # of a window; the paper's
WINDOWS_A_SHARD = 250
Batches = Callable[[Tensor], Iterator[Tensor]]


class Files(Dataset[Tensor]):
    """One `.npy` file an item."""

    def __init__(self, folder: Path, n: int, bfloat16: bool) -> None:
        self.folder, self.n, self.bfloat16 = folder, n, bfloat16

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Tensor:
        item = torch.from_numpy(np.load(self.folder / f"{index:06d}.npy"))
        return item.view(torch.bfloat16).float() if self.bfloat16 else item


def window(number: int, dtype: torch.dtype, seed: int) -> Tensor:
    """Return the features (16, 4096) of one window."""
    return torch.rand(STEPS, DIM, generator=generator(seed, "window", number)).to(dtype)


def write_store(root: Path, n: int, dtype: str, seed: int) -> StoredClips:
    """Write synthetic windows into a feature store and return them as clips."""
    stored = FeatureStore(root).open(FeatureKey("made", str(seed), {"name": "made"}, {}, dtype=dtype), DIM)
    for start in range(0, n, WINDOWS_A_SHARD):
        numbers = range(start, min(n, start + WINDOWS_A_SHARD))
        rows = {f"{number:06d}": window(number, getattr(torch, dtype), seed) for number in numbers}
        stored.adopt(stored.write(rows))
    return stored.clips([f"{number:06d}" for number in range(n)])


def write_files(folder: Path, n: int, dtype: str, seed: int) -> None:
    """Write the same windows as one file each; numpy has no bfloat16, so its bytes are kept as int16."""
    folder.mkdir()
    for number in range(n):
        row = window(number, getattr(torch, dtype), seed)
        np.save(folder / f"{number:06d}.npy", (row.view(torch.int16) if dtype == "bfloat16" else row).numpy())


def from_store(clips: StoredClips, batch_size: int) -> Batches:
    """Return what gathers batches from the store."""
    return lambda order: (clips.rows(index).values for index in order.split(batch_size))


def from_files(folder: Path, n: int, batch_size: int, workers: int, bfloat16: bool) -> Batches:
    """Return what reads batches through a DataLoader whose workers stay alive."""
    items = Files(folder, n, bfloat16)

    class Order(torch.utils.data.Sampler[int]):
        order: Tensor = torch.arange(n)

        def __iter__(self) -> Iterator[int]:
            return iter(self.order.tolist())

        def __len__(self) -> int:
            return len(self.order)

    sampler = Order()
    loader = DataLoader(items, batch_size, sampler=sampler, num_workers=workers, persistent_workers=workers > 0)

    def batches(order: Tensor) -> Iterator[Tensor]:
        sampler.order = order
        return iter(loader)

    return batches


def seconds_of(batches: Batches, order: Tensor) -> float:
    """Return how long one pass takes, from the first request to the last batch."""
    start = time.perf_counter()
    for _ in batches(order):
        pass
    return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=2000)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2, help="of the DataLoader, and threads that read the store")
    parser.add_argument("--repeats", type=int, default=5, help="passes of each side, in turn; the fastest counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the files are written; a temporary folder unless given")
    options = parser.parse_args(arguments)

    n, seed = options.windows, options.seed
    reuse_freed_memory()
    with tempfile.TemporaryDirectory(dir=options.folder) as place, deterministic(max(1, options.workers)):
        clips = write_store(Path(place) / "store", n, options.dtype, seed)
        write_files(Path(place) / "files", n, options.dtype, seed)
        bfloat16 = options.dtype == "bfloat16"
        store = from_store(clips, options.batch_size)
        files = from_files(Path(place) / "files", n, options.batch_size, options.workers, bfloat16)
        order = torch.randperm(n, generator=generator(seed, "order"))
        again = torch.randperm(n, generator=generator(seed, "order"))
        same = all(
            torch.equal(a, b) and torch.equal(a, c)
            for a, b, c in zip(store(order), files(order), store(again), strict=True)
        )
        fastest = {"store": float("inf"), "files": float("inf")}
        for _ in range(options.repeats):
            fastest["store"] = min(fastest["store"], seconds_of(store, order))
            fastest["files"] = min(fastest["files"], seconds_of(files, order))
    gigabytes = n * STEPS * DIM * (2 if bfloat16 else 4) / 1e9
    print(f"{n} windows x {STEPS} x {DIM} {options.dtype} ({gigabytes:.2f} GB), batches of {options.batch_size}")
    print(f"same batches, and again for the same seed: {same}")
    sides = ("files", f"DataLoader, {options.workers} workers"), ("store", f"feature store, {options.workers} threads")
    for name, what in sides:
        print(f"{name}  {n / fastest[name]:9.0f} windows/s  {gigabytes / fastest[name]:5.2f} GB/s  ({what})")
    print(f"ratio {fastest['files'] / fastest['store']:.2f}")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
