"""`zsarbench features`: extracts, merges, inspects, verifies and removes stored features."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.places import Place
from zsarbench.cli.request import with_options_of
from zsarbench.cli.toolkit import Group, echo, echo_json, host_of, json_option, keeps
from zsarbench.errors import UsageError, unknown
from zsarbench.harness.spec import ExtractionRequest
from zsarbench.utils.cache import cache_dir

if TYPE_CHECKING:
    from zsarbench.features import FeatureSet, FeatureStore


@click.group("features", cls=Group, short_help="Extract, merge, inspect and verify stored features.")
def command() -> None:
    """Extract features and maintain the store in the cache folder (ZSARBENCH_CACHE).

    \b
    Examples:
      zsarbench features extract --protocol ucf101/truze-v2 \\
          --visual efficientnet-lite0 --data-root ucf101=DIR
      zsarbench features info
      zsarbench features verify --rebuild
    """


@command.command("extract")
@with_options_of(ExtractionRequest)
@click.option("--shard", metavar="i/n|auto", help="Compute only this part of the work, i from 0 to n - 1.")
@json_option
@click.pass_context
def extract(ctx: click.Context, /, shard: str | None, as_json: bool, **request: Any) -> None:
    """Compute the features of a data set's or a protocol's clips that are not stored yet.

    Interrupt it at any time: the same command, here or on another machine with the same folders, continues. With
    --shard several processes share the work, in one cache folder or one each. They write no index; `features merge` or
    the next run adds their shards to it. --shard auto reads torchrun's or SLURM's variables. Exit
    code 1 when no clip could be read.

    \b
    Examples:
      zsarbench features extract --dataset ucf101 --visual efficientnet-lite0 \\
          --data-root ucf101=/data/UCF-101
      srun -n 8 zsarbench features extract --dataset kinetics400 \\
          --visual bit-m-r152x2 --shard auto …
      zsarbench features extract --protocol ucf101/truze-v2 \\
          --visual efficientnet-lite0 --executor ray …
    """
    # Before torch is loaded: threads of the model that wait for each other must sleep, since awake they take the cores
    # from the decoders; and its maps, 100 MB and more, must lie in huge pages, which the processor finds faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    from zsarbench.features.extraction.plan import Share
    from zsarbench.harness import extraction
    from zsarbench.harness.resolve import resolve_extraction
    from zsarbench.utils.progress import default_progress

    registry = host_of(ctx).registry
    share = extraction.share_of(shard) if shard is not None else Share()
    spec = resolve_extraction(ExtractionRequest(**request), registry)
    keeps(ctx)
    done = extraction.run(spec, registry, _store(), default_progress(), share=share)
    nothing = bool(done["failed"]) and not done["already_stored"] + done["made"] + done["left_to_others"]
    if as_json:
        echo_json(done)
        ctx.exit(1 if nothing else 0)
    others = f", {done['left_to_others']} left to others" if done["left_to_others"] else ""
    echo(
        f"{done['features']}: {done['clips']} clips, {done['already_stored']} already stored, {done['made']} computed, "
        f"{len(done['failed'])} failed{others}"
    )
    for clip_id, reason in done["failed"].items():
        echo(f"  {clip_id}: {reason}")
    ctx.exit(1 if nothing else 0)


@command.command("merge")
@click.argument("folders", nargs=-1, type=Place())
@json_option
@click.pass_context
def merge(ctx: click.Context, folders: tuple[Path, ...], as_json: bool) -> None:
    """Add the shards that other processes wrote to the index, and those in the stores of other cache FOLDERS.

    It may be interrupted and repeated: what exists stays as it is. A damaged shard is left out, with exit code 1.

    \b
    Examples:
      zsarbench features merge
      zsarbench features merge /mnt/node1/zsarbench /mnt/node2/zsarbench
    """
    from zsarbench.features import maintenance

    done = maintenance.merge(_store(), folders)
    if as_json:
        echo_json([asdict(item) for item in done])
    else:
        for item in done:
            echo(
                f"{item.name}: {item.clips} clips, {item.clips - item.clips_before} of them new, "
                f"{item.copied} shards copied, {item.failures} unreadable"
            )
            for problem in item.problems:
                echo(f"  {problem}")
    ctx.exit(1 if any(item.problems for item in done) else 0)


@command.command("gc")
@click.argument("names", nargs=-1)
@click.option(
    "--unused-days", type=click.FloatRange(min=0), help="Also list whole sets that no run used for this many days."
)
@click.option("--yes", is_flag=True, help="Remove what is listed; without this option nothing is removed.")
@json_option
def gc(names: tuple[str, ...], unused_days: float | None, yes: bool, as_json: bool) -> None:
    """List what can be removed from all sets or from NAMES, and with --yes remove it.

    Removable are orphan shards, whose clips are all in other shards, leftovers of killed runs, and sets of an older
    version of zsarbench; files younger than an hour stay.

    \b
    Examples:
      zsarbench features gc
      zsarbench features gc --unused-days 90 --yes
    """
    from zsarbench.features import maintenance

    _sets(names)  # unknown names are errors
    garbage = maintenance.garbage(_store(), names, unused_days=unused_days)
    for item in garbage:
        if yes:
            maintenance.remove(item)
    if as_json:
        echo_json(
            [
                {"name": item.name, "files": len(item.files), "bytes": item.bytes, "whole": item.whole, "removed": yes}
                for item in garbage
            ]
        )
        return
    for item in garbage:
        what = "the whole set" if item.whole else f"{len(item.files)} files"
        echo(f"{item.name}: {what}, {item.bytes / 1e6:.1f} MB {'removed' if yes else 'removable'}")
    if not garbage:
        echo("nothing to remove")
    elif not yes:
        echo("nothing was removed; --yes removes it")


def _store() -> FeatureStore:
    from zsarbench.features import FeatureStore

    return FeatureStore(cache_dir() / "features")


def _sets(names: tuple[str, ...]) -> list[FeatureSet]:
    """Return the stored sets of these names, or all; those of another version of the format are named."""
    store = _store()
    stored_sets = {stored.folder.name: stored for stored in store.sets()}
    outdated = store.name_outdated()
    for name in names:
        if name not in stored_sets and name not in outdated:
            raise UsageError(unknown("set of features", name, [*stored_sets, *outdated], "zsarbench features info"))
    return [stored for name, stored in stored_sets.items() if not names or name in names]


@command.command("info")
@click.argument("names", nargs=-1)
@json_option
def info(names: tuple[str, ...], as_json: bool) -> None:
    """Print what all sets or NAMES hold: clips, steps, bytes, and with --json the key."""
    rows = [stored.info() for stored in _sets(names)]
    if as_json:
        echo_json(rows)
        return
    for row in rows:
        echo(row["name"], bold=True)
        echo(
            f"  {row['clips']} clips, {row['steps']} steps, {row['failures']} unreadable, "
            f"{row['shards']} shards, {row['bytes'] / 1e6:.1f} MB"
        )
    if not rows:
        echo(f"nothing is stored in {cache_dir() / 'features'}")


@command.command("verify")
@click.argument("names", nargs=-1)
@click.option("--rebuild", is_flag=True, help="Remove damaged rows and rebuild the index.")
@json_option
@click.pass_context
def verify(ctx: click.Context, names: tuple[str, ...], rebuild: bool, as_json: bool) -> None:
    """Compare every stored row with its checksum and with the index; exit code 1 when one does not match.

    It also names the sets that another version or commit of a plugin computed than the installed one; that is no fault.
    With --rebuild damaged rows are removed, so that the next run computes them again, and the index is rebuilt.
    """
    from zsarbench.features.store.verification import verify as verify_set

    verified = [verify_set(stored, rebuild=rebuild) for stored in _sets(names)]
    if as_json:
        echo_json([asdict(item) for item in verified])
    else:
        for item in verified:
            state = f"{len(item.problems)} problems" if item.problems else "sound"
            echo(f"{item.name}: {item.shards} shards, {item.clips} clips, {state}")
            for text in (*item.problems, *item.remarks):
                echo(f"  {text}")
    ctx.exit(1 if any(item.problems for item in verified) else 0)
