"""`zsarbench result validate`: whether results hold, each fault by name."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from zsarbench.cli.committed import results_folder
from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import echo, echo_json, host_of, json_option
from zsarbench.errors import UsageError


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, type=Place())
@click.option(
    "--results",
    "folder",
    type=Place(),
    help="Committed results that must be on the same data.  [default: benchmarks/results here, else those that ship]",
)
@json_option
@click.pass_context
def validate(ctx: click.Context, paths: tuple[Path, ...], folder: Path | None, as_json: bool) -> None:
    """Check that the results in PATHS, files or folders, can be trusted as far as their files show; change nothing.

    Checked are: the format and the checksums; the spec against its hash, the command and the fields that repeat it; the
    protocol by hash, with its rounds and candidates; method and parts against the installed plugins; revision, clips,
    labels and class texts against the committed results on the same data, or the data set itself; metrics, means and
    intervals against the predictions, from which they are computed again. A control run above chance is a leak. No code
    of a result's plugin runs. Each fault is printed with its name in brackets; exit code 1 if there is one.

    \b
    Examples:
      zsarbench result validate results/
      zsarbench result validate mine-0123abcd-20260301T100000Z.json --json
    """
    from zsarbench import results
    from zsarbench.reports.leaderboard import agreement, check

    if missing := [path for path in paths if not path.exists()]:
        raise UsageError(f"'{missing[0]}' does not exist; give result files or folders that hold them")
    registry = host_of(ctx).registry
    sound, unsound = results.read_all(*paths)
    if not sound and not unsound:
        raise UsageError("no result was found there. Try: zsarbench run --method NAME")
    named = {os.path.realpath(path) for path in (*sound, *unsound)}  # which a loop of links does not stop
    committed, _ = results.read_all(results_folder(folder))
    found = [(path, problem) for path in unsound for problem in results.problems(path)]
    found += check.of_results(
        sound,
        partial(check.known_protocol, registry),
        registry,
        {path: result for path, result in committed.items() if os.path.realpath(path) not in named},
        partial(agreement.facts_of_dataset, registry),
    )
    faults = [path for path, problem in found if problem.is_fault]
    if as_json:
        lines = [{"file": str(path), "name": problem.name, "text": problem.text} for path, problem in found]
        echo_json({"results": len(named), "refused": len(set(faults)), "problems": lines})
    else:
        for path, problem in found:
            kind = "error" if problem.is_fault else "note"
            echo(f"{kind}: [{problem.name}] {path}: {problem.text}", err=problem.is_fault)
        echo(f"{len(named)} results: {len(set(faults))} refused")
    if faults:
        ctx.exit(1)
