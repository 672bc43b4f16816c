"""The public names: this list, the `__all__` of their modules and what can be imported are the same."""

from __future__ import annotations

import importlib
from operator import attrgetter
from types import ModuleType

import pytest

from zsarbench import errors, testing

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


def test_a_name_that_the_kit_lacks_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'parametrise'"):
        attrgetter("parametrise")(testing)


def test_what_a_user_reads_is_an_error_of_ours() -> None:
    assert issubclass(errors.UsageError, errors.ZsarbenchError)
