"""Signals that ask a process to end, handled as Ctrl-C is."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NAMES = ("SIGTERM", "SIGHUP")
"""What job schedulers, containers and `kill` send, and what a terminal sends that is closed."""
_SAME_SECONDS = 1.0  # `timeout` and process managers signal a process and its group, so that it gets the same twice


@contextmanager
def as_interrupts() -> Iterator[list[int]]:
    """Raise KeyboardInterrupt where one of these signals arrives, and yield the list of those that did.

    A signal stays as it is where it is ignored, as after `nohup`, or handled already; all do outside the main thread.
    """
    received: list[int] = []
    since = 0.0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal since
        if received and time.monotonic() - since < _SAME_SECONDS:
            return  # a second interrupt would cut short what the first one ends
        received.append(number)
        since = time.monotonic()
        raise KeyboardInterrupt

    in_main_thread = threading.current_thread() is threading.main_thread()
    known = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]  # Windows has no SIGHUP
    taken = [number for number in known if in_main_thread and signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, stop)
    try:
        yield received
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
