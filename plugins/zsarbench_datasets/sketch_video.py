"""Rasterises sketch clips and writes them as H.264 in MP4; also the process that `Sketch.manifest` starts for it."""

from __future__ import annotations

import os
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from zsarbench.utils.atomic import atomic_path
from zsarbench_datasets.sketch_drawing import (
    FRAMES,
    FRAMES_PER_SECOND,
    H264,
    OVERSAMPLING,
    SIZE,
    ClipPlan,
    background,
    foreground,
)
from zsarbench_datasets.sketch_objects import Shape, shade
from zsarbench_datasets.sketch_plans import clip_path, plans


def paint(draw: ImageDraw.ImageDraw, shapes: list[Shape], light: float) -> None:
    """Draw shapes, given in pixels of the finished frame, into an oversampled picture."""
    k = OVERSAMPLING
    for points, drawn, width in shapes:
        colour = shade(drawn, light)
        xy = [(k * x, k * y) for x, y in points]
        if not width:
            draw.polygon(xy, fill=colour)
            continue
        w = max(1, round(k * width))
        draw.line(xy, fill=colour, width=w)
        if w > 3:  # round ends and joints
            for x, y in xy:
                draw.ellipse((x - w / 2, y - w / 2, x + w / 2, y + w / 2), fill=colour)


def frames(plan: ClipPlan) -> list[np.ndarray]:
    """Return the frames of a clip: FRAMES arrays (SIZE, SIZE, 3) uint8 RGB."""
    still = Image.new("RGB", (SIZE * OVERSAMPLING,) * 2)
    paint(ImageDraw.Draw(still), background(plan), plan.light)
    pictures = []
    for i in range(FRAMES):
        picture = still.copy()
        paint(ImageDraw.Draw(picture), foreground(plan, i / FRAMES_PER_SECOND), plan.light)
        pictures.append(np.asarray(picture.reduce(OVERSAMPLING)))
    return pictures


def write(plan: ClipPlan, path: Path) -> None:
    """Write a clip as H.264 in MP4; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"fflags": "+bitexact"}
    with atomic_path(path) as unfinished, av.open(str(unfinished), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=H264)
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FRAMES_PER_SECOND)
        for picture in frames(plan):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def main(folder: str, seed: str, clips_per_class: str, part: str, parts: str) -> None:
    """Write every `parts`-th missing clip, beginning with number `part`; stop when the calling process has ended."""
    caller = os.getppid()
    for number, plan in enumerate(plans(int(seed), int(clips_per_class))):
        path = clip_path(Path(folder), plan)
        if number % int(parts) != int(part) or path.exists():
            continue
        if os.getppid() != caller:
            return
        write(plan, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
