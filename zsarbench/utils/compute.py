"""Where a run computes: device, dtype, threads, deterministic kernels, memory."""

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
from zsarbench.utils.foreign import first_line

_log = logging.getLogger(__name__)
BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""The names in `torch.cpu.get_capabilities` of instructions for bfloat16 on x86 and ARM. A processor without them
converts every number back and forth: one with AVX2 took 17 times as long as with float32 for EfficientNet-Lite0, one
with AMX took three quarters of the time."""

# Parameters of glibc's mallopt(3) with their values.
_MALLOC = {
    -4: 0,  # M_MMAP_MAX: no mapping of its own for a large block, which would be new memory each time
    -1: 2**31 - 1,  # M_TRIM_THRESHOLD, in bytes, the largest: so much free memory is kept before some is returned
    -8: 1,  # M_ARENA_MAX: what one thread freed serves another; the arenas of further threads hold 64 MiB at most
}


@dataclass
class Stopwatch:
    """Seconds of work, added up by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the seconds of a block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class Compute:
    """Where a run computes: one device, one dtype, one declared thread count."""

    device: torch.device
    dtype: torch.dtype
    threads: int

    @classmethod
    def resolve(cls, device: str, dtype: str, threads: int | None) -> Compute:
        """Return where to compute for a request; "auto" is a GPU where one is available, no threads is one per core.

        Raises:
            UsageError: the device does not exist on this machine.
        """
        name = device if device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            resolved = torch.device(name)
            torch.zeros(1, device=resolved).item()
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise UsageError(
                f"device '{device}' is not available: {first_line(error)}. Try: zsarbench doctor"
            ) from error
        warn_of_bfloat16(resolved, dtype, "--dtype float32")
        return cls(resolved, getattr(torch, dtype), threads or cores())

    @contextmanager
    def deterministic(self) -> Iterator[None]:
        """Compute with the declared thread count and deterministic kernels inside the block."""
        with deterministic(self.threads, self.device):
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
    """Return the name of a processor for results and shards: a GPU's model, a CPU's architecture and instruction set.

    By the instruction set torch chooses its kernels. Other kernels add in another order, so the last bits belong to
    that machine, and models trained on them drift apart.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def gains_by_bfloat16() -> bool | None:
    """Return whether this CPU has instructions for bfloat16; None where this version of torch cannot tell."""
    if not hasattr(torch.cpu, "get_capabilities"):
        return None
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in BFLOAT16)


def warn_of_bfloat16(device: torch.device, dtype: str, instead: str) -> None:
    """Log a warning where this dtype is many times slower than float32; `instead` is what to type."""
    if dtype == "bfloat16" and device.type == "cpu" and gains_by_bfloat16() is False:
        _log.warning("this CPU has no instructions for bfloat16, which is many times slower here. Try: %s", instead)


@contextmanager
def deterministic(threads: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Compute with a number of threads and deterministic kernels inside the block; every setting is restored after it.

    Other thread counts give other bits; and where several threads add into one row, as in the gradient of a gather, the
    order of the sums, and so the bits, would change from run to run.
    """
    threads_before = torch.get_num_threads()
    mode_before = torch.get_deterministic_debug_mode()
    memory: Any = torch.utils.deterministic  # a module with properties, which type checkers do not know
    fill_before = memory.fill_uninitialized_memory
    torch.set_num_threads(threads)
    # `use_deterministic_algorithms` does the same, but imports the whole compiler: three seconds of CPU time.
    torch.set_deterministic_debug_mode("warn")
    # By default every result is filled with NaN before it is computed, to expose reads of memory that was never
    # written: a quarter of the time of an image model.
    memory.fill_uninitialized_memory = False
    try:
        with _deterministic_gpu() if torch.device(device).type == "cuda" else nullcontext():
            yield
    finally:
        memory.fill_uninitialized_memory = fill_before
        torch.set_deterministic_debug_mode(mode_before)
        torch.set_num_threads(threads_before)


@contextmanager
def _deterministic_gpu() -> Iterator[None]:
    """Use only what a GPU repeats bit for bit inside the block, and float32 without rounding.

    Gradients of the fused attention kernels differ from run to run; plain products replace them. By default
    convolutions, and products where a user chose so, read float32 rounded to 10 bits (TF32).
    """
    # cuBLAS reads it once, when it starts; so it is the one setting that stays.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn, precision_before = torch.backends.cudnn, torch.get_float32_matmul_precision()
    settings: list[tuple[Any, str, Any]] = [(cudnn, "allow_tf32", False)]
    try:
        cudnn.allow_tf32  # noqa: B018
    except RuntimeError:  # the settings of newer versions of torch are in use, one per operator
        settings = [(getattr(cudnn, name), "fp32_precision", "ieee") for name in ("conv", "rnn")]
    values_before = [getattr(place, name) for place, name, _ in settings]
    torch.set_float32_matmul_precision("highest")
    for place, name, value in settings:
        setattr(place, name, value)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        for (place, name, _), value in zip(settings, values_before, strict=True):
            setattr(place, name, value)
        torch.set_float32_matmul_precision(precision_before)


@functools.cache
def reuse_freed_memory() -> None:
    """Make glibc keep large freed blocks for the next allocation, until the process ends; elsewhere do nothing.

    By default each block above 32 MiB, such as the maps of an image model's first layers, is new memory that the
    system clears page by page: more than half of the time of EfficientNet-Lite0 on the CPU. Call it before a model is
    built: memory allocated until then stays as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in _MALLOC.items():
            mallopt(parameter, value)
