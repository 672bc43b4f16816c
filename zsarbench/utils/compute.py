"""Where a run computes, and how long it takes there."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from zsarbench.errors import UsageError
from zsarbench.utils.cores import cores

_log = logging.getLogger(__name__)
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""What `torch.cpu.get_capabilities` calls the instructions for bfloat16 of x86, and of ARM. A processor without them
converts every number back and forth: one of AVX2 took 17 times as long as with float32 for EfficientNet-Lite0, one with
AMX took three quarters."""

# Of glibc's mallopt(3), with what each is set to.
_MALLOC = {
    -4: 0,  # M_MMAP_MAX: no mapping of its own for a large block, which would be new memory each time
    -1: 2**31 - 1,  # M_TRIM_THRESHOLD, in bytes, the largest: so much free memory is kept before some is given back
    -8: 1,  # M_ARENA_MAX: what one thread freed serves another; the arenas of further threads hold 64 MiB at most
}


@dataclass
class Stopwatch:
    """Adds up seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time a block as part of a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class Machine:
    """Where a run computes: one device, one dtype, one declared thread count."""

    device: torch.device
    dtype: torch.dtype
    threads: int

    @classmethod
    def named(cls, asked: str, dtype: str, threads: int | None) -> Machine:
        """Return what was asked for, "auto" being a GPU where there is one, and no threads one for each core.

        Raises:
            UsageError: the device does not exist here.
        """
        name = asked if asked != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(name)
            torch.zeros(1, device=device).item()
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise UsageError(
                f"device '{asked}' is not there: {str(error).splitlines()[0]}. Try: zsarbench doctor"
            ) from error
        warn_of_bfloat16(device, dtype, "--dtype float32")
        return cls(device, getattr(torch, dtype), threads or cores())

    @contextmanager
    def repeatable(self) -> Iterator[None]:
        """Compute with the declared thread count and deterministic kernels inside the block."""
        with repeatable(self.threads, self.device):
            yield


class CopyStream:
    """A queue of copies to a GPU that run while it computes; on another device it does nothing.

    What is queued inside the block is complete at its end.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Queue what the block does on a stream of its own and wait for it, not for what the GPU computes."""
        if self._stream is None:
            yield
            return
        with torch.cuda.stream(self._stream):
            yield
        self._stream.synchronize()


def use_on_current_stream(values: Tensor) -> Tensor:
    """Return a tensor of another stream, whose memory is not reused before the current stream is done with it."""
    if values.is_cuda:
        values.record_stream(torch.cuda.current_stream(values.device))
    return values


def copy_to_device(values: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device; a copy from the CPU to a GPU is queued, and not waited for."""
    if device.type == "cuda" and values.device.type == "cpu":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


def processor(device: torch.device) -> str:
    """Return what computes, as results and shards name it: by its instructions torch chooses its kernels.

    Other kernels add in another order: the last bits are of that machine, and what is trained on them drifts apart.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def gains_by_bfloat16() -> bool | None:
    """Return whether this CPU has instructions for bfloat16; None where this version of torch does not tell."""
    if not hasattr(torch.cpu, "get_capabilities"):
        return None
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in BFLOAT16)


def warn_of_bfloat16(device: torch.device, dtype: str, instead: str) -> None:
    """Warn where a computation in this dtype is many times slower than in float32, and say what to type instead."""
    if dtype == "bfloat16" and device.type == "cpu" and gains_by_bfloat16() is False:
        _log.warning("this CPU has no instructions for bfloat16, which is many times slower here. Try: %s", instead)


@contextmanager
def repeatable(threads: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Compute with a number of threads and deterministic kernels inside the block.

    Other thread counts give other bits; and where several threads add into one row, as in the gradient of a gather, the
    order of the sums, and so the bits, would change from run to run.
    """
    reuse_freed_memory()
    before = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic  # a module with properties, which no checker of types knows
    fills = memory.fill_uninitialized_memory
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Else every result is filled with NaN before it is computed, against programs that read what they never wrote: a
    # quarter of the time of an image model.
    memory.fill_uninitialized_memory = False
    try:
        with _repeatable_on_a_gpu() if torch.device(device).type == "cuda" else nullcontext():
            yield
    finally:
        memory.fill_uninitialized_memory = fills
        torch.use_deterministic_algorithms(deterministic, warn_only=warns)
        torch.set_num_threads(before)


@contextmanager
def _repeatable_on_a_gpu() -> Iterator[None]:
    """Compute with what a GPU repeats bit for bit, and with float32 as it is.

    Gradients of the fused kernels of attention are not the same every time; plain products take their place. By default
    convolutions, and where a user asked for it products, read float32 rounded to 10 bits (TF32).
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS at its start, so it stays set
    cudnn, products = torch.backends.cudnn, torch.get_float32_matmul_precision()
    settings: list[tuple[Any, str, Any]] = [(cudnn, "allow_tf32", False)]
    try:
        cudnn.allow_tf32  # noqa: B018
    except RuntimeError:  # someone used the settings of newer versions of torch, an operator each
        settings = [(getattr(cudnn, name), "fp32_precision", "ieee") for name in ("conv", "rnn")]
    rounds = [getattr(place, name) for place, name, _ in settings]
    torch.set_float32_matmul_precision("highest")
    for place, name, value in settings:
        setattr(place, name, value)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        for (place, name, _), value in zip(settings, rounds, strict=True):
            setattr(place, name, value)
        torch.set_float32_matmul_precision(products)


@functools.cache
def reuse_freed_memory() -> None:
    """Have the C library keep large blocks that were freed for the next, where it is glibc, until the process ends.

    By default each block above 32 MiB, as the maps of an image model's first layers are, is fresh memory that the
    system clears page by page: more than half of the time of EfficientNet-Lite0 on the CPU.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _MALLOC.items():
            mallopt(parameter, value)
