"""Immutable files of feature rows, each with a sidecar that says what it holds.

`NAME.safetensors` holds one tensor "rows": the steps of its clips one after the other. `NAME.json` lists the clips with
checksums, and those that could not be read; it is written last, so that it vouches for the file. NAME is the digest of
what the sidecar says: the same work done twice makes the same files, and a damaged sidecar gives itself away.
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
from zsarbench.utils.atomic import write_whole

if TYPE_CHECKING:
    from torch import Tensor

ITEM_BYTES = {"float32": 4, "bfloat16": 2}


@dataclass(frozen=True)
class StoredClip:
    """One clip of a shard: its steps, the xxh3-64 of their bytes as a signed integer, remarks on its file.

    size: of that file in bytes, so that another one in its place is noticed; None where none was decoded.
    """

    clip_id: str
    steps: int
    checksum: int
    flags: tuple[str, ...] = ()
    size: int | None = None

    def to_list(self) -> list[Any]:
        """Return the fields in JSON types; the size only where there is one, as before there were sizes."""
        known = [] if self.size is None else [self.size]
        return [self.clip_id, self.steps, self.checksum, list(self.flags), *known]


@dataclass(frozen=True)
class Sidecar:
    """What a shard holds: clips in the order of their rows, and failures by clip id.

    bytes: size of the data file, 0 where there is none because every clip failed. data_start: where its rows begin.
    provenance: how it was made; the same rows made otherwise have the same name.
    """

    key: str
    dim: int
    dtype: str
    bytes: int
    data_start: int
    clips: tuple[StoredClip, ...]
    failures: Mapping[str, Failure]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file name without suffix: the xxh3-128 of the content."""
        return xxhash.xxh3_128_hexdigest(json.dumps(self._content(), sort_keys=True).encode())

    def to_json(self) -> str:
        """Return the text of the file."""
        return json.dumps(self._content() | {"provenance": dict(self.provenance)}, sort_keys=True, indent=1) + "\n"

    def positions(self) -> Iterator[tuple[StoredClip, int]]:
        """Yield each clip with the byte that its rows begin at."""
        position = self.data_start
        for clip in self.clips:
            yield clip, position
            position += clip.steps * self.dim * ITEM_BYTES[self.dtype]

    def _content(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "key": self.key,
            "dim": self.dim,
            "dtype": self.dtype,
            "bytes": self.bytes,
            "data_start": self.data_start,
            "clips": [clip.to_list() for clip in self.clips],
            "failures": {
                clip_id: [failure.reason, list(failure.state) if failure.state else None, failure.lasting]
                for clip_id, failure in self.failures.items()
            },
        }


def data_path(folder: Path, name: str) -> Path:
    """Return where the rows of a shard lie."""
    return folder / f"{name}.safetensors"


def sidecar_path(folder: Path, name: str) -> Path:
    """Return where the sidecar of a shard lies."""
    return folder / f"{name}.json"


def write_shard(
    folder: Path,
    kind: tuple[str, int, str],
    rows: Mapping[str, Tensor],
    *,
    flags: Mapping[str, Sequence[str]],
    sizes: Mapping[str, int],
    failures: Mapping[str, Failure],
    provenance: Mapping[str, Any],
) -> Sidecar:
    """Write rows (t_i, D) by clip id, and failures, so that a crash at any point leaves all of it or nothing.

    kind: digest of the key, D, dtype.

    Raises:
        ZsarbenchError: there is no room, or no leave to write.
    """
    import safetensors.torch
    import torch

    key, dim, dtype = kind
    clips, stored = [], []
    for clip_id, row in rows.items():
        row = row.to(getattr(torch, dtype)).contiguous()
        checksum = checksum_of(row.view(torch.uint8).numpy().data.cast("B"))
        clips.append(StoredClip(clip_id, len(row), checksum, tuple(flags.get(clip_id, ())), sizes.get(clip_id)))
        stored.append(row)
    content = safetensors.torch.save({"rows": torch.cat(stored)}) if stored else b""
    start = len(content) - sum(clip.steps for clip in clips) * dim * ITEM_BYTES[dtype]
    sidecar = Sidecar(key, dim, dtype, len(content), start, tuple(clips), dict(failures), dict(provenance))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if content:
            write_whole(data_path(folder, sidecar.name), content)
        write_whole(sidecar_path(folder, sidecar.name), sidecar.to_json().encode())
    except OSError as error:
        raise ZsarbenchError(
            f"features cannot be written to {folder}: {error.strerror}; what was finished is kept. "
            "Make room and run the same command again, or set ZSARBENCH_CACHE to another folder"
        ) from error
    return sidecar


def copy_shard(source: Path, target: Path, sidecar: Sidecar) -> None:
    """Copy a shard to another folder, times included, so that a crash at any point leaves all of it or nothing.

    Raises:
        ZsarbenchError: there is no room, or no leave to write.
    """
    paths = [data_path(source, sidecar.name)] if sidecar.bytes else []
    try:
        for path in [*paths, sidecar_path(source, sidecar.name)]:
            status = path.stat()
            write_whole(target / path.name, path.read_bytes())
            os.utime(target / path.name, ns=(status.st_atime_ns, status.st_mtime_ns))
    except OSError as error:
        raise ZsarbenchError(
            f"features cannot be copied to {target}: {error.strerror}; what was finished is kept. "
            "Make room and run the same command again"
        ) from error


def read_sidecar(folder: Path, name: str) -> Sidecar:
    """Return what a shard says it holds.

    Raises:
        ZsarbenchError: the file is missing or damaged.
    """
    path = sidecar_path(folder, name)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        sidecar = Sidecar(
            content["key"],
            content["dim"],
            content["dtype"],
            content["bytes"],
            content["data_start"],
            tuple(
                StoredClip(clip_id, steps, checksum, tuple(flags), *size)
                for clip_id, steps, checksum, flags, *size in content["clips"]
            ),
            {
                clip_id: Failure(reason, (state[0], state[1]) if state else None, lasting)
                for clip_id, (reason, state, lasting) in content["failures"].items()
            },
            content["provenance"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ZsarbenchError(f"sidecar {path} cannot be read: {error}") from error
    if sidecar.name != name:
        raise ZsarbenchError(f"sidecar {path} is damaged: its content does not match its name")
    return sidecar


def size_problem(folder: Path, name: str, size: int) -> str | None:
    """Return what is wrong with the size of a shard's data file, None where it is as it was written."""
    try:
        there = data_path(folder, name).stat().st_size if size else 0
    except OSError:
        return f"{data_path(folder, name)} is missing"
    return f"{data_path(folder, name)} has {there} bytes, not {size}" if there != size else None


def checksum_of(raw: memoryview) -> int:
    """Return the xxh3-64 of bytes as the signed integer that SQLite can hold."""
    value: int = xxhash.xxh3_64_intdigest(raw)
    return value - 2**64 if value >= 2**63 else value
