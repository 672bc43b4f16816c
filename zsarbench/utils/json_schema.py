"""Publishes data classes as JSON Schema, with a description of every field from the class's docstring."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

from zsarbench.utils.schema import data_classes

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(kind: Any, *, name: str, title: str, nullable: bool = True) -> dict[str, Any]:
    """Return the JSON Schema of a document whose content is a data class.

    name: the last part of the schema's `$id`. nullable: False for files in TOML, which has no null: an optional field
    is left out there.

    Raises:
        ValueError: a field is not described in the docstring of its class.
    """
    from pydantic import TypeAdapter  # slow to import

    content = TypeAdapter(kind).json_schema()
    definitions, classes = content.get("$defs", {}), data_classes(kind)
    schema = {
        "$schema": DIALECT,
        "$id": f"urn:zsarbench:schema:{name}",
        "title": title,
        **_described(content, kind),
        "$defs": {
            item: _described(definitions[item], classes[item]) for item in sorted(classes) if item in definitions
        },
    }
    return schema if nullable else _without_null(schema)


def field_texts(record: Any) -> dict[str, str]:
    """Return what a data class's docstring says of its fields: `name: text` or `name and name: text`, in any order.

    A field that the class inherits may be described by the class it comes from.
    """
    fields = "|".join(item.name for item in dataclasses.fields(record))
    entry = re.compile(rf"(?:^|(?<=[.:)]) )((?:{fields})(?:(?:, | and )(?:{fields}))*): ")
    texts: dict[str, str] = {}
    for base in reversed([item for item in record.__mro__ if dataclasses.is_dataclass(item)]):
        body = " ".join(inspect.cleandoc(base.__doc__ or "").partition("\n")[2].split())
        pieces = entry.split(body)[1:]
        for names, text in zip(pieces[::2], pieces[1::2], strict=True):
            texts |= dict.fromkeys(re.split(", | and ", names), text.strip())
    return texts


def _described(schema: dict[str, Any], record: Any) -> dict[str, Any]:
    """Return the schema of an object that has only these fields, each described; its keys are in a fixed order."""
    texts = field_texts(record)
    if bare := [name for name in schema["properties"] if name not in texts]:
        raise ValueError(f"the docstring of {record.__name__} does not describe {', '.join(bare)}")
    return {
        "description": inspect.cleandoc(record.__doc__).partition("\n")[0],
        "type": "object",
        "properties": {
            name: {"description": texts[name]} | {key: value[key] for key in sorted(value) if key != "title"}
            for name, value in schema["properties"].items()
        },
        "required": schema.get("required", []),
        "additionalProperties": False,
    }


def _without_null(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if not isinstance(value, dict):
        return value
    items = {key: _without_null(item) for key, item in value.items() if not (key == "default" and item is None)}
    kinds = [kind for kind in items.get("anyOf", ()) if kind != {"type": "null"}]
    if "anyOf" in items and len(kinds) == 1:
        del items["anyOf"]
        items = {**kinds[0], **items}
    elif "anyOf" in items:
        items["anyOf"] = kinds
    return items
