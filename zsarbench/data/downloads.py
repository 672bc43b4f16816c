"""Fetches pinned files of public repositories, verifies their sha256 and resumes interrupted downloads.

A file's address is `https://raw.githubusercontent.com/<owner>/<repo>/<commit>/<path>`. The environment variable
`ZSARBENCH_MIRROR`, a folder or an http(s) or file address, replaces the host part.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.cache import cache_dir

if TYPE_CHECKING:
    import requests

    from zsarbench.interfaces import Progress, Task

__all__ = ["Download", "RemoteFile", "fetch", "folder_of", "missing", "read_downloads"]

_log = logging.getLogger(__name__)

HOST = "https://raw.githubusercontent.com"
MAX_ATTEMPTS = 3  # connections per file and call; each continues where the one before broke off
TIMEOUT_SECONDS = 30.0  # without a byte
CHUNK_BYTES = 1 << 14  # what a broken connection loses at most
COPY_BYTES = 1 << 20  # read at once from a disk
MAX_CONNECTIONS = 8  # at once: class sentences are a hundred files of 200 bytes each


@dataclass(frozen=True)
class RemoteFile:
    """One file of a download: its path in the repository, its sha256 in hex, its size in bytes."""

    path: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        """Refuse a path that would leave the download's folder."""
        parts = PurePosixPath(self.path).parts
        if not parts or ".." in parts or self.path.startswith("/") or "\\" in self.path or ":" in self.path:
            raise ValueError(f"not a relative path inside a repository: {self.path!r}")


@dataclass(frozen=True, kw_only=True)
class Download:
    """Pinned files of one repository that belong together.

    source: `<owner>/<repo>/<commit>`. licence: of the repository. summary: one sentence.
    """

    name: str
    files: tuple[RemoteFile, ...]
    source: str
    licence: str
    summary: str

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return sum(file.size for file in self.files)

    @property
    def homepage(self) -> str:
        """The address of a page that shows the source."""
        owner, repo, commit = self.source.split("/")
        return f"https://github.com/{owner}/{repo}/tree/{commit}"


def read_downloads(path: Path) -> tuple[Download, ...]:
    """Read the downloads that a plugin pins in a TOML file: `[[downloads]]` tables with the fields of `Download`.

    `files` is a text with one `<sha256> <size> <path>` per line.
    """
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["downloads"]
    return tuple(Download(**{**table, "files": _read_files(table["files"])}) for table in tables)


def _read_files(text: str) -> tuple[RemoteFile, ...]:
    """Read lines of sha256, size and path; a path may hold spaces."""
    fields = (line.split(maxsplit=2) for line in text.splitlines() if line.strip())
    return tuple(RemoteFile(path, sha256, int(size)) for sha256, size, path in fields)


def folder_of(download: Download) -> Path:
    """Return the folder of a download's files, which keep their paths in the repository."""
    return cache_dir() / "downloads" / download.name


def missing(download: Download) -> tuple[RemoteFile, ...]:
    """Return the files that are not stored with the right size and sha256."""
    folder = folder_of(download)
    return tuple(file for file in download.files if not _is_stored(folder / file.path, file))


def fetch(download: Download, *, progress: Progress | None = None) -> Path:
    """Fetch the missing files of a download and return the folder of all its files.

    A file gets its name only after its size and sha256 were verified; until then it is `<name>.part`, which a later
    call continues where the server can. progress: counts bytes, those of stored files included.

    Raises:
        ZsarbenchError: a file is unavailable, or is not the pinned file.
    """
    import requests

    folder, lacking = folder_of(download), missing(download)
    shown = progress.task(f"fetching {download.name}", download.size) if progress is not None else None
    with shown or contextlib.nullcontext() as task:
        count = _ByteCount(task)
        count.add(download.size - sum(file.size for file in lacking))
        if not lacking:
            return folder
        _log.info(
            "%s: fetching %d files from %s (%s)", download.name, len(lacking), download.homepage, download.licence
        )
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / ".lock"), requests.Session() as session:
            session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=MAX_CONNECTIONS))
            session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=MAX_CONNECTIONS))
            _in_parallel(lambda file: _fetch_file(download, file, session, count), lacking)
    return folder


class _ByteCount:
    """Counts bytes for a task from several threads; bytes that are dropped again count as negative."""

    def __init__(self, task: Task | None) -> None:
        self._task = task
        self._lock = threading.Lock()

    def add(self, n: int) -> None:
        if self._task is not None and n:
            with self._lock:
                self._task.advance(n)


class _Part:
    """A partial file on the disk with the sha256 of its bytes so far."""

    def __init__(self, path: Path, count: _ByteCount) -> None:
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        self._count = count
        if path.exists():
            for chunk in _chunks_of(path):
                self._add(chunk)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def matches(self, file: RemoteFile) -> bool:
        return self.size == file.size and self.sha256 == file.sha256

    def append(self, chunks: Iterable[bytes]) -> None:
        """Write chunks to the end of the file, and keep those that arrived before an error."""
        with self.path.open("ab") as output:
            for chunk in chunks:
                output.write(chunk)
                self._add(chunk)

    def restart(self) -> None:
        """Drop all bytes."""
        self.path.unlink(missing_ok=True)
        self._count.add(-self.size)
        self.size, self._digest = 0, hashlib.sha256()

    def _add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._digest.update(chunk)
        self._count.add(len(chunk))


