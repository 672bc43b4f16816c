"""`zsarbench sweep`: many runs in one command, compared on the same clips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.cli.places import Place
from zsarbench.cli.request import with_options_of
from zsarbench.cli.toolkit import echo, echo_json, echo_rendered, format_option, host_of, keeps
from zsarbench.errors import UsageError
from zsarbench.harness.spec import RunRequest
from zsarbench.utils.targets import OUT, check_folder, expanded

if TYPE_CHECKING:
    from zsarbench.harness.sweep import Cell, Done
    from zsarbench.plugins import Host
    from zsarbench.results import RunResult


@click.command("sweep", short_help="Run every combination of a grid or every row of a file, and compare them.")
@click.argument("more", nargs=-1, metavar="[NAME=VALUE,VALUE]...")
@click.option("--grid", metavar="NAME=VALUE,VALUE", multiple=True, help="An axis; further axes may follow it.")
@click.option("--file", "file", type=Place(), metavar="FILE", help="Rows and protocols, as TOML; see below.")
@click.option("--method", type=OF_OPTIONS["method"], help="The method, unless it is an axis.")
@with_options_of(RunRequest)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Measure in N processes, of one thread each unless --threads is given.  [default: in this process]",
)
@click.option("--plan", is_flag=True, help="Print the runs and which are already measured, and stop.")
@format_option
@click.option("--json", "as_json", is_flag=True, help="Print for each run its result file, or why it has none.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    more: tuple[str, ...],
    grid: tuple[str, ...],
    file: Path | None,
    jobs: int | None,
    plan: bool,
    format_: str,
    as_json: bool,
    **request: Any,
) -> None:
    """Measure every combination of a grid, or every row of a file under every protocol of it.

    Results that exist under --out are not measured again, so an interrupted sweep continues when the same command is
    typed again; combinations that cannot be run are listed with the reason.

    An axis of --grid is a part (negatives, loss, visual, text), the method, the protocol, class_text, train_on,
    control, or any option as in --set. A grid prints one table for each protocol, with the paired differences of all
    others to the first combination on the same clips.

    A file has protocols = ["NAME", …] and tables [[rows]] with methods = ["NAME", …] and the arguments of their runs
    (visual = "captions", seeds = 3, settings = ["loss.margin=1"]); label follows the method's name, and [rows.not_on]
    gives by protocol, or for everywhere, the reason why a row is not measured. Options on the command line replace
    those of the rows, --set adds to them, and --protocol A,B replaces the protocols. A file prints one table of all.

    With --jobs, runs start in order, but those that read the same features wait for the first of them: put slow rows
    early, after a quick one that reads the same features.

    \b
    Examples:
      zsarbench sweep --method cezsar --grid \\
          negatives=cosine-window,uniform,hardest loss=triplet,info-nce
      zsarbench sweep --grid protocol=ucf101/truze-v1,ucf101/all \\
          method=nearest-text,eszsl,conse --set visual.join=true
      zsarbench sweep --file benchmarks/ucf101.toml --out benchmarks/results \\
          --jobs 2
    """
    from zsarbench.reports.comparison import check_reporter
    from zsarbench.reports.overview import overview

    host, out = host_of(ctx), expanded(request["out"])
    check_reporter(host, format_)
    typed = {name: value for name, value in request.items() if _is_typed(ctx, name)}
    if jobs is not None:
        typed.setdefault("threads", 1)
    axes = (*grid, *more) if grid else ()
    cells = _of_grid(axes, host, typed) if file is None else _of_file(ctx, file, host, typed)
    if plan:
        _show_plan(cells, out)
        return
    done = _measured(ctx, cells, out, jobs)
    if as_json:
        echo_json([item.to_json() for item in done])
    elif file is not None:
        echo(overview(done))
    else:
        _show(host, done, format_)
    if any(item.failed for item in done):
        ctx.exit(1)


def _show_plan(cells: list[Cell], out: Path) -> None:
    from zsarbench.harness import answers as known

    answers = known.measured(out)
    for cell in cells:
        path = answers.get(cell.key) if cell.spec and cell.key and not cell.spec.where.refit else None
        echo(f"{cell.title}: {cell.reason or path or 'to measure'}")


def _is_typed(ctx: click.Context, name: str) -> bool:
    """Return whether the user gave an option a value."""
    return ctx.get_parameter_source(name) not in (ParameterSource.DEFAULT, None)


def _of_grid(axes: Sequence[str], host: Host, typed: dict[str, Any]) -> list[Cell]:
    """Return the combinations of a grid.

    Raises:
        UsageErrors: no axis is named, one is malformed, or a combination has mistakes.
    """
    from zsarbench.harness import sweep

    if not axes:
        raise UsageError("nothing to sweep. Try: --grid NAME=VALUE,VALUE, or --file FILE")
    return sweep.grid(typed, [sweep.Axis.parse(text) for text in axes], host)


def _of_file(ctx: click.Context, file: Path, host: Host, typed: dict[str, Any]) -> list[Cell]:
    """Return the runs of a file.

    Raises:
        UsageErrors: the file has mistakes, or an option is typed that a file decides.
    """
    from zsarbench.harness import sweep_file

    for name, flag in (
        ("grid", "--grid"),
        ("more", "NAME=VALUE,VALUE"),
        ("method", "--method"),
        ("format_", "--format"),
    ):
        if _is_typed(ctx, name) and ctx.params[name]:
            raise UsageError(f"{flag} does not go with --file; leave one of them out")
    protocols = [name for name in typed.pop("protocol", "").split(",") if name]
    return sweep_file.read(file).cells(host, protocols, **typed)


def _measured(ctx: click.Context, cells: list[Cell], out: Path, jobs: int | None) -> list[Done]:
    """Return the runs in the order of the cells, whatever the order in which they ended."""
    check_folder(out, "results", OUT)
    keeps(ctx)
    places = {id(cell): place for place, cell in enumerate(cells)}
    return sorted(_as_they_end(ctx, cells, out, jobs), key=lambda item: places[id(item.cell)])


def _as_they_end(ctx: click.Context, cells: list[Cell], out: Path, jobs: int | None) -> Iterator[Done]:
    """Yield each run when its result exists, and log it."""
    from zsarbench.harness import jobs as in_processes
    from zsarbench.harness import sweep
    from zsarbench.utils.progress import default_progress

    if jobs is None:
        yield from sweep.run(cells, out, host_of(ctx), default_progress())
        return
    blocked = ctx.find_root().params["no_plugin"]
    for number, item in enumerate(in_processes.run(cells, out, jobs, blocked), start=1):
        what = item.path or item.reason
        echo(f"{number} of {len(cells)}: {item.cell.title}: {what} ({item.seconds:.1f} s)", err=True)
        yield item


def _show(host: Host, done: list[Done], format_: str) -> None:
    """Print one table for each protocol, the differences to its first combination, and what was not measured."""
    from zsarbench import results
    from zsarbench.reports.comparison import render, render_all
    from zsarbench.reports.paired import describe_differences

    by_protocol: dict[str, dict[Path, RunResult]] = defaultdict(dict)
    for item in done:
        if item.path is not None:
            result = results.read(item.path)
            by_protocol[result.protocol.name][item.path] = result
    document = render_all(host, by_protocol, format_) if by_protocol else None
    beside = document is not None
    if document is not None:
        echo_rendered(document)
    for measured in by_protocol.values():
        if document is None:
            echo_rendered(render(host, measured, format_) + "\n")
        if len(measured) > 1:
            echo(describe_differences(list(measured), against=next(iter(measured))), err=beside)
    for item in done:
        if item.path is None:
            echo(f"not measured: {item.cell.label}: {item.reason}", err=beside)
