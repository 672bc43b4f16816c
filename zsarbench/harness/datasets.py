"""Data sets by name, as the command line gives them."""

from __future__ import annotations

from collections.abc import Sequence

from zsarbench.harness.resolve import resolve_parts
from zsarbench.interfaces import Dataset
from zsarbench.plugins.building import build_dataset
from zsarbench.plugins.registry import Registry
from zsarbench.protocols import Protocol


def dataset_named(
    registry: Registry,
    name: str,
    *,
    data_root: Sequence[str] = (),
    settings: Sequence[str] = (),
    protocol: Protocol | None = None,
) -> Dataset:
    """Return a data set with the user's folder (`NAME=DIR`) and options (`dataset.OPTION=VALUE`).

    protocol: one whose options the user's ones replace.

    Raises:
        UsageErrors: the name, an option or a folder does not exist.
    """
    parts, roots = resolve_parts(registry, {"dataset": name}, protocol=protocol, data_root=data_root, settings=settings)
    return build_dataset(parts["dataset"], roots, registry)
