"""`zsarbench show`: what a name stands for, and which options it takes."""

from __future__ import annotations

from typing import Any

import click

from zsarbench import protocols
from zsarbench.cli.names import RegisteredName
from zsarbench.cli.toolkit import echo, echo_json, host_of, json_option
from zsarbench.errors import UsageError, unknown
from zsarbench.plugins import options
from zsarbench.plugins.distributions import distributions_of
from zsarbench.plugins.registry import Entry, MissingPackage, Registry

_WRITTEN_BELOW = ("options", "options_need", "installed_by")
_TRAINED = ("method", "visual", "text")  # what else declares no label set, such as an executor, learns from none


@click.command("show", short_help="Show a name's source, options and defaults.")
@click.argument("name", type=RegisteredName())
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show what is known of NAME: kind, plugin, source, training data, options with their defaults.

    Options are read from the code: where it imports a package that is not installed, the rest is shown, and what
    installs the package.

    \b
    Examples:
      zsarbench show cezsar
      zsarbench show ucf101/truze-v2
    """
    registry = host_of(ctx).registry
    entries = [entry for entry in registry if entry.name == name]
    if not entries:
        raise UsageError(unknown("name", name, {entry.name for entry in registry}, "zsarbench list"))
    described = [_describe(entry, registry) for entry in entries]
    if as_json:
        echo_json(described)
        return
    for content in described:
        echo(f"{content['kind']} {content['name']}", bold=True)
        for key, value in content.items():
            if key == "notes" and value:
                echo("  notes:\n" + "\n\n".join(f"    {paragraph}" for paragraph in _paragraphs(value)), hang=0)
            elif key not in (*_WRITTEN_BELOW, "kind", "name") and value not in ("", [], {}, None):
                echo(f"  {key.replace('_', ' ')}: {_text(value)}")
        if content["trained_on"] is None and content["kind"] in _TRAINED:
            echo("  trained on: unknown")
        if content.get("options_need"):
            command = content["installed_by"]
            need = f"options: need {content['options_need']}, which is not installed. Try: {command}"
            echo(f"  {need}", typed=command)
        for option, row in (content.get("options") or {}).items():
            typed = f"--set {content['kind']}.{option}={row['default']}"
            echo(f"  {typed}  ({row['type']})", typed=typed)


def _describe(entry: Entry, registry: Registry) -> dict[str, Any]:
    content: dict[str, Any] = {
        "kind": entry.kind,
        "name": entry.name,
        "summary": entry.summary,
        "plugin": entry.plugin,
        "distribution": ", ".join(map(str, distributions_of([entry.plugin]))),
        "source": entry.source,
        "trained_on": None if entry.trained_on is None else list(entry.trained_on),
        "extra": entry.extra,
    }
    if entry.kind == "protocol":
        protocol = protocols.load(registry, entry.name)
        rounds = [item.round for item in protocol.rounds]
        n_clips = [item.n_clips for item in protocol.rounds]
        return content | {
            "version": protocol.version,
            "dataset": protocol.dataset,
            "setting": protocol.setting,
            "class_text": protocol.class_text,
            "rounds": len(rounds),
            "distinct_rounds": protocol.n_distinct,
            "seen": sorted({len(item.seen) for item in rounds}),
            "candidates": sorted({len(item.candidates) for item in rounds}),
            "validation": sorted({len(item.validation) for item in rounds}),
            "test_clips": n_clips if len(set(n_clips)) > 1 else n_clips[0],
            "default_parts": dict(protocol.parts),
            "notes": protocol.notes.strip(),
        }
    content["default_parts"] = dict(entry.defaults)
    if entry.kind not in ("labels", "reporter"):
        try:
            target = entry.load()
        except MissingPackage as error:
            return content | {"options": None, "options_need": error.package, "installed_by": error.command}
        content["options"] = {
            name: {"type": option.type_text, "default": option.default}
            for name, option in options.options_of(target).items()
        }
    return content


def _paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a text, each on one line: the lines of its file are of no meaning."""
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
