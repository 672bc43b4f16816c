"""Small video files whose frames show their own number, and an encoder of them that needs no weights.

Nothing here imports torch when it is imported, because decoding processes import the module of a `prepare`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np

from zsarbench.interfaces import Clips, Sampling, Steps
from zsarbench.utils.batching import in_fixed_batches

if TYPE_CHECKING:
    from torch import Tensor

BITS = 8
_COLUMNS = 4


def numbered_frame(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Return a frame (H, W, 3) uint8 whose eight black or white fields are the bits of its number, 0 to 255."""
    bits = np.array([number >> bit & 1 for bit in range(BITS)], dtype=np.uint8).reshape(-1, _COLUMNS)
    rows = np.arange(height) * len(bits) // height
    columns = np.arange(width) * _COLUMNS // width
    return np.repeat(255 * bits[rows][:, columns, None], 3, axis=2)


def read_number(rgb: np.ndarray) -> int:
    """Return the number that a frame (H, W, 3) shows, despite the losses of a codec."""
    grey = rgb.astype(float).mean(axis=2)
    fields = [field for row in np.array_split(grey, BITS // _COLUMNS) for field in np.array_split(row, _COLUMNS, 1)]
    return sum(int(np.median(field) > 127) << bit for bit, field in enumerate(fields))


def write_video(
    path: Path,
    n_frames: int = 10,
    *,
    rate: int = 10,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    times: Sequence[float] | None = None,
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write a file whose frame i shows the number i, and return its path; the suffix chooses the container.

    rate: frames per second. size: (width, height). times: when each frame is shown, in seconds, at a variable rate.
    options: of the codec and of the container.
    """
    with av.open(str(path), "w", options=dict(options or {})) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=dict(options or {}))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p" if codec == "libx264" and (size[0] % 2 or size[1] % 2) else "yuv420p"
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(n_frames):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number, *size), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class KeepFrame:
    """Prepares a frame by cutting or filling it to 48 x 64 pixels, so that its number can still be read."""

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Turn (H, W, 3) into (3, 48, 64) by nearest neighbours."""
        rows = np.arange(48) * rgb.shape[0] // 48
        columns = np.arange(64) * rgb.shape[1] // 64
        return np.ascontiguousarray(rgb[rows][:, columns].transpose(2, 0, 1))


class TinyEncoder:
    """A visual encoder with a small convolution of fixed weights: real features at once.

    With frames_per_step above 1 it is a window model: a step is the mean over the frames of its window.
    """

    needs: Literal["frames", "captions", "features"] = "frames"
    space: str | None = None
    fingerprint: Mapping[str, str]
    dim = 8

    def __init__(
        self, *, frames_per_second: float = 1.0, max_steps: int = 16, frames_per_step: int = 1, batch_size: int = 16
    ) -> None:
        self.frames_per_second = frames_per_second
        self.max_steps = max_steps
        self.frames_per_step = frames_per_step
        self.batch_size = batch_size
        self.sampling = Sampling(frames_per_second, max_steps, frames_per_step, frames_per_step)
        self.fingerprint = {"weights_sha256": "made by a rule", "preprocessing": "nearest 48x64"}
        self.prepare = KeepFrame()

    def encode(self, clips: Clips) -> Steps:
        """Return the features (N, T, 8) float32 of frames (N, T, F, 3, 48, 64) uint8."""
        if clips.frames is None or clips.mask is None:
            raise ValueError("frames and their mask are needed")
        import torch

        values = torch.zeros(*clips.mask.shape, self.dim)
        values[clips.mask] = in_fixed_batches(self._features, clips.frames[clips.mask], self.batch_size)
        return Steps(values, clips.mask)

    def _features(self, windows: Tensor) -> Tensor:
        import torch

        kernel = torch.randn(self.dim, 3, 8, 8, generator=torch.Generator().manual_seed(7)) / 14
        frames = windows.flatten(0, 1).float() / 255
        maps = torch.relu(torch.nn.functional.conv2d(frames, kernel, stride=4))
        return maps.mean(dim=(2, 3)).view(*windows.shape[:2], self.dim).mean(dim=1)
