"""A chosen component with the value of each of its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PartKind = Literal["visual", "text", "negatives", "loss"]
PART_KINDS: tuple[PartKind, ...] = ("visual", "text", "negatives", "loss")


@dataclass(frozen=True)
class PartSpec:
    """One chosen component with the value of every option of its constructor.

    sources: for each option that is not the constructor's default, who set it: "protocol" or "command line".
    """

    kind: str
    name: str
    target: str
    plugin: str
    options: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """Return what makes this part what it is, in JSON types."""
        return {"name": self.name, "options": {key: _jsonable(value) for key, value in sorted(self.options.items())}}


def _jsonable(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
