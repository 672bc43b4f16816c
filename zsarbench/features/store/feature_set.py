"""The features under one key: immutable shards, and an index of them that is built from their sidecars."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.data.video.failures import Failure, file_state
from zsarbench.errors import ZsarbenchError
from zsarbench.features.key import digest_of
from zsarbench.features.store import index as store_index
from zsarbench.features.store.clips import StoredClips
from zsarbench.features.store.index import DamagedIndex, Index
from zsarbench.features.store.makers import CodeChange, code_changes
from zsarbench.features.store.origins import Comparison, Origin, Reads, content_of, summary
from zsarbench.features.store.reader import RowReader, RowTable
from zsarbench.features.store.shards import (
    StoredFailure,
    data_path,
    read_intact_sidecar,
    sidecar_path,
    size_problem,
    write_shard,
)
from zsarbench.interfaces import CaptionsInSteps, ClipSource
from zsarbench.interfaces.lazy import Lazy
from zsarbench.utils.foreign import regular
from zsarbench.utils.targets import CACHE, check_folder

if TYPE_CHECKING:
    import torch
else:
    torch = Lazy("torch")

_log = logging.getLogger(__name__)


class FeatureSet:
    """The features under one key.

    key: its digest. dim: D. dtype: as stored.
    """

    def __init__(self, folder: Path, key: str, dim: int, dtype: str) -> None:
        self.folder = folder
        self.shards = folder / "shards"
        self.index_file = folder / store_index.FILE
        self.key = key
        self.dim = dim
        self.dtype = dtype
        self._index: Index | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_index": None}

    @property
    def index(self) -> Index:
        """The index as this process knows it: of what was stored at the last `refresh`, and of what it adopted."""
        return self._index or self.refresh()

    def refresh(self) -> Index:
        """Return the index after adding shards that it lacks, as other processes leave them, and without lost ones."""
        index, changed = self._index, False
        if index is None:
            index, changed = self._load()
        names = self.shard_names()
        if lost := self._lost(index, set(names)):
            for name, problem in lost.items():
                if n_clips := index.clips_of(name):
                    _log.warning("%s; %d clips are computed again", problem, n_clips)
                if name in names:  # else its sidecar may only be late, on a disk of a network
                    self._unlink(name)
            names = [name for name in names if name not in lost]
            index, changed = Index(self.key), True
        for name in names:
            if name not in index.shards:
                changed |= self._add(index, name)
        self._index = index
        if changed:
            self.save()
        return index

    def save(self) -> None:
        """Write the index, so that the next process need not read all sidecars; where that fails, it reads them."""
        try:
            self.index.save(self.index_file)
        except OSError as error:
            _log.debug("the index %s cannot be written: %s", self.index_file, error)

    def forget(self, names: Iterable[str]) -> None:
        """Build the index from all shards but these, and unlink these then; a kill in between loses nothing."""
        gone = set(names)
        self._index = Index(self.key)
        for name in self.shard_names():
            if name not in gone:
                self._add(self._index, name)
        self.save()
        for name in gone:
            self._unlink(name)

    def check_writable(self, n_clips: int) -> None:
        """Check, before clips are computed, that they can be stored.

        Raises:
            ZsarbenchError: they cannot.
        """
        check_folder(self.shards, f"features of {n_clips} clips, which are not stored yet,", CACHE)

    def write(
        self,
        rows: Mapping[str, torch.Tensor],
        *,
        flags: Mapping[str, Sequence[str]] | None = None,
        origins: Mapping[str, Origin] | None = None,
        failures: Mapping[str, Failure] | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> str:
        """Write a shard of rows (t_i, D) by clip id and return its name; the index lacks it until `adopt`.

        flags: remarks on the decoded files. origins: of rows and failures, by clip id. provenance: how
        the rows were computed.

        Raises:
            ZsarbenchError: the disk is full or the folder is not writable.
        """
        sidecar = write_shard(
            self.shards,
            (self.key, self.dim, self.dtype),
            rows,
            flags=flags or {},
            origins=origins or {},
            failures=failures or {},
            provenance=provenance or {},
        )
        return sidecar.name

    def adopt(self, name: str) -> None:
        """Add a finished shard to the index; a clip that is already stored stays as it is."""
        self._add(self.index, name)

    def stored_ids(self) -> set[str]:
        """Return the ids of all clips with features."""
        return self.index.stored_ids()

    def missing(self, sources: Iterable[ClipSource], reads: Reads = "frames") -> list[ClipSource]:
        """Return the clips with neither features nor a failure that still holds, in order.

        Features are valid until their origin changes: bytes of a file, a span, captions. They outlive the deletion
        of the file, and a change of code (`code_changes`). reads: what the encoder reads of a clip.
        """
        index, comparison = self.index, Comparison(reads)
        missing, changes = [], {}
        for source in sources:
            clip_id = source.clip_id
            origin = index.origin(clip_id)
            if origin is not None:
                change = comparison.change(clip_id, origin, source)
                if change is not None:
                    changes[clip_id] = change
                    missing.append(source)
            elif not _still_holds(index.failures.get(clip_id), source, reads):
                missing.append(source)
        if changes:
            _log.warning("%s", summary(changes))
        for clip_id, state in comparison.copies.items():
            index.see(clip_id, state)
        if comparison.copies:
            self.save()
        return missing

    def code_changes(self, ids: Sequence[str]) -> tuple[CodeChange, ...]:
        """Return what is installed in another version or commit than the one that computed features of these clips."""
        return code_changes(self.index.makers_of(ids), self.folder.name)

    def clips(
        self,
        ids: Sequence[str],
        *,
        captions: tuple[tuple[str, ...], ...] | None = None,
        captions_in_steps: CaptionsInSteps = "none",
    ) -> StoredClips:
        """Return the features of these clips, which are read when they are needed.

        Raises:
            ZsarbenchError: a clip has neither features nor a failure, or no sidecar of the set can be read.
        """
        if not self.dim:
            raise ZsarbenchError(f"no sidecar in {self.shards} can be read. Try: zsarbench features verify --rebuild")
        table, absent = self._look_up(ids)
        if absent:  # another process may have stored them
            self.refresh()
            table, absent = self._look_up(ids)
        if absent:
            raise ZsarbenchError(f"{len(absent)} clips have no stored features in {self.folder}, e.g. '{absent[0]}'")
        index = self.index
        unread = [ids[number] for number in (table.shard < 0).nonzero()[0].tolist()]
        return StoredClips(
            ids,
            RowReader(self.shards, self.dim, self.dtype),
            table,
            captions=captions,
            captions_in_steps=captions_in_steps,
            failures={clip_id: index.failures[clip_id].failure.reason for clip_id in unread},
            flags={clip_id: index.flags[clip_id] for clip_id in ids if clip_id in index.flags},
        )

    def _look_up(self, ids: Sequence[str]) -> tuple[RowTable, list[str]]:
        """Return where the rows of clips are, and the ids of those with neither rows nor a failure."""
        table = self.index.table(ids)
        unread = (ids[number] for number in (table.shard < 0).nonzero()[0].tolist())
        return table, [clip_id for clip_id in unread if clip_id not in self.index.failures]

    def n_indexed(self) -> int:
        """Return the number of clips in the index file."""
        try:
            return Index.read(self.index_file, self.key).counts()["clips"]
        except (DamagedIndex, FileNotFoundError):
            return 0

    def info(self) -> dict[str, Any]:
        """Return the key and the counts of what is stored, in JSON types."""
        return {"name": self.folder.name, "key": self._key_content() or {}, **self.refresh().counts()}

    def key_text(self) -> str:
        """Return the text of `key.json`, "" where it cannot be read."""
        try:
            return regular(self.folder / "key.json").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return ""

    def key_problem(self) -> str | None:
        """Return what is wrong with `key.json`; the next run that uses the set writes it again."""
        return None if self._key_content() else f"{self.folder / 'key.json'} is damaged"

    def _key_content(self) -> Any:
        """Return what `key.json` holds; None where it is damaged, or of another key than the shards."""
        try:
            text = self.key_text().strip()
            return json.loads(text) if digest_of(text) == self.key else None
        except (ValueError, RecursionError):  # with the sidecars lost, the key is what this file says, whatever that is
            return None

    def shard_names(self) -> list[str]:
        """Return the names of all shards from old to new, so that a later one of a clip replaces an earlier one."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.shards):
                if entry.name.endswith(".json"):
                    try:
                        age = entry.stat().st_mtime_ns
                    except FileNotFoundError:  # removed meanwhile
                        continue
                    except OSError:  # as a link to itself: who reads it says what is wrong with it
                        age = 0
                    found.append((age, entry.name.removesuffix(".json")))
        return [name for _, name in sorted(found)]

    def _load(self) -> tuple[Index, bool]:
        """Return the index as the file has it, or an empty one, and whether it is another than on the disk."""
        try:
            return Index.read(self.index_file, self.key), False
        except FileNotFoundError:
            return Index(self.key), False
        except DamagedIndex as error:
            _log.warning("%s; it is built again from the sidecars", error)
            return Index(self.key), True

    def _lost(self, index: Index, names: set[str]) -> dict[str, str]:
        """Return what is wrong with shards of the index that were removed or cut off, by name."""
        lost = {}
        for name, size in index.shards.items():
            if name not in names:
                lost[name] = f"{sidecar_path(self.shards, name)} is missing"
            elif problem := size_problem(self.shards, name, size):
                lost[name] = problem
        return lost

    def _unlink(self, name: str) -> None:
        for path in (sidecar_path(self.shards, name), data_path(self.shards, name)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _add(self, index: Index, name: str) -> bool:
        """Add a shard to the index and return True, or say why it is left out."""
        try:
            sidecar = read_intact_sidecar(self.shards, name)
            if (sidecar.key, sidecar.dim, sidecar.dtype) != (self.key, self.dim, self.dtype):
                raise ZsarbenchError(f"shard {name} in {self.folder} was written for another key")
        except ZsarbenchError as error:
            _log.warning("%s; its clips are computed again", error)
            return False
        index.add(sidecar)
        return True


def _still_holds(failed: StoredFailure | None, source: ClipSource, reads: Reads) -> bool:
    """Return whether a failure needs no second try: its file is to blame and has not changed since."""
    if failed is None or not failed.failure.permanent or failed.failure.state != file_state(source.path):
        return False
    return failed.content in ("", content_of(source, reads))
