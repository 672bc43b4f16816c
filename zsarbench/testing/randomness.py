"""Global random states under a check's control, and a watch over what draws from any."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from zsarbench.utils import seeding


@contextmanager
def other_randomness(noise: int) -> Iterator[None]:
    """Run a block under other global random states, of Python, numpy and torch, and restore them afterwards."""
    kept, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global state is what is meant
    try:
        with seeding.fork_rng(seeding.generator(noise, "conformance", "noise")):
            random.seed(noise)
            np.random.seed(noise)  # noqa: NPY002
            yield
    finally:
        random.setstate(kept)
        np.random.set_state(of_numpy)  # noqa: NPY002


def random_states() -> list[Any]:
    """Return the global random states in a form that can be compared: of Python, numpy, the CPU and each GPU."""
    of_numpy: Any = np.random.get_state()  # noqa: NPY002
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    states = [state.tolist() for state in (torch.random.get_rng_state(), *gpus)]
    return [random.getstate(), of_numpy[1].tolist(), of_numpy[2:], *states]


class RandomnessWatch(TorchDispatchMode):
    """Notes in `drew` an operation of torch that drew random numbers inside, from whatever generator."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.drew = ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute as without a watch."""
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.drew = str(func)
        return func(*args, **(kwargs or {}))
