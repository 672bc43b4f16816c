"""The options that say what a run is, for every verb that runs something.

They are the fields of `zsarbench.harness.spec.RunRequest`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from zsarbench.cli.common import data_root_option, settings_option

train_on_option = click.option(
    "--train-on", default="seen", show_default=True, metavar="seen|DATASET", help="Where the method learns."
)


def class_text_option(default: str | None = None) -> Callable[..., Any]:
    """Return the option for what describes a class."""
    return click.option(
        "--class-text",
        default=default,
        show_default=default is not None,
        metavar="FORM",
        help="name, sentence, sentences, documents, or a CSV file with the columns class, text; FORM:nearest-K takes "
        "the K sentences nearest to the class's name.",
    )


_OPTIONS = (
    click.option(
        "--protocol", help="A name, or a file of yours.  [default: the one that `zsarbench list protocol` marks]"
    ),
    click.option("--visual", help="Visual encoder in place of the default one."),
    click.option("--text", help="Text encoder in place of the default one."),
    click.option("--negatives", help="Negative sampler in place of the default one."),
    click.option("--loss", help="Loss in place of the default one."),
    settings_option,
    click.option("--seed", default=0, show_default=True, help="First training seed."),
    click.option("--seeds", default=1, show_default=True, help="Number of training seeds."),
    train_on_option,
    class_text_option(),
    data_root_option,
    click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, …"),
    click.option("--dtype", default="float32", show_default=True, help="float32 or bfloat16."),
    click.option(
        "--threads", type=int, help="Threads to compute with; other counts give other bits.  [default: all cores]"
    ),
    click.option("--denominator", default="all", show_default=True, help="all, or survivors (flags the row)."),
    click.option(
        "--control", default="none", show_default=True, help="shuffle-captions or shuffle-labels: must fall to chance."
    ),
    click.option("--limit", type=int, metavar="N", help="At most N clips a class (flags the row)."),
    click.option("--executor", default="local", show_default=True, help="Where features are extracted."),
    click.option("--out", default="results", show_default=True, help="Folder for result files."),
    click.option("--strict", is_flag=True, help="Stop at the first clip that cannot be read."),
    click.option("--resume", is_flag=True, help="Go on with interrupted fits instead of fitting anew."),
)


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all options of a request but its method, in the order in which the help shows them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
