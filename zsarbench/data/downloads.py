"""Fetches pinned files of public repositories, checks their sha256 and resumes what broke off.

A file's address is `https://raw.githubusercontent.com/<owner>/<repo>/<commit>/<path>`. The environment variable
`ZSARBENCH_MIRROR`, a folder or an http(s) or file address, replaces the host part.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.cache import cache_dir

log = logging.getLogger(__name__)

HOST = "https://raw.githubusercontent.com"
ATTEMPTS = 3  # connections per file and run; each goes on where the one before broke off
TIMEOUT_SECONDS = 30.0  # without a byte
CHUNK_BYTES = 1 << 14  # what a broken connection loses at most
CONNECTIONS = 8  # at once: class sentences are a hundred files of 200 bytes each

Progress = Callable[[int, int], None]
"""Called after each file with the bytes that are there and the bytes in all."""


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


@dataclass(frozen=True)
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
        """The address at which a person can look at the source."""
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
    """Return the folder that the download's files lie in, under their paths in the repository."""
    return cache_dir() / "downloads" / download.name


def missing(download: Download) -> tuple[RemoteFile, ...]:
    """Return the files that are not there with the right size and hash."""
    folder = folder_of(download)
    return tuple(file for file in download.files if not _is_there(folder / file.path, file))


def fetch(download: Download, *, progress: Progress | None = None) -> Path:
    """Fetch what is missing of a download and return the folder that its files lie in.

    Files that are there with the right hash are not fetched again. A file gets its name only after its size and hash
    were checked; until then it is `<name>.part`, which a later call goes on from where the server can.

    Raises:
        ZsarbenchError: a file cannot be had, or is not the file that was pinned.
    """
    folder = folder_of(download)
    wanted = missing(download)
    there = download.size - sum(file.size for file in wanted)
    if wanted:
        log.info("%s: fetching %d files from %s (%s)", download.name, len(wanted), download.homepage, download.licence)
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / ".lock"):
            for file in _in_parallel(lambda file: _fetch_file(download, file, folder), wanted):
                there += file.size
                if progress is not None:
                    progress(there, download.size)
    return folder


def _in_parallel(work: Callable[[RemoteFile], RemoteFile], files: tuple[RemoteFile, ...]) -> Iterator[RemoteFile]:
    """Yield the results in order; the first error ends the rest instead of waiting for each to fail alike."""
    pool = ThreadPoolExecutor(max_workers=CONNECTIONS)
    try:
        yield from pool.map(work, files)
    finally:
        pool.shutdown(cancel_futures=True)


def _fetch_file(download: Download, file: RemoteFile, folder: Path) -> RemoteFile:
    """Bring one file to its place, unless another process has done so meanwhile."""
    target = folder / file.path
    if _is_there(target, file):
        return file
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    place = _place(download, file)
    resumed = part.exists() and isinstance(place, str)
    _bring(place, part, file)
    if resumed and not _is_there(part, file):
        part.unlink()  # what an earlier run left was not the start of this file
        _bring(place, part, file)
    _check(part, file, place)
    with part.open("rb+") as written:
        os.fsync(written.fileno())
    os.replace(part, target)
    return file


def _place(download: Download, file: RemoteFile) -> Path | str:
    """Return where the file comes from: a path under a mirror folder, or an address."""
    mirror = os.environ.get("ZSARBENCH_MIRROR", "").strip()
    if mirror.startswith(("http://", "https://")) or not mirror:
        return f"{(mirror or HOST).rstrip('/')}/{quote(f'{download.source}/{file.path}')}"
    folder = Path(url2pathname(urlsplit(mirror).path)) if mirror.startswith("file:") else Path(mirror).expanduser()
    return folder / download.source / file.path


def _bring(place: Path | str, part: Path, file: RemoteFile) -> None:
    """Write what the place holds to the partial file."""
    if isinstance(place, str):
        _from_web(place, part, file)
        return
    try:
        shutil.copyfile(place, part)
    except OSError as error:
        raise ZsarbenchError(f"cannot read {place}: {error.strerror}. {_advice()}") from error


def _from_web(address: str, part: Path, file: RemoteFile) -> None:
    """Download to the partial file, going on where an earlier attempt broke off."""
    import requests

    for attempt in range(1, ATTEMPTS + 1):
        reason: object = "the answer was too short"
        try:
            _continue_from_web(address, part, file)
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status == 416:  # no such range: what is there is not the start of this file
                part.unlink(missing_ok=True)
            elif 400 <= status < 500:  # asking again will not help
                raise ZsarbenchError(f"the server answers {error}. {_advice()}") from error
            reason = error
        except (requests.RequestException, OSError) as error:
            reason = error
        done = part.stat().st_size if part.exists() else 0
        if done >= file.size:
            return
        log.debug("%s: attempt %d of %d: %s", address, attempt, ATTEMPTS, reason)
    raise ZsarbenchError(f"cannot fetch {address}: {reason}; {done} of {file.size} bytes are there. {_advice()}")


def _continue_from_web(address: str, part: Path, file: RemoteFile) -> None:
    """Append one answer of the server to the partial file, or start it anew where the server knows no ranges."""
    import pooch
    import requests

    done = part.stat().st_size if part.exists() else 0
    if done >= file.size:
        return
    # A range of a compressed answer would be a range of other bytes: ask for the file as it is.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with part.open("ab") as output:

        def restart_unless_range(answer: requests.Response, **_: object) -> None:
            if answer.status_code == 200:  # not 206: the whole file comes
                output.truncate(0)

        download = pooch.HTTPDownloader(
            chunk_size=CHUNK_BYTES, timeout=TIMEOUT_SECONDS, headers=headers, hooks={"response": restart_unless_range}
        )
        download(address, output, None)


def _is_there(path: Path, file: RemoteFile) -> bool:
    """Return whether the path holds the pinned file."""
    import pooch

    return path.is_file() and path.stat().st_size == file.size and pooch.file_hash(str(path)) == file.sha256


def _check(part: Path, file: RemoteFile, place: Path | str) -> None:
    """Remove a file that is not the pinned one, and say so."""
    import pooch

    size, found = part.stat().st_size, pooch.file_hash(str(part))
    if size == file.size and found == file.sha256:
        return
    part.unlink()
    raise ZsarbenchError(
        f"{file.path} from {place} is not the pinned file: expected sha256 {file.sha256} ({file.size} bytes), "
        f"got {found} ({size} bytes). {_advice()}"
    )


def _advice() -> str:
    """Return what to type when files cannot be had from where they were looked for."""
    mirror = os.environ.get("ZSARBENCH_MIRROR")
    if mirror:
        return (
            f"ZSARBENCH_MIRROR is {mirror!r}; files are looked for under it as <owner>/<repo>/<commit>/<path>. "
            f"Correct it (ZSARBENCH_MIRROR=FOLDER_OR_ADDRESS) or unset it to use {HOST}"
        )
    return (
        "Run the same command again to go on from what is there, or name a copy: "
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
