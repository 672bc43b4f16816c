"""Plugins that hang, end the program, close streams or want another version: named with the reason, the rest works."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from zsarbench import hookimpl
from zsarbench.cli.main import cli, main
from zsarbench.plugins import Host, hookspecs, load_plugins
from zsarbench.plugins.loading import entry_points
from zsarbench.utils.time_limit import TimeIsUp, limited


def plugin(**members: Any) -> Callable[[], Any]:
    """Return a loader of a module with these members, functions being hook implementations."""
    module = types.ModuleType("made")
    for name, member in members.items():
        setattr(module, name, hookimpl(member) if callable(member) else member)
    return lambda: module


def adds(*names: str, **fields: Any) -> Callable[..., None]:
    def zsarbench_register(registry: Any) -> None:
        for name in names:
            registry.add("loss", name, "json:loads", summary="s", **fields)

    return zsarbench_register


def loaded_with_a_good_one(loader: Callable[[], Any], **more: Any) -> str:
    """Return why a plugin was left out, once it is certain that another one works."""
    host = load_plugins(loaders={"bad": loader, "good": plugin(zsarbench_register=adds("good"))}, **more)
    assert host.registry.names("loss") == ["good"]
    (failure,) = host.failures
    assert failure.plugin == "bad"
    return failure.reason


def test_a_plugin_that_hangs_when_it_is_loaded_is_given_up() -> None:
    def sleeps() -> Any:
        try:
            time.sleep(60)
        except Exception:
            return plugin()()

    def zsarbench_register(registry: Any) -> None:
        registry.add("loss", "half", "json:loads", summary="s")
        threading.Event().wait()

    assert loaded_with_a_good_one(sleeps, seconds=0.5) == "it was still running after 0.5 seconds"
    assert "0.5 seconds" in loaded_with_a_good_one(plugin(zsarbench_register=zsarbench_register), seconds=0.5)


def test_a_limit_leaves_a_timer_of_others_alone() -> None:
    with pytest.raises(TimeIsUp, match=r"after 0\.02 seconds"), limited(30.0), limited(0.02):
        time.sleep(10)
    with limited(0.5):
        pass


def test_a_plugin_that_ends_the_program_or_raises_anything_is_left_out() -> None:
    def exits() -> Any:
        sys.exit(0)

    def odd() -> Any:
        raise type("Odd", (BaseException,), {})("x")

    assert loaded_with_a_good_one(exits) == "it tried to end the program (SystemExit: 0)"
    assert loaded_with_a_good_one(odd) == "Odd: x"


def test_what_comes_first_keeps_a_name_and_the_other_plugin_leaves_nothing() -> None:
    host = load_plugins(
        loaders={
            "own": plugin(zsarbench_register=adds("triplet")),
            "another": plugin(zsarbench_register=adds("fine", "triplet")),
        }
    )
    assert [(entry.name, entry.plugin) for entry in host.registry if entry.kind == "loss"] == [("triplet", "own")]
    assert str(host.failures[0]) == (
        "plugin 'another' is left out: loss 'triplet' is claimed by two plugins: 'own' and 'another'"
    )


@pytest.mark.parametrize(("version", "newer"), [(2, "zsarbench"), (0, "the plugin")])
def test_a_plugin_for_another_version_of_the_interface_is_left_out(version: int, newer: str) -> None:
    of_version = plugin(zsarbench_interface=version, zsarbench_of_tomorrow=lambda: None)
    assert loaded_with_a_good_one(of_version) == (
        f"it was written for version {version} of the plugin interface; this zsarbench takes 1 to 1. "
        f"Try: a newer version of {newer}"
    )


def test_a_plugin_states_the_version_as_a_whole_number_or_not_at_all() -> None:
    good = plugin(zsarbench_register=adds("a"), zsarbench_interface=hookspecs.INTERFACE)
    assert load_plugins(loaders={"good": good}).failures == ()
    assert "'1.0'; a whole number is needed" in loaded_with_a_good_one(plugin(zsarbench_interface="1.0"))


PUBLISHED = {
    1: {
        "zsarbench_register": {"registry"}, "zsarbench_add_commands": {"group"}, "zsarbench_check_run": {"spec"},
        "zsarbench_run_finished": {"result", "path"}, "zsarbench_add_columns": {"result"},
    },
}  # fmt: skip
"""The hooks of each version with their arguments; a line is never taken away while its version may still be loaded."""
OF_REGISTRAR = {
    "add": ("kind", "name", "target", "summary", "source", "extra", "trained_on", "defaults"),
    "add_protocols": ("package", "folder"),
    "set_default_protocol": ("name",),
    "set_near_encoder": ("name", "min_cosine"),
}


def test_hooks_and_their_arguments_are_only_ever_added() -> None:
    assert set(PUBLISHED) == set(range(hookspecs.OLDEST_INTERFACE, hookspecs.INTERFACE + 1))
    for hooks in PUBLISHED.values():
        for name, arguments in hooks.items():
            assert arguments <= set(getattr(hookspecs, name).__annotations__), name
    registrar = load_plugins(loaders={}).registry.registrar("x")
    for name, published in OF_REGISTRAR.items():
        assert set(published) <= set(getattr(registrar, name).__annotations__), name


def test_what_the_next_version_drops_warns_and_still_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def zsarbench_check_run(spec: Any) -> list[str]:
        return ["too few classes"]

    leaving = hookspecs.hookspec(warn_on_impl=DeprecationWarning("zsarbench_check_run goes with version 2"))
    monkeypatch.setattr(hookspecs, "zsarbench_check_run", leaving(zsarbench_check_run))
    host = load_plugins(loaders={"old": plugin(zsarbench_check_run=zsarbench_check_run)})
    assert host.failures == ()
    assert host.objections_to(None) == ["old: too few classes"]
    message = "plugin 'old' uses what the next version of zsarbench removes: zsarbench_check_run goes with version 2"
    assert message in caplog.text


def test_ten_thousand_names_are_taken_and_found() -> None:
    many = plugin(zsarbench_register=adds(*(f"loss-{number}" for number in range(10_000))))
    host = load_plugins(loaders={"many": many})
    assert len(host.registry.names("loss")) == 10_000
    with pytest.raises(Exception, match="did you mean 'loss-777"):
        host.registry.get("loss", "loss-777x")


def test_a_plugin_that_replaces_what_all_compute_with_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "softmax", torch.softmax)  # restored afterwards

    def zsarbench_register(registry: Any) -> None:
        registry.add("loss", "half", "json:loads", summary="s")
        torch.softmax = zsarbench_register

    itself = plugin(zsarbench_register=zsarbench_register)
    itself().__name__ = __name__
    reason = loaded_with_a_good_one(itself)
    assert reason.startswith("it replaced torch.softmax globally, until the process ends")
    assert "--no-plugin bad" in reason


@pytest.mark.parametrize(
    "fields",
    [{"trained_on": "ucf101"}, {"trained_on": (1,)}, {"source": None}, {"extra": 3}, {"defaults": {"text": 1}}],
)
def test_a_field_of_another_type_is_refused(fields: dict[str, Any]) -> None:
    reason = loaded_with_a_good_one(plugin(zsarbench_register=adds("a", **fields)))
    assert reason.startswith(f"loss 'a': {next(iter(fields))} is ")


# --- by the command line ----------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that installs a plugin: a module with this code, of this distribution."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(code: str, name: str = "bad", distribution: str = "bad-plugin") -> None:
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(
            f"{code}\nfrom zsarbench import hookimpl\n@hookimpl\ndef zsarbench_register(registry):\n    pass\n"
        )
        about = tmp_path / f"{module}-1.5.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        (about / "entry_points.txt").write_text(f"[zsarbench]\n{name} = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    yield install
    for module in ("bad_plugin", "zz_plugin"):
        sys.modules.pop(module, None)


def typed(*words: str) -> Any:
    done = CliRunner().invoke(cli, [*words], catch_exceptions=False)
    return done, json.loads(done.stdout)


def test_doctor_lists_what_failed_with_version_and_reason(installed: Callable[..., None]) -> None:
    installed("import a_package_that_is_not_there")
    done, content = typed("doctor", "--json")
    assert done.exit_code == 1
    assert content["failed_plugins"] == {
        "bad": {"version": "1.5", "reason": "ModuleNotFoundError: No module named 'a_package_that_is_not_there'"}
    }
    assert "cezsar" in content["plugins"]
    shown = CliRunner().invoke(cli, ["doctor"])
    assert "  bad: version 1.5, reason ModuleNotFoundError: No module named" in shown.stdout
    assert "warning: plugin 'bad' 1.5 is left out: ModuleNotFoundError" in shown.stderr


def test_a_stranger_takes_no_name_of_a_first_party_plugin(installed: Callable[..., None]) -> None:
    installed("", name="cezsar", distribution="zz-plugin")
    assert next(iter(entry_points())) == "baselines"
    host: Host = load_plugins()
    assert host.registry.get("method", "cezsar").plugin == "cezsar"
    assert str(host.failures[0]) == (
        "plugin 'cezsar of zz-plugin' is left out: another distribution has a plugin 'cezsar' too"
    )


CLOSED = (
    "import sys; print('printed {'); sys.stdout.close(); 1 / 0",
    "import os; os.close(1); 1 / 0",
    "import sys; sys.stderr.close(); 1 / 0",
    "import os; os.close(2); 1 / 0",
    "import sys; sys.stdout = sys.stderr = None; 1 / 0",
    "import os; os.closerange(1, 3); 1 / 0",
)


@pytest.mark.parametrize("code", CLOSED)
def test_json_stays_pure_whatever_a_plugin_prints_or_closes(
    code: str, installed: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    installed(code)
    with pytest.raises(SystemExit) as end:
        main(["list", "loss", "--json"])
    printed = capfd.readouterr()
    assert end.value.code == 0
    assert {row["name"] for row in json.loads(printed.out)} >= {"triplet"}
    assert "warning: plugin 'bad' 1.5 is left out: ZeroDivisionError" in printed.err


def test_json_stays_pure_whatever_a_plugin_prints_when_the_process_ends(installed: Callable[..., None]) -> None:
    installed("import atexit\natexit.register(print, 'HELLO')\n")
    paths = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-m", "zsarbench", "list", "loss", "--json"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=True)
    assert {row["name"] for row in json.loads(done.stdout)} >= {"triplet"}
    assert "HELLO" in done.stderr


def default_dtype() -> str:
    """Return torch's default dtype, where torch is installed."""
    with contextlib.suppress(ImportError):
        return str(importlib.import_module("torch").get_default_dtype())
    return "torch is not installed"


