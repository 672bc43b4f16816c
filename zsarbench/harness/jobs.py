"""A sweep in several processes: cells start in order, but none encodes what another one is encoding.

Cells that read the same features wait for the first of them, which extracts these; those whose classes are described by
documents run one after the other, since each encodes the documents that the ones before it left.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import NamedTuple

from zsarbench.errors import ZsarbenchError
from zsarbench.harness import sweep
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.sweep import Cell, Done
from zsarbench.plugins import Host, load_plugins
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

    A process ends with the one that started it, and at once where the iteration is broken off. blocked: plugins that
    the processes do not import.

    Raises:
        ZsarbenchError: the system killed a process, as it does where memory runs out.
    """
    answers = sweep.measured(out)
    waiting = [(cell, needs(cell)) for cell in cells]
    running: dict[Future[Done], tuple[Cell, Needs]] = {}
    stored: set[str] = set()
    spawning = multiprocessing.get_context("spawn")
    stop = spawning.Event()
    with ProcessPoolExecutor(jobs, mp_context=spawning, initializer=_end_with_parent, initargs=(stop,)) as pool:
        try:
            while waiting or running:
                while len(running) < jobs:
                    free = next_free([need for _, need in waiting], [need for _, need in running.values()], stored)
                    if free is None:
                        break
                    cell, need = waiting.pop(free)
                    done = sweep.without_run(cell, answers)
                    if done is None:
                        running[pool.submit(_measured, replace(cell, spec=None), tuple(blocked))] = cell, need
                    else:
                        yield done
                for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                    cell, need = running.pop(future)
                    stored.add(need.features)
                    done = replace(future.result(), cell=cell)
                    if cell.key is not None and done.path is not None:
                        answers[cell.key] = done.path
                    yield done
        except BrokenProcessPool as error:
            raise ZsarbenchError(
                "a process of the sweep was killed, perhaps for its memory; what was measured is kept. "
                "Try: the same command with fewer --jobs"
            ) from error
        finally:
            stop.set()


@functools.cache
def _host(blocked: tuple[str, ...]) -> Host:
    """Return the plugins, loaded once in each process."""
    return load_plugins(blocked)


def _measured(cell: Cell, blocked: tuple[str, ...]) -> Done:
    """Measure a cell without a spec in a process of its own, and return what became of it."""
    host = _host(blocked)
    done = sweep.measure(replace(cell, spec=resolve_run(cell.request, host)), host, LogProgress())
    return replace(done, cell=cell)


def _end_with_parent(stop: Event) -> None:
    """Have this process end as soon as `stop` is set or the process that started it is gone, killed or not."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch(until: Callable[[], object]) -> None:
        until()
        os._exit(1)

    for until in (parent.join, stop.wait):
        threading.Thread(target=watch, args=(until,), daemon=True).start()
