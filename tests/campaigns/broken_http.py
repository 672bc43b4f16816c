"""Downloads from a server on loopback whose answers are broken; what lies in the cache afterwards is right, or nothing.

python tests/campaigns/broken_http.py --seed 0 --trials 600

In each trial the server breaks some of its first answers, then serves as it should. A trial fails where `fetch` raises
anything but an error for users, where a file in place has other bytes than the pinned ones, where a sound server cannot
finish what was begun, or where more bytes were read than a file has. (It is not called http.py, which would be the
standard library's `http` to everything that this program imports.)
"""

from __future__ import annotations

import hashlib
import os
import random
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer

import common
from common import Campaign

ENDLESS = 64 * 2**20  # bytes after which an endless answer ends all the same
SLACK = 8 * 2**20  # bytes that lie in buffers of sockets beyond what was read
SOURCE = "someone/some-repo/0123abcd"


def body(content: bytes, start: int) -> bytes:
    head = f"HTTP/1.1 {'206 Partial Content' if start else '200 OK'}\r\nContent-Length: {len(content) - start}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + content[start:]


def _other(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


Answer = Callable[[bytes, int, random.Random], bytes]
HEAD = b"HTTP/1.1 200 OK\r\n"
BROKEN: dict[str, Answer] = {
    "cut": lambda content, start, rng: body(content, start)[: rng.randrange(1, len(content) + 60)],
    "empty": lambda content, start, rng: HEAD + b"Content-Length: 0\r\n\r\n",
    "nothing": lambda content, start, rng: b"",
    "garbage": lambda content, start, rng: rng.randbytes(200),
    "other bytes": lambda content, start, rng: body(_other(content, rng), start),
    "other file": lambda content, start, rng: body(b"<html>log in</html>" * rng.randrange(1, 900), 0),
    "no length": lambda content, start, rng: HEAD + b"\r\n" + content[start:],
    "long length": lambda content, start, rng: HEAD + b"Content-Length: 10000000000\r\n\r\n" + content[start:],
    "negative length": lambda content, start, rng: HEAD + b"Content-Length: -5\r\n\r\n" + content[start:],
    "odd length": lambda content, start, rng: HEAD + b"Content-Length: 5, 7\r\n\r\n" + content[start:],
    "ignored range": lambda content, start, rng: body(content, 0),
    "other range": lambda content, start, rng: body(content, min(len(content) - 1, start + 7)),
    "not satisfiable": lambda content, start, rng: b"HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n",
    "server error": lambda content, start, rng: b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy",
    "status 999": lambda content, start, rng: b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
    "gzip": lambda content, start, rng: HEAD + b"Content-Encoding: gzip\r\n\r\n" + content[start:],
    "bad chunks": lambda content, start, rng: HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + content[:50],
    "cut chunks": lambda content, start, rng: HEAD + b"Transfer-Encoding: chunked\r\n\r\n400\r\n" + content[:50],
    "many headers": lambda content, start, rng: HEAD + b"X: y\r\n" * 5000 + b"\r\n" + content[start:],
    "long header": lambda content, start, rng: HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n" + content[start:],
    "redirect to itself": lambda content, start, rng: b"HTTP/1.1 302 F\r\nLocation: ?again\r\n\r\n",
    "redirect to a file": lambda content, start, rng: b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n",
    "endless": lambda content, start, rng: b"",
}  # fmt: skip


class Server(ThreadingTCPServer):
    """Serves files from memory and breaks the answers that are left in `broken`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.broken: list[str] = []
        self.rng = random.Random(0)
        self.sent = 0
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients hang up."""


class Handler(StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        words = self.rfile.readline().split()
        start = 0
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"range":
                start = int(value.split(b"=")[1].split(b"-")[0])
        content = self.server.files.get(words[1].decode().partition("?")[0].rpartition("/")[2])
        if content is None:
            self.wfile.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
            return
        with self.server.lock:
            kind = self.server.broken.pop() if self.server.broken else ""
            answer = BROKEN[kind](content, start, self.server.rng) if kind else body(content, start)
            sound = b"HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n" if start >= len(content) else body(content, start)
        with suppress(OSError):
            self._send(answer if kind else sound)
            sent = 0
            while kind == "endless" and sent < ENDLESS:
                self._send(HEAD + b"\r\n" if not sent else b"x" * 2**16)
                sent += 2**16
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, data: bytes) -> None:
        self.wfile.write(data)
        with self.server.lock:
            self.server.sent += len(data)


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


def one(server: Server, kind: str, rng: random.Random) -> str:
    """Fetch three files while the server breaks some answers, then once more from a sound one."""
    from zsarbench.data.downloads import Download, RemoteFile, fetch, folder_of
    from zsarbench.errors import ZsarbenchError

    files = {f"{number}.bin": rng.randbytes(rng.choice((10, 5_000, 300_000))) for number in range(3)}
    pins = tuple(RemoteFile(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items())
    download = Download(name="toy", files=pins, source=SOURCE, licence="MIT", summary="A toy.")
    server.files, server.rng, server.sent = files, rng, 0
    server.broken = [kind if rng.random() < 0.7 else rng.choice(list(BROKEN)) for _ in range(rng.randrange(1, 14))]
    n_endless = server.broken.count("endless")
    with tempfile.TemporaryDirectory() as cache:
        os.environ |= {"ZSARBENCH_CACHE": cache, "ZSARBENCH_MIRROR": server.address, "NO_PROXY": "*"}
        try:
            fetch(download)
            outcome = "fetched"
        except ZsarbenchError:
            outcome = "refused"
        folder = folder_of(download)
        for name, data in files.items():
            if (folder / name).exists() and (folder / name).read_bytes() != data:
                return "wrong"
        expected = 20 * (sum(map(len, files.values())) + 120_000) + n_endless * SLACK
        if server.sent > expected:
            return "memory"
        server.broken = []
        fetch(download)
        names = {path.name for path in folder.rglob("*") if path.is_file()} - {".lock"}
        whole = all((folder / name).read_bytes() == data for name, data in files.items())
        return outcome if whole and names == set(files) else "wrong"


def run(campaign: Campaign, trials: int, *, first: int = 0, only: list[str] | None = None) -> Campaign:
    """Carry out so many trials in all, or of each kind that is named."""
    before = dict(os.environ)
    try:
        with serving() as server:
            for kind in only or BROKEN:
                for number in range(first, first + (trials if only else max(1, trials // len(BROKEN)))):
                    rng = campaign.rng(kind, number)
                    campaign.trial(kind, number, lambda: one(server, kind, rng), seconds=60)  # noqa: B023
    finally:
        os.environ.clear()
        os.environ |= before
    return campaign


def main() -> int:
    given = common.arguments(list(BROKEN), 600)
    return run(Campaign("http", given.seed), given.trials, first=given.first, only=given.only).finish()


if __name__ == "__main__":
    sys.exit(main())
