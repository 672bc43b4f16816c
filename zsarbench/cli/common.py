"""What several verbs share: the session's plugins, JSON on stdout, data sets by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from zsarbench.interfaces import Dataset
    from zsarbench.plugins import Host

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts on stdout.")
settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PART.OPTION=VALUE",
    help="An option of a part; see: zsarbench show NAME.",
)


def host_of(ctx: click.Context) -> Host:
    """Return the plugins of this invocation."""
    host: Host = ctx.obj["session"].host
    return host


def echo_json(content: Any) -> None:
    """Print JSON with sorted keys."""
    click.echo(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False))


def dataset_of(host: Host, name: str, data_root: Sequence[str] = (), settings: Sequence[str] = ()) -> Dataset:
    """Return a data set by name, with the user's folder and options.

    Raises:
        UsageErrors: the name, an option or a folder does not exist.
    """
    from zsarbench.assembly import build_dataset
    from zsarbench.spec import resolve_dataset

    part, roots = resolve_dataset(host.registry, name, data_root, settings)
    return build_dataset(part, roots, host.registry)