def _in_parallel(work: Callable[[RemoteFile], None], files: tuple[RemoteFile, ...]) -> None:
    """Do the work on every file; the first error ends the rest instead of waiting for each to fail alike."""
    pool = ThreadPoolExecutor(max_workers=MAX_CONNECTIONS)
    try:
        for _ in pool.map(work, files):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


def _fetch_file(download: Download, file: RemoteFile, session: requests.Session, count: _ByteCount) -> None:
    """Put one file in place, unless another process has done so meanwhile."""
    target = folder_of(download) / file.path
    if _is_stored(target, file):
        count.add(file.size)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target.with_name(target.name + ".part"), count)
    place = _place(download, file)
    if isinstance(place, Path):
        part.restart()
        _copy(place, part)
    else:
        resumed = part.size > 0
        _download(place, part, file, session)
        if resumed and not part.matches(file):
            part.restart()  # what an earlier call left was not the start of this file
            _download(place, part, file, session)
    if not part.matches(file):
        sha256, size = part.sha256, part.size
        part.restart()
        raise ZsarbenchError(
            f"{file.path} from {place} is not the pinned file: expected sha256 {file.sha256} ({file.size} bytes), "
            f"got {sha256} ({size} bytes). {_advice()}"
        )
    with part.path.open("rb+") as written:
        os.fsync(written.fileno())
    os.replace(part.path, target)


def _place(download: Download, file: RemoteFile) -> Path | str:
    """Return where to read the file: a path under a mirror folder, or an address."""
    mirror = os.environ.get("ZSARBENCH_MIRROR", "").strip()
    if mirror.startswith(("http://", "https://")) or not mirror:
        return f"{(mirror or HOST).rstrip('/')}/{quote(f'{download.source}/{file.path}')}"
    folder = Path(url2pathname(urlsplit(mirror).path)) if mirror.startswith("file:") else Path(mirror).expanduser()
    return folder / download.source / file.path


def _copy(source: Path, part: _Part) -> None:
    """Copy a file of a mirror folder."""
    try:
        part.append(_chunks_of(source))
    except OSError as error:
        raise ZsarbenchError(f"cannot read {source}: {error.strerror}. {_advice()}") from error


def _download(address: str, part: _Part, file: RemoteFile, session: requests.Session) -> None:
    """Download to the partial file, continuing where an earlier attempt broke off."""
    import requests

    reason: object = ""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        if part.size >= file.size:
            return
        try:
            _continue(address, part, file, session)
            reason = "the answer was too short"
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status == requests.codes.range_not_satisfiable:  # the partial file is not the start of this file
                part.restart()
            elif 400 <= status < 500:  # another attempt cannot help
                raise ZsarbenchError(f"the server answers {error}. {_advice()}") from error
            reason = error
        except (requests.RequestException, OSError) as error:
            reason = error
        if part.size < file.size:
            _log.debug("%s: attempt %d of %d: %s", address, attempt, MAX_ATTEMPTS, reason)
    if part.size < file.size:
        raise ZsarbenchError(
            f"cannot fetch {address}: {reason}; {part.size} of {file.size} bytes have arrived. {_advice()}"
        )


def _continue(address: str, part: _Part, file: RemoteFile, session: requests.Session) -> None:
    """Append one answer of the server to the partial file, or restart it where the server ignores ranges.

    Raises:
        requests.RequestException: the answer is an error, or the connection broke.
    """
    import requests

    # A range of a compressed answer would be a range of other bytes: request the file as it is.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={part.size}-"} if part.size else {})
    with session.get(address, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as answer:
        answer.raise_for_status()
        if part.size and answer.status_code != requests.codes.partial_content:
            part.restart()
        part.append(_until_longer(answer.iter_content(CHUNK_BYTES), file.size - part.size))


def _until_longer(chunks: Iterable[bytes], n_bytes: int) -> Iterator[bytes]:
    """Yield chunks until they are longer than expected, so that a wrong file of any length ends soon."""
    for chunk in chunks:
        yield chunk
        n_bytes -= len(chunk)
        if n_bytes < 0:
            return


def _chunks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(COPY_BYTES):
            yield chunk


def _is_stored(path: Path, file: RemoteFile) -> bool:
    """Return whether the path holds the pinned file."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stored:
        return hashlib.file_digest(stored, "sha256").hexdigest() == file.sha256


def _advice() -> str:
    """Return what to type when files are unavailable in the place where they were looked for."""
    mirror = os.environ.get("ZSARBENCH_MIRROR")
    if mirror:
        return (
            f"ZSARBENCH_MIRROR is {mirror!r}; files are looked for under it as <owner>/<repo>/<commit>/<path>. "
            f"Correct it (ZSARBENCH_MIRROR=FOLDER_OR_ADDRESS) or unset it to use {HOST}"
        )
    return (
        "Run the same command again to continue, or name a copy: "
        "ZSARBENCH_MIRROR=FOLDER_OR_ADDRESS with the files under it as <owner>/<repo>/<commit>/<path>"
    )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock among processes, so that two never write one partial file; no lock where the system has none."""
    with path.open("ab") as file:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
