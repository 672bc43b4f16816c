"""How predictions become classes: those that name classes as they are, answers in words by mappings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zsarbench.errors import UsageError
from zsarbench.predictions.files import PredictionFile
from zsarbench.predictions.records import Prediction

LABELS = "labels"
"""The mapping of predictions that name classes."""


@dataclass(frozen=True)
class Mapped:
    """Predictions that name classes. options: how they came from the file; part of a result's identity."""

    predictions: tuple[Prediction, ...]
    options: Mapping[str, Any]


def mapped(file: PredictionFile) -> list[Mapped]:
    """Return the predictions of a file as classes, once for each mapping.

    Raises:
        UsageError: the file holds answers in words.
    """
    if file.in_words:
        raise UsageError(f"predictions {file.path} are answers in words, which are not read")
    return [Mapped(file.predictions, {"mapping": LABELS})]
