from __future__ import annotations

from pathlib import Path

import pytest

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.plugins.registry import Entry, Registry


def filled() -> Registry:
    registry = Registry()
    registry.registrar("one").add("method", "cezsar", "json:loads", summary="A method.")
    return registry


def test_unknown_name_suggests_the_nearest_and_says_what_to_type() -> None:
    with pytest.raises(UsageError, match=r"unknown method 'cezzar'; did you mean 'cezsar'\?.*zsarbench list method"):
        filled().get("method", "cezzar")


def test_two_plugins_claiming_a_name_are_both_named() -> None:
    with pytest.raises(ZsarbenchError, match=r"'cezsar' is claimed by two plugins: 'one' and 'two'"):
        filled().registrar("two").add("method", "cezsar", "json:dumps", summary="Another.")


@pytest.mark.parametrize(
    ("kind", "name", "target", "summary", "message"),
    [
        ("methods", "x", "json:loads", "s", "did you mean 'method'"),
        ("method", "Upper", "json:loads", "s", "not of the form"),
        ("method", "x", "json.loads", "s", "not of the form package.module:Attr"),
        ("method", "x", "json:loads", " ", "no summary"),
    ],
)
def test_malformed_entries_are_refused(kind: str, name: str, target: str, summary: str, message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        Registry().registrar("p").add(kind, name, target, summary=summary)


def test_frozen_registry_refuses_entries() -> None:
    registry = filled()
    registry.freeze()
    with pytest.raises(ZsarbenchError, match="frozen; plugin 'late' is too late"):
        registry.registrar("late").add("loss", "x", "json:loads", summary="s")


def test_targets_load_on_request_and_name_the_extra_when_they_cannot() -> None:
    registry = filled()
    registry.registrar("one").add("text", "gone", "no_such_package.x:Y", summary="s", extra="offline")
    assert registry.get("method", "cezsar").load()("[1]") == [1]
    with pytest.raises(ZsarbenchError, match=r"no_such_package.*pip install 'zsarbench\[offline\]'"):
        registry.get("text", "gone").load()


def test_removing_a_plugin_takes_its_names_along() -> None:
    registry = filled()
    registry.registrar("two").add("method", "chance", "json:dumps", summary="s")
    registry.remove_plugin("one")
    assert registry.names("method") == ["chance"]


def test_entries_come_by_kind_then_name() -> None:
    registry = filled()
    registry.registrar("p").add("dataset", "z", "json:loads", summary="s")
    registry.registrar("p").add("dataset", "a", "json:loads", summary="s")
    assert [entry.name for entry in registry] == ["a", "z", "cezsar"]


def test_trained_on_unknown_is_not_trained_on_nothing() -> None:
    assert Entry("text", "x", "a:b", "p", "s").trained_on is None


def test_protocol_files_of_a_package_are_added_by_their_header() -> None:
    registry = Registry()
    registry.registrar("benchmarks").add_protocols("zsarbench_benchmarks")
    entry = registry.get("protocol", "ucf101/truze-v1")
    assert entry.summary
    assert entry.source
    assert entry.path() == Path(entry.path()).resolve() or entry.path().is_file()
