"""Processes that tests start and kill, forked from one that has imported the slow modules and done nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["torch", "sentence_transformers", "timm", "zsarbench.harness.runs", "av"])


class Forked:
    """A process in a session of its own that calls a function; what it prints and logs is in two files of a folder."""

    def __init__(
        self,
        folder: Path,
        function: Callable[..., object],
        *arguments: object,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._out, self._err = folder / "stdout", folder / "stderr"
        given = (str(self._out), str(self._err), {**os.environ, **(variables or {})}, function, arguments)
        self._process = FORKING.Process(target=_call, args=given)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    @property
    def stdout(self) -> str:
        return self._out.read_text() if self._out.exists() else ""

    @property
    def stderr(self) -> str:
        return self._err.read_text() if self._err.exists() else ""

    def kill(self) -> None:
        """Kill it with what it started, as far as that did not leave its group."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.join()

    def wait(self, seconds: float = 300) -> int:
        """Wait for the end and return the exit code."""
        self._process.join(seconds)
        assert self.code is not None, f"it runs for over {seconds:g} s\n{self.stderr}"
        return self.code


def _call(
    out: str, err: str, variables: Mapping[str, str], function: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    """Call a function as the main of a process does that was started by itself."""
    os.setsid()
    for path, number in ((out, 1), (err, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    os.environ.clear()
    os.environ.update(variables)
    try:
        code = function(*arguments)
    except KeyboardInterrupt:  # an interpreter ends so where nothing catches it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        raise
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
