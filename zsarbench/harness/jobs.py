"""A sweep in several processes: cells start in order, but none encodes what another one is encoding.

Cells that read the same features wait for the first of them, which extracts these; those whose classes are described by
documents run one after the other, since each encodes the documents that the ones before it left.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from zsarbench.harness import answers as known
from zsarbench.harness import sweep
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import RunRequest
from zsarbench.harness.sweep import Cell, Done
from zsarbench.plugins import load_plugins
from zsarbench.utils.progress import LogProgress


class Needs(NamedTuple):
    """What a cell reads that it would have to compute first; "" for nothing. result: the spec that it measures."""

    features: str = ""
    documents: str = ""
    result: str = ""


def needs(cell: Cell) -> Needs:
    """Return what a cell reads; fields are equal for two cells that read or measure the same."""
    if cell.spec is None:
        return Needs()
    what, result = cell.spec.what, repr(cell.key)
    if "visual" not in what.parts:
        return Needs(result=result)
    text = what.parts.get("text")
    documents = repr((text, what.dataset)) if what.class_text.startswith("documents") else ""
    return Needs(repr((what.parts["visual"], text, what.dataset)), documents, result)


def next_free(waiting: Sequence[Needs], running: Iterable[Needs], stored: Container[str]) -> int | None:
    """Return the position of the first cell that need not wait for a running one, None where all of them must.

    stored: features that exist.
    """
    busy = list(running)
    features = {one.features for one in busy if one.features not in stored} - {""}
    documents = {one.documents for one in busy} - {""}
    measured = {one.result for one in busy} - {""}
    for position, one in enumerate(waiting):
        if one.features not in features and one.documents not in documents and one.result not in measured:
            return position
    return None


def run(cells: Sequence[Cell], out: Path, jobs: int, blocked: Sequence[str] = ()) -> Iterator[Done]:
    """Measure what is not yet measured under `out` in `jobs` processes, and yield each cell when its result exists.

    The processes end with the one that started them, and at once where the iteration ends early. One that crashes
    fails its cell, and the rest go on. blocked: plugins that the processes do not import.
    """
    answers = known.measured(out)
    waiting = [(cell, needs(cell)) for cell in cells]
    running: dict[Future[Done], tuple[_Process, Needs]] = {}
    idle: list[_Process] = []
    stored: set[str] = set()
    with ThreadPoolExecutor(jobs) as threads:
        try:
            while waiting or running:
                busy = [need for _, need in running.values()]
                free = next_free([need for _, need in waiting], busy, stored) if len(busy) < jobs else None
                if free is not None:
                    cell, need = waiting.pop(free)
                    if (done := sweep.without_run(cell, answers)) is not None:
                        yield done
                        continue
                    process = idle.pop() if idle else _Process(blocked)
                    running[threads.submit(process.measure, cell)] = process, need
                    continue
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    process, need = running.pop(future)
                    done = future.result()
                    stored.add(need.features)
                    if process.alive:
                        idle.append(process)
                    if done.cell.key is not None and done.path is not None:
                        answers[done.cell.key] = done.path
                    yield done
        finally:
            for process in (*idle, *(process for process, _ in running.values())):
                process.end()


class _Process:
    """A process that measures one cell at a time: requests go in and answers come out as lines of JSON.

    It is not a child of `multiprocessing`, which would import the calling program again in each process.
    """

    def __init__(self, blocked: Sequence[str]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", "from zsarbench.harness.jobs import serve; serve()", *blocked],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends this process
        )

    @property
    def alive(self) -> bool:
        """Whether it can measure another cell."""
        return self._child.poll() is None

    def measure(self, cell: Cell) -> Done:
        """Return the outcome of a cell once it is measured, with a reason also where its process ended."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        line = json.dumps({"label": cell.label, "title": cell.title, "request": asdict(cell.request)})
        try:
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()
            answer = self._child.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            code = self._child.wait()
            hint = "; if memory ran out, try fewer --jobs" if code < 0 else ""
            return Done(cell=cell, path=None, reason=f"its process ended with exit code {code}{hint}")
        content = json.loads(answer)
        path = Path(content["path"]) if content["path"] is not None else None
        return Done(cell=cell, path=path, reason=content["reason"], seconds=content["seconds"])

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._child.kill()
        self._child.wait()


def serve() -> None:
    """Measure the cells that arrive on stdin, one after the other, until it is closed: the main of a process."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a plugin prints must not mix with answers
    lines: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(1)  # the parent is gone, also where it was killed

    threading.Thread(target=read, daemon=True).start()
    host = load_plugins(sys.argv[1:])
    while True:
        content = json.loads(lines.get())
        cell = Cell(label=content["label"], title=content["title"], request=RunRequest(**content["request"]))
        done = sweep.measure(replace(cell, spec=resolve_run(cell.request, host)), host, LogProgress())
        path = str(done.path) if done.path is not None else None
        print(json.dumps({"path": path, "reason": done.reason, "seconds": done.seconds}), file=answers, flush=True)
