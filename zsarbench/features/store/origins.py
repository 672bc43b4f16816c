"""The origin of a clip's rows, and whether the clip's source has changed since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

import xxhash

from zsarbench.data.video.failures import FileState, file_state
from zsarbench.interfaces import ClipSource

Reads = Literal["frames", "captions", "features"]
"""What an encoder reads of a clip: `VisualEncoder.needs`."""

_READ_BYTES = 2**20


@dataclass(frozen=True)
class Origin:
    """The origin of a clip's rows; what is not known is "" or None, and then not compared.

    content: digest of the clip's span, or of its captions where these are read. state: of its file, where one was
    decoded. file: digest of that file's bytes, so that a copy with another time of change is known again.
    """

    content: str = ""
    state: FileState | None = None
    file: str = ""


UNKNOWN = Origin()


def origin_of(source: ClipSource, reads: Reads, state: FileState | None = None) -> Origin:
    """Return the origin of rows; state: of the file before it was decoded, None where none was."""
    return Origin(content_of(source, reads), state, "" if state is None else file_digest(source.path, state))


def content_of(source: ClipSource, reads: Reads) -> str:
    """Return a digest of what an encoder reads of a clip besides the bytes of its file."""
    parts: list[object] = [reads]
    if reads != "captions":
        parts += [source.start, source.end]
    if reads != "frames":
        parts += list(source.captions)
    if reads == "features":
        parts += [source.video, source.path and PurePath(source.path).name]
    return xxhash.xxh3_128_hexdigest(json.dumps(parts).encode())


def file_digest(path: str | None, state: FileState) -> str:
    """Return the xxh3-128 of a file's bytes, "" where it is not in this state, or cannot be read."""
    digest = xxhash.xxh3_128()
    try:
        with open(path or "", "rb") as file:
            while chunk := file.read(_READ_BYTES):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest() if file_state(path) == state else ""


def same(one: Origin, other: Origin) -> bool:
    """Return whether two origins hold the same, as far as both are known."""
    if one.content and other.content and one.content != other.content:
        return False
    if one.state is None or other.state is None or one.state == other.state:
        return True
    return one.state[0] == other.state[0] and one.file == other.file != ""


@dataclass
class Comparison:
    """Compares stored origins with the sources of a run.

    copies: the state now of files that have another time of change and the same bytes, by clip id.
    """

    reads: Reads
    copies: dict[str, FileState] = field(default_factory=dict)

    def change(self, clip_id: str, stored: Origin, source: ClipSource) -> str | None:
        """Return what has changed since a clip's rows were computed, None where nothing has.

        Rows outlive the deletion of their file.
        """
        if self.reads == "frames":
            state = file_state(source.path)
            if state is None:
                return None
            if stored.state is not None and stored.state != state:
                if stored.state[0] != state[0]:
                    return "its file has another size"
                if not stored.file or stored.file != file_digest(source.path, state):
                    return "its file has other bytes"
                self.copies[clip_id] = state
        if stored.content and stored.content != content_of(source, self.reads):
            return {"frames": "its span", "captions": "its captions", "features": "its source"}[self.reads]
        return None


def summary(changes: Mapping[str, str]) -> str:
    """Return a sentence on clips whose source has changed, by id."""
    clip_id, what = next(iter(changes.items()))
    what = what if what.startswith("its file") else f"{what} changed"
    return f"{len(changes)} stored clips have another origin and are computed again, e.g. '{clip_id}': {what}"
