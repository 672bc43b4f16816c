"""Decodes clips in worker processes: light ones without torch, that may hang or die without taking the run along.

A worker is a program that runs this module, not a child of `multiprocessing`: nothing of the parent's main module is
imported into it, so that it starts in half a second and needs no guard in a user's script.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType

import numpy as np

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ClipSource, Prepare, Sampling
from zsarbench.video import PreparationError, VideoError, read_steps

_log = logging.getLogger(__name__)
FileState = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""

# A worker may be killed for a reason of the machine, as by want of memory: only the second time is the clip to blame.
MAX_DEATHS = 2
START_SECONDS = 120.0
_PREPARE_ADVICE = (
    "The visual encoder's `prepare` must be a function, or an object of a class, at the top of a module that can be "
    "imported by name and does not import torch."
)


@dataclass(frozen=True)
class Failure:
    """Says why a clip has no features, and what its file was like then: a later run tries again when that changed.

    state: size and time of change of the file, None where there is none. lasting: False where the next run shall try
    again in any case, because the file is not to blame.
    """

    reason: str
    state: FileState | None = None
    lasting: bool = True


@dataclass(frozen=True)
class Decoded:
    """What became of a clip: frames (T, F, 3, h, w) or a failure; flags are remarks on its file."""

    source: ClipSource
    frames: np.ndarray | None
    failure: Failure | None
    flags: tuple[str, ...]
    seconds: float


def file_state(path: str | None) -> FileState | None:
    """Return size and time of change of a file, None where there is none."""
    try:
        stat = os.stat(path) if path is not None else None
    except OSError:
        return None
    return (stat.st_size, stat.st_mtime_ns) if stat else None


def decode_clip(source: ClipSource, sampling: Sampling, prepare: Prepare) -> Decoded:
    """Decode a clip in this process."""
    start = time.perf_counter()
    state = file_state(source.path)  # before reading: a file that changes meanwhile is tried again
    frames: np.ndarray | None = None
    failure: Failure | None = None
    flags: tuple[str, ...] = ()
    try:
        clip = read_steps(source, sampling, prepare)
        frames, flags = clip.frames, clip.flags
    except VideoError as error:
        failure = Failure(str(error), state)
    except PreparationError as error:
        failure = Failure(str(error), state, lasting=False)
    except Exception as error:  # whatever broken bytes bring about is this clip's failure, not the run's
        failure = Failure(f"cannot be decoded: {type(error).__name__}: {error}", state)
    return Decoded(source, frames, failure, flags, time.perf_counter() - start)


class DecodePool:
    """Decodes clips ahead of whoever asks for them, in their order, in processes.

    workers: processes. seconds_per_clip: after this long a worker is taken for hung; it is replaced, and its clip is a
    failure. max_ahead: clips that are decoded but not yet asked for, at most; bounds memory.
    """

    def __init__(
        self, prepare: Prepare, sampling: Sampling, *, workers: int, seconds_per_clip: float, max_ahead: int
    ) -> None:
        self._max_ahead = max(1, max_ahead)
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._workers = [_Worker(prepare, sampling, seconds_per_clip) for _ in range(workers)]
        for worker in self._workers:
            self._idle.put(worker)
        # One thread per worker waits for it, so that its clock runs while the caller is busy with the model.
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="decoding")

    def decode(self, sources: Iterable[ClipSource]) -> Iterator[Decoded]:
        """Yield what becomes of each clip, in order."""
        ahead: deque[Future[Decoded]] = deque()
        for source in sources:
            ahead.append(self._threads.submit(self._decode_one, source))
            if len(ahead) >= self._max_ahead:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def _decode_one(self, source: ClipSource) -> Decoded:
        worker = self._idle.get()
        try:
            return worker.decode(source)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """Stop all workers at once, whatever they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.stop()
        self._threads.shutdown()
        for worker in self._workers:
            worker.end()

    def __enter__(self) -> DecodePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Worker:
    """One process that decodes a clip at a time; started when first needed and again after it hung or died."""

    def __init__(self, prepare: Prepare, sampling: Sampling, seconds_per_clip: float) -> None:
        self._setup = (sampling, prepare)
        self._limit = seconds_per_clip
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._lock = threading.Lock()  # between the thread that starts a process and the one that stops all
        self._stopped = False

    def decode(self, source: ClipSource) -> Decoded:
        """Decode a clip, replacing the process where it does not survive it."""
        start = time.perf_counter()
        reason = ""
        for _ in range(MAX_DEATHS):
            connection = self._connection or self._started()
            try:
                connection.send(source)
                if connection.poll(self._limit):
                    answer: Decoded = connection.recv()
                    return answer
            except (EOFError, OSError):
                reason = f"the decoding process died of it {MAX_DEATHS} times (exit code {self.end()})"
                continue
            self.end()
            reason = f"took longer than {self._limit:g} s to decode"
            break
        return Decoded(source, None, Failure(reason, file_state(source.path)), (), time.perf_counter() - start)

    def _started(self) -> Connection:
        """Start a process and return the connection to it, once it is ready.

        Raises:
            ZsarbenchError: it cannot start; no clip is to blame for that.
        """
        with self._lock:
            if self._stopped:
                raise ZsarbenchError("decoding was stopped")
            self._connection, theirs = Pipe()
            # Standard input is the lifeline: it ends when this process does, whatever it died of.
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from zsarbench.decoding import main; main()", str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
            theirs.close()
            connection = self._connection
        try:
            connection.send(self._setup)
            problem = f"no answer in {START_SECONDS:g} s"
            if connection.poll(START_SECONDS):
                problem, heavy = connection.recv()
                if heavy:
                    _log.warning("decoding processes load torch and take its time and memory each. %s", _PREPARE_ADVICE)
        except (EOFError, OSError):
            problem = f"it ended with exit code {self.end()}"
        except Exception as error:  # whatever `prepare` raises when it is to be sent
            problem = f"`prepare` cannot be sent to a decoding process: {error}"
        if problem:
            self.end()
            raise ZsarbenchError(f"a decoding process cannot start: {problem}. {_PREPARE_ADVICE}")
        return connection

    def stop(self) -> None:
        """Kill the process for good; a thread that waits for it sees its end."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def end(self) -> int | None:
        """Kill the process, free what it held and return its exit code."""
        with self._lock:
            process, connection = self._process, self._connection
            self._process = self._connection = None
        if process is None or connection is None:
            return None
        process.kill()
        code = process.wait()
        if process.stdin is not None:
            process.stdin.close()
        connection.close()
        return code


def main() -> None:
    """Decode clips that come over the connection named by the first argument, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with Connection(int(sys.argv[1])) as connection:
        try:
            sampling, prepare = connection.recv()
        except Exception as error:
            connection.send((f"{type(error).__name__}: {error}", False))
            return
        try:
            connection.send(("", "torch" in sys.modules))
            while True:
                connection.send(decode_clip(connection.recv(), sampling, prepare))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _end_with_parent() -> None:
    """End this process as soon as the parent is gone, even in the midst of a clip."""
    os.read(0, 1)
    os._exit(1)
