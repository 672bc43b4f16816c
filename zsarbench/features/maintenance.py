"""Maintains a feature store: merges shards from other stores, and removes files that nothing refers to."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.features.store.feature_set import FeatureSet
from zsarbench.features.store.shards import copy_shard, data_path, read_intact_sidecar, sidecar_path
from zsarbench.features.store.store import FeatureStore
from zsarbench.features.store.verification import damaged_clips, orphans
from zsarbench.utils.targets import CACHE, check_folder

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The result of a merge into one set: shards copied from other stores, clips before and after, problems."""

    name: str
    copied: int
    clips_before: int
    clips: int
    failures: int
    problems: tuple[str, ...]


def merge(store: FeatureStore, others: Iterable[Path] = ()) -> list[Merged]:
    """Add the shards that other processes wrote to the index, and those of other stores' folders.

    What is already stored is left as it is, so a merge may be repeated, and interrupted at any point. A shard from
    another store is verified first; a damaged one is left out.

    Raises:
        UsageError: a folder holds no feature store.
        ZsarbenchError: the disk is full.
    """
    sets = {stored.folder.name: stored for stored in store.sets()}
    before = {name: stored.n_indexed() for name, stored in sets.items()}
    copied: dict[str, int] = {}
    problems: dict[str, list[str]] = {}
    for folder in others:
        for source in _sets_in(folder):
            name = source.folder.name
            if store.root.resolve() == source.folder.parent.resolve():
                continue
            if name not in sets or not sets[name].dim:  # none, or one without an intact sidecar
                sets[name] = store.like(source)
            target = sets[name]
            if target.key != source.key:
                problems.setdefault(name, []).append(f"{source.folder} was written for another key and is left out")
                continue
            check_folder(target.shards, "features", CACHE)
            count, new_problems = _copy_shards(source, target)
            copied[name] = copied.get(name, 0) + count
            problems.setdefault(name, []).extend(new_problems)
    merged = []
    for name, stored in sorted(sets.items()):
        stored.refresh()
        counts = stored.info()
        merged.append(
            Merged(
                name=name,
                copied=copied.get(name, 0),
                clips_before=before.get(name, 0),
                clips=counts["clips"],
                failures=counts["failures"],
                problems=tuple(problems.get(name, ())),
            )
        )
    return merged


def _sets_in(folder: Path) -> list[FeatureSet]:
    """Return the sets of the store in a folder; the cache folder that contains the store is accepted too."""
    for root in (folder, folder / "features"):
        if sets := FeatureStore(root).sets():
            return sets
    raise UsageError(f"no features are stored in {folder}. Try: the folder `features` of another cache folder")


def _copy_shards(source: FeatureSet, target: FeatureSet) -> tuple[int, list[str]]:
    """Copy the intact shards that the target lacks, old ones first; return their number and problems of the others."""
    existing = set(target.shard_names())
    count, problems = 0, []
    for name in source.shard_names():
        if name in existing:
            continue
        try:
            sidecar = read_intact_sidecar(source.shards, name)
        except ZsarbenchError as error:
            problems.append(str(error))
            continue
        _, reasons = damaged_clips(source, sidecar)
        if reasons:
            problems.append(reasons[0])
            continue
        copy_shard(source.shards, target.shards, sidecar)
        count += 1
    return count, problems


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """Shards and files of one set that nothing refers to, or, with `whole`, all files of a set that nothing needs.

    files: all that is removed. shards: names of those among them that the set's index has.
    """

    stored: FeatureSet
    files: tuple[Path, ...]
    bytes: int
    shards: tuple[str, ...] = ()
    whole: bool = False

    @property
    def name(self) -> str:
        """The name of the set."""
        return self.stored.folder.name


def garbage(store: FeatureStore, names: Sequence[str] = (), *, unused_days: float | None = None) -> list[Garbage]:
    """Return what may be removed of all sets, or of these.

    That is orphan shards, remains of killed runs, sets in another version of the format, and with `unused_days` sets
    that were unused for so many days. Shards that other processes wrote are added to the index first, so none of theirs
    is an orphan.
    """
    removable = [
        _whole(FeatureSet(folder, "", 0, "")) for folder in store.outdated() if not names or folder.name in names
    ]
    for stored in store.sets():
        if names and stored.folder.name not in names:
            continue
        key_file = stored.folder / "key.json"
        last_used = key_file.stat().st_mtime if key_file.is_file() else 0.0
        if unused_days is not None and time.time() - last_used > unused_days * SECONDS_PER_DAY:
            removable.append(_whole(stored))
            continue
        shards, files = orphans(stored)
        files += [
            path for name in shards for path in (sidecar_path(stored.shards, name), data_path(stored.shards, name))
        ]
        if files:
            removable.append(
                Garbage(stored=stored, files=tuple(files), bytes=_total_bytes(files), shards=tuple(shards))
            )
    return removable


def remove(item: Garbage) -> None:
    """Unlink the files; none is truncated, so a process that has one open reads on. The index forgets them first.

    Raises:
        ZsarbenchError: a file cannot be removed.
    """
    try:
        if item.shards:
            item.stored.forget(item.shards)
        for path in item.files:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise ZsarbenchError(f"{error.filename} cannot be removed: {error.strerror}") from error
    if item.whole:
        shutil.rmtree(item.stored.folder, ignore_errors=True)


def _whole(stored: FeatureSet) -> Garbage:
    files = [path for path in sorted(stored.folder.rglob("*"), key=_removal_order) if not path.is_dir()]
    return Garbage(stored=stored, files=tuple(files), bytes=_total_bytes(files), whole=True)


def _removal_order(path: Path) -> tuple[int, str]:
    """Order files so that an interrupted removal still shows, by its sidecars, and can be continued."""
    rank = 0 if path.name.startswith("index.") else 2 if path.suffix == ".json" else 1
    return (3 if path.name == "key.json" else rank, path.name)


def _total_bytes(files: Iterable[Path]) -> int:
    total = 0
    for path in files:
        try:
            total += os.stat(path).st_size
        except OSError:
            continue
    return total
