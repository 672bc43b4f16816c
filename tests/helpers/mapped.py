"""Functions that processes of a test map, which they must be able to import."""

from __future__ import annotations

import os
import time


def doubled(number: int) -> int:
    return 2 * number


def slow_pid(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def refused(number: int) -> int:
    if number == 70:
        raise ValueError("70 is refused")
    return number
