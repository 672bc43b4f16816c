"""Rows of features read from shards by position: checked the first time, by several threads where reads are long."""

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

MIN_BYTES_OF_THREADS = 2**17  # of a clip in a batch that several threads fill: shorter ones wait for Python instead

Job = tuple[int, int, int, int, int, bool]
"""Of a clip in a batch: its place there, then a row of the table."""


@dataclass(frozen=True)
class RowTable:
    """Where the steps of N clips lie; a clip without features has 0 steps.

    names: of the shards. shard: (N,) indices into `names`. position, steps and checksum: (N,) int64; the position is
    in bytes. verified: (N,) bool, set once the clip was read and its checksum found right.
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
    """Reads rows of shards by position, without mapping files: a truncated one is an error here, no SIGBUS."""

    def __init__(self, folder: Path, dim: int, dtype: str) -> None:
        self.folder = folder
        self.dim = dim
        self.dtype = dtype
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
        """The bytes of one row as it is stored."""
        return self.dim * ITEM_BYTES[self.dtype]

    def read(self, name: str, position: int, out: memoryview, checksum: int) -> None:
        """Fill a view with the bytes of a shard that begin at a position, and verify them.

        Raises:
            ZsarbenchError: the file is missing, too short, or its bytes do not match the checksum.
        """
        with self._lock:
            self._fill(name, self._opened(name), position, out)
        self._verify(name, position, out, checksum)

    def read_batch(self, table: RowTable, chosen: np.ndarray, out: np.ndarray, threads: int) -> None:
        """Fill a batch (B, T, D) with the first T steps of the chosen clips, then zeros.

        out: float32, or what is as wide as the stored dtype, whose bytes are then left as they are. A clip that the
        table does not call verified is read whole, verified, and called so.

        Raises:
            ZsarbenchError: a file is missing or too short, or bytes do not match their checksum.
        """
        jobs = table.jobs(chosen)
        most_files = most_open_files()
        with self._lock:
            for start in range(0, len(jobs), most_files):  # so that no file is closed while it is needed
                self._read_part(table.names, jobs[start : start + most_files], out, threads)
        table.verified[chosen] = True

    def close(self) -> None:
        """Close the files; they open again when needed."""
        while self._files:
            os.close(self._files.popitem()[1])

    def _read_part(self, names: tuple[str, ...], jobs: list[Job], out: np.ndarray, threads: int) -> None:
        files = {shard: (names[shard], self._opened(names[shard])) for shard in {job[1] for job in jobs if job[3]}}
        if threads == 1 or out[0].nbytes < MIN_BYTES_OF_THREADS:
            self._read_jobs(files, jobs, out)
            return
        mine, *others = (jobs[thread::threads] for thread in range(threads))
        begun = [_helpers(os.getpid(), threads - 1).submit(self._read_jobs, files, other, out) for other in others]
        try:
            self._read_jobs(files, mine, out)
        finally:
            wait(begun)  # also where this one failed: files stay open as long as they are read from
        for each in begun:
            each.result()

    def _read_jobs(self, files: Mapping[int, tuple[str, int]], jobs: Iterable[Job], out: np.ndarray) -> None:
        """Fill places of a batch from these files, by shard; bytes are widened while the cache holds them."""
        most_steps, step_bytes = out.shape[1], out[0, 0].nbytes
        place_bytes, row_bytes = most_steps * step_bytes, self.row_bytes
        batch, zeros = out.data.cast("B"), memoryview(bytes(place_bytes))
        spare = np.empty(0, dtype=np.uint8)
        for place, shard, position, steps, checksum, verified in jobs:
            kept = min(steps, most_steps)
            start, end = place * place_bytes, (place + 1) * place_bytes
            padding = start + kept * step_bytes
            if kept:
                name, file = files[shard]
                n_read = kept if verified else steps
                as_stored = n_read == kept and row_bytes == step_bytes
                if not as_stored and len(spare) < n_read * row_bytes:
                    spare = np.empty(n_read * row_bytes, dtype=np.uint8)
                raw = batch[start:padding] if as_stored else spare.data[: n_read * row_bytes]
                self._fill(name, file, position, raw)
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

    def _fill(self, name: str, file: int, position: int, view: memoryview) -> None:
        try:
            while (count := os.preadv(file, [view], position)) < len(view):
                if not count:
                    raise ZsarbenchError(
                        f"{data_path(self.folder, name)} is too short: it was cut off. "
                        "Try: zsarbench features verify --rebuild, then the same again"
                    )
                view, position = view[count:], position + count
        except OSError as error:
            raise self._unreadable(name, error) from error

    def _opened(self, name: str) -> int:
        """Return the descriptor of a shard's file; where many are open, the one used longest ago is closed."""
        file = self._files.get(name)
        if file is not None:
            self._files.move_to_end(name)
            return file
        try:
            file = self._files[name] = os.open(data_path(self.folder, name), os.O_RDONLY)
        except OSError as error:
            raise self._unreadable(name, error) from error
        if len(self._files) > most_open_files():
            os.close(self._files.popitem(last=False)[1])
        return file

    def _unreadable(self, name: str, error: OSError) -> ZsarbenchError:
        return ZsarbenchError(f"features {data_path(self.folder, name)} cannot be read: {error.strerror}")


@functools.cache
def most_open_files() -> int:
    """Return how many files a reader keeps open: an eighth of what this process may, since a run has several."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 4096 if allowed == resource.RLIM_INFINITY else min(4096, max(1, allowed // 8))


@functools.cache
def _helpers(process: int, n: int) -> ThreadPoolExecutor:
    """Return threads that read beside the one that asks; by process, since a fork has none of another's threads."""
    return ThreadPoolExecutor(n, "read")


def _widen(raw: np.ndarray, dtype: str, out: np.ndarray) -> None:
    """Write stored bytes (t * bytes of D) as they are or as float32 (t, D); a bfloat16 is the upper half of one."""
    if ITEM_BYTES[dtype] == out.itemsize:
        out[:] = raw.view(out.dtype).reshape(out.shape)
        return
    np.left_shift(raw.view(np.uint16).reshape(out.shape), 16, out=out.view(np.uint32), dtype=np.uint32)
