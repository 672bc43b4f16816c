"""Frames as the images of a question: shrunk, never enlarged, and encoded once a step."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from zsarbench.predictions.asking.frames import FitInto, jpegs


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(100, 200, (32, 64)), (200, 100, (64, 32)), (64, 48, (64, 48)), (10, 20, (10, 20)), (40, 50, (40, 50)),
     (1, 1000, (1, 64)), (1000, 1, (64, 1)), (65, 65, (64, 64)), (40, 65, (39, 64))],
)  # fmt: skip
def test_the_longer_side_is_shrunk_to_the_size_and_small_frames_stay(
    height: int, width: int, shape: tuple[int, int]
) -> None:
    assert FitInto(64)(np.zeros((height, width, 3), dtype=np.uint8)).shape == (3, *shape)


def test_a_shrunk_frame_shows_the_same_colours_in_the_same_places() -> None:
    frame = np.zeros((100, 200, 3), dtype=np.uint8)
    frame[:, :100, 0], frame[:50, :, 2] = 200, 100
    small = FitInto(20)(frame)
    assert small[:, 2, 2].tolist() == [200, 0, 100]
    assert small[:, 8, 17].tolist() == [0, 0, 0]
    unchanged = FitInto(200)(frame)
    assert np.array_equal(unchanged, frame.transpose(2, 0, 1))


def test_each_step_is_a_jpeg_of_its_first_frame() -> None:
    frames = np.zeros((2, 2, 3, 16, 24), dtype=np.uint8)
    frames[0, 0, 0], frames[1, 0, 1] = 250, 250  # the second frames stay black
    files = jpegs(frames)
    images = [Image.open(io.BytesIO(file)) for file in files]
    assert [(image.format, image.size) for image in images] == [("JPEG", (24, 16))] * 2
    colours = [np.asarray(image.convert("RGB")).mean(axis=(0, 1)).round() for image in images]
    np.testing.assert_allclose(colours, [[250, 0, 0], [0, 250, 0]], atol=5)
