"""Keeps the probes of video files: a file of lines, each with a checksum, to which any process may append."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import xxhash

from zsarbench.data.video.failures import FileState
from zsarbench.data.video.frames import decoder_version
from zsarbench.data.video.probe import Probe

_log = logging.getLogger(__name__)


class ProbeCache:
    """Probes of files, one line each; the last one of a file counts, and each is safe as soon as it is written.

    A line that is damaged, or was cut off by a kill, is left out, and its file probed again. Where the file cannot be
    written the log says so, and probes are not kept.

    thorough: whether only thorough probes count.
    """

    def __init__(self, path: Path, *, thorough: bool = False) -> None:
        self.path = path
        self.thorough = thorough

    def read(self, states: Mapping[str, FileState]) -> dict[str, Probe]:
        """Return the kept probes of these files by path, but those of files that have changed since."""
        probes: dict[str, Probe] = {}
        decoder, n_damaged = decoder_version(), 0
        for line in self._lines():
            fields = _parsed(line)
            if fields is None:
                n_damaged += 1
                continue
            path, size, mtime_ns, by, thorough, problem, truncated, damaged, seconds = fields
            if states.get(path) == (size, mtime_ns) and by == decoder and thorough >= self.thorough:
                probes[path] = Probe(problem=problem, truncated=truncated, damaged=damaged, seconds=seconds)
        if n_damaged:
            _log.warning("%d lines of %s are damaged: their files are probed again", n_damaged, self.path)
        return probes

    def write(self, probes: Iterable[tuple[str, FileState, Probe]]) -> Iterator[tuple[str, Probe]]:
        """Append each probe as it comes, and yield it."""
        decoder, file = decoder_version(), self._open()
        try:
            for path, state, probe in probes:
                fields = (probe.problem, probe.truncated, probe.damaged, probe.seconds)
                text = json.dumps([path, *state, decoder, self.thorough, *fields]).encode()
                if file is not None:
                    file = self._append(file, _checksum(text) + b" " + text + b"\n")
                yield path, probe
        finally:
            if file is not None:
                os.close(file)

    def _lines(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                yield from file
        except FileNotFoundError:
            return
        except OSError as error:
            _log.warning("probes kept in %s cannot be read: %s", self.path, error.strerror)

    def _open(self) -> int | None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            self._warn(error)
            return None
        size = os.fstat(file).st_size
        cut_off = size > 0 and os.pread(file, 1, size - 1) != b"\n"  # by a kill
        return self._append(file, b"\n") if cut_off else file

    def _append(self, file: int, line: bytes) -> int | None:
        """Append in one write, so that lines of two processes do not mix, and return the file; None: no more."""
        try:
            os.write(file, line)
        except OSError as error:
            os.close(file)
            self._warn(error)
            return None
        return file

    def _warn(self, error: OSError) -> None:
        _log.warning("probes of files are not kept: %s cannot be written: %s", self.path, error.strerror)


def _parsed(line: bytes) -> list[Any] | None:
    """Return the fields of a line, None where it is not as it was written."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if checksum != _checksum(text):
        return None
    fields: list[Any] = json.loads(text)
    return fields


def _checksum(text: bytes) -> bytes:
    return xxhash.xxh3_64_hexdigest(text).encode()
