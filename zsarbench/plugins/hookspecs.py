"""Every hook on one screen: the reference for plugin authors.

A plugin is a module named by an entry point of the group `zsarbench`, with functions marked by `zsarbench.hookimpl`.
Hooks are for events; names live in the registry.

A plugin states the version of this page that it was written for: `zsarbench_interface = 1` in its module; 1 is taken
where it states none. Within a version hooks, and arguments of hooks and of `Registrar`, are only ever added. What is to
go is marked by `hookspec(warn_on_impl=…)` in one release, which names each plugin that has it on stderr, and goes with
the next version of the interface.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from zsarbench.interfaces.lazy import Lazy

if TYPE_CHECKING:
    import click

    from zsarbench.harness import spec as specs
    from zsarbench.plugins import registry as registries
    from zsarbench.results import record
else:
    click, specs = Lazy("click"), Lazy("zsarbench.harness.spec")
    registries, record = Lazy("zsarbench.plugins.registry"), Lazy("zsarbench.results.record")

INTERFACE = 1
"""The version of this page."""
OLDEST_INTERFACE = 1
"""The oldest version that plugins may have been written for."""

hookspec = pluggy.HookspecMarker("zsarbench")


@hookspec
def zsarbench_register(registry: registries.Registrar) -> None:
    """Add entries: `registry.add(kind, name, "package.module:Attr", summary=…, source=…, trained_on=…)`."""


@hookspec
def zsarbench_add_commands(group: click.Group) -> None:
    """Add commands to the `zsarbench` command line."""


@hookspec
def zsarbench_check_run(spec: specs.RunSpec) -> list[str]:  # type: ignore[empty-body]
    """Return objections to a run; they are kept in its result, which is then shown but never ranked."""


@hookspec
def zsarbench_run_finished(result: record.RunResult, path: Path) -> None:
    """Observe a finished run; what this raises is logged with the plugin's name and never stops the run."""


@hookspec
def zsarbench_add_columns(result: record.RunResult) -> dict[str, Any]:  # type: ignore[empty-body]
    """Return further columns for a result's row of the leaderboard."""
