"""Objects2action: a class scores by how likely a clip shows the objects whose texts are near the class's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, Parts, TrainSet
from zsarbench.utils.classifiers import Describe, classifier
from zsarbench_methods.objects import TopObjects, top_objects
from zsarbench_methods.representation import class_vectors, text_encoder


class Objects2Action:
    """Scores a class by the sum over objects of their probability in the clip times their similarity to the class.

    Source: Jain, van Gemert, Mensink and Snoek, Objects2action: Classifying and Localizing Actions without Any Video
    Example, ICCV 2015, arXiv:1510.06939, Eq. 1 and section 3.3: the similarity is the cosine of text vectors, kept for
    the objects_per_class objects nearest to a class (action sparsity) and for the objects_per_clip likeliest of a clip
    (video sparsity). The paper's Fisher vectors of words are replaced by the run's text encoder. Nothing is learnt.

    Expects a visual part with a classifier, one vector a class and one text a label: the paper takes names. The numbers
    of objects are this package's defaults; the paper compares several. describe: what stands for a label.
    """

    learns_from: LearnsFrom = "nothing"
    class_independent = True

    def __init__(
        self, *, objects_per_class: int = 100, objects_per_clip: int = 100, describe: Describe = "names"
    ) -> None:
        self.objects_per_class = objects_per_class
        self.objects_per_clip = objects_per_clip
        self.describe = describe

    def check_parts(self, parts: Parts) -> None:
        """Refuse parts that it cannot work with.

        Raises:
            UsageError: the visual part has no classifier, or the run has no text part.
        """
        classifier(parts.visual, "objects2action")
        text_encoder(parts, "objects2action")

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn nothing."""
        self.check_parts(context.parts)

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return (N, C), larger is better; NaN for a clip that could not be read."""
        encoder = text_encoder(context.parts, "objects2action")
        objects = classifier(context.parts.visual, "objects2action")
        similarity = affinity(class_vectors(classes, encoder), objects.vectors(encoder, self.describe))
        return translate(top_objects(clips, objects, self.objects_per_clip), sparse(similarity, self.objects_per_class))


def affinity(classes: Tensor, objects: Tensor) -> Tensor:
    """Return the cosines (C, L) of class vectors (C, E) and object vectors (L, E)."""
    return F.normalize(classes, dim=1) @ F.normalize(objects, dim=1).T


def sparse(similarity: Tensor, kept: int) -> Tensor:
    """Return similarities (C, L) with all but the largest of each class set to 0."""
    best = similarity.topk(min(kept, similarity.shape[1]), dim=1)
    return torch.zeros_like(similarity).scatter(1, best.indices, best.values)


def translate(top: TopObjects, similarity: Tensor) -> Tensor:
    """Return (N, C): the sum over a clip's objects of probability times similarity (C, L)."""
    rows = zip(top.probabilities, top.labels, strict=True)
    return (
        torch.stack([similarity[:, own] @ p for p, own in rows]) if len(top.labels) else torch.empty(0, len(similarity))
    )
