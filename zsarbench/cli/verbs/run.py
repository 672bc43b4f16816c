"""`zsarbench run`: one method under one protocol."""

from __future__ import annotations

from typing import Any

import click

from zsarbench.cli.request import option_of, with_options_of
from zsarbench.cli.toolkit import echo, echo_json, echo_rendered, format_option, host_of
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import RunRequest


@click.command("run", short_help="Run a method under a protocol and print its table.")
@option_of("method")
@with_options_of(RunRequest)
@click.option("--plan", is_flag=True, help="Print clips, bytes and minutes to expect, and stop.")
@format_option
@click.option("--json", "as_json", is_flag=True, help="Print exactly the result file's JSON.")
@click.pass_context
def command(ctx: click.Context, /, plan: bool, format_: str, as_json: bool, **request: Any) -> None:
    """Run a method under a protocol: features, training, scores, a table with the published figures.

    \b
    Examples:
      zsarbench run --method cezsar
      zsarbench run --method nearest-text --protocol ucf101/half-e2e
      zsarbench run --method cezsar --protocol ucf101/truze-v2 --seeds 3 --set loss.margin=0.5
    """
    host = host_of(ctx)
    spec = resolve_run(RunRequest(**request), host)
    from zsarbench.harness import runs
    from zsarbench.reports.comparison import render
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
        return
    echo_rendered(render(host, [result], format_))
    echo(f"result: {path}", err=True)
