"""Frozen data classes to JSON and back, checked by their annotations: the data classes are the schema."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, Union

import numpy as np

from zsarbench.errors import ZsarbenchError, unknown


class TextForm(ABC):
    """A data class that is one text in JSON, written by `str` and read by `parse`."""

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Self:
        """Return the value that a text in JSON stands for."""


def plain(value: Any, where: str) -> Any:
    """Return a value in JSON types: data classes and mappings as dicts, sequences as lists, numpy scalars as numbers.

    NaN and the infinities, which JSON has no word for, become the strings "nan", "inf" and "-inf": a fit that diverged
    shall be told, and where a number is required the schema's check refuses them.

    Raises:
        ZsarbenchError: a value is of another type, or a key no string; `where` names its place.
    """
    if isinstance(value, TextForm):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain(getattr(value, name), f"{where}.{name}") for name in names}
    if isinstance(value, Mapping):
        if strangers := [key for key in value if not isinstance(key, str)]:
            raise ZsarbenchError(f"{where} has the key {strangers[0]!r}; JSON keys are strings")
        return {key: plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(item, f"{where}[{number}]") for number, item in enumerate(value)]
    raise ZsarbenchError(f"{where} is a {type(value).__name__}, which JSON has no word for; give numbers, text, lists")


def problems_of(annotation: Any, value: Any, where: str) -> list[str]:
    """Return in what a JSON value differs from an annotation; [] where it fits."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    place = where or "result"
    if annotation is Any:
        return []
    if _has_text_form(annotation):
        return problems_of(str, value, where)
    if dataclasses.is_dataclass(annotation):
        return _fields_problems(annotation, value, where)
    if origin in (Union, types.UnionType):
        if value is None and types.NoneType in arguments:
            return []
        kinds = [kind for kind in arguments if kind is not types.NoneType]
        return min((problems_of(kind, value, where) for kind in kinds), key=len)
    if origin is Literal:
        return [] if value in arguments else [f"{place} is {value!r}, not one of {', '.join(map(repr, arguments))}"]
    if origin is tuple:
        if not isinstance(value, list):
            return [f"{place} is {_kind(value)}, not a list"]
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(value):
            return [f"{place} has {len(value)} items, not {len(kinds)}"]
        items = enumerate(zip(kinds, value, strict=True))
        return [text for number, (kind, item) in items for text in problems_of(kind, item, f"{where}[{number}]")]
    if origin is Mapping:
        if not isinstance(value, dict):
            return [f"{place} is {_kind(value)}, not an object"]
        return [text for key, item in value.items() for text in problems_of(arguments[1], item, _join(where, key))]
    allowed = (int, float) if annotation is float else annotation
    fits = isinstance(value, allowed) and (annotation is bool or not isinstance(value, bool))
    return [] if fits else [f"{place} is {_kind(value)}, not {annotation.__name__}"]


def build(annotation: Any, value: Any) -> Any:
    """Return a JSON value, in which `problems_of` found nothing, as its annotation has it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if value is None or annotation is Any:
        return value
    if _has_text_form(annotation):
        return annotation.parse(value)
    if dataclasses.is_dataclass(annotation):
        hints = typing.get_type_hints(annotation)
        return typing.cast(Any, annotation)(**{name: build(hints[name], item) for name, item in value.items()})
    if origin in (Union, types.UnionType):
        fits = (kind for kind in arguments if kind is not types.NoneType and not problems_of(kind, value, ""))
        return build(next(fits), value)
    if origin is tuple:
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(build(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is Mapping:
        return {key: build(arguments[1], item) for key, item in value.items()}
    return float(value) if annotation is float else value


def _fields_problems(record: Any, value: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where or 'result'} is {_kind(value)}, not an object"]
    hints = typing.get_type_hints(record)
    fields = dataclasses.fields(record)
    required = {item.name for item in fields if item.default is item.default_factory is dataclasses.MISSING}
    problems = [f"{_join(where, name)} is missing" for name in sorted(required - set(value))]
    problems += [unknown(f"field in {where or 'result'}", name, hints) for name in sorted(set(value) - set(hints))]
    for name in hints:
        if name in value:
            problems += problems_of(hints[name], value[name], _join(where, name))
    return problems


def _has_text_form(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, TextForm)


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _kind(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {value!r:.40}"
