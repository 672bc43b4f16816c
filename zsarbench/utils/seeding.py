"""The only source of seeds; everything else receives generators."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zsarbench.interfaces.lazy import Lazy

if TYPE_CHECKING:
    import numpy as np
    import torch
else:
    np, torch = Lazy("numpy"), Lazy("torch")

__all__ = ["derive", "fork_rng", "generator", "numpy_generator"]


def derive(seed: int, *names: object) -> int:
    """Return a 63-bit seed for a named use, the same on every machine.

    >>> derive(0, "batches") == derive(0, "batches") != derive(1, "batches")
    True
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: object) -> torch.Generator:
    """Return a CPU generator for a named use."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *names))


def numpy_generator(seed: int, *names: object) -> np.random.Generator:
    """Return a numpy generator for a named use."""
    import numpy as np

    return np.random.default_rng(derive(seed, *names))


@contextmanager
def fork_rng(source: torch.Generator) -> Iterator[None]:
    """Run a block under torch's global random state seeded from a generator, and restore the state afterwards.

    Modules are initialised and trained inside it, since neither initialisation nor dropout takes a generator. The
    state inside may be read and set (`torch.random.get_rng_state`), as checkpoints do. GPUs' states are restored too.
    """
    import torch

    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=source)))
        yield
