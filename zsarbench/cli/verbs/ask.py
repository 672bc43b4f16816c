"""`zsarbench ask`: shows a multimodal model every test clip and scores its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from zsarbench.cli.places import Place
from zsarbench.cli.scoring import echo_scored, scoring_options
from zsarbench.cli.toolkit import echo, host_of, keeps
from zsarbench.predictions.asking.questions import QuestionSettings

KEPT = "interrupted; all answers received so far are kept. Type the same command again to ask for the rest"
_RANGES = {int: click.IntRange, float: click.FloatRange}


def _question_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a question, which its settings declare."""
    for item in reversed(fields(QuestionSettings)):
        if "flag" in item.metadata:
            about = dict(item.metadata)
            flag, help_ = about.pop("flag"), about.pop("help")
            kind = _RANGES[type(item.default)](**about)
            option = click.option(flag, item.name, default=item.default, show_default=True, type=kind, help=help_)
            command = option(command)
    return command


@click.command("ask", short_help="Ask a multimodal model about every test clip, and score its answers.")
@click.option("--model", required=True, help="The model, as the endpoint calls it.")
@click.option(
    "--endpoint",
    metavar="URL",
    help="Base URL of an OpenAI-compatible API, e.g. http://localhost:8000/v1.  [default: OpenAI]",
)
@click.option("--name", help="Name of the row in tables.  [default: the model]")
@click.option(
    "--open",
    "offers",
    flag_value=False,
    default=True,
    type=bool,
    help="Offer no class names: the model answers in its own words.",
)
@click.option(
    "--prompt",
    type=Place(),
    help="Prompt file: text with {frames}, and {options} where class names are offered.",
)
@_question_options
@click.option("--concurrency", default=8, show_default=True, type=click.IntRange(1), help="Requests at a time.")
@click.option(
    "--timeout",
    "seconds",
    default=120.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Time limit of an attempt in seconds.",
)
@click.option("--attempts", default=6, show_default=True, type=click.IntRange(1), help="Attempts per question.")
@click.option(
    "--price",
    nargs=2,
    type=click.FloatRange(0),
    metavar="IN OUT",
    help="Dollars per million tokens of prompts and of answers.",
)
@click.option("--partial", is_flag=True, help="Score although some clips have no answer yet; they count as wrong.")
@scoring_options
@click.pass_context
def command(ctx: click.Context, /, format_: str, as_json: bool, **given: Any) -> None:
    """Show a multimodal model frames of every test clip, ask what they show, and score its answers in words.

    The key is read from OPENAI_API_KEY. Every answer is stored on arrival, under a digest of the prompt, the images
    and the model's settings: no question is sent twice, and an interrupted command continues. Answers are mapped to
    classes in four ways, each with its own row, as in `zsarbench score`; results record tokens and price.

    \b
    Examples:
      zsarbench ask --model gpt-4o --protocol ucf101/official-1 --price 2.5 10
      zsarbench ask --model qwen2.5-vl --endpoint http://localhost:8000/v1 --open
    """
    host = host_of(ctx)
    from zsarbench.predictions.asking.asking import AskRequest, ask
    from zsarbench.predictions.scoring import ScoreRequest
    from zsarbench.reports.comparison import check_reporter
    from zsarbench.utils.progress import default_progress
    from zsarbench.utils.text_files import read_text

    check_reporter(host, format_)
    prompt = given.pop("prompt")
    scoring = {item.name: given.pop(item.name) for item in fields(ScoreRequest) if item.name in given}
    question = {item.name: given.pop(item.name) for item in fields(QuestionSettings) if item.name in given}
    scoring["name"] = scoring["name"] or question["model"]
    request = AskRequest(
        scoring=ScoreRequest(file=Path("answers"), **scoring),
        question=question,
        prompt=None if prompt is None else read_text(prompt, "prompt").strip(),
        **given,
    )
    keeps(ctx, KEPT)
    written = ask(request, host, default_progress())
    echo_scored(host, written, format_, as_json)
    count = written[0][0].method.record["questions"]
    cost = f", {count['dollars']:.2f} dollars" if "dollars" in count else ""
    echo(
        f"{count['clips']:,} clips, {count['new']:,} new questions, {count['retries']:,} attempts repeated; "
        f"{count['prompt_tokens']:,} + {count['completion_tokens']:,} tokens in all{cost}",
        err=True,
    )
