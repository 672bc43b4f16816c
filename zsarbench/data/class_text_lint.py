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
"""A text is called unrelated where its own name has a higher rank among all names by similarity; not tuned."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A suspicious text of a class, with the reason.

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
    """Return the suspicious class texts: empty ones, duplicates, then unrelated ones, the worst first.

    texts: one per class, in any form. encoder: compares texts with the names, as words in lower case; None: no text is
    called unrelated.

    A finding is a question, not a verdict: a good definition that shares no word with a rare name is reported too.
    """
    filled = [(item.name, text) for item in texts for text in item.texts if text.strip()]
    findings = [
        Finding(
            name=item.name,
            problem="empty",
            text="",
            reason="the class has no text" if not item.texts else "a text is blank",
        )
        for item in texts
        if not item.texts or not all(text.strip() for text in item.texts)
    ]
    findings += _duplicates(filled)
    if encoder is not None and filled:
        unrelated = _unrelated(filled, [item.name for item in texts], encoder, max_rank)
        findings += sorted(unrelated, key=lambda finding: -(finding.rank or 0))
    return findings


def _duplicates(filled: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    """Yield every text that equals an earlier one up to case, spaces and punctuation."""
    first: dict[str, str] = {}
    for name, text in filled:
        key = normalise(text) or text  # the text itself where it has no letter or digit
        if key in first:
            reason = f"a text of '{first[key]}' is the same"
            yield Finding(name=name, problem="duplicate", text=text, reason=reason)
        first.setdefault(key, name)


def _unrelated(
    filled: Sequence[tuple[str, str]], names: Sequence[str], encoder: TextEncoder, max_rank: int
) -> Iterator[Finding]:
    """Yield the texts to which at least `max_rank` other names are nearer than the name of their own class."""
    position = {name: index for index, name in enumerate(names)}
    known = torch.nn.functional.normalize(encoder.encode([words_of(name) for name in names]), dim=1)
    cosine = torch.nn.functional.normalize(encoder.encode([text for _, text in filled]), dim=1) @ known.T
    for (name, text), row in zip(filled, cosine, strict=True):
        rank = int((row > row[position[name]]).sum()) + 1
        if rank > max_rank:
            nearest = names[int(row.argmax())]
            reason = f"{rank - 1} of {len(names)} names are nearer, the nearest is '{nearest}'"
            yield Finding(name=name, problem="unrelated", text=text, reason=reason, rank=rank)
