"""Transfers one pinned file to disk, from a folder or a server, within limits of size and time."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.targets import unwritable

if TYPE_CHECKING:
    import requests

    from zsarbench.interfaces import Task

MAX_ATTEMPTS = 3  # connections per file and call; each continues where the one before broke off
MAX_REDIRECTS = 5
TIMEOUT_SECONDS = 30.0  # without a byte
GRACE_SECONDS = 120.0  # that any file may take in all, and longer
MIN_BYTES_PER_SECOND = 1024.0  # as a larger one arrives at least at this rate
CHUNK_BYTES = 1 << 14  # what a broken connection loses at most
COPY_BYTES = 1 << 20  # read at once from a disk
MAX_CONNECTIONS = 8  # at once: class sentences are a hundred files of 200 bytes each


class ByteCount:
    """Counts bytes for a task from several threads; bytes that are dropped again count as negative."""

    def __init__(self, task: Task | None) -> None:
        self._task = task
        self._lock = threading.Lock()

    def add(self, n: int) -> None:
        """Count n bytes."""
        if self._task is not None and n:
            with self._lock:
                self._task.advance(n)


class Part:
    """A partial file on the disk with the sha256 of its bytes so far."""

    def __init__(self, path: Path, count: ByteCount) -> None:
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        self._count = count
        if path.exists():
            for chunk in chunks_of(path):
                self._add(chunk)

    @property
    def sha256(self) -> str:
        """The sha256 of the bytes so far."""
        return self._digest.hexdigest()

    def append(self, chunks: Iterable[bytes], up_to: int) -> None:
        """Write chunks to the end of the file, as far as this size, and keep those that arrived before an error.

        Raises:
            ZsarbenchError: they cannot be written.
        """
        with self._writing():
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            for chunk in chunks:
                kept = memoryview(chunk)[: up_to - self.size]
                with self._writing():
                    written = 0
                    while written < len(kept):
                        written += os.write(file, kept[written:])
                self._add(kept)
                if self.size >= up_to:
                    return
        finally:
            os.close(file)

    def restart(self) -> None:
        """Drop all bytes."""
        with self._writing():
            self.path.unlink(missing_ok=True)
        self._count.add(-self.size)
        self.size, self._digest = 0, hashlib.sha256()

    def finish(self, target: Path) -> None:
        """Flush the file and move it into place."""
        with self._writing():
            with self.path.open("rb+") as written:
                os.fsync(written.fileno())
            os.replace(self.path, target)

    def _add(self, chunk: bytes | memoryview) -> None:
        self.size += len(chunk)
        self._digest.update(chunk)
        self._count.add(len(chunk))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = "Try: free some space, or ZSARBENCH_CACHE=FOLDER, another one, and the same command again"
            raise unwritable(self.path.parent, f"download {self.path.name}", error, advice) from error


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file."""
    with path.open("rb") as file:
        while chunk := file.read(COPY_BYTES):
            yield chunk


def copy(source: Path, part: Part, size: int, advice: str) -> None:
    """Copy a file of a mirror folder, and one byte more than the pinned size where it is longer.

    Raises:
        ZsarbenchError: it cannot be read, or the copy cannot be written.
    """
    try:
        if not source.is_file():  # a pipe would never end
            code = errno.EISDIR if source.is_dir() else errno.ENOENT
            raise OSError(code, os.strerror(code))
        part.append(chunks_of(source), size + 1)
    except OSError as error:
        raise ZsarbenchError(f"cannot read {source}: {error.strerror}. {advice}") from error


def download(
    address: str, part: Part, size: int, session: requests.Session, advice: str, stopped: threading.Event
) -> None:
    """Download to the partial file, continuing where an earlier attempt broke off, and one byte more than its size.

    stopped: when it is set, the connection is cut; what has arrived stays.

    Raises:
        ZsarbenchError: the file does not exist, does not arrive within the time limit, or cannot be written.
    """
    import requests

    reason: object = ""
    limit = GRACE_SECONDS + size / MIN_BYTES_PER_SECOND
    with _cut_after(limit, stopped) as watch:
        for _ in range(MAX_ATTEMPTS):
            if part.size >= size or watch.is_over:
                break
            try:
                _continue(address, part, size, session)
                reason = "the answer was too short"
            except requests.HTTPError as error:
                status = error.response.status_code if error.response is not None else 0
                if status == requests.codes.range_not_satisfiable:  # the partial file is not the start of this file
                    part.restart()
                elif 400 <= status < 500:  # another attempt cannot help
                    raise ZsarbenchError(f"the server answers {error}. {advice}") from error
                reason = error
            except (requests.RequestException, OSError, ValueError) as error:  # a ValueError: an address of a redirect
                reason = error
    if part.size < size:
        reason = f"it takes longer than {limit:.0f} s" if watch.is_over else reason
        raise ZsarbenchError(f"cannot fetch {address}: {reason}; {part.size} of {size} bytes have arrived. {advice}")


