"""Opens a feature store of Kinetics' size, and gathers random batches, compared with one file per clip.

Opening: an index of 260,000 clips x 16 steps x 4096 in bfloat16, 34 GB of rows. Their files are sparse, created by
`truncate`, so they have the size but not the blocks; sidecars and index are what a run writes, with made-up checksums.
A fresh process opens it and looks all clips up, as a run does before it reads any row; time and peak memory are its.

Gathering: 20,000 real entries, random rows of 1 to 16 steps of 1,280, in the store and as one .npy file for each clip.
Random batches are gathered from warm caches, and compared bit for bit: from the files as a data set of PyTorch does,
each loaded, padded, then collated, and in its fastest form, each copied into its place of a batch. The goal is against
the first. The sides take turns, a pass over all batches each, with threads and memory as in a run; the fastest pass
counts, and what all threads took of the CPU is printed next to it. The store's checksums are verified in a first pass,
which is timed apart.

    python benchmarks/speed/feature_store.py                     # full size: 3 GB of room in --folder
    python benchmarks/speed/feature_store.py --clips 20000 --entries 2000

Exit code 1 where a goal is missed: 1 s, 200 MB, 5 times one file per clip, the same bytes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch's memory would count as that of opening
    import numpy as np
    from torch import Tensor

    from zsarbench.features.key import FeatureKey
    from zsarbench.features.store.clips import StoredClips
    from zsarbench.features.store.origins import Origin

    Gather = Callable[[np.ndarray], Tensor]

STEPS, DIM = 16, 4096
ENTRY_DIM = 1280  # efficientnet-lite0's
CLIPS_A_SHARD = 64
BATCH = 256
PASSES = 3
VERIFIED, STORE = "store, checksums verified", "store"
PLAIN, IN_PLACE = "one file per clip", "one file per clip, copied into place"
GOAL_SECONDS, GOAL_MEGABYTES, GOAL_RATIO = 1.0, 200.0, 5.0


def key(dtype: str) -> FeatureKey:
    from zsarbench.features.key import FeatureKey

    return FeatureKey("made", "r1", {"name": "made", "options": {}}, {"weights_sha256": "0"}, dtype=dtype)


def clip_id(number: int) -> str:
    return f"class-{number % 400:03}/{number:011}_000010_000020"


def origin(number: int) -> Origin:
    """Return the origin of a synthetic clip: all that can be known of it."""
    from zsarbench.features.store.origins import Origin

    return Origin(f"{number:032x}", (10**6 + number, 10**18 + number), f"{number:032x}")


def write_sparse(root: Path, n_clips: int) -> None:
    """Write the shards of a store whose data files are holes, and have the store make its index of them."""
    import numpy as np

    from zsarbench.features import FeatureStore
    from zsarbench.features.store.shards import Sidecar, StoredClip, data_path, sidecar_path

    stored = FeatureStore(root).open(key("bfloat16"), DIM)
    rng = np.random.default_rng(0)
    for first in range(0, n_clips, CLIPS_A_SHARD):
        numbers = range(first, min(first + CLIPS_A_SHARD, n_clips))
        checksums = rng.integers(-(2**63), 2**63 - 1, len(numbers))
        clips = tuple(
            StoredClip(clip_id=clip_id(number), steps=STEPS, checksum=int(checksum), origin=origin(number))
            for number, checksum in zip(numbers, checksums, strict=True)
        )
        size = 80 + len(clips) * STEPS * DIM * 2
        sidecar = Sidecar(
            key=stored.key, dim=DIM, dtype="bfloat16", bytes=size, data_start=80, clips=clips, failures={},
            provenance={"processor": "made"},
        )  # fmt: skip
        with data_path(stored.shards, sidecar.name).open("wb") as file:
            file.truncate(size)
        sidecar_path(stored.shards, sidecar.name).write_text(sidecar.to_json())
    start = time.perf_counter()
    stored.refresh()
    print(f"index rebuilt from {n_clips:,} clips' sidecars in {time.perf_counter() - start:.1f} s")


def open_alone(root: Path, n_clips: int) -> None:
    """Open the store in this fresh process and print what it took, as JSON."""
    from zsarbench.features import FeatureStore

    ids = [clip_id(number) for number in range(n_clips)]
    wall, cpu = time.perf_counter(), time.process_time()
    stored = FeatureStore(root).open(key("bfloat16"), DIM)
    opened, opened_cpu = time.perf_counter() - wall, time.process_time() - cpu
    at_open = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    wall, cpu = time.perf_counter(), time.process_time()
    clips = stored.clips(ids)
    looked, looked_cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert len(clips) == n_clips
    assert clips.max_steps == STEPS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps([opened, opened_cpu, at_open, looked, looked_cpu, peak]))


def opening(folder: Path, n_clips: int, repeats: int) -> bool:
    write_sparse(folder, n_clips)
    command = [sys.executable, __file__, "--folder", str(folder), "--clips", str(n_clips), "--open-alone"]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(repeats)]
    opened, opened_cpu, at_open, looked, looked_cpu, peak = (min(column) for column in zip(*runs, strict=True))
    print(f"open                     {opened:6.3f} s ({opened_cpu:.3f} s of CPU)  peak {at_open:5.0f} MB")
    print(f"look up all {n_clips:,} clips {looked:6.3f} s ({looked_cpu:.3f} s of CPU)  peak {peak:5.0f} MB")
    whole = opened + looked
    print(f"both                     {whole:6.3f} s of {GOAL_SECONDS:g} s, {peak:.0f} MB of {GOAL_MEGABYTES:g} MB")
    return bool(whole < GOAL_SECONDS and peak < GOAL_MEGABYTES)


def write_entries(folder: Path, n_entries: int, rng: np.random.Generator) -> StoredClips:
    """Write synthetic rows into a store and as one file per clip, and return them as clips of the store."""
    import numpy as np
    import torch

    from zsarbench.features import FeatureStore

    stored = FeatureStore(folder / "store").open(key("float32"), ENTRY_DIM)
    (folder / "files").mkdir()
    generator = torch.Generator().manual_seed(1)
    ids = [f"{number:06}" for number in range(n_entries)]
    for first in range(0, n_entries, CLIPS_A_SHARD):
        rows = {
            name: torch.randn(int(rng.integers(1, STEPS + 1)), ENTRY_DIM, generator=generator)
            for name in ids[first : first + CLIPS_A_SHARD]
        }
        stored.adopt(stored.write(rows))
        for name, row in rows.items():
            np.save(folder / "files" / f"{name}.npy", row.numpy())
    return stored.clips(ids)


def sides_of(clips: StoredClips, files: Path) -> dict[str, Gather]:
    """Return by name what gathers a batch (B, 16, 1280) of clips at some positions."""
    import numpy as np
    import torch
    from torch.utils.data import default_collate

    def loaded(number: int) -> torch.Tensor:
        return torch.from_numpy(np.load(files / f"{clips.ids[number]}.npy"))

    def plain(index: np.ndarray) -> torch.Tensor:
        rows = [loaded(number) for number in index]
        whole: torch.Tensor = default_collate(
            [torch.nn.functional.pad(row, (0, 0, 0, STEPS - len(row))) for row in rows]
        )
        return whole

    def in_place(index: np.ndarray) -> torch.Tensor:
        values = torch.zeros(len(index), STEPS, ENTRY_DIM)
        for place, number in enumerate(index):
            row = loaded(number)
            values[place, : len(row)] = row
        return values

    return {PLAIN: plain, IN_PLACE: in_place, STORE: lambda index: clips.rows(index).values}


def gathering(folder: Path, n_entries: int, n_batches: int) -> bool:
    import numpy as np
    import torch

    rng = np.random.default_rng(1)
    clips = write_entries(folder, n_entries, rng)
    sides = sides_of(clips, folder / "files")
    same, spent = True, {VERIFIED: np.zeros(2), **dict.fromkeys(sides, np.full(2, np.inf))}
    for index in np.array_split(rng.permutation(n_entries), max(1, n_entries // BATCH)):
        values, took = timed(sides[STORE], [index])
        spent[VERIFIED] += took / n_entries
        same &= all(torch.equal(values, sides[name](index)) for name in (PLAIN, IN_PLACE))
    batches = [rng.choice(n_entries, BATCH, replace=False) for _ in range(n_batches)]
    for _ in range(PASSES):
        for name, gather in sides.items():
            _, took = timed(gather, batches)
            spent[name] = min(spent[name], took / (n_batches * BATCH), key=lambda each: each[0])
    ratios = {name: spent[PLAIN] / each for name, each in spent.items()}
    for name, (seconds, cpu) in spent.items():
        print(
            f"{name:37s} {1e6 * seconds:6.1f} µs a clip, ratio {ratios[name][0]:4.1f}; "
            f"{1e6 * cpu:6.1f} µs of CPU, ratio {ratios[name][1]:4.1f}"
        )
    print("the same bytes" if same else "UNEQUAL bytes")
    return same and bool(ratios[STORE][0] > GOAL_RATIO)


def timed(gather: Gather, batches: Sequence[np.ndarray]) -> tuple[Tensor, np.ndarray]:
    """Return the last of some batches, and the seconds and CPU seconds that all of them took."""
    import numpy as np

    start = np.array([time.perf_counter(), time.process_time()])
    for index in batches:
        values = gather(index)
    return values, np.array([time.perf_counter(), time.process_time()]) - start


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=260_000, help="of the store that is opened")
    parser.add_argument("--entries", type=int, default=20_000, help="of the store that is read")
    parser.add_argument("--batches", type=int, default=40, help=f"random ones of {BATCH} clips")
    parser.add_argument("--repeats", type=int, default=3, help="fresh processes that open; the fastest counts")
    parser.add_argument("--folder", type=Path, help="where to write  [default: the temporary folder]")
    parser.add_argument("--open-alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.open_alone:
        open_alone(options.folder, options.clips)
        return 0
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        met = [opening(Path(folder) / "large", options.clips, options.repeats)]
        from zsarbench.utils.compute import deterministic, reuse_freed_memory
        from zsarbench.utils.cores import cores

        reuse_freed_memory()
        with deterministic(cores()):
            met.append(gathering(Path(folder), options.entries, options.batches))
    print("goals met" if all(met) else "GOALS MISSED")
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
