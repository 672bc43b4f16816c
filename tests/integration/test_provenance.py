"""A result states whose code took part, and stored features whose code made them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import distribution
import pytest
import small

from zsarbench import __version__, load_results

Run = small.Run


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
    return small.command_line(capsys)


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
    paths = sorted((tmp_path / "out").rglob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    assert "  code: small-plugin 1.0, zsarbench" in call("result", "show", paths[0])
    diff = call("result", "diff", *paths)
    assert "distributions.small-plugin: small-plugin 1.0 -> small-plugin 1.1 (commit abababababab)" in diff


# --- of stored features -----------------------------------------------------------------------------------------------

ADVICE = re.compile(r"to compute them again: zsarbench (features gc (\S+) --unused-days 0 --yes), then")


def test_features_that_another_version_computed_are_read_and_named_with_the_command_that_computes_them_again(
    installed: Callable[..., None], nearest: Run, call: Run, tmp_path: Path
) -> None:
    installed("1.0")
    assert "is installed" not in nearest()
    assert "is installed" not in call("features", "verify")
    installed("1.1", commit="ab" * 20)
    expected = "by plugin 'small' of small-plugin 1.0, and small-plugin 1.1 (commit abababababab) is installed"
    text = nearest("--refit")
    assert "encoded 0 clips, 36 already stored" in text
    assert {name.partition("-")[0] for _, name in ADVICE.findall(text)} == {"small", "sentences"}
    flags = [flag for flag in newest(tmp_path)["flags"] if expected in flag]
    assert sorted(flag.split()[2].partition("-")[0] for flag in flags) == ["sentences", "small"]
    verified = call("features", "verify")  # it is no fault: exit code 0
    assert verified.count(expected) == 2
    assert verified.count("sound") == 2
    (of_clips,) = (set_of for set_of in json.loads(call("features", "verify", "--json")) if set_of["clips"] == 36)
    assert expected in of_clips["remarks"][0]
    for command, _ in set(ADVICE.findall(text)):
        call(*command.split())
    text = nearest("--refit")
    assert "encoded 36 clips, 0 already stored" in text
    assert "is installed" not in text
    assert not [flag for flag in newest(tmp_path)["flags"] if expected in flag]


def test_extraction_names_the_version_too_and_another_commit_of_the_same_version_counts(
    installed: Callable[..., None], call: Run
) -> None:
    words = ("features", "extract", "--dataset", "small", "--visual", "captions", "--text", "toy", "--threads", "1")
    installed("1.0", commit="ab" * 20)
    assert "36 computed" in call(*words)
    installed("1.0", commit="cd" * 20)
    text = call(*words)
    assert "36 already stored, 0 computed" in text
    assert "small-plugin 1.0 (commit abababababab), and small-plugin 1.0 (commit cdcdcdcdcdcd) is installed" in text
    installed("1.0")  # of which no commit is known
    assert "is installed" not in call(*words)


def test_a_store_that_does_not_say_whose_code_it_was_is_read_silently(
    installed: Callable[..., None], nearest: Run, call: Run
) -> None:
    installed("1.0")
    nearest()
    store = Path(os.environ["ZSARBENCH_CACHE"]) / "features"
    for path in store.glob("*/shards/*.json"):
        content = json.loads(path.read_text())
        assert [one["version"] for one in content["provenance"].pop("distributions")] == ["1.0"]
        path.write_text(json.dumps(content))
    for path in store.glob("*/index.bin"):
        path.unlink()
    installed("1.1")
    text = nearest("--refit")
    assert "36 already stored" in text
    assert "is installed" not in text
    assert "is installed" not in call("features", "verify")
