"""`zsarbench data`: what data sets there are, fetching their lists and captions, verifying files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.common import as_json, dataset_of, echo_json, host_of, settings_option
from zsarbench.errors import UsageErrors, unknown
from zsarbench.options import options_of

if TYPE_CHECKING:
    from zsarbench.downloads import Download
    from zsarbench.registry import Registry


@click.group("data", short_help="List, fetch and verify data sets.")
def command() -> None:
    """List data sets, fetch their lists, captions and sentences, verify that every clip can be read.

    \b
    Examples:
      zsarbench data list
      zsarbench data get ucf101-lists ucf101-captions ucf101-sentences
      zsarbench data verify ucf101 --data-root ucf101=/data/UCF-101
    """


def _downloads(registry: Registry) -> Iterator[tuple[str, Download]]:
    """Yield each data set's name with each of its downloads."""
    for name in registry.names("dataset"):
        for download in getattr(registry.get("dataset", name).load(), "downloads", ()):
            yield name, download


@command.command("list")
@as_json
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
    from zsarbench.downloads import fetch
    from zsarbench.progress import default_progress

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


@command.command("verify")
@click.argument("name")
@click.option("--data-root", multiple=True, metavar="DATASET=DIR", help="Your own files of a data set.")
@settings_option
@as_json
@click.pass_context
def verify(ctx: click.Context, name: str, data_root: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> None:
    """Check the manifest of data set NAME and decode the first frame of every clip that has a file.

    Exit code 1 when a clip is missing or unreadable; every one is listed with its reason.
    """
    from zsarbench.assembly import checked_manifest
    from zsarbench.progress import default_progress
    from zsarbench.video import VideoError, probe

    dataset = dataset_of(host_of(ctx), name, data_root, settings)
    manifest = checked_manifest(dataset, name)
    problems = {}
    with default_progress().task(f"verifying {name}", len(manifest)) as task:
        for clip_id, path in zip(manifest["clip_id"], manifest["path"], strict=True):
            if isinstance(path, str):
                try:
                    probe(path)
                except VideoError as error:
                    problems[clip_id] = str(error)
            task.advance()
    content = {
        "dataset": name,
        "revision": dataset.revision,
        "classes": len(dataset.classes),
        "clips": len(manifest),
        "with_file": int(manifest["path"].notna().sum()),
        "with_captions": len(dataset.captions()),
        "unreadable": problems,
    }
    if as_json:
        echo_json(content)
    else:
        for key, value in content.items():
            click.echo(f"{key.replace('_', ' ')}: {len(value) if isinstance(value, dict) else value}")
        for clip_id, reason in problems.items():
            click.echo(f"  {clip_id}: {reason}")
    ctx.exit(1 if problems else 0)
