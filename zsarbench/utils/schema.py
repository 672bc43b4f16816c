"""Frozen data classes as the schema of what is written to and read from files: validated by pydantic, strictly.

A class that is the root of a document sets `__pydantic_config__ = STRICT`, which holds for the classes in its fields
too: no field that the class does not have, no type but the annotated one, NaN nowhere. pydantic is imported when the
first document is read, so that commands which read none start fast.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar, Union

import numpy as np

from zsarbench.errors import ZsarbenchError, unknown

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

STRICT: Any = {"strict": True, "extra": "forbid", "allow_inf_nan": False}
MAX_SHOWN = 60
"""The most characters of a wrong value that a message quotes."""
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "an object",
    "dataclass_type": "an object",
}


@dataclass(frozen=True, eq=False)  # equal only to itself: metadata of an annotation must have a hash
class Rule:
    """A rule that values of an annotated type keep, in words and as constraints of pydantic's core schema.

    text: what a value must be, after "must be", in place of any other message about it and what it contains; "" leaves
    the messages as they are. constraints: e.g. `{"ge": 0, "le": 1}`, `{"min_length": 1}`, `{"pattern": r"\\S"}`.
    """

    text: str = ""
    constraints: Mapping[str, Any] = field(default_factory=dict)

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Return the constrained core schema of the annotated type."""
        schema = handler(source) | dict(self.constraints)
        if not self.text:
            return schema
        message = {"custom_error_type": "rule", "custom_error_message": self.text}
        return {"type": "custom-error", "schema": schema, **message}


@dataclass(frozen=True)
class OneOf:
    """The names that an annotated text may be, where they are not literals in the source code."""

    names: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Return the core schema of a text that is one of the names."""
        return {"type": "literal", "expected": list(self.names)}


Fraction = Annotated[float, Rule("a fraction in [0, 1]; 49.0 % is 0.490", {"ge": 0, "le": 1})]
Count = Annotated[int, Rule("a whole number from 0", {"ge": 0})]
Positive = Annotated[int, Rule("a whole number from 1", {"ge": 1})]
FilledText = Annotated[str, Rule("text that is not empty", {"pattern": r"\S"})]


class TextForm(ABC):
    """A data class that is one text in JSON, written by `str` and read by `parse`."""

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Self:
        """Return the value that a text in JSON stands for."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Return the core schema of a text that becomes the value."""
        return {
            "type": "function-after",
            "function": {"type": "no-info", "function": cls.parse},
            "schema": {"type": "str"},
        }


class DoesNotFit(ZsarbenchError):
    """States in what a document differs from its data class, one line per problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def plain(value: Any, where: str) -> Any:
    """Return a value in JSON types: data classes and mappings as dicts, sequences as lists, numpy scalars as numbers.

    NaN and the infinities, which JSON does not have, become the texts "nan", "inf" and "-inf": a fit that diverged
    must be visible in a result, and where a number is required validation refuses them.

    Raises:
        ZsarbenchError: a value is of another type, or a key is not a text; `where` names its place.
    """
    if value is None or type(value) in (str, bool, int):  # most values of any document
        return value
    if isinstance(value, TextForm):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in dataclasses.fields(value)]
        return {name: plain(getattr(value, name), f"{where}.{name}") for name in names}
    if isinstance(value, Mapping):
        if others := [key for key in value if not isinstance(key, str)]:
            raise ZsarbenchError(f"{where} has the key {others[0]!r}; JSON keys are texts")
        return {key: plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(item, f"{where}[{number}]") for number, item in enumerate(value)]
    kind = type(value).__name__
    raise ZsarbenchError(f"{where} is a {kind}, which JSON cannot hold. Try: a number, a text, a list or a mapping")


def parse(kind: type[T], content: Any, name: str) -> T:
    """Return the data class of a document's content.

    content: in the types of JSON or TOML. name: what the document is called in messages, e.g. "result".

    Raises:
        DoesNotFit: fields that are missing, unknown or not what the data class has; all at once.
    """
    from pydantic import ValidationError  # slow to import

    try:
        document: T = _adapter(typing.cast(Any, kind)).validate_json(json.dumps(content))
        return document
    except ValidationError as error:
        problems = [
            _problem(kind, item, name)
            for item in error.errors(include_url=False, include_context=False)
            if item["type"] != "too_short" or not item["input"]  # else its items are wrong, each an error of its own
        ]
        raise DoesNotFit(list(dict.fromkeys(problems))) from None


def annotation_at(kind: Any, place: Sequence[int | str]) -> Any:
    """Return the annotation of a place in a document: field names, keys of mappings, positions in lists."""
    for step in place:
        kind = _bare(kind)
        arguments = typing.get_args(kind)
        if _is_record(kind):
            kind = _hints(kind)[str(step)]
        elif typing.get_origin(kind) is tuple and isinstance(step, int):
            kind = arguments[0] if arguments[-1] is Ellipsis else arguments[step]
        else:
            kind = arguments[1]
    return kind


def data_classes(kind: Any) -> dict[str, Any]:
    """Return the data classes that a document is built of, by name."""
    kind = _bare(kind)
    found: dict[str, Any] = {}
    if isinstance(kind, type) and issubclass(kind, TextForm):
        return found
    if _is_record(kind):
        found[kind.__name__] = kind
    parts = _hints(kind).values() if _is_record(kind) else typing.get_args(kind)
    for part in parts:
        found |= data_classes(part)
    return found


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _is_record(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind)


def _bare(kind: Any) -> Any:
    """Return an annotation without its metadata and without None."""
    while typing.get_origin(kind) in (Annotated, Union, types.UnionType):
        if typing.get_origin(kind) is not Annotated and types.NoneType not in typing.get_args(kind):
            break
        kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
    return kind


def _names_of(kind: Any) -> tuple[str, ...]:
    """Return the names that an annotation allows: of a literal, of a text that is `OneOf`."""
    if typing.get_origin(kind) is Annotated:
        listed = [names for part in typing.get_args(kind)[1:] if isinstance(part, OneOf) for names in part.names]
        return tuple(listed) or _names_of(typing.get_args(kind)[0])
    bare = _bare(kind)
    return typing.get_args(bare) if typing.get_origin(bare) is Literal else ()


def _problem(kind: Any, error: Any, name: str) -> str:
    """Return a message for one error of pydantic's."""
    place, value, what = error["loc"], error["input"], error["type"]
    if place and place[-1] == "[key]":
        key_kind = typing.get_args(_bare(annotation_at(kind, place[:-2])))[0]
        return f"{_path(place[:-2], name)}: " + unknown("key", str(place[-2]), _names_of(key_kind))
    path, parent = _path(place, name), _path(place[:-1], name)
    if what == "unexpected_keyword_argument":
        fields = dataclasses.fields(_bare(annotation_at(kind, place[:-1])))
        message = unknown("field", place[-1], [item.name for item in fields])
        return f"{parent}: {message}" if place[:-1] else message
    if what == "missing" and isinstance(place[-1], str):
        return f"{path} is missing"
    if what in ("missing", "too_long"):
        container = place[:-1] if what == "missing" else place
        n_items = len(typing.get_args(_bare(annotation_at(kind, container))))
        return f"{_path(container, name)} has {len(value)} items, not {n_items}"
    if what == "too_short":
        return f"{path} must not be empty"
    if what == "literal_error":
        names = _names_of(annotation_at(kind, place))
        if isinstance(value, str):
            return unknown(path, value, names)
        return f"{path} must be {' or '.join(map(_short, names))}, not {_short(value)}"
    expected = error["msg"] if what == "rule" else _EXPECTED.get(what)
    return f"{path} must be {expected}, not {_short(value)}" if expected else f"{path}: {error['msg']}"


def _path(place: Sequence[int | str], name: str) -> str:
    path = ""
    for step in place:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path or name


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
