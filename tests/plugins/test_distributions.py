"""Which distribution brings a plugin, and the commit of its code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import distribution
import pytest

from zsarbench import __version__
from zsarbench.plugins.distributions import Distribution, distributions_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the path, in which plugins can be installed."""
    place = tmp_path / "installed"
    place.mkdir()
    monkeypatch.syspath_prepend(place)
    return place


def found() -> Distribution:
    (one,) = distributions_of(["small"])
    return one


def test_a_plugin_from_an_index_has_a_version_and_no_commit(folder: Path) -> None:
    distribution.install(folder, "1.0")
    assert found() == Distribution("small-plugin", "1.0", ("small",), None, None)
    assert str(found()) == "small-plugin 1.0"


def test_the_commit_is_that_of_an_installation_from_git(folder: Path) -> None:
    distribution.install(
        folder, origin={"url": "https://example.org/a", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}
    )
    assert (found().commit, found().dirty) == (COMMIT, None)
    assert str(found()) == "small-plugin 1.0 (commit 0123456789ab)"


@pytest.mark.parametrize("origin", [{}, [], {"vcs_info": {}}, {"vcs_info": {"commit_id": "<b>"}}, {"dir_info": {}}])
def test_an_origin_without_a_commit_is_none(folder: Path, origin: Any) -> None:
    distribution.install(folder, origin=origin)
    assert (found().version, found().commit) == ("1.0", None)


def test_the_commit_is_that_of_the_checkout_in_which_the_code_lies(folder: Path) -> None:
    distribution.install(folder, origin={"url": folder.as_uri(), "dir_info": {"editable": True}})
    first = distribution.commit(folder)
    assert (found().commit, found().dirty) == (first, False)
    with (folder / "small_plugin.py").open("a") as file:
        file.write("# more\n")
    assert (found().commit, found().dirty) == (first, True)
    assert str(found()).endswith(" with changes)")
    second = distribution.commit(folder)
    assert (found().commit, found().dirty) == (second, False)


def test_a_checkout_around_an_environment_is_not_that_of_what_is_installed_there(folder: Path) -> None:
    (folder.parent / ".gitignore").write_text("installed\n")
    distribution.commit(folder.parent)
    distribution.install(folder)
    assert found().commit is None


def test_plugins_of_one_distribution_are_one_and_one_of_none_is_left_out() -> None:
    (host,) = distributions_of(["encoders", "zsarbench", "cezsar", "cezsar", "not-there", ""])
    assert (host.name, host.version) == ("zsarbench", __version__)
    assert host.plugins == ("cezsar", "encoders", "zsarbench")


def test_states_differ_in_version_or_commit_as_far_as_both_are_known() -> None:
    old = Distribution("mine", "1.0", ("mine",), COMMIT, False)
    other = COMMIT[::-1]
    assert not old.differs_from(Distribution("mine", "1.0", ("mine",), COMMIT, True))
    assert not old.differs_from(Distribution("mine", "1.0", ("mine",), None, None))
    assert old.differs_from(Distribution("mine", "1.1", ("mine",), None, None))
    assert old.differs_from(Distribution("mine", "1.0", ("mine",), other, False))
    host = Distribution("zsarbench", "1.0", ("encoders",), COMMIT, False)
    assert not host.differs_from(Distribution("zsarbench", "1.0", ("encoders",), other, False))
    assert host.differs_from(Distribution("zsarbench", "1.1", ("encoders",), COMMIT, False))
