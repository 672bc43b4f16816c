"""Checks stored features against their checksums and the index against the sidecars, and finds unneeded files."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zsarbench.errors import ZsarbenchError
from zsarbench.features.store.feature_set import FeatureSet
from zsarbench.features.store.index import DamagedIndex, Index
from zsarbench.features.store.makers import code_changes
from zsarbench.features.store.reader import RowReader
from zsarbench.features.store.shards import Sidecar, joined, read_intact_sidecar, sidecar_path
from zsarbench.utils.targets import CACHE, check_folder

if TYPE_CHECKING:
    from torch import Tensor

ORPHAN_SECONDS = 3600.0  # younger files may belong to a run that is writing them


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The result of a check of stored features: counts, and a sentence for each problem.

    remarks: what is no problem: rows that another version of a plugin computed than the installed one.
    """

    name: str
    shards: int
    clips: int
    failures: int
    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def verify(stored: FeatureSet, *, rebuild: bool = False) -> Verification:
    """Compare every row with its checksum, and the index with the sidecars.

    rebuild: damaged shards are removed, after their intact rows were written again, and the index is built again. What
    is gone then is computed again by the next run that needs it.
    """
    problems: list[str] = []
    intact: dict[str, Sidecar] = {}
    bad: dict[str, Sidecar | None] = {}  # with the sidecar where some rows can be kept
    damaged: dict[str, list[str]] = {}
    for name in stored.shard_names():
        try:
            sidecar = _own_sidecar(stored, name)
        except ZsarbenchError as error:
            problems.append(str(error))
            bad[name] = None
            continue
        damaged[name], reasons = damaged_clips(stored, sidecar)
        problems += reasons
        if reasons:
            bad[name] = sidecar
        intact[name] = sidecar
    if problem := stored.key_problem():
        problems.append(problem)
    if rebuild:
        check_folder(stored.shards, "the rebuilt index", CACHE)
        for name, kept in bad.items():
            if kept is not None:
                _keep_intact_rows(stored, kept, damaged[name])
        stored.forget(bad)
    else:
        problems += disagreements(stored, intact, set(bad))
    counts = stored.refresh().counts()
    changes = code_changes({sidecar.makers for sidecar in intact.values()}, stored.folder.name)
    return Verification(
        name=stored.folder.name,
        shards=len(intact),
        clips=counts["clips"],
        failures=counts["failures"],
        problems=tuple(problems),
        remarks=tuple(f"{change}. {change.advice}" for change in changes),
    )


def _own_sidecar(stored: FeatureSet, name: str) -> Sidecar:
    sidecar = read_intact_sidecar(stored.shards, name)
    if (sidecar.key, sidecar.dim, sidecar.dtype) != (stored.key, stored.dim, stored.dtype):
        raise ZsarbenchError(f"shard {name} in {stored.folder} was written for another key")
    return sidecar


def damaged_clips(stored: FeatureSet, sidecar: Sidecar) -> tuple[list[str], list[str]]:
    """Return the ids of a shard's clips whose bytes do not match their checksum, and a problem for each."""
    damaged, problems = [], []
    reader = RowReader(stored.shards, stored.dim, stored.dtype)
    for clip, position in sidecar.positions():
        view = memoryview(bytearray(clip.steps * reader.row_bytes))
        try:
            reader.read(sidecar.name, position, view, joined(clip.checksum, clip.clip_id))
        except ZsarbenchError as error:
            damaged.append(clip.clip_id)
            problems.append(f"clip '{clip.clip_id}': {error}")
    reader.close()
    return damaged, problems


def _keep_intact_rows(stored: FeatureSet, sidecar: Sidecar, damaged: list[str]) -> None:
    """Write a shard of the same age that holds the intact rows of one, and its failures."""
    import torch

    reader = RowReader(stored.shards, stored.dim, stored.dtype)
    kept = [(clip, position) for clip, position in sidecar.positions() if clip.clip_id not in damaged]
    rows: dict[str, Tensor] = {}
    for clip, position in kept:
        raw = bytearray(clip.steps * reader.row_bytes)
        reader.read(sidecar.name, position, memoryview(raw), joined(clip.checksum, clip.clip_id))
        rows[clip.clip_id] = torch.frombuffer(raw, dtype=getattr(torch, stored.dtype)).reshape(-1, stored.dim)
    reader.close()
    origins = {clip.clip_id: clip.origin for clip, _ in kept}
    name = stored.write(
        rows,
        flags={clip.clip_id: clip.flags for clip, _ in kept},
        origins=origins | {clip_id: failed.origin for clip_id, failed in sidecar.failures.items()},
        failures={clip_id: failed.failure for clip_id, failed in sidecar.failures.items()},
        provenance=sidecar.provenance,
    )
    age = os.stat(sidecar_path(stored.shards, sidecar.name)).st_mtime_ns  # of two shards of a clip the newer counts
    os.utime(sidecar_path(stored.shards, name), ns=(age, age))


def disagreements(stored: FeatureSet, intact: Mapping[str, Sidecar], bad: Collection[str]) -> list[str]:
    """Return a sentence for each way in which the index file says other than the intact sidecars.

    bad: names of the shards that are not intact, or hold damaged rows. A shard that the index lacks is not a problem:
    whoever opens the set adds it.
    """
    try:
        index = Index.read(stored.index_file, stored.key)
    except FileNotFoundError:
        return []
    except DamagedIndex as error:
        return [f"{error}; it is built again from the sidecars. Try: zsarbench features verify --rebuild"]
    listed = set(stored.shard_names())  # by now: a run may have added shards since `intact` was read
    lost = [name for name in index.shards if name not in intact and (name in bad or name not in listed)]
    problems = [f"shard {name} of the index is missing or damaged" for name in lost]
    expected = {
        (clip.clip_id, name): (position, clip.steps, clip.checksum, clip.origin.content, clip.flags)
        for name, sidecar in intact.items()
        for clip, position in sidecar.positions()
    }
    for clip_id, name, row in index.rows():
        if name in intact and expected.get((clip_id, name)) != row:
            problems.append(f"clip '{clip_id}': the index differs from the sidecar of shard {name}")
    return problems


def orphans(stored: FeatureSet) -> tuple[list[str], list[Path]]:
    """Return the names of shards that nothing refers to, and other such files, as of killed runs, sorted.

    Files younger than an hour are left out, because a run may be writing them.
    """
    index = stored.refresh()
    used, failed, now = index.shards_in_use(), set(index.failures), time.time()
    shards = [
        name
        for name in index.shards
        if name not in used
        and now - sidecar_path(stored.shards, name).lstat().st_mtime >= ORPHAN_SECONDS
        and not _explains_failure(stored, name, failed)
    ]
    files = [
        path
        for path in (sorted(stored.shards.iterdir()) if stored.shards.is_dir() else [])
        if path.name.split(".")[0] not in index.shards and now - path.lstat().st_mtime >= ORPHAN_SECONDS
    ]
    return sorted(shards), files


def _explains_failure(stored: FeatureSet, name: str, failed: set[str]) -> bool:
    """Return whether a sidecar holds a failure that still stands."""
    try:
        return not failed.isdisjoint(_own_sidecar(stored, name).failures)
    except ZsarbenchError:
        return False
