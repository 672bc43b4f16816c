"""The objects that a visual encoder's own classifier sees, for methods that reason with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zsarbench.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from zsarbench.interfaces import TextEncoder, VisualEncoder

Describe = Literal["names", "definitions", "both"]


@dataclass(frozen=True)
class Classifier:
    """A visual encoder's classifier: (name, definition) of its L labels, and logits (M, L) from features (M, D)."""

    labels: tuple[tuple[str, str], ...]
    classify: Callable[[Tensor], Tensor]

    def texts(self, describe: Describe) -> list[str]:
        """Return one text a label; its name where it has no definition."""
        return [_text(name, definition, describe) for name, definition in self.labels]

    def vectors(self, encoder: TextEncoder, describe: Describe) -> Tensor:
        """Return the embeddings (L, E) of the labels."""
        return encoder.encode(self.texts(describe)).float()


def find_classifier(visual: VisualEncoder | None) -> Classifier | None:
    """Return the classifier of a visual part, or None where it has none or its labels have no names."""
    labels = getattr(visual, "labels", None)
    classify = getattr(visual, "classify", None)
    return Classifier(tuple(labels), classify) if labels is not None and classify is not None else None


def classifier(visual: VisualEncoder | None, method: str) -> Classifier:
    """Return the classifier of a visual part.

    Raises:
        UsageError: it has none.
    """
    found = find_classifier(visual)
    if found is None:
        raise UsageError(
            f"method '{method}' reads object scores, and the visual part {type(visual).__name__} has no classifier "
            "with named labels. Try: --visual NAME, one whose summary in zsarbench list visual names its classifier"
        )
    return found


def _text(name: str, definition: str, describe: Describe) -> str:
    if describe == "names" or not definition:
        return name
    return definition if describe == "definitions" else f"{name}: {definition}"
