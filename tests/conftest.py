"""What tests share: an isolated cache, the real files, and a toy data set that a toy plugin brings."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No example has to be quick, among other tests or on a slow machine. Each run tries the same examples: a
# failure comes from the change; `pytest --hypothesis-profile default` tries others.
settings.register_profile("zsarbench", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("zsarbench")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what runs apart, unless `-m` names it, and put files of slow tests first.

    What starts last should be short, so that no worker waits for another.
    """
    if "apart" not in config.option.markexpr:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("apart")])
        items[:] = [item for item in items if not item.get_closest_marker("apart")]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Leave what was imported out of garbage collection: it lives until the end, and is a million objects."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a cache of its own, and no leave to reach a hub."""
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module", autouse=True)
def _no_module_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget, after each file of tests, the modules that it imported from temporary folders: others use their names."""
    yield
    base = str(tmp_path_factory.getbasetemp())
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__dict__", {}).get("__file__")).startswith(base):
            del sys.modules[name]


@pytest.fixture(scope="session")
def one_clip_per_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache that holds one clip of each class of `sketch`: to draw them takes five seconds."""
    from zsarbench_datasets.sketch import Sketch

    cache = tmp_path_factory.mktemp("sketch")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ZSARBENCH_CACHE", str(cache))
        Sketch(clips_per_class=1).manifest()
    return cache


@pytest.fixture
def drawn_sketch(one_clip_per_class: Path, _own_cache: None) -> None:
    """Put one clip of each class of `sketch` into the test's cache, as if it had been drawn there."""
    shutil.copytree(one_clip_per_class, os.environ["ZSARBENCH_CACHE"], dirs_exist_ok=True)


@pytest.fixture
def mirror() -> Path:
    """The folder of real files of public repositories; the test skips where there is none."""
    folder = os.environ.get("ZSARBENCH_MIRROR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ZSARBENCH_MIRROR names no folder of real files")
    return Path(folder)
