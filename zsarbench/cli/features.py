"""`zsarbench features`: what the feature store holds, and whether it is sound."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from zsarbench.cli.common import as_json, echo_json
from zsarbench.errors import UsageError, unknown
from zsarbench.paths import cache_dir

if TYPE_CHECKING:
    from zsarbench.features import FeatureSet


@click.group("features", short_help="Inspect and verify stored features.")
def command() -> None:
    """Inspect the feature store of the cache folder (ZSARBENCH_CACHE).

    \b
    Examples:
      zsarbench features info
      zsarbench features verify --rebuild
    """


def _sets(names: tuple[str, ...]) -> list[FeatureSet]:
    """Return the stored sets of these names, or all."""
    from zsarbench.features import FeatureStore

    found = {stored.folder.name: stored for stored in FeatureStore(cache_dir() / "features").sets()}
    for name in names:
        if name not in found:
            raise UsageError(unknown("set of features", name, found, "zsarbench features info"))
    return [stored for name, stored in found.items() if not names or name in names]


@command.command("info")
@click.argument("names", nargs=-1)
@as_json
def info(names: tuple[str, ...], as_json: bool) -> None:
    """Print what is stored, of all sets or of NAMES: clips, steps, bytes, and with --json the key."""
    rows = [stored.info() for stored in _sets(names)]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.secho(row["name"], bold=True)
        click.echo(
            f"  {row['clips']} clips, {row['steps']} steps, {row['failures']} unreadable, "
            f"{row['shards']} shards, {row['bytes'] / 1e6:.1f} MB"
        )
    if not rows:
        click.echo(f"nothing is stored in {cache_dir() / 'features'}")


@command.command("verify")
@click.argument("names", nargs=-1)
@click.option("--rebuild", is_flag=True, help="Make the index anew from what is sound.")
@as_json
@click.pass_context
def verify(ctx: click.Context, names: tuple[str, ...], rebuild: bool, as_json: bool) -> None:
    """Compare every stored row with its checksum; exit code 1 when one does not match.

    With --rebuild the index is made anew without the damaged rows, which the next run computes again.
    """
    found = [stored.verify(rebuild=rebuild) for stored in _sets(names)]
    if as_json:
        echo_json([asdict(item) for item in found])
    else:
        for item in found:
            state = f"{len(item.problems)} problems" if item.problems else "sound"
            click.echo(f"{item.name}: {item.shards} shards, {item.clips} clips, {state}")
            for problem in item.problems:
                click.echo(f"  {problem}")
    ctx.exit(1 if any(item.problems for item in found) else 0)
