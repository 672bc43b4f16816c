"""The classifier of a visual part: found where it has labels of names, else an error for users."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from records import changeable
from zsarbench.errors import UsageError
from zsarbench.testing.toys import ToyText
from zsarbench.utils import classifiers
from zsarbench.utils.classifiers import Classifier, classifier, find_classifier

LABELS = (("bow", "a weapon"), ("dog", ""))


class Visual:
    """A visual part with a classifier."""

    labels: Any = LABELS

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits."""
        return features[:, :2]


def test_a_classifier_is_found_with_its_labels() -> None:
    visual: Any = Visual()
    found = find_classifier(visual)
    assert found is not None
    assert found.labels == LABELS
    assert found.classify(torch.eye(3)).tolist() == torch.eye(3)[:, :2].tolist()
    assert classifier(visual, "m").labels == LABELS


def test_without_one_or_without_names_of_labels_there_is_none_and_a_method_that_needs_it_says_so() -> None:
    nameless: Any = Visual()
    nameless.labels = None
    other: Any = object()
    for visual, text in ((None, "the run has no visual part"), (other, "visual part object has none"),
                         (nameless, "visual part Visual has none")):  # fmt: skip
        assert find_classifier(visual) is None
        with pytest.raises(UsageError, match=f"method 'm' reads object scores .*, and .*{text}"):
            classifier(visual, "m")


def test_labels_are_described_by_name_definition_or_both_and_by_name_where_they_have_no_definition() -> None:
    found = Classifier(LABELS, lambda features: features)
    assert found.texts("names") == ["bow", "dog"]
    assert found.texts("definitions") == ["a weapon", "dog"]
    assert found.texts("both") == ["bow: a weapon", "dog"]
    assert torch.equal(found.vectors(ToyText(), "both"), ToyText().encode(["bow: a weapon", "dog"]))
    assert changeable(classifiers) == []