def _continue(address: str, part: Part, size: int, session: requests.Session) -> None:
    """Append one answer of the server to the partial file, or restart it where the server ignores ranges.

    Raises:
        requests.RequestException: the answer is an error, or the connection broke.
    """
    import requests

    # A range of a compressed answer would be a range of other bytes: request the file as it is.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={part.size}-"} if part.size else {})
    for _ in range(MAX_REDIRECTS + 1):
        with session.get(address, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as answer:
            if answer.is_redirect:
                address = urljoin(address, answer.headers["location"])
                continue
            answer.raise_for_status()
            if part.size and answer.status_code != requests.codes.partial_content:
                part.restart()
            part.append(answer.iter_content(CHUNK_BYTES), size + 1)
            return
    raise requests.TooManyRedirects(f"more than {MAX_REDIRECTS} redirects")


# --- a total time -----------------------------------------------------------------------------------------------------

_IN_USE: dict[int, Any] = {}  # the connection of each thread that waits for a server


class _Watch:
    def __init__(self) -> None:
        self.is_over = False


@contextmanager
def _cut_after(seconds: float, stopped: threading.Event) -> Iterator[_Watch]:
    """Cut the connections that this thread uses once it is stopped, or so many seconds are over: each byte resets their
    own timeout.
    """
    watch, thread, ended = _Watch(), threading.get_ident(), threading.Event()

    def cut() -> None:
        end = time.monotonic() + seconds
        while not ended.wait(0.1):
            if stopped.is_set() or time.monotonic() >= end:  # a connection that begins just now is cut too
                watch.is_over = True
                _cut(_IN_USE.get(thread))

    guard = threading.Thread(target=cut, daemon=True)
    guard.start()
    try:
        yield watch
    finally:
        ended.set()
        _IN_USE.pop(thread, None)


def _cut(connection: Any) -> None:
    import socket

    for place in ("sock", "opened"):
        with suppress(AttributeError, OSError):  # none, or one that is closed
            getattr(connection, place).shutdown(socket.SHUT_RDWR)


def new_session() -> requests.Session:
    """Return a session whose connections can be cut, and which follows no redirects."""
    import requests

    def watched(pool: Any) -> Any:
        """Return a class of connection pools whose connections are known by the thread that uses them."""

        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            def request(self, *args: Any, **options: Any) -> None:
                _IN_USE[threading.get_ident()] = self
                super().request(*args, **options)
                self.opened = self.sock  # which a connection forgets where the server closes it after its answer

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options)
            pools = self.poolmanager.pool_classes_by_scheme
            self.poolmanager.pool_classes_by_scheme = {scheme: watched(pool) for scheme, pool in pools.items()}

    class Session(requests.Session):
        def get_redirect_target(self, resp: Any) -> None:
            """Leave a redirect to the caller: requests reads its body, however long, into memory."""

    session = Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, Adapter(pool_maxsize=MAX_CONNECTIONS))
    return session


# --- two processes ----------------------------------------------------------------------------------------------------

SECONDS_IN_SILENCE = 3.0  # of waiting for another process


@contextmanager
def locked(path: Path, say: Callable[[], None]) -> Iterator[None]:
    """Hold a lock among processes, so that two never write one partial file; no lock where the system has none.

    say: called once, after a few seconds of waiting for another process.
    """
    with path.open("ab") as file:
        began: float | None = time.monotonic()
        while not _try_lock(file.fileno()):
            if began is not None and time.monotonic() - began > SECONDS_IN_SILENCE:
                say()
                began = None
            time.sleep(0.1)
        yield


def _try_lock(file: int) -> bool:
    """Return whether this process has the lock, or locking is unavailable."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True
