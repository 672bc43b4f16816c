"""What the commands share that make results of answers: options of their scoring, and what they print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.cli.toolkit import data_root_option, echo, echo_json, echo_rendered, format_option

if TYPE_CHECKING:
    from zsarbench.plugins import Host
    from zsarbench.results import RunResult

_OPTIONS = (
    click.option(
        "--protocol",
        type=OF_OPTIONS["protocol"],
        help="A name or a protocol file.  [default: the one that `zsarbench list protocol` marks]",
    ),
    click.option(
        "--trained-on",
        multiple=True,
        metavar="LABELS",
        help="A label set that the model was trained on: a data set, package:file.txt, or nothing.  [default: unknown]",
    ),
    click.option(
        "--train-on",
        default="none",
        show_default=True,
        metavar="none|seen|DATASET",
        help="Data that the model learnt the task from.",
    ),
    click.option(
        "--text",
        type=OF_OPTIONS["text"],
        help="Text encoder that finds the class nearest to an answer.  [default: that of class names]",
    ),
    click.option("--source", default="", help="Paper, address and licence of the model."),
    click.option("--set", "settings", multiple=True, metavar="dataset.OPTION=VALUE", help="An option of the data set."),
    data_root_option,
    click.option("--out", default="results", show_default=True, help="Output folder."),
    format_option,
    click.option(
        "--json", "as_json", is_flag=True, help="Print exactly the result's JSON, or a list of several results."
    ),
)


def scoring_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `ScoreRequest` that do not depend on where answers come from, `--format` and `--json`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def echo_scored(host: Host, written: Sequence[tuple[RunResult, Path]], format_: str, as_json: bool) -> None:
    """Print results and, on stderr, how each row was treated and where the results are."""
    from zsarbench.predictions.recording import account_lines
    from zsarbench.reports.comparison import render

    if as_json and len(written) == 1:
        echo(written[0][1].read_text(encoding="utf-8"), nl=False)
    elif as_json:
        echo_json([result.to_json() for result, _ in written])
    else:
        echo_rendered(render(host, {path: result for result, path in written}, format_))
    for result, path in written:
        if len(written) > 1:
            echo(f"mapping {result.method.options['mapping']}:", err=True)
        for line in account_lines(result):
            echo(line, err=True)
        echo(f"result: {path}", err=True)
