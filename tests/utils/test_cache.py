"""Where the cache is."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from zsarbench.utils.cache import cache_dir


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZSARBENCH_CACHE", "here")
    assert cache_dir() == tmp_path / "here"
    assert not cache_dir().exists()


@pytest.mark.parametrize("value", [None, ""])
def test_or_else_where_the_platform_keeps_caches(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZSARBENCH_CACHE", raising=False)
    if value is not None:
        monkeypatch.setenv("ZSARBENCH_CACHE", value)
    assert cache_dir() == Path(platformdirs.user_cache_dir("zsarbench"))


def test_the_home_folder_is_meant_by_a_tilde_and_an_unknown_user_by_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZSARBENCH_CACHE", "~/kept")
    assert cache_dir() == tmp_path / "kept"
    monkeypatch.setenv("ZSARBENCH_CACHE", "~no-such-user/kept")
    assert cache_dir() == tmp_path / "~no-such-user" / "kept"
