"""Immutable files of feature rows (shards), each with a sidecar that describes its content.

`NAME.safetensors` holds one tensor "rows": the steps of its clips one after the other. `NAME.json` lists the clips with
checksums, and those that could not be read; it is written last, so its presence means that the data file is complete.
NAME is the digest of the sidecar's content: the same work done twice writes the same files, and a damaged sidecar no
longer matches its name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from zsarbench.data.video.failures import Failure
from zsarbench.errors import ZsarbenchError
from zsarbench.features.store.makers import Makers, makers_in
from zsarbench.features.store.origins import UNKNOWN, Origin
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.foreign import regular

if TYPE_CHECKING:
    from torch import Tensor

ITEM_BYTES = {"float32": 4, "bfloat16": 2}
SCHEMA = 2


class Outdated(ZsarbenchError):
    """A sidecar of another version of the format."""


@dataclass(frozen=True, kw_only=True)
class StoredClip:
    """One clip of a shard: its number of steps, a checksum of their bytes and of its id, remarks on its file.

    origin: of the rows.
    """

    clip_id: str
    steps: int
    checksum: int
    flags: tuple[str, ...] = ()
    origin: Origin = UNKNOWN

    def to_list(self) -> list[Any]:
        """Return the fields in JSON types."""
        state = list(self.origin.state) if self.origin.state else None
        fields = [self.clip_id, self.steps, self.checksum, list(self.flags)]
        return [*fields, self.origin.content, state, self.origin.file]

    @classmethod
    def of_list(cls, fields: Sequence[Any]) -> StoredClip:
        """Return the clip that `to_list` wrote."""
        clip_id, steps, checksum, flags, content, state, file = fields
        origin = Origin(content, (state[0], state[1]) if state else None, file)
        return cls(clip_id=clip_id, steps=steps, checksum=checksum, flags=tuple(flags), origin=origin)


@dataclass(frozen=True)
class StoredFailure:
    """Why a clip has no features, and the digest of what was read of it besides its file."""

    failure: Failure
    content: str = ""

    @property
    def origin(self) -> Origin:
        """What could not be read."""
        return Origin(self.content, self.failure.state)

    def to_list(self) -> list[Any]:
        """Return the fields in JSON types."""
        failure = self.failure
        return [failure.reason, list(failure.state) if failure.state else None, failure.permanent, self.content]

    @classmethod
    def of_list(cls, fields: Sequence[Any]) -> StoredFailure:
        """Return the failure that `to_list` wrote."""
        reason, state, permanent, content = fields
        return cls(Failure(reason, (state[0], state[1]) if state else None, permanent), content)


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """The content of a shard: clips in the order of their rows, and failures by clip id.

    key: digest of the feature key. dim: D. bytes: size of the data file, 0 where every clip failed and there is none.
    data_start: the byte where its rows begin. provenance: how the rows were computed; it is not part of the name.
    """

    key: str
    dim: int
    dtype: str
    bytes: int
    data_start: int
    clips: tuple[StoredClip, ...]
    failures: Mapping[str, StoredFailure]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file name without suffix: the xxh3-128 of the content."""
        return xxhash.xxh3_128_hexdigest(json.dumps(self._content(), sort_keys=True).encode())

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(self._content() | {"provenance": dict(self.provenance)}, sort_keys=True, indent=1) + "\n"

    @property
    def makers(self) -> Makers:
        """Whose code computed the rows; () where that is not recorded."""
        return makers_in(self.provenance)

    def positions(self) -> Iterator[tuple[StoredClip, int]]:
        """Yield each clip with the byte at which its rows begin."""
        position = self.data_start
        for clip in self.clips:
            yield clip, position
            position += clip.steps * self.dim * ITEM_BYTES[self.dtype]

    def _content(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "key": self.key,
            "dim": self.dim,
            "dtype": self.dtype,
            "bytes": self.bytes,
            "data_start": self.data_start,
            "clips": [clip.to_list() for clip in self.clips],
            "failures": {clip_id: failed.to_list() for clip_id, failed in self.failures.items()},
        }


def data_path(folder: Path, name: str) -> Path:
    """Return the path of a shard's data file."""
    return folder / f"{name}.safetensors"


def sidecar_path(folder: Path, name: str) -> Path:
    """Return the path of a shard's sidecar."""
    return folder / f"{name}.json"


