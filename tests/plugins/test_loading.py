from __future__ import annotations

import logging
import types
from collections.abc import Callable
from typing import Any

import pytest

from zsarbench import hookimpl
from zsarbench.plugins import Host, load_plugins


def plugin(**functions: Callable[..., Any]) -> Callable[[], Any]:
    """Return a loader of a module with these functions as hook implementations."""
    module = types.ModuleType("made")
    for name, function in functions.items():
        setattr(module, name, hookimpl(function))
    return lambda: module


def adds(name: str) -> Callable[..., None]:
    def zsarbench_register(registry: Any) -> None:
        registry.add("method", name, "json:loads", summary="s")

    return zsarbench_register


def loaded(**loaders: Callable[[], Any]) -> Host:
    return load_plugins(loaders=loaders)


def test_plugins_bring_their_names() -> None:
    host = loaded(one=plugin(zsarbench_register=adds("a")), two=plugin(zsarbench_register=adds("b")))
    assert host.registry.names("method") == ["a", "b"]
    assert host.failures == ()


def test_a_misspelt_hook_is_an_error_and_the_rest_load() -> None:
    host = loaded(good=plugin(zsarbench_register=adds("a")), bad=plugin(zsarbench_registre=adds("b")))
    assert host.registry.names("method") == ["a"]
    assert [failure.plugin for failure in host.failures] == ["bad"]
    assert "zsarbench_registre" in host.failures[0].reason


def test_a_plugin_that_fails_half_way_leaves_nothing_behind() -> None:
    def zsarbench_register(registry: Any) -> None:
        registry.add("method", "half", "json:loads", summary="s")
        raise RuntimeError("broken on purpose")

    def zsarbench_add_columns(result: Any) -> dict[str, Any]:
        return {"ghost": 1}

    host = loaded(bad=plugin(zsarbench_register=zsarbench_register, zsarbench_add_columns=zsarbench_add_columns))
    assert host.registry.names("method") == []
    assert "broken on purpose" in host.failures[0].reason
    assert host.call_each("zsarbench_add_columns", result=None) == []


def test_an_import_error_is_reported_by_name() -> None:
    def fails() -> Any:
        raise ImportError("no module named nothing")

    assert loaded(gone=fails).failures[0].plugin == "gone"


def test_two_plugins_with_one_name_are_both_named() -> None:
    host = loaded(first=plugin(zsarbench_register=adds("same")), second=plugin(zsarbench_register=adds("same")))
    assert "'first' and 'second'" in host.failures[0].reason


def test_a_module_without_hooks_is_not_a_plugin() -> None:
    assert "implements no hook" in loaded(empty=plugin()).failures[0].reason


def test_blocked_and_disallowed_plugins_are_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = []

    def loader(name: str) -> Callable[[], Any]:
        def load() -> Any:
            imported.append(name)
            return plugin(zsarbench_register=adds(name))()

        return load

    loaders = {name: loader(name) for name in ("a", "b", "c")}
    load_plugins(["a"], loaders=loaders)
    assert imported == ["b", "c"]
    imported.clear()
    monkeypatch.setenv("ZSARBENCH_PLUGINS", "b")
    load_plugins(loaders=loaders)
    assert imported == ["b"]


def test_a_misspelt_block_list_is_reported() -> None:
    assert load_plugins(["nobody"], loaders={}).failures[0].plugin == "nobody"


def test_what_an_observer_raises_is_logged_with_its_name_and_others_still_run(caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    def bad(result: Any, path: Any) -> None:
        raise RuntimeError("observer broke")

    def good(result: Any) -> None:
        seen.append(result)

    host = loaded(bad=plugin(zsarbench_run_finished=bad), good=plugin(zsarbench_run_finished=good))
    with caplog.at_level(logging.ERROR):
        host.call_each("zsarbench_run_finished", result="r", path="p")
    assert seen == ["r"]
    assert "plugin 'bad' failed in zsarbench_run_finished" in caplog.text
    assert "observer broke" in caplog.text


def test_every_host_is_new() -> None:
    assert load_plugins(loaders={}).registry is not load_plugins(loaders={}).registry


def test_first_party_plugins_load_from_their_entry_points() -> None:
    host = load_plugins()
    assert host.failures == ()
    assert {"cezsar", "nearest-text", "chance"} <= set(host.registry.names("method"))
