"""Reads rows of features from shards by position: verified the first time, by several threads where rows are long."""

from __future__ import annotations

import functools
import os
import resource
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zsarbench.errors import ZsarbenchError
from zsarbench.features.store.shards import ITEM_BYTES, checksum_of, data_path
from zsarbench.utils.foreign import regular

MIN_BYTES_PER_THREAD = 2**17  # of a clip in a batch that several threads fill: shorter ones wait for Python instead
MAX_OPEN_FILES = 4096  # of one reader

Job = tuple[int, int, int, int, int, bool]
"""One clip of a batch: its place there, then its row of the table."""


@dataclass(frozen=True, kw_only=True)
class RowTable:
    """The places of N clips' steps in shards; a clip without features has 0 steps.

    names: of the shards. shard: (N,) indices into `names`. position, steps and checksum: (N,) int64; positions are in
    bytes. verified: (N,) bool, set once a clip was read and its checksum matched.
    """

    names: tuple[str, ...]
    shard: np.ndarray
    position: np.ndarray
    steps: np.ndarray
    checksum: np.ndarray
    verified: np.ndarray

    def jobs(self, chosen: np.ndarray) -> list[Job]:
        """Return what to read for the clips at these positions, each with its place among them."""
        columns = self.shard, self.position, self.steps, self.checksum, self.verified
        return list(zip(range(len(chosen)), *(column[chosen].tolist() for column in columns), strict=True))


