"""Makes the pages of the reference from the code: `python .ci/reference.py FOLDER` writes them, mkdocs adds them.

Nothing that computes is imported: options of components are read from their source.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
import griffe
from click.testing import CliRunner

from zsarbench.cli.main import Session, cli
from zsarbench.plugins import Host, load_plugins
from zsarbench.plugins.options import FILLED_BY_HARNESS
from zsarbench.plugins.registry import KINDS, Entry

ROOT = Path(__file__).parent.parent
SOURCES = (ROOT, ROOT / "plugins")
HEADS = {
    "dataset": "Data sets",
    "protocol": "Protocols",
    "visual": "Visual encoders",
    "text": "Text encoders",
    "negatives": "Negative samplers",
    "loss": "Losses",
    "method": "Methods",
    "labels": "Label sets",
    "reporter": "Reporters",
    "executor": "Executors",
}
SCHEMAS = {"protocol": "The protocol file", "result": "The result file", "reported": "The file of reported figures"}
OF_PROTOCOLS = (
    "dataset", "version", "setting", "class_text", "rounds", "distinct_rounds", "seen", "candidates", "validation",
    "test_clips", "default_parts",
)  # fmt: skip


def pages() -> dict[str, str]:
    """Return the pages by their path in the site, and the JSON Schemas."""
    components = {f"reference/components/{kind}.md": of_kind(kind) for kind in KINDS}
    schemas = {f"reference/{name}-file.md": of_schema(name) for name in SCHEMAS}
    files = {f"reference/{name}.schema.json": schema_text(name) for name in SCHEMAS}
    return {"reference/help.md": of_commands(), **components, **schemas, **files}


def of_commands() -> str:
    """Return a page with the help of every command."""
    parts = ["# Every command and its options", "What `--help` prints."]
    for words in ((), *commands(cli)):
        depth = "##" if len(words) < 2 else "###"
        text = printed(*words, "--help").rstrip()
        parts.append(f"{depth} zsarbench {' '.join(words)}".rstrip() + f"\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command below a group."""
    context = click.Context(group, obj={})
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


def of_kind(kind: str) -> str:
    """Return a page with every component of a kind: source, what it was trained on, options."""
    entries = [entry for entry in host().registry if entry.kind == kind]
    text = f"# {HEADS[kind]}\n\n`zsarbench list {kind}` lists them, `zsarbench show NAME` shows one.\n"
    for entry in entries:
        text += f"\n## {entry.name}\n\n{entry.summary}\n\n"
        first, *further = rows_of(entry)
        text += table(first, further)
        if kind not in ("protocol", "labels", "reporter") and (options := options_of(entry.target)):
            rows = [(f"`--set {kind}.{name}=`", f"`{type_}`", f"`{default}`") for name, type_, default in options]
            text += "\n" + table(("option", "type", "default"), rows)
    return text


def rows_of(entry: Entry) -> list[tuple[str, ...]]:
    """Return what the registry says of a component; of a protocol, what its file says too."""
    rows = [("plugin", entry.plugin), ("source", entry.source)]
    if entry.trained_on is not None:
        rows.append(("trained on", ", ".join(entry.trained_on) or "nothing"))
    elif entry.kind in ("method", "visual", "text"):
        rows.append(("trained on", "unknown"))
    if entry.extra:
        rows.append(("needs", f"`pip install 'zsarbench[{entry.extra}]'`"))
    if entry.defaults:
        rows.append(("default parts", ", ".join(f"{kind} `{name}`" for kind, name in entry.defaults.items())))
    if entry.kind == "protocol":
        [shown] = json.loads(printed("show", entry.name, "--json"))
        rows += [
            (name.replace("_", " "), in_words(shown[name])) for name in OF_PROTOCOLS if shown[name] not in ({}, [0])
        ]
        rows += [("notes", " ".join(shown["notes"].split()))] if shown["notes"] else []
    return [(name, value) for name, value in rows if value]


