"""How predictions become classes: those that name classes as they are, answers in words by each mapping."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.plugins import building
from zsarbench.predictions import words
from zsarbench.predictions.files import PredictionFile
from zsarbench.predictions.matching import Classes
from zsarbench.predictions.records import Prediction
from zsarbench.predictions.words import Answers

if TYPE_CHECKING:
    from zsarbench.interfaces import TextEncoder
    from zsarbench.plugins.registry import Registry

_log = logging.getLogger(__name__)
LABELS = "labels"
"""The mapping of predictions that name classes."""


@dataclass(frozen=True)
class Mapped:
    """Predictions that name classes. options: how they came from the file; part of a result's identity."""

    predictions: tuple[Prediction, ...]
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the mapping."""
        return str(self.options["mapping"])


def mapped(
    file: PredictionFile, classes: Classes, registry: Registry, text: str | None
) -> tuple[list[Mapped], dict[str, str]]:
    """Return the predictions of a file as classes once for each mapping, and why mappings do not apply, by name.

    text: the text encoder of the mapping `nearest`; None: the one by which class names are compared.

    Raises:
        UsageError: a text encoder is named, and the file holds no answers in words.
        ZsarbenchError: the named one does not exist or cannot be built.
    """
    if not file.in_words:
        if text is not None:
            raise UsageError(f"predictions {file.path} name classes; no text encoder reads them. Leave out --text")
        return [Mapped(file.predictions, {"mapping": LABELS})], {}
    answers, left_out = Answers(file.predictions, classes), {}
    found = [
        Mapped(answers.exact(), {"mapping": words.EXACT, "version": words.VERSION}),
        Mapped(answers.inclusion(), {"mapping": words.INCLUSION, "version": words.VERSION}),
    ]
    try:
        name, encoder = _encoder(registry, text)
        options = {"mapping": words.NEAREST, "version": words.VERSION, "text": name}
        found.append(Mapped(answers.nearest(encoder), options))
    except ZsarbenchError as error:
        if text is not None:
            raise
        left_out[words.NEAREST] = str(error)
    if answers.have_options:
        found.append(Mapped(answers.choice(), {"mapping": words.CHOICE, "version": words.VERSION}))
    else:
        left_out[words.CHOICE] = "the file gives no options"
    for mapping, reason in left_out.items():
        _log.warning("the mapping '%s' is left out: %s", mapping, reason)
    return found, left_out


def _encoder(registry: Registry, name: str | None) -> tuple[str, TextEncoder]:
    if name is None:
        if registry.near_encoder is None:
            raise ZsarbenchError("no plugin declares an encoder of class names. Try: --text NAME")
        name = registry.near_encoder.name
    return name, building.construct(registry.get("text", name).load(), "text", name, {})
