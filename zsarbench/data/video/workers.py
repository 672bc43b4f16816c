"""Work in processes that may hang or die without ending the run; light ones, which do not import torch.

A worker is a program that runs this module, not a child of `multiprocessing`: nothing of the parent's main module is
imported into it, so that it starts in half a second and needs no guard in a user's script.
"""

from __future__ import annotations

import logging
import multiprocessing.connection
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Generic, TypeVar

from zsarbench.errors import ZsarbenchError

_log = logging.getLogger(__name__)
Item = TypeVar("Item")
Answer = TypeVar("Answer")

# A worker may be killed by the machine, as for want of memory: only the second death is blamed on the item.
MAX_DEATHS = 2
START_SECONDS = 120.0
# The program of a worker: imports its module and that of its work, or sends what one of them raises to the parent.
_PROGRAM = """
import importlib, sys
try:
    from zsarbench.data.video.workers import main
    importlib.import_module(sys.argv[2])
except BaseException as error:
    from multiprocessing.connection import Connection
    Connection(int(sys.argv[1])).send(f"{type(error).__name__}: {error}")
    raise SystemExit(1)
main()
"""


@dataclass(frozen=True)
class Lost:
    """Why an item has no answer: the process that worked on it hung or died."""

    reason: str
    seconds: float


def in_order(pool: Executor, work: Callable[[Item], Answer], items: Iterable[Item], max_ahead: int) -> Iterator[Answer]:
    """Yield the answer to each item, in order; at most `max_ahead` are begun before their answer is consumed."""
    ahead: deque[Future[Answer]] = deque()
    for item in items:
        ahead.append(pool.submit(work, item))
        if len(ahead) >= max_ahead:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


class WorkerPool(Generic[Item, Answer]):
    """Does work on items in processes, ahead of the consumer of the answers.

    work: called in the processes with one item, so it must be picklable, and light. workers: processes. what: the work
    as a noun for messages, such as "decoding". seconds_per_item: after this long a process is considered hung; it is
    replaced, and its item is lost. max_ahead: at most so many items are begun before their answer is consumed, which
    bounds memory. origin: for messages, where what `work` imports comes from. advice: for messages, what to do where
    `work` cannot be sent, cannot be found, or is not light.
    """

    def __init__(
        self,
        work: Callable[[Item], Answer],
        *,
        workers: int,
        what: str,
        seconds_per_item: float,
        max_ahead: int,
        origin: str = "what it works with",
        advice: str = "",
    ) -> None:
        self._max_ahead = max(1, max_ahead)
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._workers = [_Worker(work, what, seconds_per_item, origin, advice) for _ in range(workers)]
        for worker in self._workers:
            self._idle.put(worker)
        # One thread per worker waits for it, so that its clock runs while the caller is busy otherwise.
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="worker")

    def in_order(self, items: Iterable[Item]) -> Iterator[tuple[Item, Answer | Lost]]:
        """Yield each item with its answer, in order."""
        return in_order(self._threads, self._one, items, self._max_ahead)

    def as_done(self, items: Iterable[Item]) -> Iterator[tuple[Item, Answer | Lost]]:
        """Yield each item with its answer, as soon as it is known."""
        pending: set[Future[tuple[Item, Answer | Lost]]] = set()
        for item in items:
            pending.add(self._threads.submit(self._one, item))
            if len(pending) >= self._max_ahead:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (each.result() for each in done)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (each.result() for each in done)

    def _one(self, item: Item) -> tuple[Item, Answer | Lost]:
        worker = self._idle.get()
        try:
            return item, worker.answer(item)
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

    def __enter__(self) -> WorkerPool[Item, Answer]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Worker:
    """One process that works on an item at a time; started when first needed and again after it hung or died."""

    def __init__(self, work: Any, what: str, seconds_per_item: float, origin: str, advice: str) -> None:
        self._work = work
        self._what = what
        self._limit = seconds_per_item
        self._origin = origin
        self._advice = advice
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._lock = threading.Lock()  # between the thread that starts a process and the one that stops all
        self._stopped = False

    def answer(self, item: Any) -> Any:
        """Return the answer to an item, or `Lost`; a process that does not survive it is replaced."""
        start = time.perf_counter()
        reason = ""
        for _ in range(MAX_DEATHS):
            connection = self._connection or self._start()
            try:
                connection.send(item)
                if connection.poll(self._limit):
                    return connection.recv()
            except (EOFError, OSError):
                reason = f"its {self._what} process died {MAX_DEATHS} times (exit code {self.end()})"
                continue
            self.end()
            reason = f"{self._what} took longer than {self._limit:g} s"
            break
        return Lost(reason, time.perf_counter() - start)

    def _start(self) -> Connection:
        """Start a process and return the connection to it, once it is ready.

        Raises:
            ZsarbenchError: it cannot start; no item is to blame for that.
        """
        with self._lock:
            if self._stopped:
                raise ZsarbenchError(f"{self._what} was stopped")
            self._connection, theirs = Pipe()
            # Standard input is the lifeline: it ends when this process does, whatever it died of.
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), type(self._work).__module__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
            theirs.close()
            connection = self._connection
        if problem := self._hand_over(connection):
            self.end()
            raise ZsarbenchError(f"a {self._what} process cannot start: {problem}".rstrip())
        return connection

    def _hand_over(self, connection: Connection) -> str:
        """Wait until a process is ready and send it its work; return why it is not, "" where it is."""
        stage = "while it imported zsarbench. Try: zsarbench doctor"
        try:
            if not connection.poll(START_SECONDS):
                return f"no answer in {START_SECONDS:g} s {stage}"
            if error := connection.recv():
                return f"importing zsarbench raises {error}. Try: zsarbench doctor"
            stage = f"while it imported {self._origin}"
            try:
                connection.send(self._work)
            except OSError:
                raise
            except Exception as unsent:  # whatever a user's object raises when it is pickled
                return f"the work cannot be sent to it: {unsent}. {self._advice}"
            if not connection.poll(START_SECONDS):
                return f"no answer in {START_SECONDS:g} s {stage}"
            error, findable, heavy = connection.recv()
        except (EOFError, OSError):
            return f"it ended with exit code {self.end()} {stage}"
        if error:
            return f"importing {self._origin} raises {error}" + ("" if findable else f". {self._advice}")
        if heavy:
            _log.warning("each %s process loads torch, and takes its time and memory. %s", self._what, self._advice)
        return ""

    def stop(self) -> None:
        """Kill the process permanently; a thread that waits for it sees its end."""
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
    """Answer items that come over the connection given as the first argument, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with Connection(int(sys.argv[1])) as connection:
        try:
            connection.send("")
            try:
                work = connection.recv()
            except EOFError:
                return
            except BaseException as error:  # a module may raise anything when it is imported, SystemExit too
                connection.send((f"{type(error).__name__}: {error}", _is_findable(error), False))
                return
            connection.send(("", True, "torch" in sys.modules))
            while True:
                connection.send(work(connection.recv()))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _is_findable(error: BaseException) -> bool:
    """Return whether what pickle looked for was found, and raised an error of its own."""
    own = (__file__, multiprocessing.connection.__file__)
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(not file.startswith("<frozen") and file not in own for file in files)


def _end_with_parent() -> None:
    """End this process as soon as the parent is gone, even in the middle of an item."""
    os.read(0, 1)
    os._exit(1)
