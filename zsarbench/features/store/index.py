"""The index of a feature set: where the steps of each clip are, or why a clip has none.

In memory it is columns; on the disk one file that is written whole, with a digest over all of it. The sidecars hold
everything that it holds. So it may be lost, old or damaged: what it lacks is read from them, and a damaged one is built
again. It needs no database, no lock and no folder that can be written.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from zsarbench.data.video.failures import FileState
from zsarbench.errors import ZsarbenchError
from zsarbench.features.store.makers import Makers, makers_in
from zsarbench.features.store.origins import Origin, same
from zsarbench.features.store.reader import RowTable
from zsarbench.features.store.shards import Sidecar, StoredClip, StoredFailure, id_checksum
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.foreign import regular

FILE = "index.bin"
_MAGIC = b"zsarbench index 1\n"
_DIGEST_BYTES = 16
_INTEGERS = ("shard", "position", "steps", "checksum", "size", "mtime_ns")  # of each clip, 8 bytes each
_DIGESTS = ("content", "file")  # of each clip, 16 bytes each, zeros where not known
_NO_DIGEST = bytes(_DIGEST_BYTES)


class DamagedIndex(ZsarbenchError):
    """An index file that is not as it was written; everything in it can be read from the sidecars again."""


class Index:
    """The clips of the shards of one set.

    key: digest of the feature key. shards: size of each data file in bytes, by name, in the order of their numbers.
    makers: whose code computed the rows of each, by name. flags: remarks on the files of clips, by id. failures: of
    clips without features, by id.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.shards: dict[str, int] = {}
        self.makers: dict[str, Makers] = {}
        self.flags: dict[str, tuple[str, ...]] = {}
        self.failures: dict[str, StoredFailure] = {}
        self._place: dict[str, int] = {}  # of each clip in the columns; shard -1 there: it lost its features
        self._integers = {name: array("q") for name in _INTEGERS}
        self._digests = {name: bytearray() for name in _DIGESTS}

    def add(self, sidecar: Sidecar) -> None:
        """Add a shard; a clip stays with the first shard that has it.

        Features remove a failure of the same clip. Features or a failure of another origin, such as a replaced
        file, replace what is stored of the clip.
        """
        name = sidecar.name
        number = list(self.shards).index(name) if name in self.shards else len(self.shards)
        self.shards[name] = sidecar.bytes
        self.makers[name] = sidecar.makers
        for clip, position in sidecar.positions():
            held = self.origin(clip.clip_id) if clip.clip_id in self._place else None
            if held is None or not same(held, clip.origin):
                self._put(clip, number, position)
            self.failures.pop(clip.clip_id, None)
        for clip_id, failed in sidecar.failures.items():
            held = self.origin(clip_id)
            if held is not None and not same(held, failed.origin):
                self._integers["shard"][self._place[clip_id]] = -1
                self.flags.pop(clip_id, None)
                held = None
            if held is None:
                self.failures[clip_id] = failed

    def _put(self, clip: StoredClip, number: int, position: int) -> None:
        origin = clip.origin
        size, mtime_ns = origin.state or (-1, -1)
        row = (number, position, clip.steps, clip.checksum, size, mtime_ns)
        digests = (bytes.fromhex(origin.content) or _NO_DIGEST, bytes.fromhex(origin.file) or _NO_DIGEST)
        place = self._place.setdefault(clip.clip_id, len(self._place))
        if place == len(self._integers["shard"]):
            for name, value in zip(_INTEGERS, row, strict=True):
                self._integers[name].append(value)
            for name, digest in zip(_DIGESTS, digests, strict=True):
                self._digests[name] += digest
        else:
            for name, value in zip(_INTEGERS, row, strict=True):
                self._integers[name][place] = value
            for name, digest in zip(_DIGESTS, digests, strict=True):
                self._digests[name][place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES] = digest
        self.flags.pop(clip.clip_id, None)
        if clip.flags:
            self.flags[clip.clip_id] = clip.flags

    def stored_ids(self) -> set[str]:
        """Return the ids of all clips with features."""
        shard = self._integers["shard"]
        return {clip_id for clip_id, place in self._place.items() if shard[place] >= 0}

    def origin(self, clip_id: str) -> Origin | None:
        """Return the origin of a clip's features, None where it has none."""
        place = self._place.get(clip_id)
        if place is None or self._integers["shard"][place] < 0:
            return None
        size = self._integers["size"][place]
        state = None if size < 0 else (size, self._integers["mtime_ns"][place])
        return Origin(self._hex("content", place), state, self._hex("file", place))

    def see(self, clip_id: str, state: FileState) -> None:
        """Note that a clip's file, of the same bytes, is in this state now."""
        self._integers["size"][self._place[clip_id]], self._integers["mtime_ns"][self._place[clip_id]] = state

    def table(self, ids: Sequence[str]) -> RowTable:
        """Return where the steps of N clips are; shard -1 and no steps for a clip without features."""
        place = self._place.get
        places = np.fromiter((place(clip_id, -1) for clip_id in ids), dtype=np.int64, count=len(ids))
        columns = {name: self._column(name)[places] if self._place else places.copy() for name in _INTEGERS[:4]}
        absent = (places < 0) | (columns["shard"] < 0)
        for name, column in columns.items():
            column[absent] = -1 if name == "shard" else 0
        of_ids = np.fromiter(map(id_checksum, ids), dtype=np.uint64, count=len(ids)).view(np.int64)
        return RowTable(
            names=tuple(self.shards),
            shard=columns["shard"].astype(np.int32),
            position=columns["position"],
            steps=columns["steps"],
            checksum=columns["checksum"] ^ of_ids,
            verified=np.zeros(len(ids), dtype=bool),
        )

    def makers_of(self, ids: Sequence[str]) -> set[Makers]:
        """Return whose code computed the features of N clips."""
        names, shard = list(self.shards), self._integers["shard"]
        numbers = {shard[self._place[clip_id]] for clip_id in ids if clip_id in self._place}
        return {self.makers.get(names[number], ()) for number in numbers if number >= 0}

    def shards_in_use(self) -> set[str]:
        """Return the names of the shards from which features of a clip are read."""
        names = list(self.shards)
        return {names[number] for number in set(self._integers["shard"]) if number >= 0}

    def clips_of(self, name: str) -> int:
        """Return the number of clips whose features are read from a shard."""
        return self._integers["shard"].count(list(self.shards).index(name))

    def rows(self) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
        """Yield each clip with features: its id, its shard's name, and position, steps, checksum, content and flags."""
        names = list(self.shards)
        for clip_id, place in self._place.items():
            shard, *values = (self._integers[name][place] for name in _INTEGERS[:4])
            if shard >= 0:
                row = (*values, self._hex("content", place), self.flags.get(clip_id, ()))
                yield clip_id, names[shard], row

    def counts(self) -> dict[str, int]:
        """Return the numbers of stored shards, clips, steps, failures and bytes."""
        used = self._column("shard") >= 0
        return {
            "shards": len(self.shards),
            "clips": int(used.sum()),
            "steps": int(self._column("steps")[used].sum()),
            "failures": len(self.failures),
            "bytes": sum(self.shards.values()),
        }

    def save(self, path: Path) -> None:
        """Write the index.

        Raises:
            OSError: the file cannot be written; nothing is lost by that but time.
        """
        header = {
            "key": self.key,
            "shards": list(self.shards.items()),
            "makers": {name: [asdict(one) for one in makers] for name, makers in self.makers.items() if makers},
            "ids": list(self._place),
            "flags": self.flags,
            "failures": {clip_id: failed.to_list() for clip_id, failed in self.failures.items()},
        }
        text = json.dumps(header).encode()
        columns = [self._integers[name].tobytes() for name in _INTEGERS] + [self._digests[name] for name in _DIGESTS]
        content = b"".join([len(text).to_bytes(8, "little"), text, *columns])
        write_atomic(path, _MAGIC + xxhash.xxh3_128_digest(content) + content)

    @classmethod
    def read(cls, path: Path, key: str) -> Index:
        """Return the index that a file holds.

        Raises:
            FileNotFoundError: there is none.
            DamagedIndex: it cannot be read, is not as it was written, or is of another key or version.
        """
        try:
            content = memoryview(regular(path).read_bytes())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise DamagedIndex(f"the feature index {path} cannot be read: {error.strerror}") from error
        start = len(_MAGIC) + _DIGEST_BYTES
        if content[:start] != _MAGIC + xxhash.xxh3_128_digest(content[start:]):
            raise DamagedIndex(f"the feature index {path} is damaged: it is not as it was written")
        index, rest = cls(key), content[start:]
        length = int.from_bytes(rest[:8], "little")
        header, rest = json.loads(bytes(rest[8 : 8 + length])), rest[8 + length :]
        if header["key"] != key:
            raise DamagedIndex(f"the feature index {path} is of another key")
        index.shards = dict(header["shards"])
        index.makers = {name: makers_in({"distributions": makers}) for name, makers in header.get("makers", {}).items()}
        index.flags = {clip_id: tuple(flags) for clip_id, flags in header["flags"].items()}
        index.failures = {clip_id: StoredFailure.of_list(fields) for clip_id, fields in header["failures"].items()}
        index._place = {clip_id: place for place, clip_id in enumerate(header["ids"])}
        n = len(index._place)
        for name in _INTEGERS:
            index._integers[name].frombytes(rest[: 8 * n])
            rest = rest[8 * n :]
        for name in _DIGESTS:
            index._digests[name], rest = bytearray(rest[: _DIGEST_BYTES * n]), rest[_DIGEST_BYTES * n :]
        return index

    def _column(self, name: str) -> np.ndarray:
        column = self._integers[name]
        return np.frombuffer(column, dtype=np.int64) if column else np.zeros(0, dtype=np.int64)

    def _hex(self, name: str, place: int) -> str:
        digest = bytes(self._digests[name][place * _DIGEST_BYTES : (place + 1) * _DIGEST_BYTES])
        return "" if digest == _NO_DIGEST else digest.hex()
