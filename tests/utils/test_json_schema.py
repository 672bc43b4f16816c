"""JSON Schemas of data classes, described by their docstrings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from zsarbench.utils.json_schema import field_texts, json_schema
from zsarbench.utils.schema import STRICT, Positive


@dataclass(frozen=True)
class Item:
    """One item.

    low and high: its ends, in seconds. name: what it is called; low: is no field here.
    """

    low: float
    high: float
    name: str | None = None


@dataclass(frozen=True)
class Document:
    """A document.

    items: one item or more. count: how many (at most 9). note: for readers.
    """

    __pydantic_config__ = STRICT

    items: tuple[Item, ...]
    count: Positive
    note: str | None = None


@dataclass(frozen=True)
class Longer(Document):
    """A longer document.

    more: further items.
    """

    more: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Bare:
    """A class that describes one of its fields.

    described: it is.
    """

    described: int
    bare: int


def test_every_object_is_closed_and_every_field_is_described() -> None:
    schema = json_schema(Document, name="document:1", title="A document of a test")
    assert schema["$id"] == "urn:zsarbench:schema:document:1"
    assert (schema["title"], schema["description"]) == ("A document of a test", "A document.")
    assert schema["required"] == ["items", "count"]
    item = schema["$defs"]["Item"]
    assert schema["additionalProperties"] is item["additionalProperties"] is False
    assert schema["properties"]["count"] == {"minimum": 1, "type": "integer", "description": "how many (at most 9)."}
    assert [value["description"] for value in item["properties"].values()] == [
        "its ends, in seconds.",
        "its ends, in seconds.",
        "what it is called; low: is no field here.",
    ]


def test_files_without_null_have_none_in_their_schema() -> None:
    schema = json_schema(Document, name="document:1", title="A document of a test", nullable=False)
    assert schema["properties"]["note"] == {"type": "string", "description": "for readers."}
    assert schema["$defs"]["Item"]["properties"]["name"]["type"] == "string"


def test_a_class_describes_its_own_fields_and_those_it_inherits() -> None:
    assert field_texts(Longer) == field_texts(Document) | {"more": "further items."}


@pytest.mark.parametrize("kind", [Bare])
def test_a_field_without_a_description_is_an_error(kind: Any) -> None:
    with pytest.raises(ValueError, match="docstring of Bare does not describe bare"):
        json_schema(kind, name="bare:1", title="Bare")
