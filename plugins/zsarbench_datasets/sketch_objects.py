"""What stands in a sketch clip besides the person: nine props, the things of a background, and six places.

Everything is a list of `Shape`. Props and things are drawn in their own frame, x to the right and y **up**, about one
unit large: a prop around the point where it is gripped, a thing upwards from the point where it stands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

Point = tuple[float, float]
Colour = tuple[int, int, int]

DARK: Colour = (45, 40, 45)
WOOD: Colour = (150, 105, 60)
METAL: Colour = (150, 155, 165)
LEAF: Colour = (60, 125, 60)


class Shape(NamedTuple):
    """One filled area (width 0) or one line with round ends (width in the units of its points)."""

    points: tuple[Point, ...]
    colour: Colour
    width: float = 0.0


def area(colour: Colour, *points: Point) -> Shape:
    """Return a filled polygon."""
    return Shape(points, colour)


def line(colour: Colour, width: float, *points: Point) -> Shape:
    """Return a polyline."""
    return Shape(points, colour, width)


def box(colour: Colour, left: float, bottom: float, right: float, top: float) -> Shape:
    """Return a filled rectangle."""
    return area(colour, (left, bottom), (right, bottom), (right, top), (left, top))


def arc(x: float, y: float, rx: float, ry: float, first: float = 0.0, last: float = 360.0) -> tuple[Point, ...]:
    """Return points on an ellipse from one angle to another, in degrees counterclockwise from the right."""
    n = max(6, round(abs(last - first) / 18))
    turns = [math.radians(first + (last - first) * i / n) for i in range(n + 1)]
    return tuple((x + rx * math.cos(a), y + ry * math.sin(a)) for a in turns)


def disc(colour: Colour, x: float, y: float, rx: float, ry: float | None = None) -> Shape:
    """Return a filled ellipse."""
    return Shape(arc(x, y, rx, rx if ry is None else ry), colour)


def shade(colour: Colour, factor: float) -> Colour:
    """Return a darker (factor < 1) or lighter colour."""
    r, g, b = (max(0, min(255, round(c * factor))) for c in colour)
    return (r, g, b)


def hazy(colour: Colour, share: float) -> Colour:
    """Return a colour mixed with a share of pale grey."""
    r, g, b = (round(c + share * (232 - c)) for c in colour)
    return (r, g, b)


def placed(
    shapes: Sequence[Shape], at: Point, scale: float, degrees: float = 0.0, mirrored: bool = False
) -> list[Shape]:
    """Return shapes mirrored, turned counterclockwise about the origin, scaled, and moved, in this order."""
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    flip = -1.0 if mirrored else 1.0
    return [
        Shape(tuple((at[0] + c * flip * x - s * y, at[1] + s * flip * x + c * y) for x, y in p), colour, w * scale)
        for p, colour, w in shapes
    ]


def lowest(shapes: Sequence[Shape]) -> float:
    """Return the smallest y that the shapes reach."""
    return min(y - width / 2 for points, _, width in shapes for _, y in points)


# --- props: each takes its colour and is about one unit large; the origin is where a hand grips it --------------------


def _ball(colour: Colour) -> list[Shape]:
    stripes = [area((245, 245, 240), (0, 0), *arc(0, 0, 0.42, 0.42, a, a + 60)) for a in (20, 140, 260)]
    return [disc(DARK, 0, 0, 0.46), disc(colour, 0, 0, 0.42), *stripes]


def _balloon(colour: Colour) -> list[Shape]:
    string = line((90, 90, 90), 0.03, (0, -0.05), (0.05, 0.2), (-0.03, 0.4))
    knot = area(shade(colour, 0.7), (-0.07, 0.36), (0.07, 0.36), (0, 0.46))
    return [string, knot, disc(DARK, 0, 0.82, 0.36, 0.43), disc(colour, 0, 0.82, 0.33, 0.4)]


def _hoop(colour: Colour) -> list[Shape]:
    return [line(DARK, 0.15, *arc(0, 0, 0.6, 0.6)), line(colour, 0.1, *arc(0, 0, 0.6, 0.6))]


def _broom(colour: Colour) -> list[Shape]:
    bristles = area(colour, (-0.12, 0.62), (0.12, 0.62), (0.27, 1.05), (-0.27, 1.05))
    seams = [line(shade(colour, 0.6), 0.025, (x, 0.66), (2.1 * x, 1.03)) for x in (-0.07, 0.0, 0.07)]
    return [line(WOOD, 0.07, (0, -0.75), (0, 0.65)), bristles, *seams]


def _flag(colour: Colour) -> list[Shape]:
    cloth = area(colour, (0.03, 0.4), (0.3, 0.46), (0.55, 0.38), (0.8, 0.44), (0.8, 1.0), (0.55, 0.94), (0.03, 1.0))
    return [line(METAL, 0.06, (0, -0.5), (0, 1.05)), cloth, disc((220, 190, 60), 0, 1.07, 0.05)]


def _umbrella(colour: Colour) -> list[Shape]:
    hook = line(DARK, 0.06, *arc(0.08, -0.3, 0.08, 0.08, 180, 360))
    dome = area(colour, *arc(0, 0.55, 0.7, 0.5, 0, 180), (-0.35, 0.47), (0, 0.55), (0.35, 0.47))
    ribs = [line(shade(colour, 0.65), 0.03, (0, 1.05), (x, 0.5)) for x in (-0.35, 0.0, 0.35)]
    return [line(DARK, 0.06, (0, -0.3), (0, 1.12)), hook, dome, *ribs]


def _suitcase(colour: Colour) -> list[Shape]:
    handle = line(DARK, 0.06, (-0.14, 0.33), (-0.14, 0.45), (0.14, 0.45), (0.14, 0.33))
    straps = [box(shade(colour, 0.55), x - 0.04, -0.36, x + 0.04, 0.36) for x in (-0.3, 0.3)]
    return [handle, box(DARK, -0.55, -0.39, 0.55, 0.39), box(colour, -0.52, -0.36, 0.52, 0.36), *straps]


def _chair(colour: Colour) -> list[Shape]:
    legs = [line(shade(colour, 0.7), 0.08, (x, 0), (x * 1.1, -0.5)) for x in (-0.32, -0.2, 0.2, 0.32)]
    back = [line(colour, 0.09, (x, 0), (x - 0.06, 0.62)) for x in (-0.33, -0.19)]
    slats = [line(colour, 0.08, (-0.36, y), (-0.22, y)) for y in (0.35, 0.58)]
    return [*legs, *back, *slats, box(colour, -0.38, -0.05, 0.38, 0.07)]


def _bucket(colour: Colour) -> list[Shape]:
    body = area(colour, (-0.38, 0.32), (0.38, 0.32), (0.27, -0.4), (-0.27, -0.4))
    band = area(shade(colour, 0.65), (-0.35, 0.1), (0.35, 0.1), (0.34, 0.0), (-0.34, 0.0))
    return [line(METAL, 0.05, *arc(0, 0.32, 0.36, 0.34, 0, 180)), body, band, disc(DARK, 0, 0.32, 0.38, 0.08)]


PROPS = {
    "ball": _ball,
    "broom": _broom,
    "suitcase": _suitcase,
    "balloon": _balloon,
    "flag": _flag,
    "chair": _chair,
    "hoop": _hoop,
    "umbrella": _umbrella,
    "bucket": _bucket,
}
LONG = ("broom", "flag", "umbrella")
"""Props that lie on their side where a motion has them on the ground."""

# --- things of a background: each stands on the origin ----------------------------------------------------------------


def _tree(rng: Random) -> list[Shape]:
    leaf = shade(LEAF, rng.uniform(0.7, 1.2))
    crown = [disc(leaf, rng.uniform(-0.2, 0.2), rng.uniform(0.65, 0.85), rng.uniform(0.22, 0.32)) for _ in range(4)]
    return [line(shade(WOOD, 0.7), 0.12, (0, 0), (0, 0.6)), *crown]


def _bush(rng: Random) -> list[Shape]:
    leaf = shade(LEAF, rng.uniform(0.6, 1.1))
    return [disc(leaf, x, 0.12, 0.18, rng.uniform(0.14, 0.22)) for x in (-0.25, 0.0, 0.25)]


def _cloud(rng: Random) -> list[Shape]:
    return [disc((245, 245, 248), x, 0.0, 0.3, rng.uniform(0.12, 0.2)) for x in (-0.3, 0.0, 0.3)]


def _house(rng: Random) -> list[Shape]:
    wall: Colour = (rng.randint(140, 220), rng.randint(110, 180), rng.randint(100, 170))
    panes = [box((110, 140, 170), x, y, x + 0.18, y + 0.2) for x in (-0.32, 0.14) for y in (0.2, 0.55)]
    return [box(wall, -0.5, 0, 0.5, 0.9), *panes, area((120, 60, 50), (-0.58, 0.9), (0.58, 0.9), (0, 1.25))]


def _mountain(rng: Random) -> list[Shape]:
    top = rng.uniform(0.6, 0.9)
    snow = area((245, 247, 250), (-0.2, 0.7 * top), (0.2, 0.7 * top), (0, top))
    return [area(shade((130, 140, 155), rng.uniform(0.8, 1.1)), (-0.7, 0), (0.7, 0), (0, top)), snow]


def _window(rng: Random) -> list[Shape]:
    frame = [box((235, 230, 220), -0.4, 0, 0.4, 0.9), box((150, 190, 220), -0.34, 0.06, 0.34, 0.84)]
    return [
        *frame,
        line((235, 230, 220), 0.05, (0, 0.05), (0, 0.85)),
        line((235, 230, 220), 0.05, (-0.35, 0.45), (0.35, 0.45)),
    ]


def _picture(rng: Random) -> list[Shape]:
    paint: Colour = (rng.randint(60, 220), rng.randint(60, 220), rng.randint(60, 220))
    return [box(shade(WOOD, 0.6), -0.35, 0, 0.35, 0.55), box(paint, -0.29, 0.06, 0.29, 0.49)]


def _wave(rng: Random) -> list[Shape]:
    return [line((200, 220, 235), 0.06, *arc(x, 0, 0.2, 0.1, 180, 0)) for x in (-0.4, 0.0, 0.4)]


def _bench(rng: Random) -> list[Shape]:
    legs = [line(DARK, 0.06, (x, 0), (x, 0.3)) for x in (-0.4, 0.4)]
    return [*legs, box(WOOD, -0.55, 0.26, 0.55, 0.34), box(WOOD, -0.55, 0.45, 0.55, 0.56)]


def _cone(rng: Random) -> list[Shape]:
    stripe = area((245, 245, 245), (-0.14, 0.25), (0.14, 0.25), (0.1, 0.4), (-0.1, 0.4))
    return [area((235, 110, 40), (-0.22, 0), (0.22, 0), (0.04, 0.65), (-0.04, 0.65)), stripe]


def _dog(rng: Random) -> list[Shape]:
    fur = shade(WOOD, rng.uniform(0.5, 1.2))
    legs = [line(fur, 0.07, (x, 0.2), (x, 0)) for x in (-0.25, -0.15, 0.15, 0.25)]
    return [
        *legs,
        disc(fur, 0, 0.28, 0.32, 0.13),
        disc(fur, 0.36, 0.42, 0.13),
        line(fur, 0.06, (-0.3, 0.32), (-0.45, 0.5)),
    ]


def _lamp_post(rng: Random) -> list[Shape]:
    return [line((70, 75, 80), 0.06, (0, 0), (0, 1.2)), disc((250, 235, 170), 0, 1.25, 0.12)]


def _rock(rng: Random) -> list[Shape]:
    return [area((125, 120, 115), (-0.35, 0), (0.35, 0), (0.25, 0.22), (0, rng.uniform(0.25, 0.4)), (-0.28, 0.18))]


THINGS = {
    "tree": _tree,
    "bush": _bush,
    "cloud": _cloud,
    "house": _house,
    "mountain": _mountain,
    "window": _window,
    "picture": _picture,
    "wave": _wave,
    "bench": _bench,
    "traffic cone": _cone,
    "dog": _dog,
    "lamp post": _lamp_post,
    "rock": _rock,
}
DISTRACTORS = ("tree", "bush", "bench", "traffic cone", "dog", "lamp post", "rock")
"""Things that stand near the person and may be named in a caption; none of them is a prop."""
INDOOR = ("dog", "bench", "traffic cone")


class Place(NamedTuple):
    """A background: colours above and below the horizon, and things with how many there are and where.

    things: (name, count, side): "far" stands on the horizon, "up" hangs above it, "low" lies below it.
    """

    above: Colour
    below: Colour
    things: tuple[tuple[str, int, str], ...]


PLACES = {
    "park": Place((170, 210, 240), (110, 165, 85), (("cloud", 2, "up"), ("tree", 3, "far"), ("bush", 2, "far"))),
    "beach": Place((150, 205, 240), (225, 205, 150), (("cloud", 1, "up"), ("wave", 4, "far"), ("rock", 2, "low"))),
    "street": Place((190, 200, 210), (120, 120, 125), (("house", 3, "far"), ("lamp post", 1, "far"))),
    "snow": Place((205, 220, 235), (238, 242, 248), (("mountain", 2, "far"), ("tree", 2, "far"))),
    "living room": Place((225, 205, 180), (150, 110, 80), (("window", 1, "up"), ("picture", 2, "up"))),
    "gym": Place((175, 185, 190), (200, 150, 95), (("window", 3, "up"),)),
}


def scenery(place: Place, rng: Random, size: float) -> list[Shape]:
    """Return a background of `size` x `size` pixels, in pixels with y **down**."""
    horizon = size * rng.uniform(0.5, 0.68)
    tint = rng.uniform(0.8, 1.12)
    shapes = [
        box(shade(place.above, tint), 0, 0, size, horizon),
        box(shade(place.below, tint), 0, horizon, size, size),
    ]
    for name, count, side in place.things:
        for _ in range(count):
            y = {
                "far": horizon + rng.uniform(0, 0.03) * size,
                "up": rng.uniform(0.12, 0.3) * size,
                "low": horizon + rng.uniform(0.1, 0.4) * size,
            }[side]
            unit = size * rng.uniform(0.18, 0.34)
            shapes += upright(THINGS[name](rng), (rng.uniform(0, size), y), unit)
    return shapes


def upright(shapes: Sequence[Shape], at: Point, scale: float) -> list[Shape]:
    """Return shapes in pixels with y down, standing at a point."""
    return [
        Shape(tuple((at[0] + scale * x, at[1] - scale * y) for x, y in p), colour, w * scale) for p, colour, w in shapes
    ]
