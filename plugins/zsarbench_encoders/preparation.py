"""Turns decoded frames into what an image model takes; light, because it runs in decoding processes without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

ColourOrder = Literal["rgb", "bgr"]


@dataclass(frozen=True)
class ResizeCrop:
    """Resizes a frame and cuts its centre out, as the evaluation transform of timm and torchvision does.

    resize: the length in pixels that the shorter side gets, or (height, width) that the whole frame is squashed to.
    crop: (height, width) in pixels of what is kept.
    interpolation: name of a filter of Pillow, in lower case.
    colour_order: "bgr" swaps red and blue, for weights that are fed in OpenCV's order.
    """

    resize: int | tuple[int, int]
    crop: tuple[int, int]
    interpolation: str
    colour_order: ColourOrder = "rgb"

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Turn one frame (H, W, 3) uint8 RGB into (3, h, w) uint8; the scale to the model's range comes in `encode`."""
        image = Image.fromarray(np.ascontiguousarray(rgb))
        size = resized_size(image.width, image.height, self.resize)
        if size != image.size:
            image = image.resize(size, Image.Resampling[self.interpolation.upper()])
        height, width = self.crop
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        pixels = np.asarray(image.crop((left, top, left + width, top + height)))
        if self.colour_order == "bgr":
            pixels = pixels[..., ::-1]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def __str__(self) -> str:
        """Describe the steps, as part of the fingerprint."""
        resize = f"shorter side {self.resize}" if isinstance(self.resize, int) else "{}x{}".format(*self.resize)
        return f"resize {resize} {self.interpolation}; centre crop {self.crop[0]}x{self.crop[1]}; {self.colour_order}"


@dataclass(frozen=True)
class BilinearCrop:
    """Resizes a frame without low-pass filter and cuts its centre out, as torchvision does for its video models.

    Their weights were trained on frames resized so, and Pillow's filters, which average when they shrink, differ.

    resize: the length in pixels that the shorter side gets, or (height, width) that the whole frame is squashed to.
    crop: (height, width) in pixels of what is kept.
    """

    resize: int | tuple[int, int]
    crop: tuple[int, int]

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Turn one frame (H, W, 3) uint8 RGB into (3, h, w) uint8; the scale to the model's range comes in `encode`."""
        width, height = resized_size(rgb.shape[1], rgb.shape[0], self.resize)
        top, left = round((height - self.crop[0]) / 2), round((width - self.crop[1]) / 2)
        pixels = _interpolated(rgb.astype(np.float32), width, axis=1)[:, left : left + self.crop[1]]
        pixels = _interpolated(pixels, height, axis=0)[top : top + self.crop[0]].transpose(2, 0, 1)
        return np.ascontiguousarray(np.rint(pixels).astype(np.uint8))

    def __str__(self) -> str:
        """Describe the steps, as part of the fingerprint."""
        resize = f"shorter side {self.resize}" if isinstance(self.resize, int) else "{}x{}".format(*self.resize)
        return f"resize {resize} bilinear, no antialias; centre crop {self.crop[0]}x{self.crop[1]}; rgb"


def resized_size(width: int, height: int, resize: int | tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) after resizing; torchvision cuts the longer side's fraction off, and so does this."""
    if not isinstance(resize, int):
        return resize[1], resize[0]
    if width <= height:
        return resize, int(resize * height / width)
    return int(resize * width / height), resize


def _interpolated(pixels: np.ndarray, size: int, *, axis: int) -> np.ndarray:
    """Return float pixels with an axis brought to `size`, each from its two neighbours, pixel centres aligned."""
    length = pixels.shape[axis]
    position = np.maximum((np.arange(size, dtype=np.float32) + 0.5) * np.float32(length / size) - 0.5, 0)
    low = position.astype(np.intp)
    high = np.minimum(low + 1, length - 1)
    share = (position - low).astype(np.float32).reshape([-1 if number == axis else 1 for number in range(3)])
    between: np.ndarray = pixels.take(low, axis) * (1 - share) + pixels.take(high, axis) * share
    return between
