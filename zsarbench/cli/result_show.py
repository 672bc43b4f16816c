"""`zsarbench result show`: a result in words, with the calibration of its scores."""

from __future__ import annotations

from pathlib import Path

import click

from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import echo, echo_json, json_option


@click.command("show")
@click.argument("path", type=Place())
@json_option
def show(path: Path, as_json: bool) -> None:
    """Print what the result file PATH holds: what was measured, its figures, and how far its scores can be trusted.

    The expected calibration error is given for a softmax of the scores as they are, and after temperature scaling:
    each half of the source videos is scaled by the temperature fitted on the other. The risk-coverage curve leaves out
    the clips whose two best scores are closest; its area is the mean share of errors over all shares of clips.

    \b
    Examples:
      zsarbench result show chance-3fbfaad7-20261124T040123Z.json
    """
    from zsarbench.reports.description import describe, lines_of

    content = describe(path)
    if as_json:
        echo_json(content)
        return
    first, *others = lines_of(content)
    echo(first, bold=True)
    for line in others:
        echo(line)
