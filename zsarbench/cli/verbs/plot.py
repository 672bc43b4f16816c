"""`zsarbench plot`: figures of results."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import Group, data_root_option, echo, host_of
from zsarbench.errors import UsageError
from zsarbench.utils.foreign import guarded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from zsarbench.evaluation.scores import Scores
    from zsarbench.harness.spec import RunRequest
    from zsarbench.results import RunResult


@click.group("plot", cls=Group, short_help="Draw results: confusion, semantic gap, sensitivity, training.")
def command() -> None:
    """Draw results as PNG and SVG.

    \b
    Examples:
      zsarbench plot confusion RESULT.json
      zsarbench plot semantic-gap RESULT.json --round 1
      zsarbench plot training RESULT.json --out figures
      zsarbench plot sensitivity results --over class_text
    """


_result = click.argument("path", metavar="RESULT", type=Place(exists=True, dir_okay=False))
_out = click.option("--out", default="plots", show_default=True, type=Place(file_okay=False), help="Folder.")
_round = click.option("--round", "number", default=1, show_default=True, help="Which round of the result.")


def drawing() -> ModuleType:
    """Return what draws figures.

    Raises:
        UsageError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UsageError("figures are drawn by matplotlib. Try: pip install 'zsarbench[plot]'")
    from zsarbench.reports import figures

    return figures


def _with(*options: Callable[..., Any]) -> Callable[..., Any]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@command.command("confusion")
@_with(_result, _round, _out)
def confusion(path: Path, number: int, out: Path) -> None:
    """Draw how often the clips of each class were taken for each class.

    \b
    Example:
      zsarbench plot confusion RESULT
    """
    figures = drawing()
    from zsarbench import results

    result = results.read(path)
    scores = results.read_scores(path)
    matrix, labels = scores.round(_index(number, scores))
    names = [str(scores.class_names[index]) for index in scores.rounds[number - 1].classes]
    _write(figures.draw_confusion(matrix, labels, names, _title(result, number)), out, path, f"confusion-{number}")


@command.command("training")
@_with(_result, _out)
def training(path: Path, out: Path) -> None:
    """Draw the losses of every fit, epoch by epoch.

    \b
    Example:
      zsarbench plot training RESULT
    """
    figures = drawing()
    from zsarbench import results

    result = results.read(path)
    with guarded("result file", path):  # what a method records is free
        figure = figures.draw_training(result.method.record.get("fits", []), _title(result))
    _write(figure, out, path, "training")


@command.command("semantic-gap")
@_with(_result, _round, _out)
@data_root_option
@click.option("--threads", type=int, help="Compute threads.  [default: as many as the result had]")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, …")
@click.pass_context
def semantic_gap(ctx: click.Context, /, path: Path, number: int, out: Path, **machine: Any) -> None:
    """Draw clips and class sentences by t-SNE, before and after the joint space.

    A result holds scores, not embeddings: the round's fit is repeated by the result's command, from its checkpoint and
    stored features where they still exist, and the log says if it gives other scores.

    \b
    Example:
      zsarbench plot semantic-gap RESULT
    """
    figures = drawing()
    from zsarbench.harness.resolve import resolve_run

    host = host_of(ctx)
    from zsarbench import results
    from zsarbench.reports import semantic_gap as gap
    from zsarbench.utils.progress import default_progress
    from zsarbench.utils.targets import OUT, check_folder

    check_folder(out, "figures", OUT)
    result, scores = results.read(path), results.read_scores(path)
    index = _index(number, scores)
    spec = resolve_run(_request(result, **machine), host)
    points = gap.of_run(spec, host, default_progress(), scores, index)
    _write(figures.draw_semantic_gap(points, _title(result, number)), out, path, f"semantic-gap-{number}")


@command.command("sensitivity")
@click.argument("places", metavar="RESULT|FOLDER…", nargs=-1, required=True, type=Place(exists=True))
@click.option("--over", metavar="OPTION", help="The axis.  [default: the one option in which the results differ]")
@click.option("--metric", help="What is drawn.  [default: what ranks in the protocol's setting]")
@_out
def draw_sensitivity(places: tuple[Path, ...], over: str | None, metric: str | None, out: Path) -> None:
    """Draw how accuracy depends on one option: results of a sweep, one line for each combination of the others.

    \b
    Examples:
      zsarbench sweep --method cezsar --grid visual.max_steps=1,2,4,8 --out frames
      zsarbench plot sensitivity frames
      zsarbench plot sensitivity results --over class_text --metric top5_per_video
    """
    figures = drawing()
    from zsarbench import results
    from zsarbench.reports.sensitivity import sensitivity
    from zsarbench.results.record import file_name

    found = sensitivity(results.load(*places), over=over, metric=metric)
    for line in found.left_out:
        echo(f"left out: {line}", err=True)
    name = f"sensitivity-{file_name(found.protocol)}-{file_name(found.option)}"
    for file in figures.write_figure(figures.draw_sensitivity(found), out, name):
        echo(file)


def _request(result: RunResult, **machine: Any) -> RunRequest:
    """Return the request of a result's command, which continues from the checkpoints of its fits.

    Other thread counts give other bits, so the default is the result's.
    """
    from zsarbench.harness.spec import RunRequest

    machine["threads"] = machine["threads"] or result.environment.threads
    return replace(RunRequest.from_command(result.command), **machine)


def _index(number: int, scores: Scores) -> int:
    """Return the index of a round whose number counts from 1.

    Raises:
        UsageError: the result has no round of this number.
    """
    if not 1 <= number <= len(scores.rounds):
        raise UsageError(f"the result has rounds 1 to {len(scores.rounds)}, not {number}")
    return number - 1


def _title(result: RunResult, number: int = 0) -> str:
    which = f", round {number} of {len(result.rounds)}" if number and len(result.rounds) > 1 else ""
    return f"{result.method.name} on {result.protocol.name}{which}"


def _write(figure: Figure, out: Path, path: Path, what: str) -> None:
    for file in drawing().write_figure(figure, out, f"{path.stem}-{what}"):
        echo(file)
