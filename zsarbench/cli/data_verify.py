"""`zsarbench data verify`: finds clips of a data set or a protocol that cannot be read, and files of no clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.cli.places import Place
from zsarbench.cli.toolkit import (
    data_root_option,
    echo,
    echo_json,
    host_of,
    json_option,
    keeps,
    settings_option,
    write_text,
)
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import HasRoot
from zsarbench.utils.cache import cache_dir
from zsarbench.utils.targets import check_file

if TYPE_CHECKING:
    import pandas as pd

    from zsarbench.data.inspection import Inspection
    from zsarbench.interfaces import Dataset
    from zsarbench.plugins.registry import Registry
    from zsarbench.protocols import Protocol

MAX_LINES = 40


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command, besides the data set's name and the form of its output."""

    protocol: str | None
    data_root: tuple[str, ...]
    settings: tuple[str, ...]
    workers: int | None
    thorough: bool
    report: Path | None
    full_paths: bool


@click.command("verify")
@click.argument("name", type=OF_OPTIONS["dataset"])
@click.option(
    "--protocol",
    type=OF_OPTIONS["protocol"],
    help="Only the clips that this protocol scores or learns from: a name or a protocol file.",
)
@data_root_option
@settings_option
@click.option("--workers", type=click.IntRange(min=1), help="Processes that probe files.  [default: one per core]")
@click.option("--thorough", is_flag=True, help="Decode every frame: slow, and finds damaged clips too.")
@click.option("--report", type=Place(dir_okay=False), help="Write the findings to this file.")
@click.option(
    "--full-paths", is_flag=True, help="Write absolute paths in the report, not paths relative to your folder."
)
@json_option
@click.pass_context
def verify(ctx: click.Context, /, name: str, as_json: bool, **options: Any) -> None:
    """Check the manifest of data set NAME and probe the file of every clip.

    The first frame of each file is decoded and the rest is read, which finds missing, unreadable and truncated clips;
    videos in your folder that belong to no clip are extra. Present clips are counted for each official list, or for
    what a protocol scores and learns from. Files that have not changed since the last time are not probed again. Exit
    code 1 when a clip is bad.

    \b
    Examples:
      zsarbench data verify ucf101 --data-root ucf101=/data/UCF-101 \\
          --report ucf101-files.txt
      zsarbench data verify kinetics400 --protocol kinetics400/all-cezsar-18035 \\
          --data-root kinetics400=/data/k400
    """
    from zsarbench.data import inspection
    from zsarbench.data.manifest import checked_manifest
    from zsarbench.data.probe_cache import ProbeCache
    from zsarbench.harness.resolve import resolve_parts
    from zsarbench.plugins.building import build_dataset
    from zsarbench.utils.cores import cores
    from zsarbench.utils.progress import default_progress

    registry, chosen = host_of(ctx).registry, Options(**options)
    _check_report(chosen.report)
    rules = _rules(registry, chosen.protocol, name) if chosen.protocol is not None else None
    parts, roots = resolve_parts(
        registry, {"dataset": name}, protocol=rules, data_root=chosen.data_root, settings=chosen.settings
    )
    dataset = build_dataset(parts["dataset"], roots, registry)
    root, manifest = dataset.root if isinstance(dataset, HasRoot) else None, checked_manifest(dataset, name)
    if root is None and manifest["path"].isna().all():
        raise UsageError(
            f"no folder of data set '{name}' was given, so none of its {len(manifest)} clips has a file to probe. "
            f"Try: --data-root {name}=DIR"
        )
    lists = _official_lists(dataset, name) if rules is None else _lists_of(rules, dataset, manifest)
    keeps(ctx)
    result = inspection.inspect_files(
        manifest,
        root,
        ProbeCache(cache_dir() / "scans" / "files.jsonl", thorough=chosen.thorough),
        workers=chosen.workers or cores(),
        progress=default_progress(),
        only=None if rules is None else {clip for clips in lists.values() for clip in clips},
    )
    about = {"dataset": name, **_about(dataset, rules, result)}
    by_list = result.by_list(lists)
    lines = _lines(about | {f"list {key}": counts for key, counts in by_list.items()})
    if chosen.report is not None:
        write_text(chosen.report, inspection.report(result, lines, root, absolute=chosen.full_paths))
    if as_json:
        bad = [asdict(clip) for clip in result.bad]
        echo_json(about | {"lists": by_list, "bad": bad, "extra_files": dict(result.extra)})
    else:
        _show(lines, result)
    ctx.exit(1 if result.bad else 0)


def _about(dataset: Dataset, rules: Protocol | None, result: Inspection) -> dict[str, Any]:
    """Return what was inspected, and the counts of what was found."""
    return {
        "revision": dataset.revision,
        **({"protocol": rules.name} if rules is not None else {}),
        "classes": len(dataset.classes),
        "with_captions": len(dataset.captions()),
        **result.counts(),
        "other_files": {ending or "without an ending": n for ending, n in result.others.items()},
    }


def _check_report(path: Path | None) -> None:
    if path is not None:
        check_file(path, "the report", "Try: --report with another FILE")


def _rules(registry: Registry, name: str, dataset: str) -> Protocol:
    """Return a protocol, which must be defined on this data set."""
    from zsarbench import protocols

    rules = protocols.load(registry, name)
    if rules.dataset != dataset:
        raise UsageError(
            f"protocol '{rules.name}' is defined on data set '{rules.dataset}', not '{dataset}'. "
            f"Try: zsarbench data verify {rules.dataset} --protocol {name}"
        )
    return rules


def _official_lists(dataset: Dataset, name: str) -> dict[str, Sequence[str]]:
    """Return the official lists of a data set by name; none where they are unavailable."""
    try:
        return dict(dataset.splits())
    except ZsarbenchError as error:
        echo(f"warning: clips are not counted by the lists of {name}: {error}", err=True)
        return {}


def _lists_of(rules: Protocol, dataset: Dataset, manifest: pd.DataFrame) -> dict[str, Sequence[str]]:
    """Return the clips that a protocol scores, those it learns from, and those it takes from official lists."""
    from zsarbench.protocols.clips import protocol_clips

    learnt, scored = protocol_clips(rules.on(dataset), manifest)
    used = {*learnt, *scored}
    official = {name: dataset.splits()[name] for item in rules.rounds for name in item.clip_lists.values()}
    return {
        "scored": scored,
        "learnt from": learnt,
        **{name: [clip for clip in clips if clip in used] for name, clips in official.items()},
    }


def _lines(about: Mapping[str, Any]) -> list[str]:
    """Return a line for each key with its value or its counts."""
    lines = []
    for key, value in about.items():
        if value == {}:
            continue
        text = ", ".join(f"{n} {what}" for what, n in value.items()) if isinstance(value, dict) else value
        lines.append(f"{key.replace('_', ' ')}: {text}")
    return lines


def _show(lines: Sequence[str], result: Inspection) -> None:
    """Print the counts, and the bad clips and extra files up to a screenful of each."""
    echo("\n".join(lines))
    echo(f"probed {result.n_probed} files; {result.n_known} were known")
    for items in (
        [f"{clip.state} {clip.clip_id}: {clip.reason}" for clip in result.bad],
        [f"extra {path}: {reason}" for path, reason in result.extra.items()],
    ):
        for item in items[:MAX_LINES]:
            echo(f"  {item}")
        if len(items) > MAX_LINES:
            echo(f"  … {len(items) - MAX_LINES} more; --report FILE or --json lists all")
