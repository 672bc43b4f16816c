"""Options of components: what their constructors take, read from the command line and checked by annotation."""

from __future__ import annotations

import inspect
import math
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union

from zsarbench.errors import UsageError, unknown
from zsarbench.utils.foreign import MAX_WHOLE

FILLED_BY_HARNESS = ("text_encoder", "root")
"""Constructor parameters that are not options: the run's text part, and the folder of `--data-root`."""


@dataclass(frozen=True)
class Option:
    """One constructor parameter: its name, annotation and default."""

    name: str
    annotation: Any
    default: Any

    @property
    def type_text(self) -> str:
        """The annotation as a user reads it: `float`, `int | None`, `'time' | 'batch'`."""
        return _text_of(self.annotation)


def options_of(target: Any) -> dict[str, Option]:
    """Return the options of a component class by name.

    Raises:
        UsageError: its constructor takes what the contract forbids: `**kwargs`, or a parameter without a default, with
            one that no result can state, or with an annotation that names nothing.
    """
    if target.__init__ is object.__init__:
        return {}
    if not inspect.isclass(target):
        raise UsageError(f"{getattr(target, '__qualname__', target)} is a {type(target).__name__}; a class is needed")
    try:
        hints = typing.get_type_hints(target.__init__)
    except Exception as error:  # annotations are code, which may raise anything
        raise UsageError(f"annotations of the constructor of {target.__qualname__} cannot be read: {error}") from error
    listed = {}
    for parameter in list(inspect.signature(target.__init__).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            raise UsageError(
                f"{target.__qualname__} takes *{parameter.name}; constructors take explicit keyword arguments"
            )
        if parameter.name in FILLED_BY_HARNESS:
            continue
        if parameter.default is parameter.empty:
            raise UsageError(f"{target.__qualname__} has no default for '{parameter.name}'; every option needs one")
        if not _is_plain(parameter.default):
            raise UsageError(
                f"{target.__qualname__} has {parameter.default!r:.80} as the default of '{parameter.name}'; a result "
                "can state texts, finite numbers, true, false, none, and tuples of these"
            )
        listed[parameter.name] = Option(parameter.name, hints.get(parameter.name, Any), parameter.default)
    return listed


def _is_plain(value: Any) -> bool:
    """Return whether a value, which is a part of the spec, can be written as JSON and be read as itself."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or type(value) in (bool, int, str)


def takes(target: Any, parameter: str) -> bool:
    """Return whether a component's constructor has this parameter."""
    return target.__init__ is not object.__init__ and parameter in inspect.signature(target.__init__).parameters


def check(target: Any, where: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the given options with their values parsed, and the problems (unknown names, unfit values)."""
    known = options_of(target)
    parsed, problems = {}, []
    for name, value in values.items():
        if name not in known:
            problems.append(unknown(f"option of {where}", name, known, f"zsarbench show {where.split(' ')[-1]}"))
            continue
        try:
            parsed[name] = parse(value, known[name].annotation)
        except ValueError as error:
            problems.append(f"option '{name}' of {where} is {known[name].type_text}, not '{value}': {error}")
    return parsed, problems


def parse(value: Any, annotation: Any) -> Any:
    """Return a value (text from the command line, or a TOML value) in the type of an annotation.

    >>> parse("0.5", float), parse("true", bool), parse("none", int | None), parse("a,b", tuple[str, ...])
    (0.5, True, None, ('a', 'b'))

    Raises:
        ValueError: it does not fit.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return value
    if origin in (Union, types.UnionType):
        return _parse_union(value, arguments)
    if origin is Literal:
        if value not in arguments:
            raise ValueError("it is one of " + ", ".join(map(str, arguments)))
        return value
    if origin is tuple:
        if not isinstance(value, str | list | tuple):
            raise ValueError("a list is required")
        items = value.split(",") if isinstance(value, str) else list(value)
        kinds = [arguments[0]] * len(items) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(items):
            raise ValueError(f"it takes {len(kinds)} values")
        return tuple(parse(item, kind) for item, kind in zip(items, kinds, strict=True))
    if annotation is bool:
        return _parse_bool(value)
    if annotation in (int, float):
        return annotation(_number(value, annotation))
    if annotation in (str, Path):
        if isinstance(value, bool | list | dict) or (annotation is Path and value == ""):
            raise ValueError("a path is required" if annotation is Path else "text is required")
        return annotation(value)
    raise ValueError(f"a value of type {_text_of(annotation)} cannot be given on the command line")


def _parse_union(value: Any, arguments: tuple[Any, ...]) -> Any:
    if types.NoneType in arguments and (value is None or str(value).lower() in ("none", "null")):
        return None
    error = ValueError("it does not fit")
    for kind in arguments:
        if kind is not types.NoneType:
            try:
                return parse(value, kind)
            except ValueError as problem:
                error = problem
    raise error


def _number(value: Any, kind: type[int] | type[float]) -> int | float:
    """Return a number that results, which are JSON, can hold."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("a number is required")
    number = kind(value) if isinstance(value, str) else value
    if not abs(number) <= (MAX_WHOLE if kind is int else sys.float_info.max):  # NaN is not either
        raise ValueError("it is not finite" if kind is float else f"it is beyond {MAX_WHOLE}")
    if kind is int and number != int(number):
        raise ValueError("a whole number is required")
    return number


def _parse_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[str(value).lower()]
    except KeyError:
        raise ValueError("true or false is required") from None


def _text_of(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return " | ".join(repr(value) for value in typing.get_args(annotation))
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return " | ".join(_text_of(kind) for kind in typing.get_args(annotation))
    if annotation is types.NoneType:
        return "none"
    return annotation.__name__ if isinstance(annotation, type) and not typing.get_args(annotation) else str(annotation)
