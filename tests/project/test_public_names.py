"""Every public name can be imported from where the documentation says."""

from __future__ import annotations

import importlib
from operator import attrgetter

import pytest

import zsarbench
from zsarbench import errors, interfaces, plugins, testing

PACKAGES = (zsarbench, interfaces, plugins, testing)
TOOLKIT = {
    "zsarbench.errors": ("NoNegatives", "NotGiven", "UsageError", "ZsarbenchError", "unknown"),
    "zsarbench.protocols": ("load", "read"),
    "zsarbench.results": ("RunResult", "find", "read", "write"),
    "zsarbench.features": ("FeatureStore",),
    "zsarbench.data.downloads": ("Download", "RemoteFile", "fetch"),
    "zsarbench.data.class_texts": ("read", "choose"),
    "zsarbench.utils.atomic": (),
    "zsarbench.utils.batching": ("in_fixed_batches",),
    "zsarbench.utils.cache": ("cache_dir",),
    "zsarbench.utils.class_names": ("match", "normalise", "readable"),
    "zsarbench.utils.classifiers": ("Classifier", "classifier", "find_classifier"),
    "zsarbench.utils.seeding": ("generator",),
}
"""The author's toolkit: names by module; of a module without names, the module."""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_exported_name_exists_and_is_listed_once(package) -> None:
    assert len(set(package.__all__)) == len(package.__all__)
    for name in package.__all__:
        assert getattr(package, name) is not None


@pytest.mark.parametrize(("module", "names"), TOOLKIT.items(), ids=TOOLKIT)
def test_the_toolkit_of_plugin_authors_exists(module: str, names: tuple[str, ...]) -> None:
    found = importlib.import_module(module)
    for name in names:
        assert hasattr(found, name), f"{module}.{name}"


def test_a_name_that_the_kit_lacks_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'parametrise'"):
        attrgetter("parametrise")(testing)


def test_what_a_user_reads_is_an_error_of_ours() -> None:
    assert issubclass(errors.UsageError, errors.ZsarbenchError)