def change_default_dtype() -> None:
    torch = importlib.import_module("torch")
    torch.set_default_dtype(torch.float64)


CHANGES: dict[str, Callable[[], object]] = {
    "the current folder": lambda: os.chdir("/"),
    "sys.path": lambda: sys.path.clear(),
    "what signals do": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    "the recursion limit": lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 1),
    "torch's default dtype, device or gradients": change_default_dtype,
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_plugin_changes_for_all_by_being_loaded_is_put_back(what: str, caplog: pytest.LogCaptureFixture) -> None:
    if "torch" in what:
        pytest.importorskip("torch")

    def state() -> tuple[object, ...]:
        interrupt = signal.getsignal(signal.SIGINT)
        return os.getcwd(), list(sys.path), interrupt, sys.getrecursionlimit(), default_dtype()

    before = state()

    def load() -> Any:
        CHANGES[what]()
        return plugin(zsarbench_register=adds("odd"))()

    host = load_plugins(loaders={"rude": load})
    assert state() == before
    assert "odd" in host.registry.names("loss")
    assert f"plugin 'rude' changed {what} when it was loaded, which is put back" in caplog.text


def test_a_command_works_where_nobody_reads_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as end:
        main(["list", "loss"])
    assert end.value.code == 0


def test_log_levels_are_as_they_were_after_loading() -> None:
    before = logging.getLogger().level, os.getcwd()
    load_plugins()
    assert (logging.getLogger().level, os.getcwd()) == before
