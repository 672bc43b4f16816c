"""Prepares frames; it runs in decoding processes, so nothing here imports torch."""

import numpy as np


class Fields:
    """Makes a frame the mean colours of four by four fields."""

    def __call__(self, rgb):
        """Turn (H, W, 3) uint8 RGB into (3, 4, 4) uint8."""
        rows = np.arange(32) * rgb.shape[0] // 32
        columns = np.arange(32) * rgb.shape[1] // 32
        fields = rgb[rows][:, columns].reshape(4, 8, 4, 8, 3).mean(axis=(1, 3))
        return np.ascontiguousarray(fields.transpose(2, 0, 1).astype(np.uint8))
