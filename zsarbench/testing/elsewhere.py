"""Another process that builds components: with other hashes of texts, another id, and nothing in its memory.

One process is started for all checks, since an import of torch takes seconds; it forks for each call.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

HASH_SEED = "20260101"
"""Python deals out hashes of texts anew for each process, unless its seed is given."""
_SERVE = "import sys; from zsarbench.testing import elsewhere; elsewhere.serve(int(sys.argv[1]))"


class Failed(Exception):
    """What a function raised in the other process, in words."""


@cache
def _process() -> tuple[subprocess.Popen[bytes], Connection]:
    ours, theirs = Pipe()
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": HASH_SEED}
    command = [sys.executable, "-P", "-c", _SERVE, str(theirs.fileno())]
    # What components print there is no output of this process.
    started = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment, pass_fds=[theirs.fileno()],
        start_new_session=True,
    )  # fmt: skip
    atexit.register(_end, started)
    theirs.close()
    return started, ours


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process with its forks: a component may hang there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def call(target: str, **arguments: Any) -> Any:
    """Return what the function of a target "package.module:name" returns in another process.

    It runs in this process's folder, environment and path; arguments and value are pickled, but hold no tensors.

    Raises:
        Failed: it raised, or its process ended.
    """
    process, connection = _process()
    try:
        connection.send((dict(os.environ), os.getcwd(), sys.path, target, arguments))
        value, problem = connection.recv()
    except BaseException as error:  # of a limit of time too: what it answers now would be taken for the next answer
        _process.cache_clear()
        _end(process)
        if isinstance(error, OSError | EOFError):
            raise Failed("the process ended") from error
        raise
    if problem:
        raise Failed(problem)
    return value


def serve(descriptor: int) -> None:
    """Answer calls, each in a fork, until the other end of the connection is closed."""
    importlib.import_module("zsarbench.testing.conformance")  # forks have it at once
    connection = Connection(descriptor)
    while True:
        try:
            request = connection.recv()
        except (EOFError, OSError):
            return
        child = os.fork()
        if child == 0:
            connection.send(_answer(*request))
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            connection.send((None, "the process ended"))


def _answer(environment: Mapping[str, str], folder: str, path: list[str], target: str, arguments: Any) -> Any:
    """Return a value and "", or None and what was raised."""
    try:
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.path[:] = path
        module, _, name = target.partition(":")
        return getattr(importlib.import_module(module), name)(**arguments), ""
    except BaseException as error:
        return None, f"{type(error).__name__}: {error}"
