"""Maps a function over many items by several processes, among them the one that waits for the results."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from zsarbench.utils.cores import cores

MANY_ITEMS = 200
"""Items for each further process: to start one takes the better part of a second, as 200 results do."""
MAX_ITEMS = 32
"""Of those that a process takes at a time."""
_MIN_PORTIONS = 64  # so that all processes end at about the same time

T = TypeVar("T")
R = TypeVar("R")


class Processes:
    """Further processes, started when there is much to do, and ended with the context.

    Ctrl-C reaches this process alone: what others have begun is waited for, and nothing more is begun.

    many: items from which a further process is started.
    """

    def __init__(self, many: int = MANY_ITEMS) -> None:
        self.many = many
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Return the results of a function in the order of items, whose computation begins now; as Python's `map`.

        Few items are computed in this process, unless others exist already. Function, items and results are pickled.
        What the function raises is raised while the results are iterated over.
        """
        items = list(items)
        if self._pool is None and len(items) >= self.many and cores() > 1:
            context = multiprocessing.get_context("spawn")
            n_others = min(cores() - 1, len(items) // self.many)
            self._pool = ProcessPoolExecutor(n_others, mp_context=context, initializer=_ignore_interrupts)
        if self._pool is None:
            return map(function, items)
        size = max(1, min(MAX_ITEMS, len(items) // _MIN_PORTIONS))
        portions = [items[start : start + size] for start in range(0, len(items), size)]
        return _gathered(function, portions, [self._pool.submit(_results, function, portion) for portion in portions])


def _gathered(
    function: Callable[[T], R], portions: Sequence[Sequence[T]], futures: Sequence[Future[list[R]]]
) -> Iterator[R]:
    """Yield the results of portions; while one is pending, the last that no process has begun is computed here."""
    own: dict[int, list[R]] = {}
    waiting = len(portions)
    for number, future in enumerate(futures):
        while number < waiting and not future.done():
            waiting -= 1
            if futures[waiting].cancel():
                own[waiting] = _results(function, portions[waiting])
        yield from own.pop(number) if number in own else future.result()


def _results(function: Callable[[T], R], portion: Sequence[T]) -> list[R]:
    return [function(item) for item in portion]


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides
