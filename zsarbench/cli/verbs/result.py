"""`zsarbench result`: what the scores of a result file give, computed again without any model."""

from __future__ import annotations

from pathlib import Path

import click

from zsarbench.cli.toolkit import echo
from zsarbench.errors import UsageError, ZsarbenchError


@click.group("result", short_help="Compute results again from their scores.")
def command() -> None:
    """Work on result files that exist.

    \b
    Examples:
      zsarbench result recompute results/
      zsarbench result recompute benchmarks/results --plan
    """


@command.command("recompute")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--plan", is_flag=True, help="Print what would change, and write nothing.")
@click.pass_context
def recompute(ctx: click.Context, paths: tuple[Path, ...], plan: bool) -> None:
    """Rewrite the results in PATHS, files or folders, by what their scores files give.

    Metrics, counts, means, spreads and intervals are computed again as a run computes them; everything else in a file
    stays as it is, and so does its name. Exit code 1 where a result cannot be recomputed: its scores file is missing or
    another one. Its command, which is printed, measures it again.
    """
    from zsarbench import results
    from zsarbench.reports.changes import changes

    if missing := [path for path in paths if not path.exists()]:
        raise UsageError(f"'{missing[0]}' does not exist; give result files or folders that hold them")
    sound, problems = results.read_all(*paths)
    if not sound and not problems:
        raise UsageError("there is no result to recompute. Try: zsarbench run --method NAME")
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
