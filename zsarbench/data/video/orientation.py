"""The orientation that a file declares, applied as ffmpeg does on its own (`-autorotate`)."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Any

import av
import av.filter

_MATRIX = struct.Struct("=9i")
_TOLERANCE = 1.0  # degrees: nearer to a multiple of 90 than this counts as that multiple


def upright(frame: Any) -> Any:
    """Return a decoded frame, oriented by its display matrix; unchanged where there is none."""
    filters = _filters(frame)
    if not filters:
        return frame
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
        ),
        *(graph.add(*words) for words in filters),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    graph.push(frame)
    return graph.pull()


def _filters(frame: Any) -> list[tuple[str, ...]]:
    """Return the filters, each a name and its argument, that bring a frame upright.

    They are those of ffmpeg's own program (fftools/ffmpeg_filter.c): flips and quarter turns lose nothing; another
    angle turns the picture inside its frame.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None or data.buffer_size < _MATRIX.size:
        return []
    matrix = _MATRIX.unpack(bytes(data)[: _MATRIX.size])
    angle = _clockwise_degrees(matrix)
    if angle is None:
        return []
    if abs(angle - 90) < _TOLERANCE:
        return [("transpose", "cclock_flip" if matrix[3] > 0 else "clock")]
    if abs(angle - 180) < _TOLERANCE:
        return [(name,) for name, entry in (("hflip", matrix[0]), ("vflip", matrix[4])) if entry < 0]
    if abs(angle - 270) < _TOLERANCE:
        return [("transpose", "clock_flip" if matrix[3] < 0 else "cclock")]
    if abs(angle) > _TOLERANCE:
        return [("rotate", f"{angle:f}*PI/180")]
    return [("vflip",)] if abs(angle) < _TOLERANCE and matrix[4] < 0 else []


def _clockwise_degrees(matrix: tuple[int, ...]) -> float | None:
    """Return the whole degrees from about 0 to 360 that a display matrix turns by; None where it shows nothing."""
    across, down = math.hypot(matrix[0], matrix[3]), math.hypot(matrix[1], matrix[4])
    if across == 0 or down == 0:
        return None
    turned = math.degrees(math.atan2(matrix[1] / down, matrix[0] / across))
    whole = math.copysign(math.floor(abs(turned) + 0.5), turned)  # C's round: halves away from zero
    return whole - 360 * math.floor(whole / 360 + 0.9 / 360)
