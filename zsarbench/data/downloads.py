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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from zsarbench.data import transfers
from zsarbench.data.transfers import ByteCount, Part, locked
from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Progress
from zsarbench.utils.cache import cache_dir
from zsarbench.utils.targets import CACHE, check_folder

if TYPE_CHECKING:
    import requests

__all__ = ["Download", "RemoteFile", "fetch", "folder_of", "missing", "read_downloads"]

_log = logging.getLogger(__name__)

HOST = "https://raw.githubusercontent.com"


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
    folder, lacking = folder_of(download), missing(download)
    opened = progress.task(f"fetching {download.name}", download.size) if progress is not None else None
    with opened or contextlib.nullcontext() as task:
        count = ByteCount(task)
        count.add(download.size - sum(file.size for file in lacking))
        if not lacking:
            return folder
        origin = os.environ.get("ZSARBENCH_MIRROR", "").strip() or download.homepage
        _log.info("%s: fetching %d files from %s (%s)", download.name, len(lacking), origin, download.licence)
        for parent in {folder, *((folder / file.path).parent for file in lacking)}:
            check_folder(parent, f"download '{download.name}'", CACHE)
            parent.mkdir(parents=True, exist_ok=True)
        waiting = f"{download.name}: another process is fetching it; waiting for it to end"
        with locked(folder / ".lock", lambda: _log.warning(waiting)), transfers.new_session() as session:
            _in_parallel(lambda file, stopped: _fetch_file(download, file, session, count, stopped), lacking)
    return folder


def _in_parallel(work: Callable[[RemoteFile, threading.Event], None], files: tuple[RemoteFile, ...]) -> None:
    """Do the work on every file; the first error, and Ctrl-C, stop the rest instead of waiting for its end."""
    pool, stopped = ThreadPoolExecutor(max_workers=transfers.MAX_CONNECTIONS), threading.Event()
    try:
        for done in as_completed([pool.submit(work, file, stopped) for file in files]):
            done.result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _fetch_file(
    download: Download, file: RemoteFile, session: requests.Session, count: ByteCount, stopped: threading.Event
) -> None:
    """Put one file in place, unless another process has done so meanwhile."""
    target = folder_of(download) / file.path
    if _is_stored(target, file):
        count.add(file.size)
        return
    part = Part(target.with_name(target.name + ".part"), count)
    place = _place(download, file)
    if isinstance(place, Path):
        part.restart()
        transfers.copy(place, part, file.size, _advice())
    else:
        resumed = part.size > 0
        transfers.download(place, part, file.size, session, _advice(), stopped)
        if resumed and not _matches(part, file):
            part.restart()  # what an earlier call left was not the start of this file
            transfers.download(place, part, file.size, session, _advice(), stopped)
    if not _matches(part, file):
        sha256, size = part.sha256, part.size
        part.restart()
        longer = " or more" if size > file.size else ""
        raise ZsarbenchError(
            f"{file.path} from {place} is not the pinned file: expected sha256 {file.sha256} ({file.size} bytes), "
            f"got {sha256} ({size} bytes{longer}). {_advice()}"
        )
    part.finish(target)


def _matches(part: Part, file: RemoteFile) -> bool:
    return part.size == file.size and part.sha256 == file.sha256


def _place(download: Download, file: RemoteFile) -> Path | str:
    """Return where to read the file: a path under a mirror folder, or an address."""
    mirror = os.environ.get("ZSARBENCH_MIRROR", "").strip()
    if mirror.startswith(("http://", "https://")) or not mirror:
        return f"{(mirror or HOST).rstrip('/')}/{quote(f'{download.source}/{file.path}')}"
    folder = Path(url2pathname(urlsplit(mirror).path)) if mirror.startswith("file:") else Path(mirror).expanduser()
    return folder / download.source / file.path


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
