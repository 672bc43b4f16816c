"""`zsarbench compare`: results side by side, and how far apart they are."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import echo, echo_rendered, format_option, host_of
from zsarbench.errors import UsageError, unknown

if TYPE_CHECKING:
    from zsarbench.results import RunResult


@click.command("compare", short_help="Put results side by side, with paired differences.")
@click.argument("paths", nargs=-1, type=Place())
@click.option("--protocol", type=OF_OPTIONS["protocol"], help="Only this protocol.")
@click.option(
    "--rank-by", metavar="METRIC", help="The metric that ranks.  [default: that of the setting, such as top1_per_video]"
)
@click.option("--paired", is_flag=True, help="Also print each result's difference to the best, with its interval.")
@format_option
@click.pass_context
def command(
    ctx: click.Context, paths: tuple[Path, ...], protocol: str | None, rank_by: str | None, paired: bool, format_: str
) -> None:
    """Compare the results in PATHS, files or folders (default: ./results): one table for each protocol.

    A table never mixes results that are not comparable: those left out are listed under it with the reason.

    For programs, --format csv and json print one document: the CSV has a column protocol, the JSON is the table of one
    protocol, or a list of the tables of several. What --paired adds then goes to stderr.

    \b
    Examples:
      zsarbench compare
      zsarbench compare results/ --protocol ucf101/truze-v1 --paired
      zsarbench compare a.json b.json --format latex
      zsarbench compare results/ --format csv > results.csv
    """
    from zsarbench import results
    from zsarbench.reports.comparison import check_reporter, pairable, render, render_all
    from zsarbench.reports.paired import describe_differences

    host = host_of(ctx)
    check_reporter(host, format_)
    if missing := [path for path in paths if not path.exists()]:
        raise UsageError(f"'{missing[0]}' does not exist; give result files or folders that hold them")
    sound, problems = results.read_all(*paths or (Path("results"),))
    for file, problem in problems.items():
        echo(f"warning: {file} is left out: {problem}", err=True)
    by_protocol: dict[str, dict[Path, RunResult]] = defaultdict(dict)
    for file, result in sound.items():
        by_protocol[result.protocol.name][file] = result
    if not by_protocol:
        raise UsageError("there is no result to compare. Try: zsarbench run --method NAME")
    if protocol is not None and protocol not in by_protocol:
        raise UsageError(unknown("protocol among the results", protocol, by_protocol))
    tables = {name: by_protocol[name] for name in sorted(by_protocol) if protocol in (None, name)}
    document = render_all(host, tables, format_, rank_by=rank_by)
    if document is not None:
        echo_rendered(document)
    for compared in tables.values():
        if document is None:
            echo_rendered(render(host, compared, format_, rank_by=rank_by) + "\n")
        if paired and len(compared) > 1:
            pairs, reasons = pairable(compared, rank_by)
            for reason in reasons:
                echo(f"warning: not paired: {reason}", err=True)
            if len(pairs) > 1:
                echo(describe_differences(pairs, metric=rank_by), err=document is not None)
