"""`zsarbench list`: every name of the registry."""

from __future__ import annotations

import click

from zsarbench.cli.toolkit import echo, echo_json, host_of, json_option
from zsarbench.errors import UsageError, unknown
from zsarbench.plugins.registry import KINDS


def kinds_that_begin(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the kinds that a shell may complete a word to."""
    return [kind for kind in KINDS if kind.startswith(incomplete)]


@click.command("list", short_help="List methods, parts, data sets and protocols.")
@click.argument("kind", required=False, shell_complete=kinds_that_begin)
@json_option
@click.pass_context
def command(ctx: click.Context, kind: str | None, as_json: bool) -> None:
    """List what is registered, of one KIND or of all.

    \b
    Examples:
      zsarbench list
      zsarbench list protocol
      zsarbench list method --json
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(unknown("kind", kind, KINDS, "zsarbench list"))
    registry = host_of(ctx).registry
    entries = [entry for entry in registry if kind in (None, entry.kind)]
    if as_json:
        echo_json([{"kind": e.kind, "name": e.name, "plugin": e.plugin, "summary": e.summary} for e in entries])
        return
    for kind_listed in KINDS:
        rows = [entry for entry in entries if entry.kind == kind_listed]
        if rows:
            echo(kind_listed, bold=True)
            width = max(len(entry.name) for entry in rows)
            for entry in rows:
                mark = " (default)" if (kind_listed, entry.name) == ("protocol", registry.default_protocol) else ""
                echo(f"  {entry.name:<{width}}  {entry.summary}{mark}", hang=width + 2, typed=entry.name)
