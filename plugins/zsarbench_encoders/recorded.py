"""Forward passes of one batch shape that a GPU records once and repeats.

A deep network has more than a thousand kernels, and to queue them one by one takes a CPU core as long as a fast GPU
needs to compute them; a recorded pass is queued in one call.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from zsarbench.utils.foreign import first_line

_log = logging.getLogger(__name__)


class RecordedPass:
    """A forward pass over batches of one shape on a GPU, the same kernels as those of `forward`, bit for bit.

    It may be called from several threads; what they queue stays in order. The network's tensors must stay where they
    are. A network that waits for the GPU during its pass cannot be recorded, and computes as without recording.
    """

    def __init__(self, forward: Callable[[Tensor], Tensor]) -> None:
        self._forward = forward
        self._lock = threading.Lock()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._settings: object = None
        self._batch = self._rows = torch.empty(0)

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the rows (B, D) of a batch (B, ...) that lies on the GPU, on its current stream."""
        # Kernels are chosen when they are recorded; outside a run, where bits may differ, nothing is.
        if not torch.are_deterministic_algorithms_enabled():
            return self._forward(batch)
        settings = batch.shape, batch.dtype, torch.get_float32_matmul_precision()
        with self._lock:
            if settings != self._settings:
                self._settings = settings
                with torch.cuda.device(batch.device):
                    self._graph = self._record(batch)
            if self._graph is None:
                return self._forward(batch)
            self._batch.copy_(batch)
            self._graph.replay()
            return self._rows.clone()

    def _record(self, batch: Tensor) -> torch.cuda.CUDAGraph | None:
        """Record the pass over a batch and return it; None where the pass waits for the GPU."""
        current, other = torch.cuda.current_stream(batch.device), torch.cuda.Stream(batch.device)
        self._batch = batch.clone()
        other.wait_stream(current)
        with torch.cuda.stream(other):
            self._forward(self._batch)  # libraries choose kernels and allocate what they keep
            try:
                with _waiting_is_an_error():
                    self._forward(self._batch)
            except RuntimeError as error:
                _log.info("the forward pass is not recorded: %s", first_line(error))
                return None
            finally:
                current.wait_stream(other)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads go on as they were
            self._rows = self._forward(self._batch)
        return graph


@contextmanager
def _waiting_is_an_error() -> Iterator[None]:
    """Have torch raise RuntimeError where the block waits for a GPU: a recording that fails leaves torch unusable."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Synchronization debug mode is a prototype feature")
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)
