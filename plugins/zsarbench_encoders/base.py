"""What encoders that run a frozen network over decoded frames share, whatever library the network is of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zsarbench.interfaces import Clips, Prepare, Sampling, Steps
from zsarbench.utils.batching import in_fixed_batches
from zsarbench.utils.compute import copy_to_device, warn_of_bfloat16

from .recorded import RecordedPass

ComputeDtype = Literal["float32", "bfloat16", "float16"]


class FrozenNetwork:
    """Encodes clips step by step with a frozen network; the base of the encoders over frames.

    Steps pass in batches of exactly `batch_size`, so that a row's bits depend on its step alone. With a `compute_dtype`
    other than float32 the forward pass runs under autocast.

    A subclass says what `_features` makes of steps (B, F, 3, H, W), scaled and normalised, and what `_logits` makes of
    features (B, D).
    """

    needs: Literal["frames"] = "frames"
    space = None
    independent_steps = True

    def __init__(
        self,
        network: nn.Module,
        weights_sha256: str,
        *,
        dim: int,
        sampling: Sampling,
        prepare: Prepare,
        mean: Sequence[float],
        std: Sequence[float],
        batch_size: int,
        compute_dtype: ComputeDtype,
    ) -> None:
        self.network: Any = network.eval().requires_grad_(False)
        self.dim = dim
        self.sampling = sampling
        self.prepare = prepare
        self.batch_size = batch_size
        self.compute_dtype = compute_dtype
        self._mean = torch.tensor(mean).view(-1, 1, 1)
        self._std = torch.tensor(std).view(-1, 1, 1)
        self._recorded: RecordedPass | None = None
        self.fingerprint = {
            "weights_sha256": weights_sha256,
            "preprocessing": f"{prepare}; mean {tuple(mean)}; std {tuple(std)}",
        }

    def to(self, device: torch.device | str) -> FrozenNetwork:
        """Move the model to where it computes; features come back to the CPU."""
        warn_of_bfloat16(torch.device(device), self.compute_dtype, "--set visual.compute_dtype=float32")
        self.network.to(device)
        self._mean, self._std = self._mean.to(device), self._std.to(device)
        self._recorded = RecordedPass(self._rows) if self._mean.is_cuda else None
        return self

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return the model's parameters, to be counted."""
        parameters: Iterator[nn.Parameter] = self.network.parameters()
        return parameters

    def encode(self, clips: Clips) -> Steps:
        """Return features (N, T, D) float32 of frames (N, T, F, 3, H, W) uint8; 0 where the mask is False."""
        if clips.frames is None or clips.mask is None:
            raise ValueError("frames and their mask are needed")
        rows = clips.frames[clips.mask]  # (M, F, 3, H, W): padding is never computed
        values = torch.zeros(*clips.mask.shape, self.dim)
        # Of all batches at once: a GPU that gives back the rows of each waits for the next.
        values[clips.mask] = self._in_batches(self._recorded or self._rows, rows).cpu()
        return Steps(values, clips.mask)

    def classify(self, features: Tensor) -> Tensor:
        """Return the logits (..., L) that the model's own classifier gives for stored features (..., D)."""
        rows = features.reshape(-1, self.dim)
        logits = self._in_batches(lambda batch: self._computed(self._logits, batch).cpu(), rows)
        return logits.reshape(*features.shape[:-1], logits.shape[-1])  # -1 is not known of no rows

    def _in_batches(self, forward: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        device = self._mean.device
        return in_fixed_batches(lambda batch: forward(copy_to_device(batch, device)), rows, self.batch_size)

    def _rows(self, frames: Tensor) -> Tensor:
        return self._computed(lambda batch: self._features((batch.float() / 255 - self._mean) / self._std), frames)

    def _computed(self, forward: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
        dtype = getattr(torch, self.compute_dtype)
        with torch.inference_mode(), torch.autocast(batch.device.type, dtype, enabled=dtype != torch.float32):
            return forward(batch).float()

    def _features(self, steps: Tensor) -> Tensor:
        raise NotImplementedError

    def _logits(self, features: Tensor) -> Tensor:
        raise NotImplementedError
