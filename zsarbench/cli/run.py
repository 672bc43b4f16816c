"""`zsarbench run`: one method under one protocol."""

from __future__ import annotations

from typing import Any

import click

from zsarbench import spec as specs
from zsarbench.cli.common import echo_json, format_option, host_of, render
from zsarbench.resolve import resolve


@click.command("run", short_help="Run a method under a protocol and print its table.")
@click.option("--method", required=True, help="What is measured; see: zsarbench list method.")
@click.option("--protocol", default=specs.DEFAULT_PROTOCOL, show_default=True, help="A name, or a file of yours.")
@click.option("--visual", help="Visual encoder in place of the default one.")
@click.option("--text", help="Text encoder in place of the default one.")
@click.option("--negatives", help="Negative sampler in place of the default one.")
@click.option("--loss", help="Loss in place of the default one.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PART.OPTION=VALUE",
    help="An option of a part; see: zsarbench show NAME.",
)
@click.option("--seed", default=0, show_default=True, help="First training seed.")
@click.option("--seeds", default=1, show_default=True, help="Number of training seeds.")
@click.option("--train-on", default="seen", show_default=True, metavar="seen|DATASET", help="Where the method learns.")
@click.option(
    "--class-text", metavar="FORM", help="name, sentence, sentences, or a CSV file with the columns class, text."
)
@click.option("--data-root", multiple=True, metavar="DATASET=DIR", help="Your own files of a data set.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, …")
@click.option("--dtype", default="float32", show_default=True, help="float32 or bfloat16.")
@click.option(
    "--threads", type=int, help="Threads to compute with; other counts give other bits.  [default: all cores]"
)
@click.option("--denominator", default="all", show_default=True, help="all, or survivors (flags the row).")
@click.option(
    "--control", default="none", show_default=True, help="shuffle-captions or shuffle-labels: must fall to chance."
)
@click.option("--plan", is_flag=True, help="Print clips, bytes and minutes to expect, and stop.")
@click.option("--limit", type=int, metavar="N", help="At most N clips a class (flags the row).")
@click.option("--executor", default="local", show_default=True, help="Where features are extracted.")
@click.option("--out", default="results", show_default=True, help="Folder for result files.")
@format_option
@click.option("--json", "as_json", is_flag=True, help="Print exactly the result file's JSON.")
@click.option("--strict", is_flag=True, help="Stop at the first clip that cannot be read.")
@click.option("--resume", is_flag=True, help="Go on with interrupted fits instead of fitting anew.")
@click.pass_context
def command(ctx: click.Context, /, plan: bool, format_: str, as_json: bool, **asked: Any) -> None:
    """Run a method under a protocol: features, training, scores, a table beside the published figures.

    \b
    Examples:
      zsarbench run --method cezsar
      zsarbench run --method nearest-text --protocol ucf101/half-e2e
      zsarbench run --method cezsar --protocol ucf101/truze-v2 --seeds 3 --set loss.margin=0.5
    """
    host = host_of(ctx)
    spec = resolve(specs.RunRequest(**asked), host)
    from zsarbench import harness
    from zsarbench.progress import default_progress

    progress = default_progress()
    if plan:
        content = harness.plan(spec, host, progress)
        echo_json(content) if as_json else click.echo("\n".join(f"{key}: {value}" for key, value in content.items()))
        return
    result, path = harness.run(spec, host, progress)
    if as_json:
        click.echo(path.read_text(encoding="utf-8"), nl=False)
        return
    click.echo(render(host, [result], format_))
    click.echo(f"result: {path}", err=True)
