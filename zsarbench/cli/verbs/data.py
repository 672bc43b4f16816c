"""`zsarbench data`: lists data sets, fetches their lists and captions, verifies files, lints class texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.data_lint import lint
from zsarbench.cli.data_verify import verify
from zsarbench.cli.toolkit import Group, echo, echo_json, host_of, json_option, keeps
from zsarbench.errors import UsageErrors, unknown
from zsarbench.interfaces import Downloadable
from zsarbench.plugins.options import options_of

if TYPE_CHECKING:
    from zsarbench.data.downloads import Download
    from zsarbench.plugins.registry import Registry


@click.group("data", cls=Group, short_help="List, fetch and verify data sets, lint class texts.")
def command() -> None:
    """List data sets, fetch their lists, captions and sentences, verify that clips can be read, lint class texts.

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
        target = registry.get("dataset", name).load()
        if isinstance(target, Downloadable):
            yield from ((name, download) for download in target.downloads)


@command.command("list")
@json_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """List the data sets with their options and downloads."""
    registry = host_of(ctx).registry
    downloads: dict[str, dict[str, Any]] = {}
    for dataset, download in _downloads(registry):
        downloads.setdefault(dataset, {})[download.name] = {
            "bytes": download.size,
            "files": len(download.files),
            "source": download.homepage,
            "licence": download.licence,
        }
    entries = [registry.get("dataset", name) for name in registry.names("dataset")]
    rows: list[dict[str, Any]] = [
        {
            "name": entry.name,
            "summary": entry.summary,
            "source": entry.source,
            "options": sorted(options_of(entry.load())),
            "downloads": downloads.get(entry.name, {}),
        }
        for entry in entries
    ]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        echo(row["name"], bold=True)
        echo(f"  {row['summary']}\n  source: {row['source']}")
        for name, download in row["downloads"].items():
            echo(
                f"  get {name}: {download['files']} files, {download['bytes'] / 1e6:.1f} MB, {download['licence']}, "
                f"{download['source']}"
            )


@command.command("get")
@click.argument("names", nargs=-1, required=True)
@click.pass_context
def get(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Fetch the downloads NAMES; an interrupted one continues where it stopped.

    ZSARBENCH_MIRROR, a folder or an address, replaces the host part of every download.
    """
    from zsarbench.data.downloads import fetch
    from zsarbench.utils.progress import default_progress

    known = {download.name: download for _, download in _downloads(host_of(ctx).registry)}
    if missing := [name for name in names if name not in known]:
        raise UsageErrors(unknown("download", name, known, "zsarbench data list") for name in missing)
    keeps(ctx)
    for name in names:
        download = known[name]
        echo(f"{name}: {download.summary}\n  source: {download.homepage}\n  licence: {download.licence}")
        folder = fetch(download, progress=default_progress())
        echo(f"  {len(download.files)} files in {folder}")
