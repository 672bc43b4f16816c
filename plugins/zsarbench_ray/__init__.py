"""The executor that extracts features on a Ray cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsarbench import hookimpl

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registrar


@hookimpl
def zsarbench_register(registry: Registrar) -> None:
    """Add the executor."""
    registry.add(
        "executor",
        "ray",
        "zsarbench_ray.executor:RayExecutor",
        summary="Extracts on a Ray cluster; workers and nodes may be killed.",
        source="Ray, https://docs.ray.io, Apache-2.0",
        extra="ray",
    )
