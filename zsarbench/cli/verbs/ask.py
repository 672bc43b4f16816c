"""`zsarbench ask`: a multimodal model is shown every test clip, and its answers become results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.cli.toolkit import data_root_option, echo, echo_json, echo_rendered, format_option, host_of, keeps

KEPT = "interrupted; every answer that came is kept. The same command asks for the rest"
OF_ASKING = ("model", "frames_per_second", "max_frames", "image_size", "temperature", "max_tokens")
OF_SCORING = ("name", "protocol", "trained_on", "train_on", "source", "settings", "data_root", "text", "out")


@click.command("ask", short_help="Ask a multimodal model about every test clip, and score its answers.")
@click.option("--model", required=True, help="The model, as the endpoint calls it.")
@click.option(
    "--endpoint", metavar="URL", help="Of any OpenAI-compatible API, as http://localhost:8000/v1.  [default: OpenAI]"
)
@click.option(
    "--protocol",
    type=OF_OPTIONS["protocol"],
    help="A name, or a file of yours.  [default: the one that `zsarbench list protocol` marks]",
)
@click.option("--name", help="What tables are to call the row.  [default: the model]")
@click.option(
    "--open", "offers", flag_value=False, default=True, type=bool, help="Offer no names: the model finds its own words."
)
@click.option(
    "--prompt",
    type=click.Path(path_type=Path),
    help="A file: text with {frames}, and {options} where names are offered.",
)
@click.option(
    "--frames", "max_frames", default=8, show_default=True, type=click.IntRange(1), help="Frames of a clip at most."
)
@click.option(
    "--fps",
    "frames_per_second",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Frames a second of the clip, from its start.",
)
@click.option(
    "--size",
    "image_size",
    default=448,
    show_default=True,
    type=click.IntRange(16),
    help="Longer side of an image, pixels.",
)
@click.option("--temperature", default=0.0, show_default=True, type=click.FloatRange(0))
@click.option(
    "--max-tokens", default=64, show_default=True, type=click.IntRange(1), help="Tokens of an answer at most."
)
@click.option(
    "--concurrency", default=8, show_default=True, type=click.IntRange(1), help="Questions that are asked at a time."
)
@click.option(
    "--timeout",
    "seconds",
    default=120.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Seconds of an attempt.",
)
@click.option("--attempts", default=6, show_default=True, type=click.IntRange(1), help="At each question.")
@click.option(
    "--price",
    nargs=2,
    type=click.FloatRange(0),
    metavar="IN OUT",
    help="Dollars for a million tokens, asked and answered.",
)
@click.option("--partial", is_flag=True, help="Score although clips have no answer yet; they count as wrong.")
@click.option(
    "--trained-on",
    multiple=True,
    metavar="LABELS",
    help="A label set that it was trained on, or nothing.  [default: unknown]",
)
@click.option(
    "--train-on", default="none", show_default=True, metavar="none|seen|DATASET", help="Where it learnt the task."
)
@click.option("--text", type=OF_OPTIONS["text"], help="Text encoder that finds the class nearest to an answer.")
@click.option("--source", default="", help="Paper, address and licence of the model.")
@click.option("--set", "settings", multiple=True, metavar="dataset.OPTION=VALUE", help="An option of the data set.")
@data_root_option
@click.option("--out", default="results", show_default=True, help="Folder for answers and result files.")
@format_option
@click.option("--json", "as_json", is_flag=True, help="Print the results' JSON, as a list.")
@click.pass_context
def command(ctx: click.Context, /, format_: str, as_json: bool, **given: Any) -> None:
    """Show a multimodal model frames of every test clip, ask what they show, and score its answers in words.

    The key is read from OPENAI_API_KEY. Every answer is kept when it comes, under a digest of the prompt, the images
    and the model's settings: nothing is asked twice, and an interrupted command goes on where it was. Answers become
    classes in four ways, each with its own row, as `zsarbench score` does it; tokens and price stand in the results.

    \b
    Examples:
      zsarbench ask --model gpt-4o --protocol ucf101/official-1 --price 2.5 10
      zsarbench ask --model qwen2.5-vl --endpoint http://localhost:8000/v1 --open
    """
    host = host_of(ctx)
    from zsarbench.predictions.asking.asking import AskRequest, ask
    from zsarbench.predictions.recording import account_lines
    from zsarbench.predictions.scoring import ScoreRequest
    from zsarbench.reports.comparison import check_reporter, render
    from zsarbench.utils.progress import default_progress
    from zsarbench.utils.text_files import read_text

    check_reporter(host, format_)
    prompt = given.pop("prompt")
    scoring = {name: given.pop(name) for name in OF_SCORING}
    asking = {name: given.pop(name) for name in OF_ASKING}
    scoring["name"] = scoring["name"] or asking["model"]
    request = AskRequest(
        scoring=ScoreRequest(file=Path("answers"), **scoring),
        asking=asking,
        prompt=None if prompt is None else read_text(prompt, "prompt").strip(),
        **given,
    )
    keeps(ctx, KEPT)
    written = ask(request, host, default_progress())
    if as_json:
        echo_json([result.to_json() for result, _ in written])
    else:
        echo_rendered(render(host, {path: result for result, path in written}, format_))
    for result, path in written:
        echo(f"mapping {result.method.options['mapping']}:", err=True)
        for line in account_lines(result):
            echo(line, err=True)
        echo(f"result: {path}", err=True)
    asked = written[0][0].method.record["asked"]
    cost = f", {asked['dollars']:.2f} dollars" if "dollars" in asked else ""
    echo(
        f"{asked['clips']:,} clips, {asked['asked_now']:,} questions asked now, {asked['retries']:,} attempts "
        f"repeated; {asked['prompt_tokens']:,} + {asked['completion_tokens']:,} tokens in all{cost}",
        err=True,
    )
