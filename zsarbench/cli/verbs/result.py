"""`zsarbench result`: results that exist, checked or computed again from their scores, without any model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zsarbench.cli.places import Place
from zsarbench.cli.result_diff import diff
from zsarbench.cli.result_import import import_
from zsarbench.cli.result_show import show
from zsarbench.cli.result_validate import validate
from zsarbench.cli.toolkit import Group, echo
from zsarbench.errors import UsageError, ZsarbenchError

if TYPE_CHECKING:
    from zsarbench.results import RunResult


@click.group("result", cls=Group, short_help="Check results, show them, or compute them again from their scores.")
def command() -> None:
    """Check, show, compare, recompute and import result files.

    \b
    Examples:
      zsarbench result validate results/
      zsarbench result diff benchmarks/results results/
      zsarbench result recompute results/
      zsarbench result recompute benchmarks/results --plan
      zsarbench result compact benchmarks/results
      zsarbench result import HMDB51ZeroShot.json --name CLIP --clips list.txt
    """


command.add_command(import_)
command.add_command(validate)
command.add_command(show)
command.add_command(diff)


@command.command("recompute")
@click.argument("paths", nargs=-1, required=True, type=Place())
@click.option("--plan", is_flag=True, help="Print what would change, and write nothing.")
@click.pass_context
def recompute(ctx: click.Context, paths: tuple[Path, ...], plan: bool) -> None:
    """Recompute the results in PATHS, files or folders, from their score files.

    Metrics, counts, means, spreads and intervals are computed again as a run computes them; everything else in a file
    stays as it is, and so does its name. Exit code 1 where a result cannot be recomputed because its score file is
    missing or does not belong to it; the command that measures it again is printed.
    """
    from zsarbench import results
    from zsarbench.reports.changes import changes

    sound, problems = _read(paths)
    n_results, n_changed = len(sound) + len(problems), 0
    for path, result in sound.items():
        try:
            again = results.recompute(path)
        except ZsarbenchError as error:
            problems[path] = f"{error}. Try: {result.command}"
            continue
        if again != result:
            n_changed += 1
            echo(f"{path}: {'; '.join(changes(result, again))}")
            if not plan:
                results.rewrite(again, path)
    done = "would change" if plan else "rewritten"
    echo(f"{n_results} results: {n_changed} {done}, {len(problems)} not recomputed")
    for path, problem in problems.items():
        echo(f"error: {path} is not recomputed: {problem}", err=True)
    if problems:
        ctx.exit(1)


@command.command("compact")
@click.argument("paths", nargs=-1, required=True, type=Place())
@click.option(
    "--all", "whole", is_flag=True, help="Also compact score files that are small enough for git as they are."
)
@click.pass_context
def compact(ctx: click.Context, paths: tuple[Path, ...], whole: bool) -> None:
    """Make the score files of the results in PATHS, files or folders, small enough for git.

    Of each clip only the classes that metrics depend on are kept: the best five of every round, with ties. All figures
    of a result follow from them to the last digit, which is verified before the full file is replaced; figures of all
    scores, such as calibration, need the full file. Exit code 1 where scores are missing or belong to another result.
    """
    from zsarbench import results
    from zsarbench.results.compaction import MAX_FILE_BYTES

    sound, problems = _read(paths)
    n_compact = 0
    for path, result in sound.items():
        try:
            before = results.scores_file(path, result).stat().st_size if results.has_scores(result, path) else None
            if before is not None and before <= MAX_FILE_BYTES and not whole:
                continue
            again = results.compact(path)
        except ZsarbenchError as error:
            problems[path] = str(error)
            continue
        if again != result and before is not None:
            n_compact += 1
            after = results.scores_file(path, again).stat().st_size
            echo(f"{path}: scores {before / 1e6:.2f} MB -> {after / 1e6:.2f} MB")
    echo(f"{len(sound)} results: {n_compact} compacted, {len(problems)} not compacted")
    for path, problem in problems.items():
        echo(f"error: {path} is not compacted: {problem}", err=True)
    if problems:
        ctx.exit(1)


def _read(paths: tuple[Path, ...]) -> tuple[dict[Path, RunResult], dict[Path, str]]:
    """Return the results of files and folders, and why others could not be read, each by path.

    Raises:
        UsageError: a path does not exist, or there is no result.
    """
    from zsarbench import results

    if missing := [path for path in paths if not path.exists()]:
        raise UsageError(f"'{missing[0]}' does not exist; give result files or folders that hold them")
    sound, problems = results.read_all(*paths)
    if not sound and not problems:
        raise UsageError("no result was found there. Try: zsarbench run --method NAME")
    return sound, problems
