"""What can be wrong with a result file, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ProblemName: TypeAlias = Literal[
    "format",
    "spec",
    "protocol",
    "data",
    "class-text",
    "plugin",
    "predictions",
    "clips",
    "metrics",
    "intervals",
    "contamination",
    "leak",
    "file-name",
    "unchecked",
]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a result file.

    name: format (no valid result file), spec (edited, or other fields contradict it), protocol (its hash, rounds and
    candidates), data (another revision), class-text (other texts than their form has), plugin (a method or part that
    is not registered), predictions (missing, damaged, or another result's), clips (of other clips or labels), metrics,
    intervals, contamination (not what the predictions give), leak (a control above chance), file-name. "unchecked" is
    no fault: what could not be checked here.
    """

    name: ProblemName
    text: str

    @property
    def is_fault(self) -> bool:
        """Whether the result must be refused for it."""
        return self.name != "unchecked"
