"""Frames of clips as JPEG images; imports no torch, because decoding processes import it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

JPEG_QUALITY = 90


class FitInto:
    """Shrinks a frame until its longer side is at most `size` pixels; smaller ones stay as they are."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Return (3, h, w) uint8 of a frame (H, W, 3)."""
        height, width = rgb.shape[:2]
        scale = self.size / max(height, width)
        if scale < 1:
            shape = max(1, round(width * scale)), max(1, round(height * scale))
            rgb = np.asarray(Image.fromarray(rgb).resize(shape, Image.Resampling.BICUBIC))
        return rgb.transpose(2, 0, 1)


def jpegs(frames: np.ndarray) -> tuple[bytes, ...]:
    """Return each step's first frame of (T, F, 3, h, w) uint8 as a JPEG file."""
    encoded = []
    for frame in frames[:, 0]:
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0))).save(file, "JPEG", quality=JPEG_QUALITY)
        encoded.append(file.getvalue())
    return tuple(encoded)
