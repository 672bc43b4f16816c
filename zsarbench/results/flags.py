"""What makes the row of a result unranked or noted, by kind; JSON holds each flag as one text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zsarbench.utils.schema import TextForm

FlagKind = Literal[
    "objection", "control", "limit", "denominator", "partial", "predictions", "contamination", "source", "remark"
]

UNRANKING: frozenset[FlagKind] = frozenset({"objection", "control", "limit", "denominator", "partial", "predictions"})
"""A row with a flag of these kinds is shown and never ranked."""
_STORED: tuple[FlagKind, ...] = ("control", "limit", "denominator", "partial")
"""Kinds that a result file holds with their name before the text; any other text of it is a remark."""


@dataclass(frozen=True)
class Flag(TextForm):
    """One thing that a reader must know of a row.

    kind: objection (of a plugin), control (captions or labels were shuffled), limit (not all clips), denominator
    (unread clips left out), partial (many clips missing or unreadable), predictions (none are kept, or the figures do
    not follow from them), contamination (unseen classes in training data), source (of a reported figure), remark.
    text: without the kind.
    """

    kind: FlagKind
    text: str

    @property
    def unranks(self) -> bool:
        """Whether its row is shown without a rank."""
        return self.kind in UNRANKING

    @classmethod
    def parse(cls, text: str) -> Flag:
        """Return the flag of a text in a result file.

        >>> Flag.parse("limit: at most 2 clips a class"), Flag.parse("2 clips of ucf101 have remarks")
        (Flag(kind='limit', text='at most 2 clips a class'), Flag(kind='remark', text='2 clips of ucf101 have remarks'))
        """
        for kind in _STORED:
            if text.startswith(f"{kind}: "):
                return cls(kind, text.removeprefix(f"{kind}: "))
        return cls("remark", text)

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}" if self.kind in _STORED else self.text
