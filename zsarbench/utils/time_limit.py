"""A limit on how long a block may run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeIsUp(BaseException):
    """The end of a block's time; no `except Exception` inside catches it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End a block after so many seconds; unlimited outside the main thread and where signals have no timer.

    Raises:
        TimeIsUp: the block was still running.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp(f"it was still running after {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:  # a timer set by someone else, such as a test runner, is restored
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)
