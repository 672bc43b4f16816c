"""Downloads against a real HTTP server on this machine and against mirror folders."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from zsarbench.data import transfers
from zsarbench.data.downloads import Download, RemoteFile, fetch, folder_of, missing, read_downloads
from zsarbench.data.transfers import CHUNK_BYTES
from zsarbench.errors import ZsarbenchError

SOURCE = "someone/some-repo/0123abcd"
BIG = bytes(range(256)) * 4096  # 1 MiB: several chunks
SMALL = "a sentence – with a dash".encode()


def pinned(path: str, content: bytes) -> RemoteFile:
    return RemoteFile(path, hashlib.sha256(content).hexdigest(), len(content))


def download_of(**files: bytes) -> Download:
    pins = tuple(pinned(path, content) for path, content in files.items())
    return Download(name="toy", files=pins, source=SOURCE, licence="MIT", summary="A toy.")


class Server(ThreadingHTTPServer):
    """Serves `files` and records the requests; can break off answers, send wrong bytes, ignore ranges and fail."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.break_after: int | None = None  # bytes of a body, after which the connection closes
        self.breaks = 0
        self.ranges = True
        self.status = 200
        self.goes_on = threading.Event()
        self.goes_on.set()  # else answers stop after the first half of their body

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mirror"


class CountedBytes:
    """A `Progress` that adds up what is counted."""

    def __init__(self) -> None:
        self.description, self.total, self.done = "", 0, 0
        self.counts: list[int] = []

    @contextmanager
    def task(self, description: str, total: int | None = None) -> Iterator[CountedBytes]:
        self.description, self.total = description, total or 0
        yield self

    def advance(self, n: int = 1, note: str = "") -> None:
        self.counts.append(n)
        self.done += n


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server, byte_range = self.server, self.headers.get("Range")
        assert self.headers.get("Accept-Encoding") == "identity"
        server.requests.append((self.path, byte_range))
        prefix = f"/mirror/{SOURCE}/"
        content = server.files.get(self.path.removeprefix(prefix)) if self.path.startswith(prefix) else None
        if content is None or server.status != 200:
            self.send_error(404 if content is None else server.status)
            return
        start = int(byte_range.removeprefix("bytes=").removesuffix("-")) if byte_range and server.ranges else 0
        if start >= len(content) > 0:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        body = content[start:]
        if server.break_after is not None and server.breaks > 0:
            server.breaks -= 1
            body = body[: server.break_after]
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        server.goes_on.wait(30)
        with contextlib.suppress(OSError):  # who asked is gone
            self.wfile.write(body[len(body) // 2 :])


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    served = Server()
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZSARBENCH_MIRROR", served.address)
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror folder with `a.txt`."""
    folder = tmp_path / "mirror"
    (folder / SOURCE).mkdir(parents=True)
    (folder / SOURCE / "a.txt").write_bytes(SMALL)
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZSARBENCH_MIRROR", str(folder))
    return folder


def part_of(download: Download, path: str) -> Path:
    return folder_of(download) / f"{path}.part"


def test_fetches_into_the_cache_and_requests_once(server: Server, tmp_path: Path) -> None:
    server.files = {"data/big.bin": BIG, "texts/air%20drumming.txt": SMALL}
    download = download_of(**{"data/big.bin": BIG, "texts/air drumming.txt": SMALL})
    progress = CountedBytes()

    folder = fetch(download, progress=progress)

    assert folder == tmp_path / "cache" / "downloads" / "toy"
    assert (folder / "data/big.bin").read_bytes() == BIG
    assert (folder / "texts/air drumming.txt").read_bytes() == SMALL
    assert (progress.description, progress.total, progress.done) == ("fetching toy", download.size, download.size)
    assert len(progress.counts) > len(BIG) // CHUNK_BYTES  # counted as they arrive
    fetch(download)
    assert len(server.requests) == 2
    assert not list(folder.rglob("*.part"))


def test_progress_counts_every_byte_once_whatever_was_there_or_is_dropped_again(server: Server) -> None:
    server.files = {"a": SMALL, "b": BIG, "c": BIG[:500]}
    download = download_of(**server.files)
    folder = fetch(download)
    (folder / "b").unlink()
    (folder / "b.part").write_bytes(BIG[: 3 * CHUNK_BYTES])
    (folder / "c").unlink()
    (folder / "c.part").write_bytes(b"not the start of it")
    server.break_after, server.breaks = 2 * CHUNK_BYTES, 1
    for expected in (len(BIG) + 500, 0):
        progress, before = CountedBytes(), download.size - expected
        fetch(download, progress=progress)
        assert progress.counts[0] == before
        assert progress.done == progress.total == download.size


def test_an_answer_longer_than_the_pinned_file_is_not_read_to_its_end(server: Server) -> None:
    server.files = {"a.txt": BIG}
    with pytest.raises(ZsarbenchError, match=rf"a\.txt.*expected sha256 .*got .* \({len(SMALL) + 1} bytes or more\)"):
        fetch(download_of(**{"a.txt": SMALL}))


def test_only_what_is_missing_or_damaged_is_fetched_again(server: Server) -> None:
    server.files = {"a": SMALL, "b": BIG, "c": BIG[:500]}
    download = download_of(**server.files)
    folder = fetch(download)
    server.requests.clear()
    (folder / "a").write_bytes(SMALL[:-1] + b"!")  # same size, other bytes
    (folder / "c").write_bytes(BIG[:100])  # truncated
    assert [file.path for file in missing(download)] == ["a", "c"]

    fetch(download)

    assert sorted(path.rsplit("/", 1)[1] for path, _ in server.requests) == ["a", "c"]
    assert missing(download) == ()


def test_a_broken_connection_goes_on_by_range(server: Server) -> None:
    server.files = {"big.bin": BIG}
    server.break_after, server.breaks = 19 * CHUNK_BYTES, 2
    download = download_of(**server.files)

    assert (fetch(download) / "big.bin").read_bytes() == BIG

    assert [byte_range for _, byte_range in server.requests] == [
        None,
        f"bytes={19 * CHUNK_BYTES}-",
        f"bytes={38 * CHUNK_BYTES}-",
    ]


def test_a_broken_download_resumes_in_a_later_call(server: Server) -> None:
    server.files = {"big.bin": BIG}
    server.break_after, server.breaks = 6 * CHUNK_BYTES, 3
    download = download_of(**server.files)
    with pytest.raises(
        ZsarbenchError, match=rf"cannot fetch http://127.*; {18 * CHUNK_BYTES} of .*have arrived.*ZSARBENCH_MIRROR="
    ):
        fetch(download)
    assert not (folder_of(download) / "big.bin").exists()
    server.requests.clear()

    assert (fetch(download) / "big.bin").read_bytes() == BIG

    assert [byte_range for _, byte_range in server.requests] == [f"bytes={18 * CHUNK_BYTES}-"]


def test_a_server_without_ranges_is_read_from_the_start(server: Server) -> None:
    server.files, server.ranges = {"big.bin": BIG}, False
    server.break_after, server.breaks = 19 * CHUNK_BYTES, 1
    download = download_of(**server.files)

    assert (fetch(download) / "big.bin").read_bytes() == BIG

    assert [byte_range for _, byte_range in server.requests] == [None, f"bytes={19 * CHUNK_BYTES}-"]


@pytest.mark.parametrize("left", [b"not the start of it", BIG, BIG + b"more"], ids=["other", "whole", "longer"])
def test_a_partial_file_of_any_content_ends_well(server: Server, left: bytes) -> None:
    server.files = {"big.bin": BIG}
    download = download_of(**server.files)
    part = part_of(download, "big.bin")
    part.parent.mkdir(parents=True)
    part.write_bytes(left)

    assert (fetch(download) / "big.bin").read_bytes() == BIG

    assert len(server.requests) == {BIG: 0, BIG + b"more": 1}.get(left, 2)
    assert not part.exists()


def test_a_wrong_hash_names_file_expected_and_got_and_leaves_nothing(server: Server) -> None:
    server.files = {"a.txt": SMALL[:-1] + b"!"}
    download = download_of(**{"a.txt": SMALL})
    got = hashlib.sha256(server.files["a.txt"]).hexdigest()

    with pytest.raises(ZsarbenchError) as error:
        fetch(download)

    for part in ("a.txt", download.files[0].sha256, got, "ZSARBENCH_MIRROR="):
        assert part in str(error.value)
    assert [path.name for path in folder_of(download).rglob("*") if path.name != ".lock"] == []


@pytest.mark.parametrize(("status", "n_requests"), [(404, 1), (403, 1), (503, 3)])
def test_an_answer_that_is_an_error_says_what_to_type(server: Server, status: int, n_requests: int) -> None:
    server.files = {} if status == 404 else {"a.txt": SMALL}
    server.status = status
    with pytest.raises(ZsarbenchError, match=rf"{status}.*a\.txt.*ZSARBENCH_MIRROR="):
        fetch(download_of(**{"a.txt": SMALL}))
    assert len(server.requests) == n_requests


def test_no_network_says_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Server()
    closed.server_close()
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("ZSARBENCH_MIRROR", closed.address)
    with pytest.raises(ZsarbenchError, match=r"cannot fetch .*a\.txt.*ZSARBENCH_MIRROR="):
        fetch(download_of(**{"a.txt": SMALL}))


@pytest.mark.parametrize("as_address", [False, True], ids=["folder", "file-address"])
def test_a_mirror_may_be_a_folder(mirror: Path, monkeypatch: pytest.MonkeyPatch, as_address: bool) -> None:
    if as_address:
        monkeypatch.setenv("ZSARBENCH_MIRROR", mirror.as_uri())
    folder = fetch(download_of(**{"a.txt": SMALL}))
    assert (folder / "a.txt").read_bytes() == SMALL
    assert (mirror / SOURCE / "a.txt").read_bytes() == SMALL  # copied, not moved


def test_a_relative_mirror_folder(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mirror.parent)
    monkeypatch.setenv("ZSARBENCH_MIRROR", "mirror")
    assert (fetch(download_of(**{"a.txt": SMALL})) / "a.txt").read_bytes() == SMALL


def test_a_file_missing_or_wrong_in_a_mirror_folder(mirror: Path) -> None:
    with pytest.raises(ZsarbenchError, match=r"cannot read .*b\.txt: No such file.*ZSARBENCH_MIRROR="):
        fetch(download_of(**{"b.txt": SMALL}))
    with pytest.raises(ZsarbenchError, match=r"a\.txt.*expected sha256 .*got"):
        fetch(download_of(**{"a.txt": SMALL + b"?"}))
    assert not (folder_of(download_of()) / "a.txt").exists()


def test_the_first_error_ends_the_rest(server: Server) -> None:
    files = {f"{index}.txt": str(index).encode() for index in range(400)}
    with pytest.raises(ZsarbenchError, match="404"):
        fetch(download_of(**files))
    assert len(server.requests) < 100


def test_the_first_error_does_not_wait_for_a_slow_file(server: Server) -> None:
    server.files = {"slow.txt": BIG}
    server.goes_on.clear()
    with pytest.raises(ZsarbenchError, match="404"):
        fetch(download_of(**{"slow.txt": BIG, "missing.txt": SMALL}))
    assert not (folder_of(download_of()) / "slow.txt").exists()  # as after all of it had arrived
    server.goes_on.set()
    assert (fetch(download_of(**{"slow.txt": BIG})) / "slow.txt").read_bytes() == BIG


@pytest.mark.parametrize("path", ["../a", "/etc/passwd", "a/../../b", "", "c:\\a"])
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="relative path"):
        RemoteFile(path, "0" * 64, 1)


def test_the_homepage_is_the_pinned_commit() -> None:
    assert download_of().homepage == "https://github.com/someone/some-repo/tree/0123abcd"


def test_pinned_lists_are_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "pins.toml"
    fields = f'name = "toy"\nsource = "{SOURCE}"\nlicence = "MIT"\nsummary = "A toy."'
    pin = pinned("texts/air drumming.txt", SMALL)
    file.write_text(f'[[downloads]]\n{fields}\nfiles = """\n{pin.sha256} {pin.size} {pin.path}\n\n"""\n')
    assert read_downloads(file) == (download_of(**{"texts/air drumming.txt": SMALL}),)


class Endless(threading.Thread):
    """A server that answers every request with a start and then the same bytes again and again, until it is closed."""

    def __init__(self, start: bytes, again: bytes, pause: float) -> None:
        super().__init__(daemon=True)
        self.start_with, self.again, self.pause = start, again, pause
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sent = 0
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(self.start_with)
            while True:
                connection.sendall(self.again)
                self.sent += len(self.again)
                time.sleep(self.pause)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("start", "again", "pause"),
    [
        (OK + b"Content-Length: 6\r\n\r\n", b"a", 0.05),  # hi, at a byte in 50 ms
        (b"HTTP/1.0 200 OK\r\n\r\n", b"a", 0.05),
        (OK, b"X-More: 1\r\n", 0.3),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    ],
    ids=["a body that drips", "the body of a connection of its own", "headers that drip", "no end of interim answers"],
)
def test_a_download_has_a_total_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes, again: bytes, pause: float
) -> None:
    server = Endless(start, again, pause)
    monkeypatch.setattr(transfers, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr(transfers, "MIN_BYTES_PER_SECOND", 1e9)
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZSARBENCH_MIRROR", server.address)
    with pytest.raises(ZsarbenchError, match=r"a\.txt: it takes longer than 0 s; \d+ of \d+ bytes have arrived"):
        fetch(download_of(**{"a.txt": SMALL * 10}))


@pytest.mark.parametrize(
    "start", [OK + b"\r\n", b"HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n"], ids=["a file", "a redirect"]
)
def test_an_answer_without_end_is_not_read_further_than_the_pinned_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    server = Endless(start, b"x" * 2**16, 0.0)
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZSARBENCH_MIRROR", server.address)
    with pytest.raises(ZsarbenchError, match=r"\(\d+ bytes or more\)|more than 5 redirects"):
        fetch(download_of(**{"a.txt": SMALL}))
    assert server.sent < 2**26  # what the sockets' buffers take
    assert not list(tmp_path.rglob("*.part"))


def test_a_redirect_is_followed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files = {"a.txt": SMALL}
    there = f"{server.address}/{SOURCE}/a.txt".encode()
    redirecting = Endless(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + there + b"\r\n\r\n", b"", 1.0)
    monkeypatch.setenv("ZSARBENCH_MIRROR", redirecting.address)
    assert (fetch(download_of(**{"a.txt": SMALL})) / "a.txt").read_bytes() == SMALL


FULL = """
import resource, sys
from zsarbench.data.downloads import Download, RemoteFile, fetch
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
fetch(Download(name="toy", files=(RemoteFile("a.txt", "0" * 64, 10**6),), source=sys.argv[1], licence="", summary=""))
"""


def test_a_full_disk_is_not_a_fault_of_the_mirror(mirror: Path) -> None:
    (mirror / SOURCE / "a.txt").write_bytes(bytes(10**6))
    run = subprocess.run([sys.executable, "-c", FULL, SOURCE], capture_output=True, text=True, timeout=300)
    last_line = run.stderr.strip().splitlines()[-1]
    assert "download a.txt.part cannot be written to" in last_line
    assert "File too large. Try: free some space" in last_line
    assert "ZSARBENCH_MIRROR" not in last_line


def test_a_file_where_a_folder_is_needed_is_named(mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(ZsarbenchError, match=r"download 'toy' cannot be written to .*cache.*ZSARBENCH_CACHE=FOLDER"):
        fetch(download_of(**{"a.txt": SMALL}))


def test_waiting_for_another_process_is_logged(
    mirror: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(transfers, "SECONDS_IN_SILENCE", 0.1)
    folder = folder_of(download_of())
    folder.mkdir(parents=True)
    with (folder / ".lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        release = threading.Timer(0.5, lambda: fcntl.flock(held, fcntl.LOCK_UN))
        release.start()
        fetch(download_of(**{"a.txt": SMALL}))
        release.join()
    assert caplog.text.count("toy: another process is fetching it") == 1
