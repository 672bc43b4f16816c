"""`zsarbench protocol`: what a protocol asks, and whether its lists hold."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from zsarbench import protocols
from zsarbench.cli.toolkit import data_root_option, echo_json, host_of, json_option, settings_option
from zsarbench.data.manifest import checked_manifest

if TYPE_CHECKING:
    from zsarbench.interfaces import Round
    from zsarbench.protocols import FileProtocol
    from zsarbench.protocols.check import Counts


@click.group("protocol", short_help="Show or check a protocol's rounds.")
def command() -> None:
    """Show a protocol's rounds, counts, hash and source, or check its lists against the data set.

    \b
    Examples:
      zsarbench protocol show ucf101/truze-v2
      zsarbench protocol check ./mine.toml --data-root folder=/data/mine
    """


@command.command("show")
@click.argument("name")
@data_root_option
@settings_option
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, data_root: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> None:
    """Print the rounds of NAME, a registered protocol or a file, with its hash and source; no clip is looked up."""
    from zsarbench.harness.datasets import dataset_named

    host = host_of(ctx)
    protocol = protocols.load(host.registry, name)
    dataset = dataset_named(host.registry, protocol.dataset, data_root=data_root, settings=settings, protocol=protocol)
    rounds = [_round(protocol, item) for item in protocol.named(dataset)]
    content = _about(protocol) | {
        "summary": protocol.summary,
        "clip_list": protocol.clip_list,
        "validation_only": protocol.validation_only,
        "hash": protocol.hash(dataset),
        "notes": protocol.notes.strip(),
    }
    if as_json:
        echo_json(content | {"rounds": rounds})
        return
    _echo(content)
    click.echo(protocols.rounds_in_words(len(rounds), protocol.n_distinct))
    for item in rounds:
        click.secho(f"round {item['round']}: {', '.join(_told(item, protocol.validation_only))}", bold=True)
        click.echo("  candidates: " + ", ".join(item["candidates"]))


def _about(protocol: FileProtocol) -> dict[str, Any]:
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
            click.echo(f"{key.replace('_', ' ')}: {value}")


def _round(protocol: FileProtocol, item: Round) -> dict[str, Any]:
    """Return a round as its file states it; lists of clips that stand in the file are counted."""
    rules = protocol.clip_rules.get(item.index, {})
    return {
        "round": item.index,
        "seed": item.seed,
        "seen": list(item.seen),
        "validation": list(item.validation),
        "candidates": list(item.candidates),
        "test_clips": protocol.stated_clips(item.index),
        "listed_train_clips": None if item.train_clips is None else len(item.train_clips),
        "listed_test_clips": None if item.test_clips is None else len(item.test_clips),
        **{key: rules.get(key) for key in protocols.CLIP_RULES},
        "duplicate_of": protocol.duplicates.get(item.index),
    }


def _told(item: dict[str, Any], validation_only: bool) -> list[str]:
    """Return a round in words: what of it is there."""
    words = [f"{len(item[key])} {key}" for key in ("seen", "validation", "candidates")]
    if validation_only:
        words[1] += " for choosing only"
    if item["test_clips"] is not None:
        words.append(f"{item['test_clips']} test clips")
    words += [f"{key.replace('_', ' ')} {item[key]}" for key in protocols.CLIP_RULES if item[key] is not None]
    for side in ("train", "test"):
        if (listed := item[f"listed_{side}_clips"]) is not None:
            words.append(f"{listed} {side} clips listed")
    return words if item["duplicate_of"] is None else [*words, f"repeats round {item['duplicate_of']}"]


@command.command("check")
@click.argument("name")
@data_root_option
@settings_option
@json_option
@click.pass_context
def check(ctx: click.Context, name: str, data_root: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> None:
    """Check the lists of NAME against the data set's classes and clips, and print the counts.

    Exit code 1 tells that something does not hold; all that does not is told. A warning tells what a run will lack.
    """
    from zsarbench.harness.datasets import dataset_named
    from zsarbench.protocols import check as protocol_check

    host = host_of(ctx)
    protocol = protocols.load(host.registry, name)
    dataset = dataset_named(host.registry, protocol.dataset, data_root=data_root, settings=settings, protocol=protocol)
    found = protocol_check.check(protocol, dataset, checked_manifest(dataset, protocol.dataset))
    if as_json:
        echo_json(_about(protocol) | {"holds": not found.problems} | asdict(found))
    else:
        _echo(_about(protocol) | {"hash": found.hash})
        for item in found.rounds:
            click.echo(_counted(item))
        for line in (*(f"wrong: {problem}" for problem in found.problems), *(f"warning: {w}" for w in found.warnings)):
            click.echo(line)
        if found.warnings:
            click.echo(f"its notes may tell more: zsarbench protocol show {name}")
        n_rounds = protocols.rounds_in_words(len(protocol.listed_rounds), protocol.n_distinct)
        n_problems = len(found.problems)
        click.echo(f"{protocol.name} " + (f"does not hold: {n_problems} wrong" if n_problems else f"holds: {n_rounds}"))
    ctx.exit(1 if found.problems else 0)


def _counted(item: Counts) -> str:
    words = [f"{item.seen} seen with {item.seen_clips} clips"]
    if item.for_choosing:
        words.append(f"{item.for_choosing} validation for choosing only with {item.for_choosing_clips} clips")
    words.append(f"{item.candidates} candidates with {item.test_clips} clips")
    if item.duplicate_of is not None:
        words.append(f"repeats round {item.duplicate_of}")
    return f"round {item.round}: {', '.join(words)}"
