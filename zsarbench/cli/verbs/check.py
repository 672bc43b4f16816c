"""`zsarbench check`: the bugs that the conformance kit finds in a plugin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zsarbench.cli.names import RegisteredName
from zsarbench.cli.toolkit import counted, data_root_option, echo, echo_json, host_of, json_option, settings_option
from zsarbench.errors import UsageError, ZsarbenchError, unknown

if TYPE_CHECKING:
    from zsarbench.plugins import Host
    from zsarbench.plugins.registry import Entry
    from zsarbench.testing.checking import CheckOutcome


@click.command("check", short_help="Find the bugs of a plugin.")
@click.argument("name", type=RegisteredName(), metavar="PLUGIN_OR_NAME")
@settings_option
@data_root_option
@click.option("--device", default="cpu", show_default=True, help="Where components compute: cpu, cuda, cuda:1, …")
@click.option("--seconds", default=300.0, show_default=True, help="How long one check may take.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    settings: tuple[str, ...],
    data_root: tuple[str, ...],
    device: str,
    seconds: float,
    as_json: bool,
) -> None:
    """Run the conformance kit over all that a plugin registers, or over one registered name.

    Components are tried on synthetic clips and sentences; only data sets read data, their own. Exit code 1 if a bug is
    found. What cannot be tried here, such as weights that must be downloaded, is listed with the reason.

    \b
    Examples:
      zsarbench check my-plugin
      zsarbench check soft-margin --json
      zsarbench check cezsar --set method.max_epochs=12 \\
          --set method.learning_rate=0.003 --set method.d_model=32
      zsarbench check my-plugin --device cuda
    """
    host = host_of(ctx)
    entries = _entries(host, name)
    chosen = _chosen(entries, settings)
    for root in data_root:
        dataset, _, folder = root.partition("=")
        if ("dataset", dataset) not in chosen or not folder or not Path(folder).is_dir():
            raise UsageError(f"--data-root {root} does not name a data set that is checked and an existing folder")
        chosen["dataset", dataset]["root"] = Path(folder)

    from zsarbench.testing.conformance import outcomes, subject_of
    from zsarbench.utils.compute import Compute

    machine = Compute.resolve(device, "float32", None)
    everything: list[CheckOutcome] = []
    with machine.deterministic():  # as in a run
        for entry in entries:
            options = chosen[entry.kind, entry.name]
            subject = subject_of(entry, registry=host.registry, chosen=options, device=str(machine.device))
            everything += (of_entry := list(outcomes(subject, seconds=seconds)))
            if not as_json:
                _show(entry, of_entry)
    problems = [outcome.problem for outcome in everything if outcome.problem is not None]
    if as_json:
        echo_json([asdict(outcome) for outcome in everything])
    else:
        n_skipped = sum(outcome.skipped is not None for outcome in everything)
        of = f"{counted(len(everything), 'check')} of {counted(len(entries), 'component')}"
        echo(f"{of}: {counted(len(problems), 'bug')}, {n_skipped} not tried here")
    if problems:
        ctx.exit(1)


def _entries(host: Host, name: str) -> list[Entry]:
    """Return what a plugin registers, or the entries of a name.

    Raises:
        ZsarbenchError: the plugin could not be loaded.
        UsageError: there is no such plugin or name, or the plugin registers nothing.
    """
    for failure in host.failures:
        if failure.plugin == name:
            raise ZsarbenchError(f"plugin '{name}' cannot be loaded: {failure.reason}")
    entries = [entry for entry in host.registry if entry.plugin == name]
    entries = entries or [entry for entry in host.registry if entry.name == name]
    if not entries:
        if host.manager.has_plugin(name):
            raise UsageError(f"plugin '{name}' registers nothing; there is nothing to check")
        known = {word for entry in host.registry for word in (entry.plugin, entry.name)}
        raise UsageError(unknown("plugin or name", name, known, "zsarbench list"))
    return entries


def _chosen(entries: Sequence[Entry], settings: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the options of `--set` by the kind and name of each entry that takes them.

    Raises:
        UsageErrors: a setting is malformed, has an unfit value, or fits none of the entries.
    """
    from zsarbench.harness.settings import Problems, Settings
    from zsarbench.plugins import options

    chosen: dict[tuple[str, str], dict[str, Any]] = {(entry.kind, entry.name): {} for entry in entries}
    names, problems = ", ".join(f"{entry.kind} {entry.name}" for entry in entries), Problems()
    for kind, values in Settings.parse(
        settings, problems, dict.fromkeys(entry.kind for entry in entries)
    ).by_part.items():
        for option, value in values.items():
            takers = [entry for entry in entries if entry.kind == kind and options.takes(entry.load(), option)]
            if not takers:
                problems.add(f"--set {kind}.{option}={value} is not an option of {names}")
            for entry in takers:
                parsed, mistakes = options.check(entry.load(), f"{kind} {entry.name}", {option: value})
                chosen[kind, entry.name] |= parsed
                problems.add(*mistakes)
    problems.raise_all()
    return chosen


def _show(entry: Entry, outcomes: Sequence[CheckOutcome]) -> None:
    problems = [outcome.problem for outcome in outcomes if outcome.problem is not None]
    skipped: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.skipped is not None:
            skipped.setdefault(outcome.skipped, []).append(outcome.check)
    n_sound = len(outcomes) - len(problems) - sum(map(len, skipped.values()))
    state = counted(len(problems), "bug") if problems else "no bug" if n_sound else "not tried"
    echo(f"{entry.kind} {entry.name}: {state} ({n_sound} of {len(outcomes)} checks passed)")
    for problem in problems:
        echo(f"  {problem.check}: {problem.message}")
        echo(f"    rule: {problem.rule}")
        if problem.cause:
            echo(f"    likely cause: {problem.cause}")
        echo(f"    contract: {problem.contract}")
    for reason, checks in skipped.items():
        echo(f"  not tried here ({', '.join(checks)}): {reason}")
