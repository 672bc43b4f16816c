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
        return "\n".join([table.title, *table.frame["method"]])


class InTurn:
    """Sound: an executor in this process."""

    def map(self, task: Any, shards: Sequence[Shard]) -> Iterator[ShardReport]:
        return iter(list(task.run(shards)))


def altered(base: type, **members: Any) -> type:
    return type(f"Broken{base.__name__}", (base,), members)


def render(change: Any) -> type:
    return altered(Lines, render=lambda self, table: change(Lines.render(self, table), table))


def ranks_all(text: str, table: Table) -> str:
    table.frame["rank"] = 1
    return text


PLANTED = [
    ("reporter", render(lambda text, table: None), "renders-text"),
    ("reporter", render(lambda text, table: text.splitlines()[1]), "renders-text"),
    ("reporter", render(lambda text, table: f"{text} {random.random()}"), "renders-text"),
    ("reporter", render(ranks_all), "renders-text"),
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


@pytest.mark.parametrize(("kind", "component"), [("reporter", Lines), ("executor", InTurn)])
def test_sound_ones_pass(kind: str, component: Any) -> None:
    assert conformance.run_checks(component, kind) == []


@pytest.mark.parametrize(("kind", "component", "check"), PLANTED)
def test_a_planted_bug_is_found(kind: str, component: Any, check: str, find: Callable[..., str]) -> None:
    assert find(kind, component, check)


def test_every_check_has_a_planted_bug(unplanted: Callable[..., set[str]]) -> None:
    assert unplanted(["reporter", "executor"], PLANTED) == set()
