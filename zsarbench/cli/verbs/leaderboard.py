"""`zsarbench leaderboard`: the page and the Markdown file of all results, built or checked."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zsarbench.cli.committed import CHECKOUT, committed_results, results_folder, results_option
from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import Group, counted, echo, host_of
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.utils.targets import OUT, check_file

if TYPE_CHECKING:
    from zsarbench.plugins import Host
    from zsarbench.reports.leaderboard.site import Site
    from zsarbench.utils.processes import Processes

MARKDOWN = "LEADERBOARD.md"


@click.group("leaderboard", cls=Group, short_help="Build or check the page of all results.")
def command() -> None:
    """Build one page of all results next to the figures that papers report, or check the committed ones.

    \b
    Examples:
      zsarbench leaderboard build --out site/
      zsarbench leaderboard build --out site/ --results results/
      zsarbench leaderboard check
      zsarbench leaderboard seal
    """


@command.command("build")
@click.option("--out", required=True, type=Place(), help="Folder for index.html.")
@results_option
@click.option(
    "--markdown",
    type=Place(),
    help="The Markdown file.  [default: benchmarks/LEADERBOARD.md for benchmarks/results, else in --out]",
)
@click.option(
    "--repository",
    default="",
    envvar="ZSARBENCH_REPOSITORY",
    help="Address of the code, https://…, for links to commits and to how rows are added.",
)
@click.option("--space", is_flag=True, help="Also write OUT/README.md, with which a Hugging Face Space serves OUT.")
@click.pass_context
def build(
    ctx: click.Context, out: Path, folder: Path | None, markdown: Path | None, repository: str, space: bool
) -> None:
    """Write OUT/index.html, a page that works offline, with its data, and its tables as Markdown.

    OUT/data holds the rows and their details, OUT/downloads CSV, JSON and LaTeX, OUT/results the result files.
    The same results give the same bytes. Exit code 1 if a result file is not valid.
    """
    if repository and not repository.startswith("https://"):
        raise UsageError(
            f"--repository '{repository}' is not a valid address. Try: --repository https://github.com/OWNER/NAME"
        )
    folder = results_folder(folder)
    _check_apart(out, folder)
    markdown = markdown or (CHECKOUT if folder == CHECKOUT / "results" else out) / MARKDOWN
    for path in (out / "index.html", markdown):
        check_file(path, "the leaderboard", OUT)

    from zsarbench.reports.leaderboard import build as builder
    from zsarbench.reports.leaderboard import site
    from zsarbench.utils.processes import Processes

    with Processes() as processes:
        whole = dataclasses.replace(
            _site(host_of(ctx), folder, processes, evidence=True), repository=repository, space=space
        )
        echo(site.write(out, whole, processes))
    echo(builder.write(markdown, builder.markdown(whole.board)))


@command.command("check")
@results_option
@click.option(
    "--markdown",
    type=Place(),
    help="The Markdown file.  [default: LEADERBOARD.md next to --results]",
)
@click.pass_context
def check(ctx: click.Context, folder: Path | None, markdown: Path | None) -> None:
    """Check the committed results and that the Markdown file agrees with them; change nothing.

    Exit code 1 if a result file is not valid, disagrees with its spec or its protocol, was measured under another
    version of it, has no predictions or does not follow from them, has those of other clips, is of a method or part
    that no plugin registers, is not the one that SHA256SUMS lists or is too large, if
    reported figures are on a protocol that is not registered, or if the Markdown file is stale.
    """
    from zsarbench.reports.leaderboard import build as builder
    from zsarbench.reports.leaderboard import check as checks
    from zsarbench.results import reported
    from zsarbench.utils.processes import Processes

    host = host_of(ctx)
    folder = results_folder(folder)

    problems = checks.result_problems(folder, partial(checks.known_protocol, host.registry), host.registry)
    problems += checks.reported_problems(reported.read_all(), host.registry.names("protocol"))
    try:
        with Processes() as processes:
            board = _site(host, folder, processes, evidence=False).board
    except ZsarbenchError:
        problems.append("the leaderboard cannot be built from these results, so it is not checked")
    else:
        problems += checks.stale_problems(markdown or folder.parent / MARKDOWN, folder, builder.markdown(board))
        of = f"{counted(board.n_results, 'result')}, {counted(board.n_figures, 'reported figure')}"
        echo(f"{of}: {counted(len(problems), 'problem')}")
    for problem in problems:
        echo(f"error: {problem}", err=True)
    if problems:
        ctx.exit(1)


@command.command("seal")
@results_option
def seal(folder: Path | None) -> None:
    """List the SHA-256 of new result files in SHA256SUMS in their folder; `check` compares all with it.

    A listed file must not change: a repeated measurement is a new file. Exit code 1 where one changed or is not valid.
    """
    from zsarbench.reports.leaderboard import digests

    folder = results_folder(folder)
    added, dropped = digests.seal(folder)
    echo(f"{folder / digests.FILE}: {len(added)} results added, {len(dropped)} dropped that no longer exist")


def _check_apart(out: Path, folder: Path) -> None:
    """Check that no file of the page would be read as a result, and none of the results be replaced or removed.

    Raises:
        UsageError: the folders of page and results share files.
    """
    own = folder.resolve()
    if out.resolve().is_relative_to(own) or own.is_relative_to((out / "results").resolve()):
        raise UsageError(
            f"--out '{out}' would mix copies of results with those in {folder}, which it reads. Try: --out site/"
        )


def _site(host: Host, folder: Path, processes: Processes, *, evidence: bool) -> Site:
    """Return the site of a folder's results, with the columns that plugins add.

    evidence: whether to compute what its page shows of predictions, most of the work; the tables need none.

    Raises:
        ZsarbenchError: a result is not valid.
    """
    from zsarbench.reports.leaderboard import board, preferences, site
    from zsarbench.results import reported

    found, seen = committed_results(folder, processes, evidence=evidence)
    preferred = preferences.read()
    whole = board.build_board(
        list(found.values()),
        reported.read_all(),
        summaries={entry.name: entry.summary for entry in host.registry if entry.kind == "protocol"},
        extra_columns=host.columns_of,
        notices=preferred.notices,
        backings=None if seen is None else {name: item.backing for name, item in seen.items()},
    )
    return site.Site(board=whole, found=found, seen=seen or {}, preferences=preferred)
