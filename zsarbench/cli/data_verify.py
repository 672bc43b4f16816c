"""`zsarbench data verify`: which clips of a data set or a protocol cannot be read, and which files are no clip's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.toolkit import data_root_option, echo_json, host_of, json_option, settings_option, write_text
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.utils.cache import cache_dir

if TYPE_CHECKING:
    import pandas as pd

    from zsarbench.data.inspection import Scan
    from zsarbench.interfaces import Dataset
    from zsarbench.plugins.registry import Registry
    from zsarbench.protocols import FileProtocol

MAX_LINES = 40


@click.command("verify")
@click.argument("name")
@click.option("--protocol", help="Only the clips that it scores or learns from: a name, or a file of yours.")
@data_root_option
@settings_option
@click.option("--workers", type=click.IntRange(min=1), help="Processes that look at files.  [default: one a core]")
@click.option("--thorough", is_flag=True, help="Decode every frame: slow, and tells damaged clips too.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the findings to this file.")
@click.option("--full-paths", is_flag=True, help="Tell whole paths in the report, not those below your folder.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    name: str,
    protocol: str | None,
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
    clips; videos in your folder that belong to no clip are extra. Of each official list, or of what a protocol scores
    and learns from, it is told how many clips are present. Files that have not changed since the last time are not
    looked at again. Exit code 1 when a clip is bad.

    \b
    Examples:
      zsarbench data verify ucf101 --data-root ucf101=/data/UCF-101 --report ucf101-files.txt
      zsarbench data verify kinetics400 --protocol kinetics400/all-cezsar-18035 --data-root kinetics400=/data/k400
    """
    from zsarbench.data import inspection
    from zsarbench.data.manifest import checked_manifest
    from zsarbench.harness.resolve import resolve_parts
    from zsarbench.plugins.building import build_dataset
    from zsarbench.utils.cores import cores
    from zsarbench.utils.progress import default_progress

    registry = host_of(ctx).registry
    rules = _rules(registry, protocol, name) if protocol is not None else None
    parts, roots = resolve_parts(registry, {"dataset": name}, protocol=rules, data_root=data_root, settings=settings)
    dataset = build_dataset(parts["dataset"], roots, registry)
    root, manifest = getattr(dataset, "root", None), checked_manifest(dataset, name)
    if root is None and manifest["path"].isna().all():
        raise UsageError(
            f"no folder of data set '{name}' was given, so none of its {len(manifest)} clips has a file to look at. "
            f"Try: --data-root {name}=DIR"
        )
    lists = _official_lists(dataset, name) if rules is None else _lists_of(rules, dataset, manifest)
    found = inspection.scan(
        manifest,
        root,
        inspection.ScanCache(cache_dir() / "scans" / "files.sqlite", thorough=thorough),
        workers=workers or cores(),
        progress=default_progress(),
        only=None if rules is None else {clip for clips in lists.values() for clip in clips},
    )
    about = {
        "dataset": name,
        "revision": dataset.revision,
        **({"protocol": rules.name} if rules is not None else {}),
        "classes": len(dataset.classes),
        "with_captions": len(dataset.captions()),
        **found.counts(),
    }
    by_list = found.by_list(lists)
    lines = _lines(about | {f"list {key}": counts for key, counts in by_list.items()})
    if report is not None:
        write_text(report, inspection.report(found, lines, root, absolute=full_paths))
    if as_json:
        bad = [asdict(clip) for clip in found.bad]
        echo_json(about | {"lists": by_list, "bad": bad, "extra_files": list(found.extra)})
    else:
        _show(lines, found)
    ctx.exit(1 if found.bad else 0)


def _rules(registry: Registry, name: str, dataset: str) -> FileProtocol:
    """Return a protocol, which must be over this data set."""
    from zsarbench import protocols

    rules = protocols.load(registry, name)
    if rules.dataset != dataset:
        raise UsageError(
            f"protocol '{rules.name}' is over data set '{rules.dataset}', not '{dataset}'. "
            f"Try: zsarbench data verify {rules.dataset} --protocol {name}"
        )
    return rules


def _official_lists(dataset: Dataset, name: str) -> dict[str, Sequence[str]]:
    """Return the official lists of a data set by name; none where they cannot be had."""
    try:
        return dict(dataset.splits())
    except ZsarbenchError as error:
        click.echo(f"warning: clips are not counted by the lists of {name}: {error}", err=True)
        return {}


def _lists_of(rules: FileProtocol, dataset: Dataset, manifest: pd.DataFrame) -> dict[str, Sequence[str]]:
    """Return the clips that a protocol scores, those that it learns from, and those that it takes of official lists."""
    from zsarbench.protocols.clips import protocol_clips

    learnt, scored = protocol_clips(rules.checked(dataset), manifest)
    used = {*learnt, *scored}
    official = {name: dataset.splits()[name] for rule in rules.clip_rules.values() for name in rule.values()}
    return {
        "scored": scored,
        "learnt from": learnt,
        **{name: [clip for clip in clips if clip in used] for name, clips in official.items()},
    }


def _lines(about: Mapping[str, Any]) -> list[str]:
    """Return a line for each key with its value or its counts."""
    lines = []
    for key, value in about.items():
        told = ", ".join(f"{n} {what}" for what, n in value.items()) if isinstance(value, dict) else value
        lines.append(f"{key.replace('_', ' ')}: {told}")
    return lines


def _show(lines: Sequence[str], found: Scan) -> None:
    """Print the counts, and the bad clips and extra files up to a screenful of each."""
    click.echo("\n".join(lines))
    click.echo(f"looked at {found.n_surveyed} files, {found.n_known} were known")
    for some in (
        [f"{clip.state} {clip.clip_id}: {clip.reason}" for clip in found.bad],
        [f"extra {path}" for path in found.extra],
    ):
        for line in some[:MAX_LINES]:
            click.echo(f"  {line}")
        if len(some) > MAX_LINES:
            click.echo(f"  … {len(some) - MAX_LINES} more; --report FILE or --json tell all")
