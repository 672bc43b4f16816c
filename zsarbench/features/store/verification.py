"""Checks stored features against their checksums, rebuilds the index, and finds files that nothing refers to."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from zsarbench.errors import ZsarbenchError
from zsarbench.features.store import index as store_index
from zsarbench.features.store.index import DamagedIndex
from zsarbench.features.store.reader import RowReader
from zsarbench.features.store.shards import Sidecar, read_intact_sidecar, read_sidecar
from zsarbench.features.store.store import FeatureSet

ORPHAN_SECONDS = 3600.0  # younger files may belong to a run that is writing them


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The result of a check of stored features: counts, and a sentence for each problem."""

    name: str
    shards: int
    clips: int
    failures: int
    problems: tuple[str, ...]


def verify(stored: FeatureSet, *, rebuild: bool = False) -> Verification:
    """Read every row and compare it with its checksum; with `rebuild`, rebuild the index from what is intact.

    A row that is left out of the index is computed again by the next run that needs it.
    """
    problems: list[str] = []
    intact: list[tuple[Sidecar, list[str]]] = []
    for name in stored.shard_names():
        try:
            sidecar = read_intact_sidecar(stored.shards, name)
        except ZsarbenchError as error:
            problems.append(str(error))
            continue
        damaged, reasons = damaged_clips(stored, sidecar)
        intact.append((sidecar, damaged))
        problems += reasons
    if rebuild:
        rebuild_index(stored, intact)
    else:
        problems += disagreements(stored, {sidecar.name for sidecar, _ in intact})
    with stored.open_index() as index:
        counts = store_index.counts(index)
    return Verification(
        name=stored.folder.name,
        shards=len(intact),
        clips=counts["clips"],
        failures=counts["failures"],
        problems=tuple(problems),
    )


def damaged_clips(stored: FeatureSet, sidecar: Sidecar) -> tuple[list[str], list[str]]:
    """Return the ids of a shard's clips whose bytes do not match their checksum, and a problem for each."""
    damaged, problems = [], []
    reader = RowReader(stored.shards, stored.dim, stored.dtype)
    for clip, position in sidecar.positions():
        view = memoryview(bytearray(clip.steps * reader.row_bytes))
        try:
            reader.read(sidecar.name, position, view, clip.checksum)
        except ZsarbenchError as error:
            damaged.append(clip.clip_id)
            problems.append(f"clip '{clip.clip_id}': {error}")
    reader.close()
    return damaged, problems


def rebuild_index(stored: FeatureSet, intact: Sequence[tuple[Sidecar, Collection[str]]]) -> None:
    """Rebuild the index from sidecars, each given with the ids of its damaged clips; also where it is damaged."""
    try:
        with stored.open_index(write=True) as index:
            store_index.rebuild(index, intact)
    except DamagedIndex:
        for path in stored.index_folder.glob("index.sqlite*"):
            path.unlink()
        with stored.open_index(write=True) as index:
            store_index.rebuild(index, intact)


def disagreements(stored: FeatureSet, intact: set[str]) -> list[str]:
    """Return a sentence for each shard that only the index or only the folder of intact shards has."""
    with stored.open_index() as index:
        known = set(store_index.shard_sizes(index))
    return [
        *(f"shard {name} of the index is missing or damaged" for name in sorted(known - intact)),
        *(f"shard {name} is not in the index" for name in sorted(intact - known)),
    ]


def orphans(stored: FeatureSet) -> list[Path]:
    """Return the files that nothing refers to, such as those of killed runs, sorted.

    Files younger than an hour are left out, because a run may be writing them.
    """
    with stored.open_index() as index:
        used, failed = store_index.shards_in_use(index), set(store_index.failures(index))
    unused = []
    for path in sorted(stored.shards.iterdir()):
        name = path.name.split(".")[0]
        if name in used or time.time() - path.stat().st_mtime < ORPHAN_SECONDS:
            continue
        if path.suffix != ".json" or not _explains_failure(stored, name, failed):
            unused.append(path)
    return unused


def _explains_failure(stored: FeatureSet, name: str, failed: set[str]) -> bool:
    """Return whether a sidecar holds a failure that still stands."""
    try:
        return not failed.isdisjoint(read_sidecar(stored.shards, name).failures)
    except ZsarbenchError:
        return False
