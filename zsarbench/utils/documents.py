"""Reads foreign JSON and TOML files, and reports what is wrong with them."""

from __future__ import annotations

import datetime
import json
import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.foreign import unfit
from zsarbench.utils.output import json_visible
from zsarbench.utils.text_files import lines, read_text

MAX_BYTES = 32 * 2**20
"""The largest file that is read. A result with 20,000 unread clips has 2 MB; what is larger than this is none."""

MAX_PROBLEMS = 20  # of unfit values that a message lists


def read_json(path: Path, what: str, max_bytes: int = MAX_BYTES, *, repeated: bool = False, nan: bool = False) -> Any:
    """Return the content of a JSON file; repeated, nan: see `parse_json`.

    Raises:
        ZsarbenchError: see `read_text` and `parse_json`.
    """
    return parse_json(read_text(path, what, max_bytes), f"{what} {path}", repeated=repeated, nan=nan)


def read_json_lines(path: Path, what: str, *, nan: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield where each line of a file of JSON values is, for messages, and its value; empty lines are left out.

    nan: see `parse_json`.

    Raises:
        ZsarbenchError: see `zsarbench.utils.text_files.lines` and `parse_json`.
    """
    for where, line in lines(path, what):
        yield where, parse_json(line, where, nan=nan)


class RepeatedKeys(dict[str, Any]):
    """A JSON object in which a key appears twice; pairs: all keys with their values, in their order."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = tuple(pairs)


def parse_json(text: str, where: str, *, repeated: bool = False, nan: bool = False) -> Any:
    """Return the value of a JSON text; where: its place for messages.

    repeated: whether an object may hold a key twice; it is then a `RepeatedKeys`. nan: whether NaN, which pandas writes
    for an empty cell, is read as None.

    Raises:
        ZsarbenchError: it is not valid JSON, or holds a key twice, NaN or an infinity, which JSON does not have, or
            what `zsarbench.utils.foreign.unfit` finds.
    """
    try:
        content = json.loads(
            text,
            object_pairs_hook=_with_duplicates if repeated else _without_duplicates,
            parse_constant=_none_for_nan if nan else _refuse_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise ZsarbenchError(f"{where} is not valid JSON, perhaps cut short: {error}") from error
    except ValueError as error:  # raised by the hooks, and by Python for numbers of more than 4,300 digits
        raise ZsarbenchError(f"{where} is not valid JSON: {error}") from error
    except RecursionError:
        raise ZsarbenchError(f"{where} is not valid JSON: its lists or objects are nested too deeply") from None
    if problems := list(islice(unfit(content), MAX_PROBLEMS)):
        raise ZsarbenchError("\n  ".join([f"{where} is not valid:", *problems]))
    return content


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        ZsarbenchError: see `read_text`; it is not valid TOML, or holds a date or a time outside quotes, or what
            `zsarbench.utils.foreign.unfit` finds.
    """
    text = read_text(path, what, MAX_BYTES)
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also of numbers of more than 4,300 digits
        raise ZsarbenchError(f"{what} {path} is not valid TOML: {error}") from error
    if problems := list(islice(unfit(content), MAX_PROBLEMS)):
        raise invalid(what, path, problems)
    if dates := list(_dates(content, "")):
        lines = (f"{place} is the date or time {value}; write it as text in quotes" for place, value in dates)
        raise invalid(what, path, lines)
    return content


def json_text(content: Any) -> str:
    """Return JSON with sorted keys, as everything is written: control characters are escaped, NaN is refused.

    Raises:
        ValueError: a number is NaN or infinite, or a value is none of JSON's.
    """
    return json_visible(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False))


def toml_lines(values: Mapping[str, Any]) -> list[str]:
    """Return a line of TOML for each value: a text, a number, a truth value or a list of these."""
    return [f"{name} = {json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)}"
            for name, value in values.items()]  # fmt: skip


def invalid(what: str, path: Path, problems: Iterable[str]) -> ZsarbenchError:
    """Return the error that lists the problems of a file, one per line."""
    return ZsarbenchError("\n  ".join([f"{what} {path} is not valid:", *problems]))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key '{twice}' appears twice in an object")
    return content


def _with_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    return content if len(content) == len(pairs) else RepeatedKeys(pairs)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _none_for_nan(name: str) -> None:
    if name != "NaN":
        _refuse_constant(name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text:.40} is too large")
    return number


def _dates(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Yield the place and value of every date and time."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _dates(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _dates(item, f"{place}[{number}]")
    elif isinstance(value, datetime.date | datetime.time):
        yield place, value
