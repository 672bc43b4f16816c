"""The label sets that things are trained on, by the names they are declared under."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ClassesKnown
from zsarbench.utils import text_files
from zsarbench.utils.class_names import normalise

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registry


@dataclass(frozen=True)
class LabelSet:
    """Names that something was trained on. aliases: other spelling to label. actions: False where they are objects."""

    name: str
    labels: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    actions: bool = True


def find(name: str, registry: Registry) -> LabelSet | None:
    """Return the label set of a name, or None where no list of its labels is known.

    A name is that of a registered data set, whose classes it means; of registered labels, whose target returns a
    LabelSet when it is called; or `package:file.txt`, a file in a package with one action a line. Case, spaces and
    punctuation of the first two do not matter.

    Raises:
        ZsarbenchError: a file cannot be read or holds no name, or registered labels cannot be loaded.
    """
    if ":" in name:
        return _label_file(name)
    for known in registry.names("dataset"):
        if normalise(known) == normalise(name):
            target = registry.get("dataset", known).load()
            listed = isinstance(target, ClassesKnown) and isinstance(target.classes, tuple) and target.classes
            return LabelSet(known, target.classes, target.aliases) if listed else None
    for known in registry.names("labels"):
        if normalise(known) == normalise(name):
            found: LabelSet = registry.get("labels", known).load()()
            return found
    return None


def _label_file(name: str) -> LabelSet:
    package, _, inside = name.partition(":")
    try:
        path = Path(str(importlib.resources.files(package))) / inside
    except ImportError as error:
        raise ZsarbenchError(f"label set '{name}' cannot be read: {error}") from error
    labels = tuple(text_files.names(path, f"label set '{name}':"))
    if not labels:
        raise ZsarbenchError(f"label set '{name}' is empty: {path} has no name")
    return LabelSet(name, labels)
