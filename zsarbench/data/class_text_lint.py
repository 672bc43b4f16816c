"""Finds class texts that are empty, shared by classes, or suspiciously unrelated to the name of their class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from zsarbench.data.class_texts import words_of
from zsarbench.interfaces import ClassText
from zsarbench.utils.class_names import normalise

if TYPE_CHECKING:
    from zsarbench.interfaces import TextEncoder

MAX_RANK = 10
"""A text whose own name comes later among all names by similarity is called unrelated; a round number, not tuned."""


@dataclass(frozen=True)
class Finding:
    """One suspicious text of a class, and why it is.

    rank: for "unrelated", the place of the class's own name among all names by cosine to the text, counted from 1.
    """

    name: str
    problem: Literal["empty", "duplicate", "unrelated"]
    text: str
    reason: str
    rank: int | None = None


def check(
    texts: Sequence[ClassText],
    encoder: TextEncoder | None = None,
    *,
    max_rank: int = MAX_RANK,
) -> list[Finding]:
    """Return what is suspicious about class texts: the empty ones, duplicates, then the unrelated, worst first.

    texts: one per class, in any form. encoder: compares texts with the names, as words in lower case; None: nothing is
    called unrelated.

    A finding is a question, not a verdict: a good definition that shares no word with a rare name is found too.
    """
    filled = [(item.name, text) for item in texts for text in item.texts if text.strip()]
    findings = [
        Finding(item.name, "empty", "", "the class has no text" if not item.texts else "a text is blank")
        for item in texts
        if not item.texts or not all(text.strip() for text in item.texts)
    ]
    findings += _duplicates(filled)
    if encoder is not None and filled:
        unrelated = _unrelated(filled, [item.name for item in texts], encoder, max_rank)
        findings += sorted(unrelated, key=lambda finding: -(finding.rank or 0))
    return findings


def _duplicates(filled: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    """Yield every text that equals an earlier one but for case, spaces and punctuation."""
    first: dict[str, str] = {}
    for name, text in filled:
        key = normalise(text) or text  # where no letter or digit is left, the text itself
        if key in first:
            yield Finding(name, "duplicate", text, f"a text of '{first[key]}' is the same")
        first.setdefault(key, name)


def _unrelated(
    filled: Sequence[tuple[str, str]], names: Sequence[str], encoder: TextEncoder, max_rank: int
) -> Iterator[Finding]:
    """Yield the texts that more than `max_rank - 1` other names are nearer to than the name of their own class."""
    position = {name: index for index, name in enumerate(names)}
    known = torch.nn.functional.normalize(encoder.encode([words_of(name) for name in names]), dim=1)
    cosine = torch.nn.functional.normalize(encoder.encode([text for _, text in filled]), dim=1) @ known.T
    for (name, text), row in zip(filled, cosine, strict=True):
        rank = int((row > row[position[name]]).sum()) + 1
        if rank > max_rank:
            nearest = names[int(row.argmax())]
            reason = f"{rank - 1} of {len(names)} names are nearer, first of all '{nearest}'"
            yield Finding(name, "unrelated", text, reason, rank)
