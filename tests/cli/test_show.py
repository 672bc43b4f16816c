"""What a name stands for, as a user reads it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import distribution
import pytest
from click.testing import CliRunner

from zsarbench.cli.main import Session, cli
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.plugins import load_plugins


def shown(*arguments: str) -> str:
    return CliRunner().invoke(cli, ["show", *arguments], catch_exceptions=False).stdout


def test_only_what_can_be_trained_is_trained_on_unknown_data() -> None:
    pytest.importorskip("timm", reason="torch and what stands on it is not installed")
    for name in ("timm", "minilm-l6"):
        assert "  trained on: unknown\n" in shown(name)
    for name in ("local", "markdown", "cosine-window", "folder", "ucf101/all"):
        assert "unknown" not in shown(name)
    assert "  trained on: activitynet\n" in shown("activitynet-captions")


def test_options_of_an_executor_are_shown() -> None:
    pytest.importorskip("ray", reason="the extra `ray` is not installed")
    assert "  --set executor.address=auto  (str)\n" in shown("ray")
    (content,) = json.loads(shown("ray", "--json"))
    assert content["options"]["retries"] == {"default": 5, "type": "int"}


def test_an_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'cezsar'"):
        shown("cezar")


# --- without the packages that a component imports --------------------------------------------------------------------

NEEDY = """
from zsarbench import hookimpl

@hookimpl
def zsarbench_register(registry):
    registry.add("loss", "needy", "needy:Loss", summary="Needs a package.", source="A paper, 2026")
    registry.add("loss", "needy-extra", "needy:Loss", summary="Needs a package.", extra="clip")
    registry.add("loss", "lost", "small_plugin.lost:Loss", summary="Its module does not exist.")
"""


@pytest.fixture
def needy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a plugin whose losses import a package that is not installed."""
    monkeypatch.syspath_prepend(tmp_path)
    distribution.install(tmp_path, "1.5", code=NEEDY)
    (tmp_path / "needy.py").write_text("import not_installed_at_all.deep\n")


@pytest.mark.usefixtures("needy")
def test_all_but_the_options_is_shown_where_a_package_is_missing_and_what_installs_it() -> None:
    assert shown("needy") == (
        "loss needy\n  summary: Needs a package.\n  plugin: small\n  distribution: small-plugin 1.5\n"
        "  source: A paper, 2026\n"
        "  options: need not_installed_at_all, which is not installed. Try: pip install not_installed_at_all\n"
    )
    assert "which is not installed. Try: pip install 'zsarbench[clip]'\n" in shown("needy-extra")
    (content,) = json.loads(shown("needy", "--json"))
    assert (content["options"], content["options_need"]) == (None, "not_installed_at_all")
    assert content["installed_by"] == "pip install not_installed_at_all"


@pytest.mark.usefixtures("needy")
def test_a_plugin_that_lacks_a_module_of_its_own_is_an_error() -> None:
    with pytest.raises(ZsarbenchError, match="loss 'lost' of plugin 'small' cannot be loaded"):
        shown("lost")


def test_every_registered_name_is_shown_whatever_is_installed() -> None:
    without_torch = importlib.util.find_spec("torch") is None
    session = Session((), load_plugins())
    for name in sorted({entry.name for entry in session.host.registry if entry.kind != "protocol"}):
        done = CliRunner().invoke(cli, ["show", name], obj={"session": session}, catch_exceptions=False)
        assert done.exit_code == 0
        assert "  distribution: " in done.stdout
    if without_torch:
        for name in ("cezsar", "triplet", "uniform", "local"):
            assert "  options: need torch, which is not installed. Try: pip install torch\n" in shown(name)
