"""`zsarbench protocol`: what a protocol asks, and whether its lists hold."""

from __future__ import annotations

from typing import Any

import click

from zsarbench import protocols
from zsarbench.assembly import checked_manifest
from zsarbench.cli.common import as_json, dataset_of, echo_json, host_of, settings_option


@click.group("protocol", short_help="Show or check a protocol's rounds.")
def command() -> None:
    """Show a protocol's rounds, counts, hash and source, or check its lists against the data set.

    \b
    Examples:
      zsarbench protocol show ucf101/truze-v2
      zsarbench protocol check ./mine.toml
    """


@command.command("show")
@click.argument("name")
@as_json
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Print the rounds of NAME, a registered protocol or a file, with its hash and source."""
    host = host_of(ctx)
    protocol = protocols.load(host.registry, name)
    dataset = dataset_of(host, protocol.dataset)
    rounds = protocol.named(dataset)
    content: dict[str, Any] = {
        "name": protocol.name,
        "version": protocol.version,
        "dataset": protocol.dataset,
        "setting": protocol.setting,
        "hash": protocol.hash(dataset),
        "source": protocol.source,
        "notes": protocol.notes.strip(),
        "rounds": [
            {
                "round": item.index,
                "seen": list(item.seen),
                "validation": list(item.validation),
                "candidates": list(item.candidates),
            }
            for item in rounds
        ],
    }
    if as_json:
        echo_json(content)
        return
    for key, value in content.items():
        if key != "rounds" and value:
            click.echo(f"{key}: {value}")
    for item in content["rounds"]:
        counts = ", ".join(f"{len(item[key])} {key}" for key in ("seen", "validation", "candidates"))
        click.secho(f"round {item['round']}: {counts}", bold=True)
        click.echo("  candidates: " + ", ".join(item["candidates"]))


@command.command("check")
@click.argument("name")
@click.option("--data-root", multiple=True, metavar="DATASET=DIR", help="Your own files of a data set.")
@settings_option
@click.pass_context
def check(ctx: click.Context, name: str, data_root: tuple[str, ...], settings: tuple[str, ...]) -> None:
    """Check the lists of NAME against the data set's classes and clips, and print the counts."""
    host = host_of(ctx)
    protocol = protocols.load(host.registry, name)
    dataset = dataset_of(host, protocol.dataset, data_root, settings)
    manifest = checked_manifest(dataset, protocol.dataset)
    for item in protocol.checked(dataset):
        train, test = protocols.round_clips(item, manifest)
        expected = f" (the file says {protocol.n_clips})" if protocol.n_clips not in (None, len(test)) else ""
        click.echo(
            f"round {item.index}: {len(item.seen)} seen with {len(train)} clips, "
            f"{len(item.candidates)} candidates with {len(test)} clips{expected}"
        )
        if expected:
            ctx.exit(1)
    click.echo(f"{protocol.name} holds; hash {protocol.hash(dataset)}")
