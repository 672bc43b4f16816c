"""The public names: this list, the `__all__` of their modules and what can be imported are the same."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import typing
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch

import zsarbench
from zsarbench import errors, interfaces, results, testing

PUBLIC = {
    "zsarbench": "__version__ compare hookimpl load_results run",
    "zsarbench.interfaces": """
        CaptionSteps CaptionsInSteps CaptionsTrained ChecksParts ChecksSources ClassText ClassesKnown ClipFeatures
        ClipSource Clips ColourOrdered Context Control Cuttable Dataset Denominator Digested Downloadable Embeds
        Executor ExtractionTask FindsClips Fingerprinted FrameEncoder FrameOrdered HasClassifier HasFailures
        HasParameters HasRoot IndependentSteps LearnsFrom Loss Method Movable NegativeDraw NegativeSampler Parts
        Prepare Progress Recording RendersAll Reporter Round SamplesTexts Sampling Shard ShardReport StepBatches Steps
        Table Task TextDraw TextEncoder TrainSet VisualEncoder
    """,
    "zsarbench.errors": "NoNegatives NotApplicable NotGiven UsageError UsageErrors ZsarbenchError unknown",
    "zsarbench.plugins": "Host PluginFailure load_plugins",
    "zsarbench.testing": """
        Case Check CheckOutcome ComponentUnderTest Problem cases checks_for outcomes parametrize run_checks subject_of
        toys videos
    """,
    "zsarbench.features": "CaptionView ClipView FeatureSet FeatureStore MemoryClips",
    "zsarbench.data.class_texts": """
        MIN_WORDS choose digest load nearest parse read sentences_of without_text_part words_of
    """,
    "zsarbench.data.downloads": "Download RemoteFile fetch folder_of missing read_downloads",
    "zsarbench.utils.atomic": "atomic_path write_atomic",
    "zsarbench.utils.batching": "in_fixed_batches",
    "zsarbench.utils.cache": "cache_dir",
    "zsarbench.utils.class_names": "match normalise readable",
    "zsarbench.utils.classifiers": "Classifier Describe classifier find_classifier",
    "zsarbench.utils.seeding": "derive fork_rng generator numpy_generator",
}
"""All names of a module that are public."""

PARTLY_PUBLIC = {
    "zsarbench.protocols": "load read",
    "zsarbench.results": "RunResult find read write",
}
"""The public ones among the names that a folder exports to the rest of the host."""


def exported(module: ModuleType) -> list[str]:
    """Return `__all__`, or of a module without one the names that it defines."""
    defined = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    return list(getattr(module, "__all__", [name for name in defined if not name.startswith("_")]))


@pytest.mark.parametrize(("path", "names"), PUBLIC.items(), ids=PUBLIC)
def test_a_public_module_exports_the_listed_names_and_each_can_be_imported(path: str, names: str) -> None:
    module = importlib.import_module(path)
    assert sorted(exported(module)) == sorted(names.split())
    for name in names.split():
        assert getattr(module, name) is not None


@pytest.mark.parametrize(("path", "names"), PARTLY_PUBLIC.items(), ids=PARTLY_PUBLIC)
def test_the_public_names_of_a_folder_are_exported(path: str, names: str) -> None:
    module = importlib.import_module(path)
    assert set(names.split()) <= set(module.__all__)
    for name in names.split():
        assert getattr(module, name) is not None


def members_of(value: object) -> Iterator[tuple[str, object]]:
    """Yield what has types in a public value: a function itself, a class and what it defines for its users."""
    if inspect.isfunction(value):
        yield "", value
    if inspect.isclass(value):
        yield "", value
        for name, member in vars(value).items():
            inner = (
                getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
            )
            generated = name == "__init__" and dataclasses.is_dataclass(value)  # its types are those of the class
            is_public = not name.startswith("_") or name in ("__init__", "__call__")
            if inspect.isfunction(inner) and is_public and not generated:
                yield name, inner


@pytest.mark.parametrize("path", [*PUBLIC, *PARTLY_PUBLIC, "zsarbench.plugins.hookspecs"])
def test_the_types_of_every_public_name_can_be_looked_up(path: str) -> None:
    module = importlib.import_module(path)
    names = PARTLY_PUBLIC[path].split() if path in PARTLY_PUBLIC else exported(module)
    found = {f"{name}.{member}": typing.get_type_hints(typed)
             for name in names for member, typed in members_of(getattr(module, name))}  # fmt: skip
    assert found


def test_what_is_returned_and_taken_has_the_types_that_users_meet() -> None:
    assert typing.get_type_hints(zsarbench.run)["return"] is results.RunResult
    assert typing.get_type_hints(zsarbench.compare)["return"] is interfaces.Table
    assert typing.get_type_hints(zsarbench.load_results) == {"places": Path | str, "return": list[results.RunResult]}
    assert typing.get_type_hints(interfaces.Table)["frame"] is pd.DataFrame
    assert typing.get_type_hints(interfaces.Method.score)["return"] is torch.Tensor


def test_a_name_that_the_kit_lacks_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'parametrise'"):
        attrgetter("parametrise")(testing)


def test_what_a_user_reads_is_an_error_of_ours() -> None:
    assert issubclass(errors.UsageError, errors.ZsarbenchError)
