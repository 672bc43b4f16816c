"""`zsarbench data`: what data sets there are, fetching their lists and captions, verifying files, linting texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.data_lint import lint
from zsarbench.cli.data_verify import verify
from zsarbench.cli.toolkit import echo_json, host_of, json_option
from zsarbench.errors import UsageErrors, unknown
from zsarbench.plugins.options import options_of

if TYPE_CHECKING:
    from zsarbench.data.downloads import Download
    from zsarbench.plugins.registry import Registry


@click.group("data", short_help="List, fetch and verify data sets, lint class texts.")
def command() -> None:
    """List data sets, fetch their lists, captions and sentences, verify that every clip can be read, lint class texts.

    \b
    Examples:
      zsarbench data list
      zsarbench data get ucf101-lists ucf101-captions ucf101-sentences
      zsarbench data verify ucf101 --data-root ucf101=/data/UCF-101
      zsarbench data lint ucf101 --class-text sentence
    """


command.add_command(verify)
command.add_command(lint)


def _downloads(registry: Registry) -> Iterator[tuple[str, Download]]:
    """Yield each data set's name with each of its downloads."""
    for name in registry.names("dataset"):
        for download in getattr(registry.get("dataset", name).load(), "downloads", ()):
            yield name, download


@command.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the data sets with their options and what can be fetched for them."""
    registry = host_of(ctx).registry
    fetched = list(_downloads(registry))
    rows: list[dict[str, Any]] = []
    for name in registry.names("dataset"):
        entry = registry.get("dataset", name)
        rows.append(
            {
                "name": name,
                "summary": entry.summary,
                "source": entry.source,
                "options": sorted(options_of(entry.load())),
                "downloads": {
                    one.name: {
                        "bytes": one.size,
                        "files": len(one.files),
                        "source": one.homepage,
                        "licence": one.licence,
                    }
                    for dataset, one in fetched
                    if dataset == name
                },
            }
        )
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        click.secho(row["name"], bold=True)
        click.echo(f"  {row['summary']}\n  source: {row['source']}")
        for name, one in row["downloads"].items():
            click.echo(
                f"  get {name}: {one['files']} files, {one['bytes'] / 1e6:.1f} MB, {one['licence']}, {one['source']}"
            )


@command.command("get")
@click.argument("names", nargs=-1, required=True)
@click.pass_context
def get(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Fetch the downloads NAMES; a broken one goes on where it stopped.

    ZSARBENCH_MIRROR, a folder or an address, replaces the host part of every download.
    """
    from zsarbench.data.downloads import fetch
    from zsarbench.utils.progress import default_progress

    known = {download.name: download for _, download in _downloads(host_of(ctx).registry)}
    if strangers := [name for name in names if name not in known]:
        raise UsageErrors(unknown("download", name, known, "zsarbench data list") for name in strangers)
    for name in names:
        download = known[name]
        click.echo(f"{name}: {download.summary}\n  source: {download.homepage}\n  licence: {download.licence}")
        with default_progress().task(f"fetching {name}", download.size) as task:
            done = 0

            def advance(there: int, _total: int, task: Any = task) -> None:
                nonlocal done
                task.advance(there - done)
                done = there

            folder = fetch(download, progress=advance)
        click.echo(f"  {len(download.files)} files in {folder}")
