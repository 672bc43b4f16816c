"""What commands are written with, in plugins too: shared options, the session's plugins, JSON on stdout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.errors import UsageError
from zsarbench.utils.documents import json_text
from zsarbench.utils.output import reserved_stdout, stdout, visible

if TYPE_CHECKING:
    from zsarbench.plugins import Host

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts on stdout.")
settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PART.OPTION=VALUE",
    help="An option of a part; see: zsarbench show NAME.",
)
data_root_option = click.option(
    "--data-root", multiple=True, metavar="DATASET=DIR", help="Your own files of a data set."
)

format_option = click.option(
    "--format",
    "format_",
    type=OF_OPTIONS["format_"],
    default="table",
    show_default=True,
    help="A reporter; see: zsarbench list reporter.",
)


def host_of(ctx: click.Context) -> Host:
    """Return the plugins of the session that a command runs in.

    In a command of zsarbench's own, stdout then holds what `echo` prints alone: what plugins print goes to stderr.
    """
    if ctx.obj.get("own_verb"):
        ctx.with_resource(reserved_stdout())
    host: Host = ctx.obj["session"].host
    return host


def echo(message: object = "", *, err: bool = False, bold: bool = False, nl: bool = True) -> None:
    """Print text on stdout, or on stderr, with the control characters of others shown."""
    click.secho(visible(str(message)), file=sys.stderr if err else stdout(), bold=bold or None, nl=nl)


def echo_rendered(text: str) -> None:
    """Print what a reporter rendered on stdout; it has cared for control characters, and uses its own."""
    click.echo(text, file=stdout())


def echo_json(content: Any) -> None:
    """Print JSON with sorted keys on stdout."""
    click.echo(json_text(content), file=stdout())


def write_text(path: Path, text: str) -> None:
    """Write a text file that the user named.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Try: another FILE") from error
