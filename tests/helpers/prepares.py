"""A `prepare` that fails on demand; importable by decoding processes, so it lies in a module of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Literal

import numpy as np

from zsarbench.testing.videos import KeepFrame, read_number


class MisbehavingPrepare(KeepFrame):
    """Hangs, dies or raises on frames with a certain number."""

    def __init__(self, numbers: Sequence[int], behaviour: Literal["hang", "die", "raise"]) -> None:
        self.numbers = tuple(numbers)
        self.behaviour = behaviour

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Prepare a frame, or not."""
        if read_number(rgb) in self.numbers:
            if self.behaviour == "hang":
                time.sleep(3600)
            if self.behaviour == "die":
                os._exit(9)
            raise RuntimeError("this frame is not liked")
        return super().__call__(rgb)
