"""Plans the clips of `sketch` from a seed: the same on every machine, and more clips never change earlier ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from zsarbench.utils.seeding import derive
from zsarbench_datasets.sketch_drawing import LAST, MOTIONS, ClipPlan
from zsarbench_datasets.sketch_objects import DISTRACTORS, INDOOR, PLACES, PROPS, shade
from zsarbench_datasets.sketch_words import COLOURS, WHO

CLIPS_PER_SOURCE = 2
SKINS = ((245, 215, 185), (225, 180, 145), (190, 140, 100), (140, 95, 65), (95, 65, 45))
HAIR = ((35, 30, 30), (90, 60, 35), (150, 105, 55), (215, 180, 105), (160, 160, 165))
TROUSERS = ((55, 60, 105), (60, 60, 65), (120, 100, 75), (90, 45, 50), (200, 200, 205))


def class_name(motion: str, prop: str) -> str:
    """Return the official name of a class.

    >>> class_name("jump over", "ball")
    'jump over ball'
    """
    return f"{motion} {prop}"


CLASSES = {class_name(motion, prop): (motion, prop) for motion in MOTIONS for prop in PROPS}


def rng(seed: int, *names: object) -> Random:
    """Return a generator for a named use.

    It is Python's own because its stream is promised to stay, and clips must come out the same in ten years.
    """
    return Random(derive(seed, "sketch", *names))


def plan(seed: int, name: str, take: int) -> ClipPlan:
    """Return the plan of a class's clip number `take`; two clips that follow each other share their source."""
    motion, prop = CLASSES[name]
    source = take // CLIPS_PER_SOURCE
    clip_id = f"{name.replace(' ', '-')}-{take:05d}"
    return ClipPlan(
        clip_id=clip_id,
        motion=motion,
        prop=prop,
        group=f"{name}/g{source + 1:02d}",
        **_source(rng(seed, "source", name, source)),
        **_clip(rng(seed, "clip", clip_id)),
    )


def plans(seed: int, clips_per_class: int) -> Iterator[ClipPlan]:
    """Yield the plans of all clips, class by class."""
    for name in CLASSES:
        for take in range(clips_per_class):
            yield plan(seed, name, take)


def clip_path(folder: Path, plan: ClipPlan) -> Path:
    """Return where a clip lies: one folder per class."""
    return folder / class_name(plan.motion, plan.prop).replace(" ", "-") / f"{plan.clip_id}.mp4"


def _colour(r: Random) -> tuple[str, tuple[int, int, int]]:
    name = r.choice(list(COLOURS))
    return name, shade(COLOURS[name], r.uniform(0.85, 1.1))


def _source(r: Random) -> dict[str, Any]:
    place = r.choice(list(PLACES))
    shirt, shirt_rgb = _colour(r)
    return {
        "place": place,
        "scenery_seed": r.randrange(2**32),
        "distractor": r.choice(INDOOR if place in ("living room", "gym") else DISTRACTORS),
        "distractor_x": r.choice((r.uniform(0.12, 0.3), r.uniform(0.7, 0.88))),
        "who": r.choice(list(WHO)),
        "shirt": shirt,
        "shirt_rgb": shirt_rgb,
        "skin": r.choice(SKINS),
        "trousers": r.choice(TROUSERS),
        "hair": r.choice(HAIR),
        "build": r.uniform(0.9, 1.3),
        "haze": r.uniform(0.35, 0.6),
    }


def _clip(r: Random) -> dict[str, Any]:
    prop_colour, prop_rgb = _colour(r)
    return {
        "prop_colour": prop_colour,
        "prop_rgb": prop_rgb,
        "prop_size": r.uniform(0.38, 0.46),
        "height": r.uniform(0.46, 0.57),
        "x": r.uniform(0.45, 0.55),
        "ground": r.uniform(0.86, 0.92),
        "mirrored": r.random() < 0.5,
        "speed": r.uniform(0.55, 1.1),
        "phase": r.uniform(0.0, 1.0),
        "begin": r.uniform(0.2, 0.9),
        "finish": LAST - r.uniform(0.2, 0.9),
        "light": r.uniform(0.8, 1.1),
    }
