"""Words hashed to features: a text encoder that needs no weights and knows no meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


class HashedWords:
    """Counts words and word pairs in hashed bins, signed, at unit length: what spelling alone gives.

    Source: Weinberger et al. 2009, arXiv:0902.2206; scikit-learn's HashingVectorizer.

    dim: bins, D. word_pairs: whether pairs of neighbouring words count too.
    """

    def __init__(self, *, dim: int = 1024, word_pairs: bool = True) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer

        self.dim = dim
        self.word_pairs = word_pairs
        self.space = f"hashed-words-{dim}-{2 if word_pairs else 1}"
        self.fingerprint: Mapping[str, str] = {"preprocessing": "HashingVectorizer, lower case, words of two letters"}
        self._vectorizer = HashingVectorizer(n_features=dim, ngram_range=(1, 2 if word_pairs else 1), norm="l2")

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return (N, D) float32 of unit length; a sentence without a word is zero."""
        import torch

        if not texts:
            return torch.zeros(0, self.dim)
        return torch.from_numpy(self._vectorizer.transform(texts).toarray()).float()