def write_shard(
    folder: Path,
    kind: tuple[str, int, str],
    rows: Mapping[str, Tensor],
    *,
    flags: Mapping[str, Sequence[str]],
    origins: Mapping[str, Origin],
    failures: Mapping[str, Failure],
    provenance: Mapping[str, Any],
) -> Sidecar:
    """Write rows (t_i, D) by clip id, and failures; a crash at any point leaves the whole shard or none of it.

    kind: digest of the key, D, dtype.

    Raises:
        ZsarbenchError: the disk is full or the folder is not writable.
    """
    import safetensors.torch
    import torch

    key, dim, dtype = kind
    clips, stored = [], []
    for clip_id, row in rows.items():
        row = row.to(getattr(torch, dtype)).contiguous()
        checksum = joined(checksum_of(row.view(torch.uint8).numpy().data.cast("B")), clip_id)
        remarks, origin = tuple(flags.get(clip_id, ())), origins.get(clip_id, UNKNOWN)
        clips.append(StoredClip(clip_id=clip_id, steps=len(row), checksum=checksum, flags=remarks, origin=origin))
        stored.append(row)
    content = safetensors.torch.save({"rows": torch.cat(stored)}) if stored else b""
    start = len(content) - sum(clip.steps for clip in clips) * dim * ITEM_BYTES[dtype]
    sidecar = Sidecar(
        key=key,
        dim=dim,
        dtype=dtype,
        bytes=len(content),
        data_start=start,
        clips=tuple(clips),
        failures={
            clip_id: StoredFailure(failure, origins.get(clip_id, UNKNOWN).content)
            for clip_id, failure in failures.items()
        },
        provenance=dict(provenance),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if content:
            write_atomic(data_path(folder, sidecar.name), content)
        write_atomic(sidecar_path(folder, sidecar.name), sidecar.to_json().encode())
    except OSError as error:
        raise ZsarbenchError(
            f"features cannot be written to {folder}: {error.strerror}; finished shards are kept. "
            "Free some space and run the same command again, or set ZSARBENCH_CACHE to another folder"
        ) from error
    return sidecar


def copy_shard(source: Path, target: Path, sidecar: Sidecar) -> None:
    """Copy a shard to another folder with its times; a crash at any point leaves the whole shard or none of it.

    Raises:
        ZsarbenchError: the disk is full or the folder is not writable.
    """
    paths = [data_path(source, sidecar.name)] if sidecar.bytes else []
    try:
        for path in [*paths, sidecar_path(source, sidecar.name)]:
            status = path.stat()
            write_atomic(target / path.name, regular(path).read_bytes())
            os.utime(target / path.name, ns=(status.st_atime_ns, status.st_mtime_ns))
    except OSError as error:
        raise ZsarbenchError(
            f"features cannot be copied to {target}: {error.strerror}; finished shards are kept. "
            "Free some space and run the same command again"
        ) from error


def read_sidecar(folder: Path, name: str) -> Sidecar:
    """Return the sidecar of a shard.

    Raises:
        Outdated: it is of another version of the format.
        ZsarbenchError: the file is missing or damaged.
    """
    path = sidecar_path(folder, name)
    try:
        content = json.loads(regular(path).read_text(encoding="utf-8"))
        if isinstance(content["schema"], int) and content["schema"] != SCHEMA:
            raise Outdated(f"sidecar {path} is of version {content['schema']} of the format, not {SCHEMA}")
        sidecar = Sidecar(
            key=content["key"],
            dim=content["dim"],
            dtype=content["dtype"],
            bytes=content["bytes"],
            data_start=content["data_start"],
            clips=tuple(StoredClip.of_list(fields) for fields in content["clips"]),
            failures={clip_id: StoredFailure.of_list(fields) for clip_id, fields in content["failures"].items()},
            provenance=content["provenance"],
        )
        intact = sidecar.name == name
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise ZsarbenchError(f"sidecar {path} cannot be read: {error}") from error
    if not intact:
        raise ZsarbenchError(f"sidecar {path} is damaged: its content does not match its name")
    return sidecar


def read_intact_sidecar(folder: Path, name: str) -> Sidecar:
    """Return the sidecar of a shard after checking that its data file has the size stated there.

    Raises:
        ZsarbenchError: the sidecar is missing or damaged, or the data file is missing or has another size.
    """
    sidecar = read_sidecar(folder, name)
    if problem := size_problem(folder, name, sidecar.bytes):
        raise ZsarbenchError(problem)
    return sidecar


def size_problem(folder: Path, name: str, size: int) -> str | None:
    """Return what is wrong with the size in bytes of a shard's data file, None where it is as written."""
    path = data_path(folder, name)
    try:
        actual = path.stat().st_size if size else 0
    except OSError:
        return f"{path} is missing"
    return f"{path} has {actual} bytes, not {size}" if actual != size else None


def checksum_of(raw: memoryview) -> int:
    """Return the xxh3-64 of bytes as a signed integer of 64 bits."""
    return _signed(xxhash.xxh3_64_intdigest(raw))


def id_checksum(clip_id: str) -> int:
    """Return the xxh3-64 of a clip's id."""
    value: int = xxhash.xxh3_64_intdigest(clip_id.encode("utf-8", "surrogatepass"))
    return value


def joined(checksum: int, clip_id: str) -> int:
    """Return the checksum of rows joined with that of their clip's id, or, of a joined one, that of the rows."""
    return checksum ^ _signed(id_checksum(clip_id))


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