class RowReader:
    """A reader of rows of shards by position, without mapping files: a truncated one is an error, not a SIGBUS.

    max_open_files: more files than this are not kept open. min_bytes_per_thread: clips of fewer bytes in a batch are
    read by one thread.
    """

    def __init__(self, folder: Path, dim: int, dtype: str) -> None:
        self.folder = folder
        self.dim = dim
        self.dtype = dtype
        self.max_open_files = default_max_open_files()
        self.min_bytes_per_thread = MIN_BYTES_PER_THREAD
        self._files: OrderedDict[str, int] = OrderedDict()  # descriptors, the one used last at the end
        self._lock = threading.Lock()

    def __getstate__(self) -> tuple[Path, int, str]:
        return self.folder, self.dim, self.dtype

    def __setstate__(self, state: tuple[Path, int, str]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def __del__(self) -> None:
        self.close()

    @property
    def row_bytes(self) -> int:
        """The bytes of one stored row."""
        return self.dim * ITEM_BYTES[self.dtype]

    def read(self, name: str, position: int, out: memoryview, checksum: int) -> None:
        """Fill a view with the bytes of a shard that begin at a position, and verify them.

        Raises:
            ZsarbenchError: the file is missing, too short, or its bytes do not match the checksum.
        """
        with self._lock:
            self.fill(name, self._open(name), position, out)
        self._verify(name, position, out, checksum)

    def read_batch(self, table: RowTable, chosen: np.ndarray, out: np.ndarray, threads: int) -> None:
        """Fill a batch (B, T, D) with the first T steps of the chosen clips, then zeros.

        out: float32, or of the width of the stored dtype, whose bytes are then copied unchanged. A clip that the table
        does not mark as verified is read whole, verified, and marked.

        Raises:
            ZsarbenchError: a file is missing or too short, or bytes do not match their checksum.
        """
        jobs = table.jobs(chosen)
        with self._lock:
            for start in range(0, len(jobs), self.max_open_files):  # so that no file is closed while it is needed
                self._read_part(table.names, jobs[start : start + self.max_open_files], out, threads)
        table.verified[chosen] = True

    def fill(self, name: str, file: int, position: int, view: memoryview) -> None:
        """Fill a view with the bytes of a shard's open file that begin at a position.

        Raises:
            ZsarbenchError: the file is too short or cannot be read.
        """
        try:
            while (count := os.preadv(file, [view], position)) < len(view):
                if not count:
                    raise ZsarbenchError(
                        f"{data_path(self.folder, name)} is too short: it was cut off. "
                        "Try: zsarbench features verify --rebuild, then the same command again"
                    )
                view, position = view[count:], position + count
        except OSError as error:
            raise self._unreadable(name, error) from error

    def close(self) -> None:
        """Close the files; they are opened again when needed."""
        while self._files:
            os.close(self._files.popitem()[1])

    def _read_part(self, names: tuple[str, ...], jobs: list[Job], out: np.ndarray, threads: int) -> None:
        files = {shard: (names[shard], self._open(names[shard])) for shard in {job[1] for job in jobs if job[3]}}
        if threads == 1 or out[0].nbytes < self.min_bytes_per_thread:
            self._read_jobs(files, jobs, out)
            return
        own_jobs, *helper_jobs = (jobs[thread::threads] for thread in range(threads))
        helpers = _helper_threads(os.getpid(), threads - 1)
        futures = [helpers.submit(self._read_jobs, files, part, out) for part in helper_jobs]
        try:
            self._read_jobs(files, own_jobs, out)
        finally:
            wait(futures)  # also where this one failed: files stay open as long as they are read from
        for future in futures:
            future.result()

    def _read_jobs(self, files: Mapping[int, tuple[str, int]], jobs: Iterable[Job], out: np.ndarray) -> None:
        """Fill places of a batch from these files, by shard; bytes are widened while the cache holds them."""
        max_steps, step_bytes = out.shape[1], out[0, 0].nbytes
        place_bytes, row_bytes = max_steps * step_bytes, self.row_bytes
        batch, zeros = out.data.cast("B"), memoryview(bytes(place_bytes))
        spare = np.empty(0, dtype=np.uint8)
        for place, shard, position, steps, checksum, verified in jobs:
            kept = min(steps, max_steps)
            start, end = place * place_bytes, (place + 1) * place_bytes
            padding = start + kept * step_bytes
            if kept:
                name, file = files[shard]
                n_read = kept if verified else steps
                as_stored = n_read == kept and row_bytes == step_bytes
                if not as_stored and len(spare) < n_read * row_bytes:
                    spare = np.empty(n_read * row_bytes, dtype=np.uint8)
                raw = batch[start:padding] if as_stored else spare.data[: n_read * row_bytes]
                self.fill(name, file, position, raw)
                if not verified:
                    self._verify(name, position, raw, checksum)
                if not as_stored:
                    _widen(spare[: kept * row_bytes], self.dtype, out[place, :kept])
            batch[padding:end] = zeros[: end - padding]

    def _verify(self, name: str, position: int, raw: memoryview, checksum: int) -> None:
        if checksum_of(raw) != checksum:
            raise ZsarbenchError(
                f"{data_path(self.folder, name)} is damaged at byte {position}: its checksum does not match. "
                "Try: zsarbench features verify --rebuild, then the same command again"
            )

    def _open(self, name: str) -> int:
        """Return the descriptor of a shard's file; where too many are open, the least recently used one is closed."""
        file = self._files.get(name)
        if file is not None:
            self._files.move_to_end(name)
            return file
        try:
            file = self._files[name] = os.open(regular(data_path(self.folder, name)), os.O_RDONLY)
        except OSError as error:
            raise self._unreadable(name, error) from error
        if len(self._files) > self.max_open_files:
            os.close(self._files.popitem(last=False)[1])
        return file

    def _unreadable(self, name: str, error: OSError) -> ZsarbenchError:
        return ZsarbenchError(f"features {data_path(self.folder, name)} cannot be read: {error.strerror}")


def default_max_open_files() -> int:
    """Return an eighth of the files that this process may open, since a run has several readers."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_OPEN_FILES if allowed == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, max(1, allowed // 8))


@functools.cache
def _helper_threads(process: int, n: int) -> ThreadPoolExecutor:
    """Return threads that read next to the calling one; by process, since a fork does not inherit threads."""
    return ThreadPoolExecutor(n, "read")


def _widen(raw: np.ndarray, dtype: str, out: np.ndarray) -> None:
    """Write stored bytes (t * bytes of D) as they are or as float32 (t, D); a bfloat16 is the upper half of one."""
    if ITEM_BYTES[dtype] == out.itemsize:
        out[:] = raw.view(out.dtype).reshape(out.shape)
        return
    np.left_shift(raw.view(np.uint16).reshape(out.shape), 16, out=out.view(np.uint32), dtype=np.uint32)