def in_words(value: Any) -> str:
    """Return a value of `zsarbench show --json` as a reader sees it."""
    if isinstance(value, dict):
        return ", ".join(f"{kind} `{name}`" for kind, name in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def options_of(target: str) -> list[tuple[str, str, str]]:
    """Return name, type and default of each option of a component, read from its source: no module is imported."""
    module, _, name = target.partition(":")
    found = sources()[f"{module}.{name}"]
    found = found.final_target if found.is_alias else found
    return [
        (parameter.name, written(parameter.annotation), written(parameter.default))
        for parameter in (found.parameters if found.is_class else ())
        if parameter.name not in ("self", *FILLED_BY_HARNESS) and parameter.default is not None
    ]


def written(expression: Any) -> str:
    """Return an expression with the constants and types of zsarbench that it names written out."""
    if expression is None or isinstance(expression, str):
        return str(expression or "")
    named = isinstance(expression, griffe.ExprName | griffe.ExprAttribute)
    if named and expression.canonical_path.startswith("zsarbench"):
        found = sources()[expression.canonical_path]
        return written((found.final_target if found.is_alias else found).value)
    return str(expression) if named else "".join(map(written, expression.iterate(flat=False)))


@cache
def sources() -> Any:
    """Return host and plugins as their source has them."""
    loader = griffe.GriffeLoader(search_paths=[str(folder) for folder in SOURCES])
    for package in (
        "zsarbench",
        *sorted({entry.target.partition(":")[0].partition(".")[0] for entry in host().registry}),
    ):
        loader.load(package)
    loader.resolve_aliases(implicit=False)
    return loader.modules_collection


@cache
def host() -> Host:
    """Return the loaded plugins; without one of them the reference would lack its components."""
    loaded = load_plugins()
    if loaded.failures:
        raise SystemExit(f"plugins are left out: {', '.join(failure.plugin for failure in loaded.failures)}")
    return loaded


def printed(*words: str) -> str:
    """Return what a command prints."""
    done = CliRunner().invoke(
        cli, words, prog_name="zsarbench", terminal_width=100, obj={"session": Session((), host())}
    )
    if done.exit_code:
        raise SystemExit(f"zsarbench {' '.join(words)} failed: {done.output}")
    return done.stdout


def schema_text(name: str) -> str:
    """Return the text of a JSON Schema."""
    return (ROOT / "benchmarks" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")


def of_schema(name: str) -> str:
    """Return a page with every field of a file."""
    schema = json.loads(schema_text(name))
    text = f"# {SCHEMAS[name]}\n\nFor editors and other tools: [{name}.schema.json]({name}.schema.json).\n"
    for title, part in (("", schema), *schema["$defs"].items()):
        text += f"\n## {title}\n\n{part.get('description', '')}\n\n" if title else "\n"
        required = part.get("required", [])
        rows = [
            (f"`{field}`", type_of(value), "" if field in required else default_of(value), value.get("description", ""))
            for field, value in part.get("properties", {}).items()
        ]
        text += table(("field", "type", "where it is left out", "meaning"), rows)
    return text


def default_of(value: dict[str, Any]) -> str:
    """Return what stands for a field that a file leaves out."""
    return (
        f"`{json.dumps(value['default'], ensure_ascii=False)}`" if value.get("default") not in (None, "") else "nothing"
    )


def type_of(value: dict[str, Any]) -> str:
    """Return the type of a field as a reader sees it."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(type_of(part) for part in value["anyOf"]))
    if "enum" in value:
        return ", ".join(f"`{item}`" for item in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if value.get("type") == "array":
        return f"list of {type_of(value['items'])}" if "items" in value else "list"
    inner = value.get("additionalProperties")
    if isinstance(inner, dict):
        return f"object of {type_of(inner)}"
    return str(value.get("type", "any"))


def escaped(cell: str) -> str:
    """Return a cell whose bars outside of code are escaped."""
    parts = cell.split("`")
    return "`".join(part if number % 2 else part.replace("|", "\\|") for number, part in enumerate(parts))


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table; a bar inside of code separates no cells."""
    lines = [heads, tuple("---" for _ in heads), *(tuple(map(escaped, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    for path, text in pages().items():
        place = Path(sys.argv[1]) / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
