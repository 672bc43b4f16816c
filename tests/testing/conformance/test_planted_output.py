"""Broken reporters and executors, and the check that must name the fault."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from zsarbench.interfaces import Shard, ShardReport, Table
from zsarbench.testing import conformance


class Lines:
    """Sound: a reporter of one line a row."""

    def render(self, table: Table) -> str:
        rows = zip(table.frame["method"], table.frame[table.rank_by], strict=True)
        return "\n".join([table.title, *(f"{method} {value}" for method, value in rows)])


class InTurn:
    """Sound: an executor in this process."""

    def map(self, task: Any, shards: Sequence[Shard]) -> Iterator[ShardReport]:
        return iter(list(task.run(shards)))


class Json:
    """Sound: a reporter of JSON."""

    def render(self, table: Table) -> str:
        text: str = table.frame.to_json(orient="records")
        return text


class Aligned:
    """Sound: a reporter of columns, with one option."""

    def __init__(self, *, digits: int = 3) -> None:
        self.digits = digits

    def render(self, table: Table) -> str:
        return str(table.frame[["method", table.rank_by]].round(self.digits).to_string())


class Reversed:
    """Sound: an executor that ends with the first shard."""

    def map(self, task: Any, shards: Sequence[Shard]) -> Iterator[ShardReport]:
        return iter(list(task.run(shards))[::-1])


class OneByOne:
    """Sound: an executor that runs a shard at a time."""

    def map(self, task: Any, shards: Sequence[Shard]) -> Iterator[ShardReport]:
        for shard in shards:
            yield from task.run([shard])


def altered(base: type, **members: Any) -> type:
    return type(f"Broken{base.__name__}", (base,), members)


def render(change: Any) -> type:
    return altered(Lines, render=lambda self, table: change(Lines.render(self, table), table))


def ranks_all(text: str, table: Table) -> str:
    table.frame["rank"] = 1
    return text


class Piling(Lines):
    """Keeps the rows of earlier tables."""

    def __init__(self) -> None:
        self.kept: list[str] = []

    def render(self, table: Table) -> str:
        self.kept.append(super().render(table))
        return "\n".join(self.kept)


def figures(change: Any) -> type:
    """Return a reporter of other figures beside the methods than the table has."""

    def render(self: Any, table: Table) -> str:
        rows = zip(table.frame["method"], change(list(table.frame[table.rank_by]), table), strict=True)
        return "\n".join(f"{method} {value}" for method, value in rows)

    return altered(Lines, render=render)


def prints(text: str, table: Table) -> str:
    print(text)
    return text


PLANTED = [
    ("reporter", Piling, "renders-text"),
    ("reporter", render(prints), "renders-text"),
    ("reporter", figures(lambda values, table: list(table.frame["top1_per_video"])), "shows-the-figures"),
    ("reporter", figures(lambda values, table: values[::-1]), "shows-the-figures"),
    ("reporter", figures(lambda values, table: values[:1] * len(values)), "shows-the-figures"),
    ("reporter", figures(lambda values, table: [values[0], *[""] * (len(values) - 1)]), "shows-the-figures"),
    ("reporter", render(lambda text, table: None), "renders-text"),
    ("reporter", render(lambda text, table: text.splitlines()[1]), "renders-text"),
    ("reporter", render(lambda text, table: f"{text} {random.random()}"), "renders-text"),
    ("reporter", render(ranks_all), "renders-text"),
    ("reporter", render(lambda text, table: "\n".join(table.frame["method"])), "shows-the-figures"),
    ("reporter", render(lambda text, table: "\n".join(sorted(text.splitlines()))), "shows-the-figures"),
    (
        "executor",
        altered(InTurn, map=lambda self, task, shards: iter(list(task.run(shards[1:])))),
        "reports-every-shard",
    ),
    (
        "executor",
        altered(InTurn, map=lambda self, task, shards: iter(list(task.run(shards)) * 2)),
        "reports-every-shard",
    ),
    ("executor", object, "interface-is-complete"),
]


SOUND = [
    *(("reporter", one) for one in (Lines, Json, Aligned)),
    *(("executor", one) for one in (InTurn, Reversed, OneByOne)),
]


@pytest.mark.parametrize(("kind", "component"), SOUND)
def test_sound_ones_pass(kind: str, component: Any) -> None:
    assert conformance.run_checks(component, kind) == []


@pytest.mark.parametrize(("kind", "component", "check"), PLANTED)
def test_a_planted_bug_is_found(kind: str, component: Any, check: str, find: Callable[..., str]) -> None:
    assert find(kind, component, check)


def test_every_check_has_a_planted_bug(unplanted: Callable[..., set[str]]) -> None:
    assert unplanted(["reporter", "executor"], PLANTED) == set()
