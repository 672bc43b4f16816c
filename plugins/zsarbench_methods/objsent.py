"""ObjSent: objects described by sentences, fused with a classifier of captions that learnt from class sentences."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, Parts, TextEncoder, TrainSet
from zsarbench.utils.classifiers import Describe, classifier
from zsarbench.utils.seeding import fork_rng
from zsarbench_methods.objects import top_objects
from zsarbench_methods.objects2action import affinity, sparse, translate
from zsarbench_methods.representation import class_vectors, text_encoder

_log = logging.getLogger(__name__)

HIDDEN, DROPOUT, LEARNING_RATE, BATCH_SIZE = 32, 0.1, 1e-3, 64
"""The sentence classifier of the public code: width of its hidden layer, dropout, RMSprop's rate, sentences a step."""


class ObjSent:
    """Adds up what the objects of a clip and its captions say about a class, each scaled to sum to 1 over the classes.

    Source: Estevam, Laroca, Pedrini and Menotti, Global Semantic Descriptors for Zero-Shot Action Recognition, IEEE
    SPL 2022, arXiv:2209.12061; defaults are those of its public code valterlej/objsentzsar:

    - objects: as Objects2action, with an object's definition in place of its name (describe), objects_per_class and
      objects_per_clip;
    - sentences: a network of one hidden layer learns to classify the sentences of the candidate classes, and then
      scores the classes for the clip's captions, joined by spaces; the classes_per_clip likeliest are kept;
    - object_weight times the first plus the rest times the second. A clip without captions has the objects alone.

    Nothing is learnt from clips. Expects a visual part with a classifier and several sentences a class (--class-text
    sentences): from one a class the sentence classifier learns little. Scores depend on which classes are candidates.
    """

    learns_from: LearnsFrom = "nothing"
    class_independent = False

    def __init__(
        self,
        *,
        objects_per_class: int = 20,
        objects_per_clip: int = 100,
        classes_per_clip: int = 10,
        object_weight: float = 0.6,
        describe: Describe = "definitions",
        epochs: int = 50,
    ) -> None:
        self.objects_per_class = objects_per_class
        self.objects_per_clip = objects_per_clip
        self.classes_per_clip = classes_per_clip
        self.object_weight = object_weight
        self.describe = describe
        self.epochs = epochs

    def check_parts(self, parts: Parts) -> None:
        """Refuse parts that it cannot work with.

        Raises:
            UsageError: the visual part has no classifier, or the run has no text part.
        """
        classifier(parts.visual, "objsent")
        text_encoder(parts, "objsent")

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn nothing from clips."""
        self.check_parts(context.parts)

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return (N, C), larger is better; NaN for a clip that could not be read."""
        encoder = text_encoder(context.parts, "objsent")
        objects = shares(self._objects(clips, classes, encoder, context))
        captioned = torch.tensor([bool(captions) for captions in clips.captions or [()] * len(clips)])
        if not captioned.any():
            _log.info("objsent: no clip has captions; objects alone decide")
            return objects
        joined = [" ".join(captions) for captions in clips.captions or () if captions]
        likely = self._train(classes, encoder, context)(encoder.encode(joined).float()).softmax(1)
        fused = objects.clone()
        fused[captioned] = self.object_weight * objects[captioned] + (1 - self.object_weight) * shares(
            sparse(likely, self.classes_per_clip)
        )
        return fused

    def _objects(
        self, clips: ClipFeatures, classes: Sequence[ClassText], encoder: TextEncoder, context: Context
    ) -> Tensor:
        objects = classifier(context.parts.visual, "objsent")
        similarity = affinity(class_vectors(classes, encoder), objects.vectors(encoder, self.describe))
        return translate(top_objects(clips, objects, self.objects_per_clip), sparse(similarity, self.objects_per_class))

    def _train(self, classes: Sequence[ClassText], encoder: TextEncoder, context: Context) -> nn.Module:
        """Return a network that classifies the sentences of the candidate classes."""
        sentences = encoder.encode([text for described in classes for text in described.texts]).float()
        labels = torch.tensor([number for number, described in enumerate(classes) for _ in described.texts])
        order = context.generator("sentence-batches")
        with fork_rng(context.generator("sentence-classifier")), torch.enable_grad():
            network = nn.Sequential(
                nn.Linear(sentences.shape[1], HIDDEN), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, len(classes))
            )
            optimizer = torch.optim.RMSprop(network.parameters(), lr=LEARNING_RATE, eps=1e-7)
            for _ in range(self.epochs):
                for batch in torch.randperm(len(labels), generator=order).split(BATCH_SIZE):
                    optimizer.zero_grad()
                    F.cross_entropy(network(sentences[batch]), labels[batch]).backward()
                    optimizer.step()
        return network.eval().requires_grad_(False)


def shares(scores: Tensor) -> Tensor:
    """Return scores (N, C) scaled to sum to 1 over the classes; negative ones count as 0."""
    positive = scores.clamp(min=0)
    # A clip of which no object is near any class has no share anywhere, rather than one that is not a number.
    return positive / positive.sum(1, keepdim=True).masked_fill(positive.sum(1, keepdim=True) == 0, 1.0)
