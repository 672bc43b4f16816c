"""Matches class names across the spellings that public lists use."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping


@functools.lru_cache(maxsize=1 << 14)  # hundreds of names are matched against hundreds of classes, again and again
def normalise(name: str) -> str:
    """Return the name in lower case, letters and digits only.

    Accents are dropped with the rest, so that copies of a list that lost them still match.

    >>> normalise("Yo Yo") == normalise("YoYo") == normalise("yo_yo")
    True
    """
    return "".join(char for char in unicodedata.normalize("NFKD", name).lower() if char.isalnum())


def readable(name: str) -> str:
    """Return a class name as words.

    >>> readable("ApplyEyeMakeup"), readable("brush_hair")
    ('Apply Eye Makeup', 'brush hair')
    """
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ")


def match(name: str, classes: Iterable[str], aliases: Mapping[str, str]) -> str | None:
    """Return the official name that a spelling stands for, or None.

    An exact name comes first, then one that is equal after `normalise`, then an alias, also normalised.

    >>> match("salsa spins", ["SalsaSpin", "Archery"], {"Salsa Spins": "SalsaSpin"})
    'SalsaSpin'
    """
    known = tuple(classes)
    if name in known:
        return name
    wanted = normalise(name)
    for official in known:
        if normalise(official) == wanted:
            return official
    for alias, official in aliases.items():
        if normalise(alias) == wanted and official in known:
            return official
    return None
