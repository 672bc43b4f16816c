"""`zsarbench data lint`: finds class texts that are empty, shared by classes, or unrelated to their class's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.cli.request import class_text_option
from zsarbench.cli.toolkit import data_root_option, echo, echo_json, host_of, json_option, settings_option
from zsarbench.errors import ZsarbenchError

if TYPE_CHECKING:
    from zsarbench.data.class_text_lint import Finding
    from zsarbench.evaluation.caption_names import CaptionFinding, CaptionNaming
    from zsarbench.interfaces import Dataset

MAX_CHARACTERS = 100  # of a text that is shown
MAX_CAPTIONS = 5


@click.command("lint")
@click.argument("name", type=OF_OPTIONS["dataset"])
@class_text_option("sentence")
@click.option(
    "--text",
    type=OF_OPTIONS["text"],
    help="Text encoder that compares texts with names.  [default: that of audits, if installed]",
)
@data_root_option
@settings_option
@json_option
@click.pass_context
def lint(
    ctx: click.Context,
    name: str,
    class_text: str,
    text: str | None,
    data_root: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Find suspicious class texts of data set NAME: empty, duplicate, and unrelated to their class.

    Captions are reported where many name the class of their clip, or where one contains a file path: a method that
    reads such captions reads the answer.

    A text counts as unrelated where the names of ten or more other classes are nearer to it in the text embedding than
    the name of its own class; the worst come first. A finding is not a verdict: a good definition that shares no word
    with a rare name is reported too. Exit code 1 when there are findings.

    \b
    Examples:
      zsarbench data lint ucf101
      zsarbench data lint kinetics600 --class-text sentence --text minilm-l6
      zsarbench data lint ucf101 --class-text my-texts.csv
    """
    from zsarbench.data import class_texts
    from zsarbench.data.class_text_lint import check
    from zsarbench.evaluation.contamination import near_names
    from zsarbench.harness.resolve import resolve_parts
    from zsarbench.interfaces import ClassText
    from zsarbench.plugins.building import build_dataset, build_text

    registry = host_of(ctx).registry
    named = {"dataset": name} | ({"text": text} if text is not None else {})
    parts, roots = resolve_parts(registry, named, data_root=data_root, settings=settings)
    dataset = build_dataset(parts["dataset"], roots, registry)
    all_texts = class_texts.read(dataset, class_text)
    near = near_names(registry) if text is None else None
    encoder = build_text(parts["text"], registry, "cpu") if text is not None else None
    if near is not None:
        encoder = near.encoder
    chosen = class_texts.choose(all_texts, class_text, encoder)
    texts = [chosen.get(label, ClassText(label, ())) for label in dataset.classes]
    findings = check(texts, encoder)
    counted, given_away = _captions(dataset, name)
    about = {
        "dataset": name,
        "class_text": class_text,
        "classes": len(texts),
        "texts": sum(len(item.texts) for item in texts),
        "text_encoder": near.name if near is not None else text,
    }
    if as_json:
        captions = asdict(counted) | {"problem": counted.problem, "findings": list(map(asdict, given_away))}
        echo_json(about | {"findings": [asdict(finding) for finding in findings], "captions": captions})
    else:
        _show(about, findings)
        _show_captions(counted, given_away)
    ctx.exit(1 if findings or counted.problem else 0)


def _captions(dataset: Dataset, name: str) -> tuple[CaptionNaming, list[CaptionFinding]]:
    """Return how often the captions of a data set give the class away, and those that do where that is a finding."""
    from zsarbench.data.manifest import checked_manifest
    from zsarbench.evaluation import caption_names

    captions: Mapping[str, Sequence[str]] = {}
    labels: dict[str, str] = {}
    try:
        if captions := dataset.captions():
            by_clip = checked_manifest(dataset, name).set_index("clip_id")["label"].dropna()
            labels = {str(clip): str(label) for clip, label in by_clip.items()}
    except ZsarbenchError as error:
        echo(f"warning: the captions of {name} were not checked: {error}", err=True)
    counted, found = caption_names.naming(captions, labels, dataset.classes, dataset.aliases)
    return counted, found if counted.problem else []


def _show(about: dict[str, object], findings: list[Finding]) -> None:
    for key, value in about.items():
        echo(f"{key.replace('_', ' ')}: {value}")
    if about["text_encoder"] is None:
        echo("unrelated texts were not searched for: the extra `offline` is not installed. Try: --text NAME")
    for finding in findings:
        echo(f"{finding.problem} {finding.name}: {finding.reason}")
        if finding.text.strip():
            text = " ".join(finding.text.split())
            echo(f"    {text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + '…'}")
    echo(f"{len(findings)} findings")


def _show_captions(counted: CaptionNaming, found: list[CaptionFinding]) -> None:
    if counted.n_sentences:
        echo(f"captions: {counted.n_sentences:,}, of which {counted.n_own:,} name the class of their clip")
    if counted.problem:
        echo(f"finding: {counted.problem}, e.g.")
    for finding in found[:MAX_CAPTIONS]:
        echo(f"    {finding.clip_id} ({finding.label}): {' '.join(finding.text.split())[:MAX_CHARACTERS]}")
