"""`zsarbench run`: one method under one protocol."""

from __future__ import annotations

from typing import Any

import click

from zsarbench.cli.request import with_options_of
from zsarbench.cli.toolkit import echo, echo_json, echo_rendered, format_option, host_of
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import RunRequest


@click.command("run", short_help="Run a method under a protocol and print its table.")
@click.option("--method", required=True, help="What is measured; see: zsarbench list method.")
@with_options_of(RunRequest)
@click.option("--plan", is_flag=True, help="Print clips, bytes and minutes to expect, and stop.")
@format_option
@click.option("--json", "as_json", is_flag=True, help="Print exactly the result file's JSON.")
@click.pass_context
def command(ctx: click.Context, /, plan: bool, format_: str, as_json: bool, **request: Any) -> None:
    """Run a method under a protocol: features, training, scores, a table with the published figures.

    A --control run whose accuracy stays above chance is reported as a LEAK, with exit code 1.

    \b
    Examples:
      zsarbench run --method cezsar
      zsarbench run --method nearest-text --protocol ucf101/half-e2e
      zsarbench run --method cezsar --protocol ucf101/truze-v2 --seeds 3 --set loss.margin=0.5
    """
    host = host_of(ctx)
    spec = resolve_run(RunRequest(**request), host)
    from zsarbench import results
    from zsarbench.harness import runs
    from zsarbench.reports.comparison import render
    from zsarbench.results.controls import leak
    from zsarbench.utils.progress import default_progress

    progress = default_progress()
    if plan:
        content = runs.plan(spec, host, progress)
        if as_json:
            echo_json(content)
        else:
            echo("\n".join(f"{key}: {value}" for key, value in content.items()))
        return
    result, path = runs.run(spec, host, progress)
    if as_json:
        echo(path.read_text(encoding="utf-8"), nl=False)
    else:
        echo_rendered(render(host, {path: result}, format_))
        echo(f"result: {path}", err=True)
    if found := leak(result, results.read_scores(path)):
        echo(f"error: {found}", err=True)
        ctx.exit(1)
