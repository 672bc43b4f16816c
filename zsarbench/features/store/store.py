"""The feature store: rows of features under a key that names all they depend on.

A folder per key: `key.json`, `shards/` with immutable files and their sidecars, and `index.sqlite`. Whoever extracts
writes shards; only the driver of a run writes the index, which can be rebuilt from the sidecars at any time. A killed
run loses the shard it was computing and nothing else; two runs at once at most do the same work twice.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.data.video.failures import Failure, file_state
from zsarbench.errors import ZsarbenchError
from zsarbench.features.key import FeatureKey
from zsarbench.features.store import index as store_index
from zsarbench.features.store.clips import StoredClips
from zsarbench.features.store.reader import RowReader
from zsarbench.features.store.shards import (
    ITEM_BYTES,
    data_path,
    read_intact_sidecar,
    read_sidecar,
    sidecar_path,
    size_problem,
    write_shard,
)
from zsarbench.interfaces import CaptionsInSteps, ClipSource
from zsarbench.utils.atomic import write_atomic

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)


class FeatureStore:
    """All stored features below one folder.

    index_root: where indexes are kept instead, for one of several processes that write shards into one store: SQLite
    supports one writer on a network file system. The next process that opens the store itself adds their shards.
    """

    def __init__(self, root: Path, index_root: Path | None = None) -> None:
        self.root = Path(root)
        self.index_root = index_root

    def open(self, key: FeatureKey, dim: int) -> FeatureSet:
        """Return the features under a key, an empty set where none are stored yet.

        Raises:
            ZsarbenchError: the folder cannot be created, or its index is damaged.
        """
        if key.dtype not in ITEM_BYTES:
            raise ZsarbenchError(f"features cannot be stored as {key.dtype}, only as {' or '.join(ITEM_BYTES)}")
        folder = self._prepare_folder(key.folder, key.to_json() + "\n")
        index_folder = folder if self.index_root is None else self.index_root / key.folder
        opened = FeatureSet(folder, key.digest, dim, key.dtype, index_folder)
        opened.refresh()
        return opened

    def like(self, other: FeatureSet) -> FeatureSet:
        """Return this store's set under the key of another store's set, an empty one where none is stored yet.

        Raises:
            ZsarbenchError: the folder cannot be created.
        """
        key_file = other.folder / "key.json"
        key = key_file.read_text(encoding="utf-8") if key_file.is_file() else None
        return FeatureSet(self._prepare_folder(other.folder.name, key), other.key, other.dim, other.dtype)

    def sets(self) -> list[FeatureSet]:
        """Return all stored sets by folder name; a folder without an intact sidecar is left out."""
        candidates = (_set_of(folder) for folder in sorted(self.root.glob("*/shards")))
        return [stored for stored in candidates if stored is not None]

    def _prepare_folder(self, name: str, key: str | None) -> Path:
        """Return the folder of a set, created where it does not exist, and record there that it was used now."""
        folder = self.root / name
        key_file = folder / "key.json"
        try:
            (folder / "shards").mkdir(parents=True, exist_ok=True)
            if key is not None and not key_file.exists():
                write_atomic(key_file, key.encode())
            if key_file.exists():
                os.utime(key_file)
            if self.index_root is not None:
                (self.index_root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ZsarbenchError(f"features cannot be stored in {folder}: {error.strerror}") from error
        return folder


class FeatureSet:
    """The features under one key.

    key: its digest. dim: D. dtype: as stored. index_folder: where the index is kept, by default the set's own folder.
    """

    def __init__(self, folder: Path, key: str, dim: int, dtype: str, index_folder: Path | None = None) -> None:
        self.folder = folder
        self.index_folder = index_folder or folder
        self.shards = folder / "shards"
        self.key = key
        self.dim = dim
        self.dtype = dtype

    def refresh(self) -> None:
        """Add shards that the index lacks, as a killed run leaves them, and remove those that were truncated."""
        with self.open_index() as index:
            known = store_index.shard_sizes(index)
        problems = {name: size_problem(self.shards, name, size) for name, size in known.items()}
        truncated = {name: problem for name, problem in problems.items() if problem}
        new = {path.stem for path in self.shards.glob("*.json")} - set(known)
        if not truncated and not new:
            return
        with self.open_index(write=True) as index:
            for name, problem in truncated.items():
                size = store_index.shard_sizes(index).get(name)  # another run may have been quicker
                if size is not None and size_problem(self.shards, name, size):
                    if n_clips := store_index.remove_shard(index, name):
                        _log.warning("%s; %d clips are computed again", problem, n_clips)
                    for path in (sidecar_path(self.shards, name), data_path(self.shards, name)):
                        path.unlink(missing_ok=True)
            for name in self.shard_names():
                if name in new:
                    self._add(index, name)

    def write(
        self,
        rows: Mapping[str, Tensor],
        *,
        flags: Mapping[str, Sequence[str]] | None = None,
        sizes: Mapping[str, int] | None = None,
        failures: Mapping[str, Failure] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> str:
        """Write a shard of rows (t_i, D) by clip id and return its name; the index lacks it until `adopt`.

        flags: remarks on the decoded files. sizes: of these files, in bytes. provenance: how the rows were computed.

        Raises:
            ZsarbenchError: the disk is full or the folder is not writable.
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
        """Add a finished shard to the index; a clip that is already stored stays as it is."""
        with self.open_index(write=True) as index:
            self._add(index, name)

    def stored_ids(self) -> set[str]:
        """Return the ids of all clips with features."""
        with self.open_index() as index:
            return store_index.stored_ids(index)

    def missing(self, sources: Iterable[ClipSource]) -> list[ClipSource]:
        """Return the clips with neither features nor a failure that still holds, in order.

        Features hold until the file they were computed from has another size; they outlive the deletion of that file.
        """
        with self.open_index() as index:
            stored, failures = store_index.stored_ids(index), store_index.failures(index)
            sizes = store_index.file_sizes(index)
        return [
            source
            for source in sources
            if (
                _is_replaced(sizes.get(source.clip_id), source)
                if source.clip_id in stored
                else not _still_holds(failures.get(source.clip_id), source)
            )
        ]

    def clips(
        self,
        ids: Sequence[str],
        *,
        captions: tuple[tuple[str, ...], ...] | None = None,
        captions_in_steps: CaptionsInSteps = "none",
    ) -> StoredClips:
        """Return the features of these clips, which are read when they are needed.

        Raises:
            ZsarbenchError: a clip has neither features nor a failure.
        """
        with self.open_index() as index:
            table = store_index.row_table(index, ids)
            failures, flags = store_index.failures(index), store_index.flags(index)
        unread = [ids[number] for number in (table.shard < 0).nonzero()[0].tolist()]
        if absent := [clip_id for clip_id in unread if clip_id not in failures]:
            raise ZsarbenchError(f"{len(absent)} clips have no stored features in {self.folder}, e.g. '{absent[0]}'")
        return StoredClips(
            ids,
            RowReader(self.shards, self.dim, self.dtype),
            table,
            captions=captions,
            captions_in_steps=captions_in_steps,
            failures={clip_id: failures[clip_id].reason for clip_id in unread},
            flags={clip_id: flags[clip_id] for clip_id in ids if clip_id in flags},
        )

    def info(self) -> dict[str, Any]:
        """Return the key and the counts of what is stored, in JSON types."""
        with self.open_index() as index:
            counts = store_index.counts(index)
        key_file = self.folder / "key.json"
        key = json.loads(key_file.read_text(encoding="utf-8")) if key_file.is_file() else {}
        return {"name": self.folder.name, "key": key, **counts}

    def shard_names(self) -> list[str]:
        """Return the names of all shards from old to new, so that a later one of a clip replaces an earlier one."""
        return [path.stem for path in sorted(self.shards.glob("*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name))]

    def open_index(self, *, write: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        """Open the set's index inside one transaction; see `zsarbench.features.store.index.open_index`."""
        return store_index.open_index(self.index_folder / "index.sqlite", write=write)

    def _add(self, index: sqlite3.Connection, name: str) -> None:
        try:
            sidecar = read_intact_sidecar(self.shards, name)
            if (sidecar.key, sidecar.dim, sidecar.dtype) != (self.key, self.dim, self.dtype):
                raise ZsarbenchError(f"shard {name} in {self.folder} was written for another key")
        except ZsarbenchError as error:
            _log.warning("%s; its clips are computed again", error)
            return
        store_index.add_shard(index, sidecar)


def _set_of(shards: Path) -> FeatureSet | None:
    for path in sorted(shards.glob("*.json")):
        try:
            sidecar = read_sidecar(shards, path.stem)
        except ZsarbenchError:
            continue
        return FeatureSet(shards.parent, sidecar.key, sidecar.dim, sidecar.dtype)
    return None


def _is_replaced(size: int | None, source: ClipSource) -> bool:
    """Return whether a clip's file has another size than when its features were computed."""
    state = file_state(source.path) if size is not None else None
    return state is not None and state[0] != size


def _still_holds(failure: Failure | None, source: ClipSource) -> bool:
    """Return whether a failure needs no second try: its file is to blame and has not changed since."""
    return failure is not None and failure.permanent and failure.state == file_state(source.path)
