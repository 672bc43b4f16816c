"""ConSE: a clip is the mean of its likeliest objects' text vectors, weighted by their probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, Parts, TrainSet
from zsarbench.utils.classifiers import Describe, classifier
from zsarbench_methods.objects import top_objects
from zsarbench_methods.representation import class_vectors, text_encoder


class ConSE:
    """Places a clip in the text space at a convex combination of its likeliest objects, and takes the nearest class.

    Source: Norouzi et al., Zero-Shot Learning by Convex Combination of Semantic Embeddings, ICLR 2014,
    arXiv:1312.5650, Eq. 3: the text vectors of the n_objects likeliest labels of the visual encoder's own classifier,
    weighted by their probabilities, which are scaled to sum to 1; classes by cosine. Nothing is learnt.

    Expects a visual part with a classifier, one vector a class and one text a label: the paper takes word vectors of
    names. describe: what stands for a label.
    """

    learns_from: LearnsFrom = "nothing"
    class_independent = True

    def __init__(self, *, n_objects: int = 10, describe: Describe = "names") -> None:
        self.n_objects = n_objects
        self.describe = describe

    def check_parts(self, parts: Parts) -> None:
        """Refuse parts that it cannot work with.

        Raises:
            UsageError: the visual part has no classifier, or the run has no text part.
        """
        classifier(parts.visual, "conse")
        text_encoder(parts, "conse")

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn nothing."""
        self.check_parts(context.parts)

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return cosines (N, C); NaN for a clip that could not be read."""
        encoder, found = text_encoder(context.parts, "conse"), classifier(context.parts.visual, "conse")
        vectors = F.normalize(found.vectors(encoder, self.describe), dim=1)
        top = top_objects(clips, found, self.n_objects)
        embedded = (top.probabilities[..., None] * vectors[top.labels]).sum(1)  # its length is of no matter to a cosine
        return F.normalize(embedded, dim=1) @ class_vectors(classes, encoder).T
