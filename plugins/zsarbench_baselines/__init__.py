"""Baselines: chance and the nearest class text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsarbench import hookimpl

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registrar


@hookimpl
def zsarbench_register(registry: Registrar) -> None:
    """Add the methods."""
    registry.add(
        "method",
        "chance",
        "zsarbench_baselines.chance:Chance",
        summary="Constant scores through the same metrics: what guessing reaches.",
        source="zsarbench",
        trained_on=(),
    )
    registry.add(
        "method",
        "nearest-text",
        "zsarbench_baselines.nearest_text:NearestText",
        summary="Clips and classes in one text space, by cosine; the mean of a clip's steps' cosines.",
        source="zsarbench; the decision rule of ZSARCap",
        trained_on=(),
        defaults={"visual": "captions", "text": "minilm-l6"},
    )
