"""What the objects of a clip are, by the encoder's own classifier, and what is written about them (stages 2, 3, 8)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from zsarbench.interfaces import ClipFeatures, Steps
from zsarbench.utils.classifiers import Classifier
from zsarbench_cezsar.pairs import first_words, identity

MORE_THAN_WORDS = 5  # words that a sentence about an object has at least one more of; valterlej/cezsar, stage 3
MAX_OBJECT_WORDS = 20  # words of such a sentence that are read; valterlej/cezsar, stage 3
SENSES = "imagenet-21k-goog"  # the largest available list of WordNet's nouns: 21,843 synsets; timm.data.ImageNetInfo
MOST_AT_ONCE = 64  # clips read at once, whose candidate sentences are gathered too
VALUES_AT_ONCE = 1 << 26  # features of steps held at once: 256 MiB in float32

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True)
class ObjectTexts:
    """What is written about each label of a classifier.

    labels: (name, definition) of L labels, a name being WordNet's lemmas joined by ", ". senses: all definitions of a
    lemma in lower case.
    """

    labels: tuple[tuple[str, str], ...]
    senses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, labels: Sequence[tuple[str, str]]) -> ObjectTexts:
        """Gather the senses of all lemmas among these labels and those of ImageNet-21k."""
        from timm.data import ImageNetInfo

        info = ImageNetInfo(SENSES)
        names = info.label_descriptions()
        both = info.label_descriptions(detailed=True)  # "lemmas: definition"
        known = [(name, text.removeprefix(f"{name}: ")) for name, text in zip(names, both, strict=True)]
        senses: dict[str, dict[str, None]] = defaultdict(dict)
        for name, definition in (*labels, *known):
            for lemma in name.split(", "):
                if definition:
                    senses[lemma.casefold()][definition] = None
        return cls(tuple(labels), {lemma: tuple(found) for lemma, found in senses.items()})

    def definitions(self, label: int) -> tuple[str, ...]:
        """Return the label's own definition, then those of the other senses of its single-word lemmas."""
        name, own = self.labels[label]
        lemmas = [lemma.casefold() for lemma in name.split(", ") if " " not in lemma]
        return tuple(
            dict.fromkeys(text for text in (own, *(s for o in lemmas for s in self.senses.get(o, ()))) if text)
        )

    def sentences(self, label: int) -> tuple[str, ...]:
        """Return the sentences about a label that are long enough to say something, each cut and once (stage 3)."""
        texts = (self.labels[label][0], *self.definitions(label))
        cut = (sentence for text in texts for sentence in _SENTENCE_END.split(text))
        kept = (first_words(one, MAX_OBJECT_WORDS) for one in cut if len(one.split()) > MORE_THAN_WORDS)
        return tuple({identity(one): one for one in kept}.values())

    def described(self, labels: Sequence[int]) -> str:
        """Return one sentence about several objects: their names and own definitions (stage 8)."""
        pairs = (self.labels[label] for label in labels)
        return ". ".join(f"{name}: {definition}" if definition else name for name, definition in pairs)


def vocabulary(objects: ObjectTexts) -> tuple[tuple[str, ...], Tensor]:
    """Return the distinct sentences about all labels, and which of them each label has: (L, S) positions, else -1."""
    numbers: dict[str, int] = {}
    rows = [
        [numbers.setdefault(sentence, len(numbers)) for sentence in objects.sentences(label)]
        for label in range(len(objects.labels))
    ]
    width = max(1, *map(len, rows))
    return tuple(numbers), torch.tensor([row + [-1] * (width - len(row)) for row in rows])


def top_objects(features: Tensor, classifier: Classifier, k: int) -> tuple[Tensor, Tensor]:
    """Return probabilities (M, k) and labels (M, k) of the likeliest objects of mean features (M, D).

    The classifiers of encoders are linear over pooled features, so that the logits of a mean are the mean logits.
    """
    likely = classifier.classify(features).float().softmax(-1)
    top = likely.topk(min(k, likely.shape[-1]), dim=-1)
    return top.values, top.indices


def mean_steps(steps: Steps, shown: Tensor) -> Tensor:
    """Return the means (B, W, D) of values (B, T, D) over W sets of steps, shown (B, W, T) bool; 0 for an empty one."""
    weights = (shown & steps.mask[:, None]).to(steps.values.dtype)
    return (weights @ steps.values) / weights.sum(-1, keepdim=True).clamp(min=1)


def read_at_once(clips: ClipFeatures) -> int:
    """Return how many clips with all their steps are held in bounded memory."""
    return max(1, min(MOST_AT_ONCE, VALUES_AT_ONCE // (clips.max_steps * clips.dim)))


def clip_sentences(
    clips: ClipFeatures, index: Tensor, classifier: Classifier, objects: ObjectTexts, k: int, max_steps: int
) -> list[str]:
    """Return a sentence about the k likeliest objects of each clip at these positions, of its first steps (stage 8).

    A clip that could not be read has an empty one.
    """
    steps = clips.rows(index)
    first = torch.arange(steps.mask.shape[1]) < max_steps
    means = mean_steps(steps, first.expand(len(index), 1, -1))[:, 0]
    _, labels = top_objects(means, classifier, k)
    readable = steps.mask[:, :max_steps].any(1).tolist()
    return [objects.described(own) if read else "" for own, read in zip(labels.tolist(), readable, strict=True)]
