"""The words of `sketch`: captions from a clip's own attributes, and what describes each class to a text encoder.

A caption names the motion and the prop of its own clip and no other, so that no seen clip's caption holds an unseen
combination; places and distractors are never props.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from zsarbench_datasets.sketch_drawing import ClipPlan


class MotionWords(NamedTuple):
    """How a motion is described; {x} stands for the prop."""

    verbs: tuple[tuple[str, str], ...]  # third person singular, present participle
    poses: tuple[str, ...]  # what is to be seen, without a verb of the motion
    sentence: str  # describes the class


MOTION_WORDS = {
    "raise": MotionWords(
        (
            ("raises {x}", "raising {x}"),
            ("lifts {x} up", "lifting {x} up"),
            ("hoists {x} high", "hoisting {x} high"),
        ),
        (
            "both hands rise from the knees to above the head, holding {x}",
            "{x} goes up in both hands, from the knees to over the head",
        ),
        "A person raises {x}: both hands lift it from the knees to above the head.",
    ),
    "lower": MotionWords(
        (
            ("lowers {x}", "lowering {x}"),
            ("brings {x} down", "bringing {x} down"),
            ("lets {x} sink", "letting {x} sink"),
        ),
        (
            "both hands come down from above the head to the knees, holding {x}",
            "{x} comes down in both hands, from over the head to the knees",
        ),
        "A person lowers {x}: both hands bring it down from above the head to the knees.",
    ),
    "wave": MotionWords(
        (
            ("waves {x}", "waving {x}"),
            ("swings {x} overhead", "swinging {x} overhead"),
            ("shakes {x}", "shaking {x}"),
        ),
        (
            "one arm is stretched up and sways far to the left and right with {x}",
            "{x} tilts to and fro at the end of one outstretched arm",
        ),
        "A person waves {x}: one arm is stretched up and swings it from side to side.",
    ),
    "kick": MotionWords(
        (
            ("kicks {x}", "kicking {x}"),
            ("boots {x} away", "booting {x} away"),
            ("hits {x} with a foot", "hitting {x} with a foot"),
        ),
        (
            "one leg flies forwards and the foot meets {x}",
            "standing on one leg, the other foot strikes {x}",
        ),
        "A person kicks {x}: one leg shoots forwards and the foot strikes it away.",
    ),
    "push": MotionWords(
        (
            ("pushes {x}", "pushing {x}"),
            ("shoves {x} along", "shoving {x} along"),
            ("presses {x} onwards", "pressing {x} onwards"),
        ),
        (
            "leaning forwards, with both arms stretched out in front, steps follow {x} over the ground",
            "{x} slides along the ground before two outstretched arms",
        ),
        "A person pushes {x}: they lean forwards with both arms out and shove it along the ground in front of them.",
    ),
    "drag": MotionWords(
        (
            ("drags {x}", "dragging {x}"),
            ("pulls {x} along", "pulling {x} along"),
            ("hauls {x}", "hauling {x}"),
        ),
        (
            "leaning forwards, with both arms stretched back, steps lead away and {x} follows over the ground",
            "{x} slides along the ground behind the back, held by two arms",
        ),
        "A person drags {x}: they walk ahead with both arms stretched back and pull it over the ground behind them.",
    ),
    "carry": MotionWords(
        (
            ("carries {x}", "carrying {x}"),
            ("walks along with {x}", "walking along with {x}"),
            ("bears {x} away", "bearing {x} away"),
        ),
        (
            "upright steps, with {x} held before the chest by both arms",
            "both arms hold {x} against the chest while the legs walk",
        ),
        "A person carries {x}: they walk upright and hold it before the chest with both arms.",
    ),
    "jump over": MotionWords(
        (
            ("jumps over {x}", "jumping over {x}"),
            ("leaps over {x}", "leaping over {x}"),
            ("hops across {x}", "hopping across {x}"),
        ),
        (
            "both feet are off the ground and the knees drawn up, high above {x}",
            "{x} lies on the ground while the body flies across it",
        ),
        "A person jumps over {x}: both feet leave the ground and the body flies across it.",
    ),
    "balance": MotionWords(
        (
            ("balances {x} on the head", "balancing {x} on the head"),
            ("keeps {x} steady on the head", "keeping {x} steady on the head"),
            ("poises {x} on the head", "poising {x} on the head"),
        ),
        (
            "standing on one leg with arms spread wide, {x} stays on top of the head",
            "{x} rests on top of the head, and both arms are spread wide",
        ),
        "A person balances {x}: it stays on top of the head while both arms are spread wide.",
    ),
}

PROP_WORDS = {
    "ball": ("ball", "beach ball"),
    "broom": ("broom", "sweeping broom"),
    "suitcase": ("suitcase", "travel case"),
    "balloon": ("balloon", "balloon on a string"),
    "flag": ("flag", "banner"),
    "chair": ("chair", "wooden chair"),
    "hoop": ("hoop", "large ring"),
    "umbrella": ("umbrella", "parasol"),
    "bucket": ("bucket", "pail"),
}

PLACE_WORDS = {
    "park": ("in a park", "on the grass of a park"),
    "beach": ("on a beach", "by the sea"),
    "street": ("in a street", "on the road of a town"),
    "snow": ("in the snow", "below a snowy mountain"),
    "living room": ("in a living room", "indoors at home"),
    "gym": ("in a gym", "in a sports hall"),
}

COLOURS = {
    "red": (205, 55, 50),
    "blue": (55, 95, 200),
    "yellow": (235, 200, 60),
    "green": (60, 150, 75),
    "orange": (235, 135, 45),
    "purple": (130, 75, 165),
    "pink": (235, 140, 175),
    "white": (240, 240, 240),
    "brown": (125, 85, 55),
}

WHO = {
    "man": ("he", "his"),
    "woman": ("she", "her"),
    "boy": ("he", "his"),
    "girl": ("she", "her"),
    "person": ("they", "their"),
}


def a(words: str) -> str:
    """Return words with the indefinite article.

    >>> a("umbrella"), a("ball")
    ('an umbrella', 'a ball')
    """
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def captions(plan: ClipPlan, rng: Random) -> tuple[str, ...]:
    """Return three captions of a clip: one by a verb, one by another verb, one by what the pose looks like."""
    words = MOTION_WORDS[plan.motion]
    (third, _), (_, participle) = rng.sample(words.verbs, 2)

    def prop(coloured: bool) -> str:
        word = rng.choice(PROP_WORDS[plan.prop])
        return a(f"{plan.prop_colour} {word}" if coloured else word)

    place = rng.choice(PLACE_WORDS[plan.place])
    near = f"near {a(plan.distractor)}"
    who = f"{a(plan.who)} in {a(plan.shirt)} shirt"
    first = f"{who} {third.format(x=prop(True))} {rng.choice((place, near))}."
    second = f"{place}, {a(plan.who)} is {participle.format(x=prop(rng.random() < 0.5))}."
    third_ = f"{rng.choice((place, near))}: {rng.choice(words.poses).format(x=prop(rng.random() < 0.5))}."
    return tuple(text[0].upper() + text[1:] for text in (first, second, third_))


def class_sentences(motion: str, prop: str) -> tuple[str, ...]:
    """Return sentences that describe a class, the chosen single one first."""
    words = MOTION_WORDS[motion]
    nouns = PROP_WORDS[prop]
    verbs = [f"A person {third.format(x=a(noun))}." for third, _ in words.verbs for noun in nouns]
    poses = [f"{text[0].upper()}{text[1:]}." for text in (pose.format(x=a(nouns[0])) for pose in words.poses)]
    return (words.sentence.format(x=a(nouns[0])), *verbs, *poses)
