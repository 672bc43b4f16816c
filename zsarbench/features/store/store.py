"""The feature store: rows of features under a key that names all they depend on.

A folder per key: `key.json`, `shards/` with immutable files and their sidecars, and `index.sqlite`. Whoever extracts
writes shards; only the driver of a run writes the index, which can be made again from the sidecars at any time. A
killed run loses the shard at hand and nothing else; two runs at once at most do the same work twice.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.data.video.failures import Failure, file_state
from zsarbench.errors import ZsarbenchError
from zsarbench.features.clips import StoredClips
from zsarbench.features.key import FeatureKey
from zsarbench.features.store import index as features_index
from zsarbench.features.store.index import DamagedIndex
from zsarbench.features.store.reader import RowReader
from zsarbench.features.store.shards import (
    ITEM_BYTES,
    Sidecar,
    data_path,
    read_sidecar,
    sidecar_path,
    size_problem,
    write_shard,
)
from zsarbench.interfaces import CaptionsInSteps, ClipSource
from zsarbench.utils.atomic import write_whole

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)
GARBAGE_SECONDS = 3600.0  # files younger than this may belong to a run that is writing them


@dataclass(frozen=True)
class Verification:
    """What a check of stored features found: counts, and problems in words."""

    name: str
    shards: int
    clips: int
    failures: int
    problems: tuple[str, ...]


class FeatureStore:
    """All stored features below one folder.

    index_root: where indexes are kept instead, for one of several processes that write shards into one store: SQLite
    is for one writer on a network file system. Whoever opens the store itself takes their shards in.
    """

    def __init__(self, root: Path, index_root: Path | None = None) -> None:
        self.root = Path(root)
        self.index_root = index_root

    def open(self, key: FeatureKey, dim: int) -> FeatureSet:
        """Return the features under a key, an empty set where there are none yet.

        Raises:
            ZsarbenchError: the folder cannot be made, or its index is damaged.
        """
        if key.dtype not in ITEM_BYTES:
            raise ZsarbenchError(f"features cannot be stored as {key.dtype}, only as {' or '.join(ITEM_BYTES)}")
        folder = self._made(key.folder, key.to_json() + "\n")
        indexed = folder if self.index_root is None else self.index_root / key.folder
        found = FeatureSet(folder, key.digest, dim, key.dtype, indexed)
        found.refresh()
        return found

    def like(self, other: FeatureSet) -> FeatureSet:
        """Return the set of this store for what a set of another store holds; an empty one where there is none yet.

        Raises:
            ZsarbenchError: the folder cannot be made.
        """
        described = other.folder / "key.json"
        folder = self._made(other.folder.name, described.read_text(encoding="utf-8") if described.is_file() else None)
        return FeatureSet(folder, other.key, other.dim, other.dtype)

    def _made(self, name: str, key: str | None) -> Path:
        """Return the folder of a set, made where there is none, and note in it that it was used now."""
        folder = self.root / name
        described = folder / "key.json"
        try:
            (folder / "shards").mkdir(parents=True, exist_ok=True)
            if key is not None and not described.exists():
                write_whole(described, key.encode())
            if described.exists():
                os.utime(described)
            if self.index_root is not None:
                (self.index_root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ZsarbenchError(f"features cannot be stored in {folder}: {error.strerror}") from error
        return folder

    def sets(self) -> list[FeatureSet]:
        """Return all that is stored, by folder name; a folder without a sound shard is left out."""
        return [found for folder in sorted(self.root.glob("*/shards")) if (found := _set_of(folder)) is not None]


class FeatureSet:
    """The features under one key."""

    def __init__(self, folder: Path, key: str, dim: int, dtype: str, indexed: Path | None = None) -> None:
        self.folder = folder
        self.indexed = indexed or folder
        self.shards = folder / "shards"
        self.key = key
        self.dim = dim
        self.dtype = dtype

    def refresh(self) -> None:
        """Take in shards that are not in the index, as a killed run leaves them, and let go of those that were cut."""
        with self._index() as index:
            known = features_index.shard_sizes(index)
        cut = {name: problem for name, size in known.items() if (problem := size_problem(self.shards, name, size))}
        new = self._sidecar_names() - set(known)
        if not cut and not new:
            return
        with self._index(write=True) as index:
            for name, problem in cut.items():
                size = features_index.shard_sizes(index).get(name)  # another run may have been quicker
                if size is not None and size_problem(self.shards, name, size):
                    if n_clips := features_index.forget(index, name):
                        _log.warning("%s; %d clips are computed again", problem, n_clips)
                    for path in (sidecar_path(self.shards, name), data_path(self.shards, name)):
                        path.unlink(missing_ok=True)
            for name in self.shard_names():
                if name in new:
                    self._enter(index, name)

    def write(
        self,
        rows: Mapping[str, Tensor],
        *,
        flags: Mapping[str, Sequence[str]] | None = None,
        sizes: Mapping[str, int] | None = None,
        failures: Mapping[str, Failure] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> str:
        """Write a shard of rows (t_i, D) by clip id and return its name; the index does not know it before `adopt`.

        sizes: of the files that were decoded, in bytes. provenance: how the rows were made.

        Raises:
            ZsarbenchError: there is no room, or no leave to write.
        """
        sidecar = write_shard(
            self.shards,
            (self.key, self.dim, self.dtype),
            rows,
            flags=flags or {},
            sizes=sizes or {},
            failures=failures or {},
            provenance=provenance or {},
        )
        return sidecar.name

    def adopt(self, name: str) -> None:
        """Enter a finished shard into the index; a clip that is there already stays as it is."""
        with self._index(write=True) as index:
            self._enter(index, name)

    def stored_ids(self) -> set[str]:
        """Return the ids of all clips with features."""
        with self._index() as index:
            return features_index.stored_ids(index)

    def missing(self, sources: Iterable[ClipSource]) -> list[ClipSource]:
        """Return the clips with neither features nor a failure that still holds, in order.

        Features hold until the file that they were made of has another size; one that is gone takes nothing along.
        """
        with self._index() as index:
            stored, failed = features_index.stored_ids(index), features_index.failures(index)
            sizes = features_index.file_sizes(index)
        return [
            source
            for source in sources
            if (
                _replaced(sizes.get(source.clip_id), source)
                if source.clip_id in stored
                else not _holds(failed.get(source.clip_id), source)
            )
        ]

    def clips(
        self,
        ids: Sequence[str],
        *,
        captions: tuple[tuple[str, ...], ...] | None = None,
        captions_in_steps: CaptionsInSteps = "none",
    ) -> StoredClips:
        """Return the features of these clips, to be read when asked for.

        Raises:
            ZsarbenchError: a clip has neither features nor a failure.
        """
        with self._index() as index:
            table = features_index.row_table(index, ids)
            failed, flags = features_index.failures(index), features_index.flags(index)
        unread = [ids[number] for number in (table.shard < 0).nonzero()[0].tolist()]
        if absent := [clip_id for clip_id in unread if clip_id not in failed]:
            raise ZsarbenchError(f"{len(absent)} clips have no stored features in {self.folder}, e.g. '{absent[0]}'")
        return StoredClips(
            tuple(ids),
            RowReader(self.shards, self.dim, self.dtype),
            table,
            dim=self.dim,
            captions=captions,
            captions_in_steps=captions_in_steps,
            failures={clip_id: failed[clip_id].reason for clip_id in unread},
            flags={clip_id: flags[clip_id] for clip_id in ids if clip_id in flags},
        )

    def info(self) -> dict[str, Any]:
        """Return the key and the counts of what is stored, in JSON types."""
        with self._index() as index:
            counts = features_index.counts(index)
        described = self.folder / "key.json"
        key = json.loads(described.read_text(encoding="utf-8")) if described.is_file() else {}
        return {"name": self.folder.name, "key": key, **counts}

    def verify(self, *, rebuild: bool = False) -> Verification:
        """Read every row and compare it with its checksum; with `rebuild`, make the index anew from what is sound.

        A row that is left out of the index is computed again by the next run that needs it.
        """
        problems: list[str] = []
        sound: list[tuple[Sidecar, list[str]]] = []
        for name in self.shard_names():
            try:
                sidecar = read_sidecar(self.shards, name)
                if problem := size_problem(self.shards, name, sidecar.bytes):
                    raise ZsarbenchError(problem)
            except ZsarbenchError as error:
                problems.append(str(error))
                continue
            sound.append((sidecar, self.damaged(sidecar, problems)))
        if rebuild:
            self._rebuild(sound)
        else:
            problems += self._disagreements({sidecar.name for sidecar, _ in sound})
        with self._index() as index:
            counts = features_index.counts(index)
        return Verification(self.folder.name, len(sound), counts["clips"], counts["failures"], tuple(problems))

    def orphans(self) -> list[Path]:
        """Return the files that nothing refers to, such as those of killed runs, sorted.

        None is younger than an hour, so that no run that is at work is disturbed.
        """
        with self._index() as index:
            used, failed = features_index.shards_in_use(index), set(features_index.failures(index))
        found = []
        for path in sorted(self.shards.iterdir()):
            name = path.name.split(".")[0]
            if name in used or time.time() - path.stat().st_mtime < GARBAGE_SECONDS:
                continue
            if path.suffix != ".json" or not self._says_why(name, failed):
                found.append(path)
        return found

    def _index(self, *, write: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        return features_index.opened(self.indexed / "index.sqlite", write=write)

    def _enter(self, index: sqlite3.Connection, name: str) -> None:
        try:
            sidecar = read_sidecar(self.shards, name)
            if problem := size_problem(self.shards, name, sidecar.bytes):
                raise ZsarbenchError(problem)
            if (sidecar.key, sidecar.dim, sidecar.dtype) != (self.key, self.dim, self.dtype):
                raise ZsarbenchError(f"shard {name} in {self.folder} was made for another key")
        except ZsarbenchError as error:
            _log.warning("%s; its clips are computed again", error)
            return
        features_index.enter(index, sidecar)

    def _rebuild(self, sound: list[tuple[Sidecar, list[str]]]) -> None:
        try:
            with self._index(write=True) as index:
                features_index.fill_anew(index, sound)
        except DamagedIndex:
            for path in self.indexed.glob("index.sqlite*"):
                path.unlink()
            with self._index(write=True) as index:
                features_index.fill_anew(index, sound)

    def _disagreements(self, sound: set[str]) -> list[str]:
        """Return in words where the index and the sidecars differ."""
        with self._index() as index:
            known = set(features_index.shard_sizes(index))
        return [
            *(f"shard {name} of the index is missing or damaged" for name in sorted(known - sound)),
            *(f"shard {name} is not in the index" for name in sorted(sound - known)),
        ]

    def damaged(self, sidecar: Sidecar, problems: list[str]) -> list[str]:
        """Return the clips of a shard whose bytes do not match their checksum, noting each as a problem."""
        damaged = []
        reader = RowReader(self.shards, self.dim, self.dtype)
        for clip, position in sidecar.positions():
            view = memoryview(bytearray(clip.steps * reader.row_bytes))
            try:
                reader.read(sidecar.name, position, view, clip.checksum)
            except ZsarbenchError as error:
                problems.append(f"clip '{clip.clip_id}': {error}")
                damaged.append(clip.clip_id)
        reader.close()
        return damaged

    def _says_why(self, name: str, failed: set[str]) -> bool:
        """Return whether a sidecar tells of a failure that still stands."""
        try:
            return not failed.isdisjoint(read_sidecar(self.shards, name).failures)
        except ZsarbenchError:
            return False

    def _sidecar_names(self) -> set[str]:
        return {path.stem for path in self.shards.glob("*.json")}

    def shard_names(self) -> list[str]:
        """Return the names of all shards from old to new, so that a later one of a clip replaces an earlier one."""
        return [path.stem for path in sorted(self.shards.glob("*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name))]


def _set_of(shards: Path) -> FeatureSet | None:
    for path in sorted(shards.glob("*.json")):
        try:
            sidecar = read_sidecar(shards, path.stem)
        except ZsarbenchError:
            continue
        return FeatureSet(shards.parent, sidecar.key, sidecar.dim, sidecar.dtype)
    return None


def _replaced(size: int | None, source: ClipSource) -> bool:
    """Return whether a clip's file has another size than when its features were made."""
    there = file_state(source.path) if size is not None else None
    return there is not None and there[0] != size


def _holds(failure: Failure | None, source: ClipSource) -> bool:
    """Return whether a failure needs no second try: it is the file's, and the file is as it was."""
    return failure is not None and failure.lasting and failure.state == file_state(source.path)
