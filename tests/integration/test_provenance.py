"""A result states whose code took part, and stored features whose code made them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import distribution
import pytest
import small

from zsarbench import __version__, load_results
from zsarbench.cli.main import main

Run = Callable[..., str]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that installs a version of the distribution of the small data set and its encoders."""
    place = tmp_path / "installed"
    place.mkdir()
    monkeypatch.syspath_prepend(place)
    monkeypatch.setenv("ZSARBENCH_PLUGINS", "baselines,datasets,small")

    def install(version: str, commit: str | None = None) -> None:
        vcs = {"vcs_info": {"vcs": "git", "commit_id": commit}} if commit else None
        distribution.install(place, version, origin=vcs)

    return install


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line and returns what it printed."""

    def run(*arguments: object, code: int = 0) -> str:
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in arguments])
        printed = capsys.readouterr()
        text = printed.out + printed.err
        assert end.value.code == code, text
        return text

    return run


@pytest.fixture
def nearest(call: Run, tmp_path: Path) -> Run:
    """Return a function that measures the nearest text, and returns what was printed."""
    protocol = small.write_protocol(tmp_path)

    def run(*more: object) -> str:
        return call("run", *small.NEAREST, "--protocol", protocol, "--out", tmp_path / "out", *more)

    return run


def newest(tmp_path: Path) -> Any:
    result = load_results(tmp_path / "out")[0]
    assert result.path is not None
    return json.loads(result.path.read_text())


# --- of a result ------------------------------------------------------------------------------------------------------


def test_a_result_states_version_and_commit_of_every_distribution_and_is_named_without_them(
    installed: Callable[..., None], nearest: Run, call: Run, tmp_path: Path
) -> None:
    installed("1.0")
    nearest()
    first = newest(tmp_path)
    host, plugin = sorted(first["distributions"], key=lambda one: one["name"] != "zsarbench")
    assert plugin == {"name": "small-plugin", "version": "1.0", "plugins": ["small"], "commit": None, "dirty": None}
    assert (host["name"], host["version"]) == ("zsarbench", __version__)
    assert host["plugins"] == ["baselines", "zsarbench"]  # the method, and the executor
    assert host["commit"] == first["environment"]["commit"]
    installed("1.1", commit="ab" * 20)
    assert "measured before" in nearest()
    nearest("--refit")
    second = newest(tmp_path)
    assert second["distributions"][0]["version"] == "1.1"
    assert second["distributions"][0]["commit"] == "ab" * 20
    assert [second[name] for name in ("spec_id", "spec", "protocol")] == [
        first[name] for name in ("spec_id", "spec", "protocol")
    ]
    paths = sorted((tmp_path / "out").rglob("*.json"))
    assert "  code: small-plugin 1.0, zsarbench" in call("result", "show", paths[0])
    diff = call("result", "diff", *paths)
    assert "distributions.small-plugin: small-plugin 1.0 -> small-plugin 1.1 (commit abababababab)" in diff
