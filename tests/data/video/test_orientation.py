from __future__ import annotations

import itertools
import math
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from zsarbench.data.video.frames import read_steps
from zsarbench.interfaces import ClipSource, Sampling
from zsarbench.testing.videos import numbered_frame, write_video

Matrix = tuple[float, float, float, float]

QUARTERS: list[Matrix] = [
    *((a, 0, 0, d) for a, d in itertools.product((1, -1), repeat=2)),
    *((0, b, c, 0) for b, c in itertools.product((1, -1), repeat=2)),
]
"""The eight ways to flip and turn a picture by quarters: a point (x, y) is shown at (ax + cy, bx + dy)."""


def turned_by(degrees: float, flip: float = 1) -> Matrix:
    """Return the matrix of a clockwise turn, of the picture flipped left to right first where flip is -1."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return (flip * cosine, flip * sine, -sine, cosine)


def oriented(folder: Path, matrix: Matrix) -> Path:
    """Write an MP4 of five numbered frames with this display matrix (a, b, c, d)."""
    path = write_video(folder / "a.mp4", 5, options={"qp": "0"})
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # ISO/IEC 14496-12, 8.3.2: version 0
    a, b, c, d = (round(value * 65536) for value in matrix)
    content[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


def pictures(path: Path) -> list[np.ndarray]:
    """Return the frames (H, W, 3) uint8 of a file as an encoder is given them."""
    shown: list[np.ndarray] = []

    def keep(rgb: np.ndarray) -> np.ndarray:
        shown.append(rgb)
        return np.zeros((3, 1, 1), np.uint8)

    read_steps(ClipSource("clip", str(path)), Sampling(10.0, 5), keep)
    return shown


def moved(picture: np.ndarray, matrix: Matrix) -> np.ndarray:
    """Return a picture with each point moved by a matrix of quarter turns and flips."""
    a, b, c, d = map(int, matrix)
    y, x = np.indices(picture.shape[:2])
    to_x, to_y = a * x + c * y, b * x + d * y
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    result = np.zeros((to_y.max() + 1, to_x.max() + 1, 3), picture.dtype)
    result[to_y, to_x] = picture
    return result


@pytest.mark.parametrize("matrix", QUARTERS)
def test_every_flip_and_quarter_turn_is_shown(tmp_path: Path, matrix: Matrix) -> None:
    for number, picture in enumerate(pictures(oriented(tmp_path, matrix))):
        expected = moved(numbered_frame(number), matrix)
        assert picture.shape == expected.shape
        assert np.abs(picture.astype(int) - expected).max() < 20


def test_only_the_direction_counts_not_the_scale_and_a_degree_is_not_noticed(tmp_path: Path) -> None:
    upside_down = moved(numbered_frame(3), (-1, 0, 0, -1))
    for matrix in ((-2.0, 0.0, 0.0, -0.5), turned_by(180.4), turned_by(179.6)):
        assert np.abs(pictures(oriented(tmp_path, matrix))[3].astype(int) - upside_down).max() < 20
    for matrix in (turned_by(0.4), turned_by(1.0), (0.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 1.0)):
        assert np.abs(pictures(oriented(tmp_path, matrix))[3].astype(int) - numbered_frame(3)).max() < 20


def test_another_angle_turns_the_picture_inside_its_frame(tmp_path: Path) -> None:
    picture = pictures(oriented(tmp_path, turned_by(45)))[2]  # one field is white, left of the middle of the upper edge
    assert picture.shape == (48, 64, 3)
    assert picture[6:14, 31:39].mean() > 200  # it is turned to the middle
    assert picture[24:].mean() < 20


def test_a_degree_beside_a_quarter_turn_is_another_angle(tmp_path: Path) -> None:
    for angle in (91, 89, 271, 269):
        assert pictures(oriented(tmp_path, turned_by(angle)))[3].shape == (48, 64, 3), "turned inside its frame"
    for angle, straight in ((181, -1), (179, -1), (2, 1)):
        shown = pictures(oriented(tmp_path, turned_by(angle)))[3].astype(int)
        assert np.abs(shown - moved(numbered_frame(3), (straight, 0, 0, straight))).max() > 100


@pytest.mark.parametrize(
    "matrix", [*QUARTERS, *(turned_by(angle, flip) for angle in (1.0, 20, 89.4, 133, 180.6, 271) for flip in (1, -1))]
)
def test_frames_are_those_of_ffmpeg_itself(tmp_path: Path, matrix: Matrix) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    path = oriented(tmp_path, matrix)
    words = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    expected = np.frombuffer(subprocess.check_output(words), np.uint8)
    assert np.array_equal(np.concatenate([picture.reshape(-1) for picture in pictures(path)]), expected)
