"""ZSARCap: a clip's captions look for the nearest of the sentences that describe a class best."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zsarbench.data.class_texts import MIN_WORDS, nearest, sentences_of, words_of
from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, Parts, TextEncoder, TrainSet
from zsarbench_methods.representation import pooled, text_encoder

_NO_LETTER = re.compile(r"[^a-z?.!,]+")


class ZSARCap:
    """Scores a class by the largest cosine between the clip's captions and the class's chosen sentences.

    Source: Estevam, Laroca, Pedrini and Menotti, Tell Me What You See: A Zero-Shot Action Recognition Method Based on
    Natural Language Descriptions, arXiv:2112.09976; defaults are those of its public code valterlej/zsarcap: the texts
    of a class are cut into sentences, those of at least min_words are kept, of these the max_sentences nearest to the
    class name, and the name is appended to each (append_name). One nearest neighbour by cosine. Nothing is learnt.

    The paper's recipe is `--class-text documents --set visual.join=true`, which joins the captions of a clip into one
    sentence; otherwise a clip is the mean of its captions' vectors. Left out: the code spells contractions out, chooses
    by another encoder (paraphrase-MiniLM-L6-v2) than it compares with (paraphrase-distilroberta-base-v2), and cuts
    sentences by NLTK. A class of which no sentence is long enough keeps its texts as they are.

    Expects captions as the visual part, and documents or many sentences as class texts: from one sentence a class there
    is nothing to choose.
    """

    learns_from: LearnsFrom = "nothing"
    class_independent = True

    def __init__(self, *, min_words: int = MIN_WORDS, max_sentences: int = 10, append_name: bool = True) -> None:
        self.min_words = min_words
        self.max_sentences = max_sentences
        self.append_name = append_name

    def check_parts(self, parts: Parts) -> None:
        """Refuse parts whose cosine means nothing.

        Raises:
            UsageError: the visual and the text part do not share a space.
        """
        visual, text = parts.visual, text_encoder(parts, "zsarcap")
        if visual is None or visual.space is None or visual.space != text.space:
            raise UsageError(
                "method 'zsarcap' compares captions with class sentences in one text space, which the visual part "
                f"{type(visual).__name__} does not share with the text part. Try: --visual captions"
            )

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn nothing."""
        self.check_parts(context.parts)

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return cosines (N, C); NaN for a clip that could not be read."""
        encoder = text_encoder(context.parts, "zsarcap")
        sides = F.normalize(pooled(clips), dim=1)
        best = [sides @ self._sentence_vectors(described, encoder).T for described in classes]
        return torch.stack([cosines.amax(1) for cosines in best], dim=1)

    def _sentence_vectors(self, described: ClassText, encoder: TextEncoder) -> Tensor:
        """Return the unit vectors (S, E) of a class's chosen sentences."""
        return F.normalize(encoder.encode(self.choose(described, encoder)).float(), dim=1)

    def choose(self, described: ClassText, encoder: TextEncoder) -> list[str]:
        """Return the sentences that stand for a class."""
        name = words_of(described.name)
        sentences = [plain(sentence) for sentence in sentences_of(described.texts, self.min_words)]
        chosen = nearest(sentences or list(described.texts), name, encoder, self.max_sentences)
        return [f"{sentence} {name}" for sentence in chosen] if self.append_name else chosen


def plain(sentence: str) -> str:
    """Return a sentence in lower case with nothing but letters and the marks ? . ! and comma.

    >>> plain("Caf\u00e9s (open since 1900) serve it.")
    'cafes open since serve it.'
    """
    letters = "".join(c for c in unicodedata.normalize("NFD", sentence.lower()) if unicodedata.category(c) != "Mn")
    return _NO_LETTER.sub(" ", letters).strip()
