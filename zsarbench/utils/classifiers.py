"""The classifier of a visual encoder, for methods that reason with the objects it recognises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zsarbench.errors import UsageError
from zsarbench.interfaces import HasClassifier, TextEncoder, VisualEncoder
from zsarbench.interfaces.lazy import Lazy

if TYPE_CHECKING:
    import torch
else:
    torch = Lazy("torch")

__all__ = ["Classifier", "Describe", "classifier", "find_classifier"]

Describe = Literal["names", "definitions", "both"]


@dataclass(frozen=True)
class Classifier:
    """The classifier of a visual encoder.

    labels: (name, definition) of its L labels. classify: maps features (M, D) to logits (M, L).
    """

    labels: tuple[tuple[str, str], ...]
    classify: Callable[[torch.Tensor], torch.Tensor]

    def texts(self, describe: Describe) -> list[str]:
        """Return one text per label; its name where it has no definition."""
        return [_text(name, definition, describe) for name, definition in self.labels]

    def vectors(self, encoder: TextEncoder, describe: Describe) -> torch.Tensor:
        """Return the embeddings (L, E) of the labels."""
        return encoder.encode(self.texts(describe)).float()


def find_classifier(visual: VisualEncoder | None) -> Classifier | None:
    """Return the classifier of a visual part, or None where it has none or its labels have no names."""
    if not isinstance(visual, HasClassifier) or (labels := visual.labels) is None:
        return None
    return Classifier(tuple(labels), visual.classify)


def classifier(visual: VisualEncoder | None, method: str) -> Classifier:
    """Return the classifier of a visual part.

    Raises:
        UsageError: it has none; `method` is named in the message.
    """
    existing = find_classifier(visual)
    if existing is None:
        part = "the run has no visual part" if visual is None else f"the visual part {type(visual).__name__} has none"
        raise UsageError(
            f"method '{method}' reads object scores of a classifier with named labels, and {part}. "
            "Try: --visual NAME, one whose summary in zsarbench list visual names its classifier"
        )
    return existing


def _text(name: str, definition: str, describe: Describe) -> str:
    if describe == "names" or not definition:
        return name
    return definition if describe == "definitions" else f"{name}: {definition}"
