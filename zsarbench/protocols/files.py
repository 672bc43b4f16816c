"""Reads protocol files: TOML and the lists it names, checked for all that can be told without the data set."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from zsarbench.errors import ZsarbenchError, unknown
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.interfaces import Round
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.plugins.registry import KINDS

CLIP_RULES = ("train_list", "test_list", "held_out_list")


class Form(NamedTuple):
    """What a field of the file holds, in words and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _is_whole(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _table_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(fits, value.values()))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


_TEXT = Form("a text", _is_text)
_STATED = Form("a text that says something", lambda value: _is_text(value) and bool(value.strip()))
_LIST = Form('a list of names, or "@FILE"', lambda value: _is_text(value) or _list_of(_is_text)(value))
_NUMBER = Form("a whole number from 0", _is_whole)
_FIELDS = {
    **dict.fromkeys(("name", "dataset", "summary", "source", "class_text"), _STATED),
    **dict.fromkeys(("notes", "clip_list"), _TEXT),
    "version": Form("a whole number from 1", lambda value: _is_whole(value, 1)),
    "setting": Form(" or ".join(map(repr, SETTINGS)), lambda value: value in SETTINGS),
    "n_clips": Form(
        "a number of test clips, or a list of one for each round",
        lambda value: _is_whole(value, 1) or _list_of(lambda count: _is_whole(count, 1))(value),
    ),
    "validation_only": Form("true or false", lambda value: isinstance(value, bool)),
    "parts": Form("a table of names by kind", _table_of(_is_text)),
    "options": Form("tables of options by kind and component", _table_of(_table_of(_is_table))),
    "rounds": Form("one [[rounds]] or more", lambda value: _list_of(_is_table)(value) and bool(value)),
}
_REQUIRED = ("name", "version", "dataset", "setting", "summary", "source", "rounds")
_ROUND_FIELDS = {
    **dict.fromkeys(("seen", "candidates", "validation", "train_clips", "test_clips"), _LIST),
    **dict.fromkeys(CLIP_RULES, Form("the name of a list of the data set", _STATED.fits)),
    **dict.fromkeys(("seed", "duplicate_of"), _NUMBER),
}


def fields(path: Path) -> dict[str, Any]:
    """Return the fields of `zsarbench.protocols.FileProtocol` that a file states.

    Raises:
        ZsarbenchError: no TOML, or everything that is wrong with its fields at once; a list that is not there.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ZsarbenchError(f"protocol file {path} is not valid TOML: {error}") from error
    where = f"protocol file {path}"
    problems = _problems(where, content, _FIELDS, _REQUIRED)
    listed = content.pop("rounds", [])
    if _FIELDS["rounds"].fits(listed):
        for index, item in enumerate(listed):
            problems += _problems(f"round {index} of {where}", item, _ROUND_FIELDS, ("candidates",))
            problems += _clip_problems(f"round {index} of {where}", item)
    _raise(problems)
    _raise(_component_problems(where, content) + _count_problems(where, content, len(listed)))
    if isinstance(content.get("n_clips"), list):
        content["n_clips"] = tuple(content["n_clips"])
    return content | {
        "listed_rounds": tuple(_round(path, index, item) for index, item in enumerate(listed)),
        "duplicates": {index: item["duplicate_of"] for index, item in enumerate(listed) if "duplicate_of" in item},
        "clip_rules": {
            index: {key: item[key] for key in CLIP_RULES if key in item}
            for index, item in enumerate(listed)
            if set(CLIP_RULES) & set(item)
        },
    }


def _raise(problems: Sequence[str]) -> None:
    if problems:
        raise ZsarbenchError("\n".join(problems))


def _problems(where: str, given: Mapping[str, Any], known: Mapping[str, Form], required: Sequence[str]) -> list[str]:
    """Return which fields are not known, which lack, and which hold something of another form."""
    problems = [f"{where}: " + unknown("field", name, known) for name in sorted(set(given) - set(known))]
    if missing := [name for name in required if name not in given]:
        problems.append(f"{where} lacks {', '.join(missing)}")
    for name, form in known.items():
        if name in given and not form.fits(given[name]):
            problems.append(f"{where}: {name} is {form.words}, not {_short(given[name])}")
    return problems


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _component_problems(where: str, content: Mapping[str, Any]) -> list[str]:
    return [
        f"{where}: {table}: " + unknown("kind", kind, known)
        for table, known in (("parts", PART_KINDS), ("options", KINDS))
        for kind in content.get(table, {})
        if kind not in known
    ]


def _count_problems(where: str, content: Mapping[str, Any], n_rounds: int) -> list[str]:
    counts = content.get("n_clips")
    if isinstance(counts, list) and len(counts) != n_rounds:
        return [f"{where}: n_clips has {len(counts)} counts for {n_rounds} rounds"]
    return []


def _clip_problems(where: str, item: Mapping[str, Any]) -> list[str]:
    """Return where a round takes the clips of one side from two places."""
    problems = [
        f"{where} has both {one} and {other}"
        for one, other in (("train_list", "train_clips"), ("test_list", "test_clips"))
        if one in item and other in item
    ]
    if "held_out_list" in item and {"train_list", "test_list", "train_clips", "test_clips"} & set(item):
        problems.append(f"{where}: held_out_list decides training and test clips alone")
    return problems


def _round(path: Path, index: int, item: Mapping[str, Any]) -> Round:
    train, test = (tuple(_read_list(path, item[key])) if key in item else None for key in ("train_clips", "test_clips"))
    lists = {key: tuple(_read_list(path, item.get(key, []))) for key in ("seen", "candidates", "validation")}
    return Round(index, item.get("seed", index), **lists, train_clips=train, test_clips=test)


def _read_list(path: Path, value: str | Sequence[str]) -> list[str]:
    if not isinstance(value, str):
        return list(value)
    name, _, part = value.removeprefix("@").partition("#")
    file = path.parent.parent / "splits" / f"{name}.txt"
    if not file.is_file():
        file = path.parent / f"{name}.txt"
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ZsarbenchError(f"list '{value}' of protocol file {path} is not there: {file}") from None
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not part:
        return lines
    if f"[{part}]" not in lines:
        raise ZsarbenchError(f"list '{value}' of protocol file {path}: {file} has no part [{part}]")
    rest = lines[lines.index(f"[{part}]") + 1 :]
    return rest[: next((at for at, line in enumerate(rest) if line.startswith("[")), None)]
