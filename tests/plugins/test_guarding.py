"""Errors that name the plugin whose code raised them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from zsarbench.errors import ZsarbenchError
from zsarbench.plugins.guarding import failed_in, in_words, named, plugin_error
from zsarbench.plugins.registry import Registry

CODE = """
import json

class Loss:
    def __call__(self, text):
        return json.loads(text)

def through(function):
    return function()
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of a loss."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "loss_of_others").mkdir()
    (tmp_path / "loss_of_others" / "loss.py").write_text(CODE)
    return importlib.import_module("loss_of_others.loss")


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.registrar("other").add("loss", "other", "loss_of_others.loss:Loss", summary="s")
    registry.registrar("host").add("loss", "own", "zsarbench.errors:unknown", summary="s")
    return registry


def raised(function: Any, *arguments: Any) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        function(*arguments)
    return caught.value


def test_the_plugin_and_its_function_are_named_for_what_a_library_raises(plugin: Any, registry: Registry) -> None:
    error = raised(plugin.Loss(), "{")
    found = failed_in(error, registry)
    assert found == ("other", "Loss.__call__ (loss.py, line 6)")
    worded = plugin_error(error, registry)
    assert str(worded).startswith(
        "plugin 'other' failed in Loss.__call__ (loss.py, line 6): JSONDecodeError: Expecting"
    )
    assert worded is not None
    assert worded.__cause__ is error


def test_what_no_plugin_had_part_in_names_none(registry: Registry) -> None:
    def fails() -> None:
        raise ValueError("of the host")

    assert plugin_error(raised(fails), registry) is None
    with pytest.raises(ValueError, match="of the host"), named(registry):
        fails()


def test_the_last_plugin_that_was_entered_is_named(plugin: Any, registry: Registry) -> None:
    found = failed_in(raised(plugin.through, lambda: plugin.Loss()("{")), registry)
    assert found is not None
    assert found[0] == "other"


def test_errors_for_users_and_ctrl_c_pass_and_others_are_worded(plugin: Any, registry: Registry) -> None:
    for error in (ZsarbenchError("no clip"), KeyboardInterrupt()):

        def fails(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught, named(registry):
            plugin.through(fails)
        assert caught.value is error
    ended = r"plugin 'other' failed in through .* it tried to end the program"
    with pytest.raises(ZsarbenchError, match=ended), named(registry):
        plugin.through(lambda: exit_with(3))


def exit_with(code: int) -> None:
    raise SystemExit(code)


def test_errors_are_one_line_whatever_they_hold() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert in_words(ValueError("two\n  lines")) == "ValueError: two lines"
    assert in_words(ValueError()) == "ValueError"
    assert in_words(Silent()) == "Silent"
    assert in_words(SystemExit(3)) == "it tried to end the program (SystemExit: 3)"
