"""Draws a sketch clip: the poses of nine motions, a person of lines and discs, and the frame they stand in.

Bodies live in a frame of their own: x forwards, y up, the standing person 1 high, feet on the ground at (0, 0). Angles
are degrees; a limb hangs down at 0, points forwards at 90 and up at 180.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from zsarbench_datasets.sketch_objects import (
    DARK,
    LONG,
    PLACES,
    PROPS,
    THINGS,
    Colour,
    Point,
    Shape,
    disc,
    hazy,
    line,
    lowest,
    placed,
    scenery,
    shade,
    upright,
)

SIZE = 256  # pixels a side; encoders take the central 224
FRAMES_PER_SECOND = 5
FRAMES = 16  # 0.0 to 3.0 s, both included: sampling at 1 frame a second is symmetric in time, so only order differs
LAST = (FRAMES - 1) / FRAMES_PER_SECOND  # raising from lowering
OVERSAMPLING = 2  # Pillow draws without smoothing
H264 = {
    "preset": "superfast",
    "crf": "20",
    "threads": "1",
}  # one thread: the bytes do not depend on the number of cores
ENCODING = {"size": SIZE, "rate": FRAMES_PER_SECOND, "frames": FRAMES, "oversampling": OVERSAMPLING, **H264}

TORSO, NECK, HEAD, UPPER_ARM, FOREARM, THIGH, SHIN = 0.30, 0.05, 0.085, 0.16, 0.16, 0.235, 0.235


@dataclass(frozen=True)
class ClipPlan:
    """Everything that one clip shows; a function of the data set's seed and the clip's place in it.

    Lengths are parts of the picture's side, speeds cycles a second, times seconds, colours names or RGB.
    """

    clip_id: str
    motion: str
    prop: str
    group: str
    # the source: what the clips of one group share
    place: str
    scenery_seed: int
    distractor: str
    distractor_x: float
    who: str
    shirt: str
    shirt_rgb: Colour
    skin: Colour
    trousers: Colour
    hair: Colour
    build: float
    haze: float
    # the clip
    prop_colour: str
    prop_rgb: Colour
    prop_size: float
    height: float
    x: float
    ground: float
    mirrored: bool
    speed: float
    phase: float
    begin: float
    finish: float
    light: float


class Pose(NamedTuple):
    """How the person stands at one moment, and where the prop is."""

    lean: float
    arms: tuple[Point, Point]  # (upper arm, forearm) of the far and of the near side
    legs: tuple[Point, Point]  # (thigh, shin)
    at: str  # "hand", "hands", "head", "ground": what the prop is placed by
    turn: float = 0.0  # of the prop
    shift: Point = (0.0, 0.0)  # of the prop
    lift: float = 0.0  # of the feet above the ground
    advance: float = 0.0  # of the person from the clip's x


STAND: tuple[Point, Point] = ((-6, -6), (7, 7))


def _wave(turns: float) -> float:
    return math.sin(2 * math.pi * turns)


def _walk(w: float, stride: float = 30.0) -> tuple[Point, Point]:
    legs = []
    for turns in (w, w + 0.5):
        thigh = stride * _wave(turns)
        legs.append((thigh, thigh - 1.5 * stride * max(0.0, _wave(turns + 0.3))))
    return legs[0], legs[1]


def _raised(plan: ClipPlan, seconds: float) -> Pose:
    s = min(1.0, max(0.0, (seconds - plan.begin) / (plan.finish - plan.begin)))
    s = s * s * (3 - 2 * s)
    arm = (12 + 150 * s, 16 + 158 * s)
    bend = 1 - s
    legs = ((40 * bend - 6, -30 * bend - 6), (52 * bend + 7, -22 * bend + 7))
    return Pose(38 * bend - 2, (arm, arm), legs, "hands")


def _kick(w: float) -> Pose:
    swing = 0.3 + 0.7 * _wave(w)  # the leg is up for most of the time
    away = max(0.0, swing)
    leg = (28 + 60 * swing, 25 + 65 * swing - 45 * max(0.0, -swing))
    arms = ((-40 - 20 * swing, -30.0), (40.0 + 10 * swing, 70.0))
    return Pose(
        -4 - 10 * swing, arms, ((-4, -4), leg), "ground", 25 * away, (0.4 + 0.26 * away, 0.3 * away), 0.0, -0.25
    )


def _jump(w: float) -> Pose:
    hop, cycle = divmod(w, 1.0)
    air = min(1.0, cycle / 0.85)
    up = math.sin(math.pi * air)
    side = -1.0 if int(hop) % 2 else 1.0
    legs = ((80 * up, -25 * up), (60 * up, -50 * up))
    arms = ((60 + 80 * up, 60 + 100 * up), (-30 - 70 * up, -20 - 70 * up))
    x = side * 0.5 * (2 * air - 1)
    return Pose(12 * up, arms, legs, "ground", 0.0, (-x, 0.0), 0.4 * up, x)


def pose(plan: ClipPlan, seconds: float) -> Pose:
    """Return the pose of a clip at a time."""
    w = plan.phase + plan.speed * seconds
    onwards = 0.16 * (seconds - LAST / 2)
    match plan.motion:
        case "raise":
            return _raised(plan, seconds)
        case "lower":
            return _raised(plan, LAST - seconds)
        case "wave":
            swing = _wave(w)
            arms = ((-40.0, 40.0), (180 + 55 * swing, 180 + 68 * swing))
            return Pose(6 * swing, arms, ((-14, -14), (14, 14)), "hand", 55 * swing)
        case "kick":
            return _kick(w)
        case "push":
            arms = ((66.0, 82.0), (74.0, 86.0))
            return Pose(30, arms, _walk(w), "ground", 0.0, (0.0, 0.0), 0.0, onwards - 0.35)
        case "drag":
            arms = ((-42.0, -58.0), (-34.0, -52.0))
            return Pose(24, arms, _walk(w), "ground", 20 + 4 * _wave(2 * w), (0.0, 0.0), 0.0, onwards + 0.2)
        case "carry":
            arms = ((20.0, 95.0), (28.0, 102.0))
            return Pose(-5, arms, _walk(w, 18.0), "hands", 4 * _wave(2 * w), (0.04, 0.02), 0.0, onwards)
        case "jump over":
            return _jump(w)
        case "balance":
            tilt = _wave(w)
            knee = (50 + 12 * tilt, -35 + 12 * tilt)
            arms = ((-92 + 14 * tilt, -96 + 14 * tilt), (92 + 14 * tilt, 96 + 14 * tilt))
            return Pose(3 * tilt, arms, ((0, 0), knee), "head", 7 * tilt)
    raise ValueError(f"no motion '{plan.motion}'")


MOTIONS = ("raise", "lower", "wave", "kick", "push", "drag", "carry", "jump over", "balance")


def _limb(start: Point, angles: Point, lengths: Point) -> tuple[Point, Point, Point]:
    points = [start]
    for degrees, length in zip(angles, lengths, strict=True):
        x, y = points[-1]
        points.append((x + length * math.sin(math.radians(degrees)), y - length * math.cos(math.radians(degrees))))
    return points[0], points[1], points[2]


def _person(plan: ClipPlan, p: Pose) -> tuple[list[Shape], list[Shape], dict[str, Point]]:
    """Return the shapes behind the prop, those before it, and the points that a prop can be placed by."""
    reach = max(THIGH * math.cos(math.radians(a)) + SHIN * math.cos(math.radians(b)) for a, b in p.legs)
    hip = (p.advance, p.lift + reach)
    back = math.radians(p.lean)
    shoulder = (hip[0] + TORSO * math.sin(back), hip[1] + TORSO * math.cos(back))
    head = (shoulder[0] + (NECK + HEAD) * math.sin(back), shoulder[1] + (NECK + HEAD) * math.cos(back))
    far, near = (_limb(shoulder, arm, (UPPER_ARM, FOREARM)) for arm in p.arms)
    thick = 0.07 * plan.build
    legs = [line(plan.trousers, thick * 1.15, *_limb(hip, leg, (THIGH, SHIN))) for leg in p.legs]
    legs[0] = legs[0]._replace(colour=shade(plan.trousers, 0.75))
    behind = [
        line(shade(plan.skin, 0.8), thick * 0.85, *far),
        *legs,
        *(disc(DARK, leg.points[2][0] + 0.03, leg.points[2][1], 0.055, 0.03) for leg in legs),
        line(plan.shirt_rgb, thick * 2.1, (hip[0], hip[1] + 0.03), (shoulder[0], shoulder[1] - 0.03)),
        disc(plan.hair, head[0] - 0.02, head[1] + 0.02, HEAD * 1.08),
        disc(plan.skin, head[0] + 0.015, head[1] - 0.01, HEAD * 0.9),
        disc(DARK, head[0] + 0.055, head[1] + 0.01, 0.012),
    ]
    before = [
        line(plan.shirt_rgb, thick, near[0], near[1]),
        line(plan.skin, thick * 0.85, near[1], near[2]),
        disc(plan.skin, near[2][0], near[2][1], thick * 0.6),
    ]
    hands = ((far[2][0] + near[2][0]) / 2, (far[2][1] + near[2][1]) / 2)
    top = (head[0], head[1] + HEAD)
    return behind, before, {"hand": near[2], "hands": hands, "head": top, "ground": (p.advance, 0.0)}


def _prop(plan: ClipPlan, p: Pose, points: dict[str, Point]) -> list[Shape]:
    shapes = PROPS[plan.prop](plan.prop_rgb)
    if p.at == "ground" and plan.prop in LONG:
        shapes = placed(shapes, (0, 0), 1.0, -80.0)
    x, y = points[p.at]
    at = (x + p.shift[0], y + p.shift[1])
    turned = placed(shapes, (0, 0), plan.prop_size, p.turn)
    if p.at in ("ground", "head"):
        at = (at[0], at[1] - lowest(turned))
    if plan.motion == "push":  # the prop begins where the hands end
        at = (points["hands"][0] - min(x for shape in turned for x, _ in shape.points), at[1])
    if plan.motion == "drag":
        at = (points["hands"][0] + 0.04 - max(x for shape in turned for x, _ in shape.points), at[1])
    return placed(turned, at, 1.0)


def background(plan: ClipPlan) -> list[Shape]:
    """Return what stands still in a clip, in pixels with y down; clips of one group share it."""
    rng = Random(plan.scenery_seed)
    shapes = scenery(PLACES[plan.place], rng, SIZE)
    spot = (plan.distractor_x * SIZE, plan.ground * SIZE - 0.03 * SIZE)
    shapes += upright(THINGS[plan.distractor](rng), spot, 0.3 * SIZE)
    return [shape._replace(colour=hazy(shape.colour, plan.haze)) for shape in shapes]


def foreground(plan: ClipPlan, seconds: float) -> list[Shape]:
    """Return the person and the prop at a time, in pixels with y down."""
    p = pose(plan, seconds)
    behind, before, points = _person(plan, p)
    flip = -1.0 if plan.mirrored else 1.0
    scale, x0, y0 = plan.height * SIZE, plan.x * SIZE, plan.ground * SIZE
    return [
        Shape(tuple((x0 + flip * scale * x, y0 - scale * y) for x, y in points_), colour, width * scale)
        for points_, colour, width in (*behind, *_prop(plan, p, points), *before)
    ]
