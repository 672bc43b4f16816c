"""`zsarbench run`: one method under one protocol."""

from __future__ import annotations

from typing import Any

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.cli.request import MeasuredOption, SectionedCommand, with_options_of
from zsarbench.cli.toolkit import CONTINUES, echo, echo_json, echo_rendered, format_option, host_of, keeps
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import RunRequest

REFIT_AGAIN = "interrupted; what was finished before --refit is kept. With --refit the fits begin again"


@click.command("run", cls=SectionedCommand, short_help="Run a method under a protocol and print its table.")
@click.option(
    "--method",
    type=OF_OPTIONS["method"],
    required=True,
    cls=MeasuredOption,
    help="The method; see: zsarbench list method.",
)
@with_options_of(RunRequest)
@click.option("--plan", is_flag=True, help="Print the expected clips, bytes and minutes, and stop.")
@format_option
@click.option("--json", "as_json", is_flag=True, help="Print exactly the result file's JSON.")
@click.pass_context
def command(ctx: click.Context, /, plan: bool, format_: str, as_json: bool, **request: Any) -> None:
    """Run a method under a protocol: features, training, scores, a table with the published figures.

    Results that exist under --out are shown and not measured again, unless --refit is given. Interrupt the command at
    any time: the same command continues.

    A --control run whose accuracy stays above chance is reported as a LEAK, with exit code 1.

    \b
    Examples:
      zsarbench run --method cezsar
      zsarbench run --method nearest-text --protocol ucf101/half-e2e
      zsarbench run --method cezsar --protocol ucf101/truze-v2 --seeds 3
      zsarbench run --method cezsar --set loss.margin=0.5 --refit
    """
    host = host_of(ctx)
    spec = resolve_run(RunRequest(**request), host)
    from zsarbench import results
    from zsarbench.reports.comparison import check_reporter, render

    check_reporter(host, format_)
    from zsarbench.harness import runs
    from zsarbench.results.controls import leak
    from zsarbench.utils.progress import default_progress

    progress = default_progress()
    if plan:
        content = runs.plan(spec, host, progress)
        if as_json:
            echo_json(content)
        else:
            echo("\n".join(f"{_words(key)}: {_amount(key, value)}" for key, value in content.items()))
        return
    keeps(ctx, REFIT_AGAIN if spec.where.refit else CONTINUES)
    result, path = runs.run_once(spec, host, progress)
    if as_json:
        echo(path.read_text(encoding="utf-8"), nl=False)
    else:
        echo_rendered(render(host, {path: result}, format_))
        echo(f"result: {path}", err=True)
    if found := leak(result, results.read_scores(path)):
        echo(f"error: {found}", err=True)
        ctx.exit(1)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _amount(key: str, value: object) -> str:
    """Return a number of a plan with its unit.

    >>> _amount("bytes_to_read", 1_500_000), _amount("clips", 12000)
    ('1.5 MB', '12,000')
    """
    if key.startswith("bytes") and isinstance(value, int):
        return f"{value / 1e6:,.1f} MB"
    return f"{value:,}" if isinstance(value, int) else str(value)
