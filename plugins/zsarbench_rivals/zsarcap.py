"""ZSARCap: a clip's captions look for the nearest of the sentences that describe a class best."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, TextEncoder, TrainSet
from zsarbench_rivals.representation import pooled, text_encoder

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_\s]+")


class ZSARCap:
    """Scores a class by the largest cosine between the clip's captions and the class's chosen sentences.

    Source: Estevam, Laroca, Pedrini and Menotti, Tell Me What You See: A Zero-Shot Action Recognition Method Based on
    Natural Language Descriptions, arXiv:2112.09976; defaults are those of its public code valterlej/zsarcap: the texts
    of a class are cut into sentences, those of at least min_words are kept, of these the max_sentences nearest to the
    class name, and the name is appended to each (append_name). One nearest neighbour by cosine. Nothing is learnt.

    A clip is the mean of its captions' vectors; `--set visual.join=true` joins the captions into one sentence, as the
    paper does. A class of which no sentence is long enough keeps its texts as they are.

    Expects captions as the visual part, and documents or many sentences as class texts (a CSV file of the columns
    `class` and `text` as --class-text): from one sentence a class there is nothing to choose.
    """

    learns_from: LearnsFrom = "nothing"
    class_independent = True

    def __init__(self, *, min_words: int = 15, max_sentences: int = 10, append_name: bool = True) -> None:
        self.min_words = min_words
        self.max_sentences = max_sentences
        self.append_name = append_name

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn nothing, but refuse parts whose cosine means nothing.

        Raises:
            UsageError: the visual and the text part do not share a space.
        """
        visual, text = context.parts.visual, text_encoder(context, "zsarcap")
        if visual is None or visual.space is None or visual.space != text.space:
            raise UsageError(
                "method 'zsarcap' compares captions with class sentences in one text space, which the visual part "
                f"{type(visual).__name__} does not share with the text part. Try: --visual captions"
            )

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return cosines (N, C); NaN for a clip that could not be read."""
        encoder = text_encoder(context, "zsarcap")
        sides = F.normalize(pooled(clips), dim=1)
        best = [sides @ self._sentence_vectors(described, encoder).T for described in classes]
        return torch.stack([cosines.amax(1) for cosines in best], dim=1)

    def _sentence_vectors(self, described: ClassText, encoder: TextEncoder) -> Tensor:
        """Return the unit vectors (S, E) of a class's chosen sentences."""
        return F.normalize(encoder.encode(self.choose(described, encoder)).float(), dim=1)

    def choose(self, described: ClassText, encoder: TextEncoder) -> list[str]:
        """Return the sentences that stand for a class."""
        name = words_of(described.name)
        whole = [sentence for text in described.texts for sentence in _SENTENCE_END.split(text.strip())]
        sentences = [sentence for sentence in dict.fromkeys(whole) if len(sentence.split()) >= self.min_words]
        if not sentences:
            sentences = list(described.texts)
        vectors = F.normalize(encoder.encode([name, *sentences]).float(), dim=1)
        # A stable sort: sentences at the same distance keep their order, on every machine.
        nearest = (vectors[1:] @ vectors[0]).sort(descending=True, stable=True).indices[: self.max_sentences]
        chosen = [sentences[int(i)] for i in nearest]
        return [f"{sentence} {name}" for sentence in chosen] if self.append_name else chosen


def words_of(name: str) -> str:
    """Return a class name as words in lower case.

    >>> words_of("ApplyEyeMakeup"), words_of("brush_hair"), words_of("playing drums")
    ('apply eye makeup', 'brush hair', 'playing drums')
    """
    return " ".join(word for word in _WORD_BREAK.split(name) if word).lower()
