"""Multiple choice: the options of every test clip, drawn once and stored next to the protocol.

A list of options has a line for each clip: its id and the classes in the order of their letters, separated by tabs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.protocols.files import ListReader
from zsarbench.utils import seeding
from zsarbench.utils.class_names import match

Choices = Mapping[str, tuple[str, ...]]
"""The options of clips, in the order of their letters, by clip id."""
MAX_OPTIONS = 26  # letters


def read(path: Path, value: str) -> Choices:
    """Return the options that a protocol file names, with class names as the list spells them; {} for none.

    Raises:
        ZsarbenchError: the list does not exist, a line is not a clip with two options or more, a clip occurs twice, or
            clips have different numbers of options.
    """
    if not value:
        return {}
    choices: dict[str, tuple[str, ...]] = {}
    where = f"list '{value}' of protocol file {path}"
    for line in ListReader(path).names(value):
        clip, *options = (cell.strip() for cell in line.split("\t"))
        if len(options) < 2 or not all(options) or clip in choices:
            raise ZsarbenchError(f"{where}: '{line:.80}' is not a new clip and two options or more, separated by tabs")
        choices[clip] = tuple(options)
    if len(lengths := {len(options) for options in choices.values()}) != 1:
        raise ZsarbenchError(f"{where} must give all clips the same number of options; it has {sorted(lengths)}")
    return choices


def official(choices: Choices, classes: Sequence[str], aliases: Mapping[str, str]) -> Choices:
    """Return options with official class names.

    Raises:
        ZsarbenchError: a name is not a class, or a clip has an option twice.
    """
    found: dict[str, str | None] = {}
    for name in {name for options in choices.values() for name in options}:
        found[name] = match(name, classes, aliases)
        if found[name] is None:
            raise ZsarbenchError("options: " + unknown("class", name, classes))
    renamed = {clip: tuple(found[name] or "" for name in options) for clip, options in choices.items()}
    if twice := next((clip for clip, options in renamed.items() if len(set(options)) < len(options)), None):
        raise ZsarbenchError(f"clip '{twice}' has an option twice: {', '.join(renamed[twice])}")
    return renamed


def check(choices: Choices, test: Iterable[str], candidates: Sequence[str], labels: Mapping[Any, Any]) -> None:
    """Check the options of a round's test clips; labels: by clip id.

    Raises:
        ZsarbenchError: a clip has no options, its class is none of them, or an option is not a candidate.
    """
    known = set(candidates)
    for clip in test:
        if clip not in choices:
            raise ZsarbenchError(f"test clip '{clip}' has no options in the protocol's list")
        if labels[clip] not in choices[clip]:
            raise ZsarbenchError(f"test clip '{clip}' is '{labels[clip]}', which is none of its options")
        if strays := set(choices[clip]) - known:
            raise ZsarbenchError(f"test clip '{clip}' has the option '{min(strays)}', which is not a candidate")


def digest(choices: Choices) -> str:
    """Return the sha256 of options, their order included."""
    lines = sorted("\t".join((clip, *options)) for clip, options in choices.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def mask(choices: Choices, clips: Sequence[str], classes: Sequence[str]) -> NDArray[np.bool_]:
    """Return (n, c), whether a class is an option of a clip."""
    column = {name: number for number, name in enumerate(classes)}
    allowed = np.zeros((len(clips), len(classes)), dtype=np.bool_)
    for row, clip in enumerate(clips):
        allowed[row, [column[name] for name in choices[clip] if name in column]] = True
    return allowed


def draw(
    labels: Mapping[str, str],
    candidates: Sequence[str],
    n_options: int,
    seed: int,
    similarities: NDArray[np.floating] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Return options for clips: the class of each and others, in a random order.

    labels: of the clips, by id. similarities: (C, C) of the candidates; the others are then those most similar to the
    clip's class, else drawn at random. The options of a clip depend on its id and the seed, not on other clips.

    >>> drawn = draw({"a": "x", "b": "y"}, ["x", "y", "z"], 2, seed=0)
    >>> drawn == draw({"b": "y", "a": "x"}, ["x", "y", "z"], 2, seed=0), "x" in drawn["a"]
    (True, True)

    Raises:
        UsageError: there are too few candidates, or letters.
    """
    if not 2 <= n_options <= min(len(candidates), MAX_OPTIONS):
        raise UsageError(
            f"{n_options} options of {len(candidates)} candidates cannot be drawn; "
            f"2 to {min(len(candidates), MAX_OPTIONS)} can"
        )
    place = {name: number for number, name in enumerate(candidates)}
    choices = {}
    for clip, label in labels.items():
        rng = seeding.numpy_generator(seed, "options", clip)
        others = [number for number in range(len(candidates)) if number != place[label]]
        if similarities is None:
            chosen = rng.choice(others, n_options - 1, replace=False).tolist()
        else:
            row = similarities[place[label]]
            chosen = sorted(others, key=lambda number: (-row[number], candidates[number]))[: n_options - 1]
        order = rng.permutation([place[label], *chosen])
        choices[clip] = tuple(candidates[number] for number in order)
    return choices
