"""Global random states and settings under a check's control, and a watch over what draws from any."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from zsarbench.utils import seeding

SETTINGS: Mapping[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "whether torch computes gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "whether torch is deterministic": (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    "how numpy treats floating-point errors": (np.geterr, lambda kept: np.seterr(**kept)),
    "the current folder": (os.getcwd, os.chdir),
}  # fmt: skip
"""Global settings by name, how each is read and how it is set."""


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


def global_states() -> dict[str, Any]:
    """Return what a component must leave as it is, by its name: the global random states, and global settings."""
    of_numpy: Any = np.random.get_state()  # noqa: NPY002
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "the random state of Python": random.getstate(),
        "the random state of numpy": [of_numpy[1].tolist(), of_numpy[2:]],
        "the random state of torch": [state.tolist() for state in (torch.random.get_rng_state(), *gpus)],
        **{name: read() for name, (read, _) in SETTINGS.items()},
    }


@contextmanager
def restored_settings() -> Iterator[None]:
    """Put the global settings back that a block changes, so that what comes next is tried as before."""
    kept = {name: read() for name, (read, _) in SETTINGS.items()}
    try:
        yield
    finally:
        for name, (read, write) in SETTINGS.items():
            if read() != kept[name]:
                write(kept[name])


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
