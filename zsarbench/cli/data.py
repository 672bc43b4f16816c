"""`zsarbench data`: what data sets there are, fetching their lists and captions, verifying files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.common import as_json, data_root_option, dataset_of, echo_json, host_of, settings_option, write_text
from zsarbench.errors import UsageErrors, unknown
from zsarbench.options import options_of
from zsarbench.paths import cache_dir

if TYPE_CHECKING:
    from zsarbench.downloads import Download
    from zsarbench.registry import Registry
    from zsarbench.scan import Scan

MAX_LINES = 40


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
@data_root_option
@settings_option
@click.option("--workers", type=click.IntRange(min=1), help="Processes that look at files.  [default: one a core]")
@click.option("--thorough", is_flag=True, help="Decode every frame: slow, and tells damaged clips too.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the findings to this file.")
@click.option("--full-paths", is_flag=True, help="Tell whole paths in the report, not those below your folder.")
@as_json
@click.pass_context
def verify(
    ctx: click.Context,
    name: str,
    data_root: tuple[str, ...],
    settings: tuple[str, ...],
    workers: int | None,
    thorough: bool,
    report: Path | None,
    full_paths: bool,
    as_json: bool,
) -> None:
    """Check the manifest of data set NAME and look at the file of every clip.

    Of each file the first frame is decoded and the rest read through, which tells missing, unreadable and truncated
    clips; videos in your folder that belong to no clip are extra. Files that have not changed since the last time are
    not looked at again. Exit code 1 when a clip is bad.

    \b
    Example:
      zsarbench data verify ucf101 --data-root ucf101=/data/UCF-101 --report ucf101-files.txt
    """
    from zsarbench import scan
    from zsarbench.assembly import checked_manifest
    from zsarbench.progress import default_progress
    from zsarbench.workers import cores

    dataset = dataset_of(host_of(ctx), name, data_root, settings)
    root = getattr(dataset, "root", None)
    found = scan.scan(
        checked_manifest(dataset, name),
        root,
        scan.ScanCache(cache_dir() / "scans" / "files.sqlite", thorough=thorough),
        workers=workers or cores(),
        progress=default_progress(),
    )
    if report is not None:
        write_text(report, scan.report(found, name, dataset.revision, root, absolute=full_paths))
    content = {
        "dataset": name,
        "revision": dataset.revision,
        "classes": len(dataset.classes),
        "with_captions": len(dataset.captions()),
        **found.counts(),
    }
    if as_json:
        echo_json(content | {"bad": [asdict(clip) for clip in found.bad], "extra_files": list(found.extra)})
    else:
        _show(content, found)
    ctx.exit(1 if found.bad else 0)


def _show(content: dict[str, Any], found: Scan) -> None:
    """Print the counts, and the bad clips and extra files up to a screenful of each."""
    for key, value in content.items():
        click.echo(f"{key.replace('_', ' ')}: {value}")
    click.echo(f"looked at {found.n_surveyed} files, {found.n_known} were known")
    lines = [f"{clip.state} {clip.clip_id}: {clip.reason}" for clip in found.bad]
    for some in (lines, [f"extra {path}" for path in found.extra]):
        for line in some[:MAX_LINES]:
            click.echo(f"  {line}")
        if len(some) > MAX_LINES:
            click.echo(f"  … {len(some) - MAX_LINES} more; --report FILE or --json tell all")
