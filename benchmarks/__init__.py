"""The benchmark's data: protocols, class lists, reported figures and measured results; no library code."""

from __future__ import annotations

from typing import Any

from zsarbench import hookimpl


@hookimpl
def zsarbench_register(registry: Any) -> None:
    """Add the protocol files that ship with zsarbench."""
    registry.add_protocols("zsarbench_benchmarks")
