"""Keeps a feature store in order: takes in shards from elsewhere, removes what nothing refers to."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.features import FeatureSet, FeatureStore
from zsarbench.features.store.shards import copy_shard, read_sidecar, size_problem

SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True)
class Merged:
    """What a merge did to one set: shards that came from another store, clips before and after, problems in words."""

    name: str
    copied: int
    clips_before: int
    clips: int
    failures: int
    problems: tuple[str, ...]


def merge(store: FeatureStore, others: Iterable[Path] = ()) -> list[Merged]:
    """Enter the shards that other processes wrote into the index, and those of other stores' folders.

    What is there already is left as it is, so a merge may be repeated, and broken off at any point. A shard from
    another store is read against its checksums first; a damaged one stays out.

    Raises:
        UsageError: a folder holds no feature store.
        ZsarbenchError: there is no room.
    """
    found = {each.folder.name: each for each in store.sets()}
    before = {name: each.info()["clips"] for name, each in found.items()}
    copied: dict[str, int] = {}
    problems: dict[str, list[str]] = {}
    for other in others:
        for theirs in _sets_in(other):
            name = theirs.folder.name
            if store.root.resolve() == theirs.folder.parent.resolve():
                continue
            ours = found.setdefault(name, store.like(theirs))
            if ours.key != theirs.key:
                problems.setdefault(name, []).append(f"{theirs.folder} was made for another key and is left out")
                continue
            count, wrong = _copy(theirs, ours)
            copied[name] = copied.get(name, 0) + count
            problems.setdefault(name, []).extend(wrong)
    merged = []
    for name, ours in sorted(found.items()):
        ours.refresh()
        counts = ours.info()
        merged.append(
            Merged(
                name,
                copied.get(name, 0),
                before.get(name, 0),
                counts["clips"],
                counts["failures"],
                tuple(problems.get(name, ())),
            )
        )
    return merged


def _sets_in(folder: Path) -> list[FeatureSet]:
    """Return what the store in a folder holds; the cache folder that it lies in will do too."""
    for root in (folder, folder / "features"):
        if found := FeatureStore(root).sets():
            return found
    raise UsageError(f"no features are stored in {folder}. Try: the folder `features` of another cache folder")


def _copy(theirs: FeatureSet, ours: FeatureSet) -> tuple[int, list[str]]:
    """Copy the sound shards that are not here yet, old ones first, and return how many, and what is wrong with some."""
    here = set(ours.shard_names())
    count, problems = 0, []
    for name in theirs.shard_names():
        if name in here:
            continue
        damaged: list[str] = []
        try:
            sidecar = read_sidecar(theirs.shards, name)
            if problem := size_problem(theirs.shards, name, sidecar.bytes):
                raise ZsarbenchError(problem)
            if theirs.damaged(sidecar, damaged):
                raise ZsarbenchError(damaged[0])
        except ZsarbenchError as error:
            problems.append(str(error))
            continue
        copy_shard(theirs.shards, ours.shards, sidecar)
        count += 1
    return count, problems


@dataclass(frozen=True)
class Garbage:
    """Files of one set that nothing refers to, or with `whole` all of a set that no run has opened for long."""

    name: str
    folder: Path
    files: tuple[Path, ...]
    bytes: int
    whole: bool = False


def garbage(store: FeatureStore, sets: Iterable[FeatureSet], *, unused_days: float | None = None) -> list[Garbage]:
    """Return what may go: orphan shards, remains of killed runs and, if asked for, sets that were not used for days.

    Shards that other processes wrote are taken in first, so none of theirs is an orphan.
    """
    found = []
    for stored in sets:
        opened = (stored.folder / "key.json").stat().st_mtime if (stored.folder / "key.json").is_file() else 0.0
        if unused_days is not None and time.time() - opened > unused_days * SECONDS_A_DAY:
            files = [path for path in sorted(stored.folder.rglob("*"), key=_last) if not path.is_dir()]
            found.append(Garbage(stored.folder.name, stored.folder, tuple(files), _size(files), whole=True))
            continue
        stored.refresh()
        if files := stored.orphans():
            found.append(Garbage(stored.folder.name, stored.folder, tuple(files), _size(files)))
    return found


def remove(found: Garbage) -> None:
    """Unlink the files; none is ever cut, so whoever has one open reads on."""
    for path in found.files:
        path.unlink(missing_ok=True)
    if found.whole:
        shutil.rmtree(found.folder, ignore_errors=True)


def _last(path: Path) -> tuple[int, str]:
    """Order files so that a removal that is broken off is seen, and can be gone on with, by its sidecars."""
    rank = 0 if path.name.startswith("index.") else 2 if path.suffix == ".json" else 1
    return (3 if path.name == "key.json" else rank, path.name)


def _size(files: Iterable[Path]) -> int:
    total = 0
    for path in files:
        try:
            total += os.stat(path).st_size
        except OSError:
            continue
    return total
