"""`zsarbench result import`: a figure of another program's result file, as a reported row."""

from __future__ import annotations

from typing import Any

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import data_root_option, echo, host_of, settings_option


@click.command("import")
@click.argument("file", type=Place())
@click.option("--name", required=True, help="Name of the model in tables.")
@click.option("--clips", type=Place(), metavar="LIST", help="Its clips, one per line; see below.")
@click.option(
    "--protocol",
    type=OF_OPTIONS["protocol"],
    help="Compare the clips with this one, a name or a protocol file.  [default: all with as many clips]",
)
@click.option("--split", help="The split of FILE.  [default: the only one]")
@click.option("--train", default="not stated", show_default=True, help="Training data, in words.")
@data_root_option
@settings_option
@click.pass_context
def import_(ctx: click.Context, /, **request: Any) -> None:
    """Print the figure in FILE, a result of MTEB, as a row for a file of reported figures.

    FILE holds no predictions of clips, so its figure is a reported one. Its protocol is the one whose test clips are
    exactly those in LIST, by id, file name or path, whatever the name of the task. Where there is none, the error says
    how many clips differ, and nothing is printed.

    \b
    Examples:
      zsarbench result import HMDB51ZeroShot.json --name CLIP --clips list.txt
      zsarbench result import HMDB51ZeroShot.json --name CLIP --clips list.txt \\
          --protocol ./mine.toml --train WebVid >> reported.toml
    """
    host = host_of(ctx)
    from zsarbench.predictions.importing import ImportRequest, reported_row

    echo(reported_row(ImportRequest(**request), host.registry))
