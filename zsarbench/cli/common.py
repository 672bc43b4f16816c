"""What several verbs share: the session's plugins, JSON on stdout, data sets by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zsarbench.errors import UsageError

if TYPE_CHECKING:
    from zsarbench.interfaces import Dataset
    from zsarbench.plugins import Host
    from zsarbench.protocols import FileProtocol
    from zsarbench.results import RunResult

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts on stdout.")
settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PART.OPTION=VALUE",
    help="An option of a part; see: zsarbench show NAME.",
)
data_root_option = click.option(
    "--data-root", multiple=True, metavar="DATASET=DIR", help="Your own files of a data set."
)

format_option = click.option(
    "--format", "format_", default="table", show_default=True, help="A reporter; see: zsarbench list reporter."
)


def host_of(ctx: click.Context) -> Host:
    """Return the plugins of this invocation."""
    host: Host = ctx.obj["session"].host
    return host


def echo_json(content: Any) -> None:
    """Print JSON with sorted keys."""
    click.echo(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False))


def write_text(path: Path, text: str) -> None:
    """Write a file that the user named.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Try: another FILE") from error


def dataset_of(
    host: Host,
    name: str,
    data_root: Sequence[str] = (),
    settings: Sequence[str] = (),
    protocol: FileProtocol | None = None,
) -> Dataset:
    """Return a data set by name, with the user's folder and options, these over the options of a protocol.

    Raises:
        UsageErrors: the name, an option or a folder does not exist.
    """
    from zsarbench.harness.resolve import resolve_parts
    from zsarbench.plugins.building import build_dataset

    parts, roots = resolve_parts(
        host.registry, {"dataset": name}, protocol=protocol, data_root=data_root, settings=settings
    )
    return build_dataset(parts["dataset"], roots, host.registry)


def columns_of_plugins(host: Host) -> Callable[[RunResult], dict[str, Any]]:
    """Return what gives the columns that plugins add to a result's row."""

    def columns(result: RunResult) -> dict[str, Any]:
        values = host.call_each("zsarbench_add_columns", result=result)
        return {name: value for _, given in values for name, value in (given or {}).items()}

    return columns


def render(host: Host, results: Sequence[RunResult], reporter: str, **build: Any) -> str:
    """Return the table of results beside the figures reported on their protocol, as a reporter renders it.

    Raises:
        UsageError: the reporter does not exist.
    """
    made = host.registry.get("reporter", reporter).load()()

    from zsarbench.reports import table as tables
    from zsarbench.results import reported

    table = tables.build(results, reported.read_all(), extra_columns=columns_of_plugins(host), **build)
    text: str = made.render(table.frame, title=table.title)
    return text.rstrip("\n")


def differences(files: Sequence[Path], metric: str | None = None, against: Path | None = None) -> str:
    """Return a line a result: how far it is above or below one of them, by default the best, with its interval."""
    from zsarbench import results
    from zsarbench.reports.paired import paired
    from zsarbench.reports.table import differing_settings

    rows = paired(files, metric=metric, against=against).to_dict(orient="records")
    read = {result.stem: result for result in map(results.read, files)}
    base = rows[0]["against"]
    named = f"{read[base].method.name} {differing_settings(read.values())[base]}".strip()
    lines = [
        f"difference in {rows[0]['metric']} to {named} ({base})",
        "on the same clips, percentage points, 95 % interval:",
    ]
    for row in rows:
        points = "{difference:+6.1f} [{low:+.1f}, {high:+.1f}]".format(
            **{name: 100 * row[name] for name in ("difference", "low", "high")}
        )
        lines.append(f"  {points}  {row['method']} {row['settings']}".rstrip())
    return "\n".join(lines) + "\n"
