"""`zsarbench protocol`: what a protocol compares, and whether its lists hold."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from zsarbench import protocols
from zsarbench.cli.names import OF_OPTIONS
from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import Group, data_root_option, echo, echo_json, host_of, json_option, settings_option
from zsarbench.data.manifest import checked_manifest

if TYPE_CHECKING:
    from zsarbench.interfaces import Dataset, Round
    from zsarbench.protocols import Protocol
    from zsarbench.protocols.check import Counts, Findings


@click.group("protocol", cls=Group, short_help="Show or check a protocol's rounds.")
def command() -> None:
    """Show a protocol's rounds, counts, hash and source, or check its lists against the data set.

    \b
    Examples:
      zsarbench protocol show ucf101/truze-v2
      zsarbench protocol check ./mine.toml --data-root folder=/data/mine
      zsarbench protocol choices ucf101/official-1 --options 5 --out mine.toml
    """


@command.command("show")
@click.argument("name", type=OF_OPTIONS["protocol"])
@data_root_option
@settings_option
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, data_root: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> None:
    """Print the rounds of NAME, a registered protocol or a file, with its hash and source; no data are read.

    Also print which difference between two methods a paired test can resolve here, for methods that differ in single
    classes as much as committed ones do; `zsarbench compare --paired` prints it for two measured methods.
    """
    protocol, dataset = _protocol_and_dataset(ctx, name, data_root, settings)
    rounds = [_round(protocol, item) for item in protocol.with_official_names(dataset)]
    content = _about(protocol) | {
        "summary": protocol.summary,
        "clip_list": protocol.clip_list,
        "validation_only": protocol.validation_only,
        "hash": protocol.hash(dataset),
        "notes": protocol.notes.strip(),
    }
    resolves = _resolves(protocol)
    if as_json:
        echo_json(content | {"rounds": rounds, "resolves": resolves})
        return
    _echo(content)
    echo(protocols.rounds_in_words(len(rounds), protocol.n_distinct))
    echo(_resolves_text(resolves))
    for item in rounds:
        echo(f"round {item['round']}: {', '.join(_round_texts(item, protocol.validation_only))}", bold=True)
        echo("  candidates: " + ", ".join(item["candidates"]))


@command.command("check")
@click.argument("name", type=OF_OPTIONS["protocol"])
@data_root_option
@settings_option
@json_option
@click.pass_context
def check(ctx: click.Context, name: str, data_root: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> None:
    """Check the lists of NAME against the data set's classes and clips, and print the counts.

    Every mismatch is listed, and the exit code is then 1. A warning states what a run will lack.
    """
    from zsarbench.protocols import check as protocol_check

    protocol, dataset = _protocol_and_dataset(ctx, name, data_root, settings)
    findings = protocol_check.check(protocol, dataset, checked_manifest(dataset, protocol.dataset))
    if as_json:
        echo_json(_about(protocol) | {"holds": not findings.problems} | asdict(findings))
    else:
        _echo(_about(protocol) | {"hash": findings.hash})
        _echo_findings(protocol, findings, name)
    ctx.exit(1 if findings.problems else 0)


@command.command("choices")
@click.argument("protocol")
@click.option("--out", required=True, type=Place(), help="The new protocol's file, FILE.toml.")
@click.option("--options", "n_options", default=4, show_default=True, help="Number of options per clip.")
@click.option(
    "--by",
    default="random",
    show_default=True,
    help="How wrong options are drawn: random, or similarity (of class texts).",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the options and their order.")
@click.option(
    "--text", type=OF_OPTIONS["text"], help="Text encoder of the class texts.  [default: that of class names]"
)
@click.option("--class-text", metavar="FORM", help="Form of the class texts.  [default: the protocol's]")
@data_root_option
@settings_option
@click.pass_context
def choices(ctx: click.Context, /, **request: Any) -> None:
    """Turn PROTOCOL into multiple choice: draw the options of every test clip, and write FILE.toml and their list.

    \b
    Examples:
      zsarbench protocol choices ucf101/official-1 --options 5 --out mine.toml
      zsarbench protocol choices ucf101/official-1 --by similarity --out hard.toml
    """
    from zsarbench.predictions.multiple_choice import ChoiceRequest, make

    out, listed = make(ChoiceRequest(**request), host_of(ctx).registry)
    echo(f"protocol: {out}")
    echo(f"options: {listed}")


def _resolves(protocol: Protocol) -> dict[str, Any] | None:
    """Return which difference the protocol resolves, of two methods and on a board, and what that assumes.

    None where there is no test.
    """
    from zsarbench.evaluation.settings import SETTINGS
    from zsarbench.evaluation.significance import BOARD, CLASS_DEVIATION, LEVEL, POWER, resolvable_by

    metric = SETTINGS[protocol.setting].paired_by
    distinct = [item.round for item in protocol.rounds if item.duplicate_of is None]
    tested = [item.candidates if metric.side is None else item.unseen for item in distinct]
    if (difference := resolvable_by(tested)) is None:
        return None
    board = {"n_methods": BOARD, "difference": resolvable_by(tested, n_methods=BOARD)}
    assumed = {"class_deviation": CLASS_DEVIATION, "level": LEVEL, "power": POWER}
    return {"metric": metric.name, "difference": difference, "board": board, **assumed}


def _resolves_text(resolves: dict[str, Any] | None) -> str:
    from zsarbench.evaluation.bootstrap import TOO_FEW_CLASSES

    if resolves is None:
        return f"resolves: nothing, {TOO_FEW_CLASSES} have no paired test"
    return (
        f"resolves: differences of {100 * resolves['difference']:.1f} points in {resolves['metric']} between two "
        f"methods, of {100 * resolves['board']['difference']:.1f} on a board of {resolves['board']['n_methods']} "
        f"({100 * resolves['power']:.0f} % power at {100 * resolves['level']:.0f} %), if two methods differ in single "
        f"classes by {100 * resolves['class_deviation']:.0f} points (standard deviation; the median of committed rows)"
    )


def _protocol_and_dataset(
    ctx: click.Context, name: str, data_root: tuple[str, ...], settings: tuple[str, ...]
) -> tuple[Protocol, Dataset]:
    from zsarbench.harness.datasets import dataset_named

    registry = host_of(ctx).registry
    protocol = protocols.load(registry, name)
    return protocol, dataset_named(
        registry, protocol.dataset, data_root=data_root, settings=settings, protocol=protocol
    )


def _about(protocol: Protocol) -> dict[str, Any]:
    return {
        "name": protocol.name,
        "version": protocol.version,
        "dataset": protocol.dataset,
        "setting": protocol.setting,
        "source": protocol.source,
        "distinct_rounds": protocol.n_distinct,
    }


def _echo(content: dict[str, Any]) -> None:
    for key, value in content.items():
        if value and key not in ("distinct_rounds", "validation_only"):
            echo(f"{key.replace('_', ' ')}: {value}")


def _round(protocol: Protocol, item: Round) -> dict[str, Any]:
    """Return a round as its file states it; lists of clips in the file are counted."""
    listed = protocol.rounds[item.index]
    return {
        "round": item.index,
        "seed": item.seed,
        "seen": list(item.seen),
        "validation": list(item.validation),
        "candidates": list(item.candidates),
        "test_clips": listed.n_clips,
        "listed_train_clips": None if item.train_clips is None else len(item.train_clips),
        "listed_test_clips": None if item.test_clips is None else len(item.test_clips),
        **{key: listed.clip_lists.get(key) for key in protocols.CLIP_LISTS},
        "duplicate_of": listed.duplicate_of,
    }


def _round_texts(item: dict[str, Any], validation_only: bool) -> list[str]:
    """Return what a round has, in short texts."""
    texts = [f"{len(item[key])} {key}" for key in ("seen", "validation", "candidates")]
    if validation_only:
        texts[1] += " for choosing only"
    if item["test_clips"] is not None:
        texts.append(f"{item['test_clips']} test clips")
    texts += [f"{key.replace('_', ' ')} {item[key]}" for key in protocols.CLIP_LISTS if item[key] is not None]
    for side in ("train", "test"):
        if (listed := item[f"listed_{side}_clips"]) is not None:
            texts.append(f"{listed} {side} clips listed")
    return texts if item["duplicate_of"] is None else [*texts, f"repeats round {item['duplicate_of']}"]


def _echo_findings(protocol: Protocol, findings: Findings, name: str) -> None:
    for item in findings.rounds:
        echo(f"round {item.round}: {', '.join(_count_texts(item))}")
    for kind, lines in (("wrong", findings.problems), ("warning", findings.warnings)):
        for line in lines:
            echo(f"{kind}: {line}")
    if findings.warnings:
        echo(f"the protocol's notes may explain more: zsarbench protocol show {name}")
    if findings.problems:
        echo(f"{protocol.name} does not hold: {len(findings.problems)} wrong")
    else:
        echo(f"{protocol.name} holds: {protocols.rounds_in_words(len(protocol.rounds), protocol.n_distinct)}")


def _count_texts(item: Counts) -> list[str]:
    texts = [f"{item.seen} seen with {item.seen_clips} clips"]
    if item.for_choosing:
        texts.append(f"{item.for_choosing} validation for choosing only with {item.for_choosing_clips} clips")
    texts.append(f"{item.candidates} candidates with {item.test_clips} clips")
    if item.duplicate_of is not None:
        texts.append(f"repeats round {item.duplicate_of}")
    return texts
