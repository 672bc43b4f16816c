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
        size = self._resized(image.width, image.height)
        if size != image.size:
            image = image.resize(size, Image.Resampling[self.interpolation.upper()])
        height, width = self.crop
        left, top = round((image.width - width) / 2), round((image.height - height) / 2)
        pixels = np.asarray(image.crop((left, top, left + width, top + height)))
        if self.colour_order == "bgr":
            pixels = pixels[..., ::-1]
        return np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Return (width, height) after resizing; torchvision cuts the longer side's fraction off, and so does this."""
        if not isinstance(self.resize, int):
            return self.resize[1], self.resize[0]
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize

    def __str__(self) -> str:
        """Describe the steps, as part of the fingerprint."""
        resize = f"shorter side {self.resize}" if isinstance(self.resize, int) else "{}x{}".format(*self.resize)
        return f"resize {resize} {self.interpolation}; centre crop {self.crop[0]}x{self.crop[1]}; {self.colour_order}"
