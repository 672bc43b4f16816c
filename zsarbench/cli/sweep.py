"""`zsarbench sweep`: a grid of runs in one command, compared on the same clips."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.common import differences, echo_json, format_option, host_of, render
from zsarbench.cli.request import request_options
from zsarbench.harness import spec as specs

if TYPE_CHECKING:
    from zsarbench.harness.sweep import Done
    from zsarbench.plugins import Host


@click.command("sweep", short_help="Run every combination of parts and options, and compare them.")
@click.argument("more", nargs=-1, metavar="[NAME=VALUE,VALUE]...")
@click.option("--grid", required=True, metavar="NAME=VALUE,VALUE", multiple=True, help="An axis; more may follow it.")
@click.option("--method", default="", help="What is measured, where it is no axis.")
@request_options
@click.option("--plan", is_flag=True, help="Print the combinations and which are measured already, and stop.")
@format_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print for each combination its result file, or why there is none."
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    more: tuple[str, ...],
    grid: tuple[str, ...],
    plan: bool,
    format_: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """Measure every combination of a grid and print one table for each protocol, with the paired differences of all
    others to the first combination on the same clips.

    An axis is a part (negatives, loss, visual, text), the method, the protocol, class_text, train_on, control, or any
    option as in --set. What is already measured under --out is not measured again, so an interrupted sweep goes on
    when the same line is typed again; what cannot be run is listed with its reason.

    \b
    Examples:
      zsarbench sweep --method cezsar --grid negatives=cosine-window,uniform,hardest loss=triplet,info-nce
      zsarbench sweep --method cezsar --protocol sketch/validation --grid loss.margin=1,2 method.dropout=0,0.1
      zsarbench sweep --grid protocol=ucf101/truze-v1,ucf101/all method=nearest-text,eszsl,conse --set visual.join=true
    """
    from zsarbench.harness import sweep
    from zsarbench.utils.progress import default_progress

    host = host_of(ctx)
    axes = [sweep.Axis.parse(text) for text in (*grid, *more)]
    cells = sweep.grid(specs.RunRequest(**asked), axes, host)
    out = Path(asked["out"])
    if plan:
        there = sweep.measured(cells, out, host)
        for cell in cells:
            click.echo(f"{cell.label}: {cell.reason or there.get(cell.label) or 'to measure'}")
        return
    done = list(sweep.run(cells, out, host, default_progress()))
    if as_json:
        echo_json([{"label": i.cell.label, "result": i.path and str(i.path), "reason": i.reason} for i in done])
    else:
        _show(host, done, format_)
    if any(item.path is None and item.cell.spec is not None for item in done):
        ctx.exit(1)


def _show(host: Host, done: list[Done], format_: str) -> None:
    """Print one table for each protocol, the differences to its first combination, and what was not measured."""
    from zsarbench import results

    by_protocol: dict[str, list[Path]] = defaultdict(list)
    for item in done:
        if item.path is not None:
            by_protocol[results.read(item.path).protocol.name].append(item.path)
    for files in by_protocol.values():
        click.echo(render(host, [results.read(file) for file in files], format_) + "\n")
        if len(files) > 1:
            click.echo(differences(files, against=files[0]))
    for item in done:
        if item.path is None:
            click.echo(f"not measured: {item.cell.label}: {item.reason}")
