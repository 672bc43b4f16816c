"""`zsarbench score`: predictions of another program, as a result."""

from __future__ import annotations

from typing import Any

import click

from zsarbench.cli.places import Place
from zsarbench.cli.scoring import echo_scored, scoring_options
from zsarbench.cli.toolkit import host_of


@click.command("score", short_help="Score a file of predictions of another program.")
@click.argument("file", type=Place())
@click.option("--name", required=True, help="Name of the predicting model in tables.")
@click.option(
    "--class-order",
    metavar="ORDER",
    help="Order of class indices and unnamed scores: dataset, sorted, or a FILE with one name per line.",
)
@click.option(
    "--clip-order",
    type=Place(),
    metavar="FILE",
    help="Order of row numbers (doc_id of lmms-eval, rows of MTEB): a FILE with one clip per line.",
)
@click.option(
    "--field", "fields", multiple=True, metavar="OURS=THEIRS", help="Name in the file of clip, label, scores, answer, …"
)
@click.option(
    "--words",
    is_flag=True,
    help="Treat what FILE gives for a clip as an answer in words, whatever its field is called.",
)
@scoring_options
@click.pass_context
def command(ctx: click.Context, /, format_: str, as_json: bool, **request: Any) -> None:
    """Score the predictions in FILE under a protocol: a table, and a result like that of a run.

    FILE is JSON, JSON lines, CSV, npz, parquet or xlsx: for each clip scores of all classes, a list of classes with
    or without scores, or one class. Clips are named by id, file name or path, classes by name, alias or index. The
    treatment of every row is printed on stderr: missing clips count as wrong, and so do clips with contradicting
    predictions. Answers in words (fields clip and answer) are mapped to classes in four ways, each with its own row: by
    exact name, by inclusion, by the nearest class, and by letter or option where there are options. So are the samples
    that lmms-eval logs and the predictions of VLMEvalKit, which are known by their fields; predictions of MTEB are
    scores.

    \b
    Examples:
      zsarbench score gpt4v.json --protocol ucf101/official-1 --name GPT-4V
      zsarbench score scores.npz --protocol ucf101/all --name my-clip \\
          --class-order classInd.txt
      zsarbench score answers.jsonl --protocol ucf101/official-1 --name my-mllm
      zsarbench score preds.csv --protocol hmdb51/truze-v1 --name my-model \\
          --trained-on kinetics400
    """
    host = host_of(ctx)
    from zsarbench.predictions.scoring import ScoreRequest, score
    from zsarbench.reports.comparison import check_reporter

    check_reporter(host, format_)
    echo_scored(host, score(ScoreRequest(**request), host), format_, as_json)
