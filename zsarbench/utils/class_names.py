"""Class names across the spellings of public lists."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping

__all__ = ["match", "normalise", "readable"]

_LEFT_OUT = frozenset((*range(10, 37), *range(200, 241)))
"""Unicode's combining classes of Hebrew and Arabic points, and of accents."""


@functools.lru_cache(maxsize=1 << 14)  # hundreds of names are matched against hundreds of classes, again and again
def normalise(name: str) -> str:
    """Return the name in lower case, letters and digits only.

    Accents, and the points of Arabic and Hebrew, are dropped too, so that copies of a list that lost them still match.
    The vowels and voicing marks of Indic, Thai and Japanese words stay: they are marks in Unicode, and letters to
    readers.

    >>> normalise("Yo Yo") == normalise("YoYo") == normalise("yo_yo")
    True
    """
    kept = []
    in_word = False
    for char in unicodedata.normalize("NFKD", name).lower():
        is_mark = in_word and unicodedata.category(char).startswith("M")
        in_word = is_mark or char.isalnum()
        if in_word and not (is_mark and unicodedata.combining(char) in _LEFT_OUT):
            kept.append(char)
    return "".join(kept)


def readable(name: str) -> str:
    """Return a class name as words.

    >>> readable("ApplyEyeMakeup"), readable("brush_hair")
    ('Apply Eye Makeup', 'brush hair')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ")


def namesakes(classes: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the classes that are equal after `normalise`, which no spelling of another list can tell apart.

    >>> namesakes(["HandStandPushups", "archery", "HandstandPushups"])
    [('HandStandPushups', 'HandstandPushups')]
    """
    by_letters: dict[str, list[str]] = {}
    for name in classes:
        by_letters.setdefault(_letters(name), []).append(name)
    return [tuple(names) for names in by_letters.values() if len(names) > 1]


def match(name: str, classes: Iterable[str], aliases: Mapping[str, str]) -> str | None:
    """Return the official class name for a spelling, or None.

    An exact name comes first, then one that is equal after `normalise`, then an alias, also normalised.

    >>> match("salsa spins", ["SalsaSpin", "Archery"], {"Salsa Spins": "SalsaSpin"})
    'SalsaSpin'
    """
    known = tuple(classes)
    if name in known:
        return name
    target = _letters(name)
    for official in known:
        if _letters(official) == target:
            return official
    for alias, official in aliases.items():
        if _letters(alias) == target and official in known:
            return official
    return None


def _letters(name: str) -> str:
    """Return what two spellings of one name share; the name itself where it has no letter, as an emoji."""
    return normalise(name) or name
