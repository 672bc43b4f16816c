"""The benchmark's data: protocols, class lists, reported figures and measured results; no library code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsarbench import hookimpl

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registrar


@hookimpl
def zsarbench_register(registry: Registrar) -> None:
    """Add the protocol files that ship with zsarbench."""
    registry.add_protocols("zsarbench_benchmarks")
    registry.set_default_protocol("sketch/compositional")
