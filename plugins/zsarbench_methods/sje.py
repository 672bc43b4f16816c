"""SJE: a bilinear map trained on the worst violation, as a structured SVM."""

from __future__ import annotations

from torch import Tensor

from zsarbench_methods.ranking import RankingMethod


class SJE(RankingMethod):
    """Ranks classes by x' W s, with W trained on the class that violates the margin most.

    Source: Akata, Reed, Walter, Lee and Schiele, Evaluation of Output Embeddings for Fine-Grained Image Classification,
    CVPR 2015, Eq. 3 to 5: the loss of a clip is the largest over classes of max(0, 1 + score - own score), by
    stochastic gradient descent. One output embedding; the paper's combination of several is left out.

    Expects one vector a class; the paper takes attributes, word vectors and others. Learns from labelled clips of seen
    classes. learning_rate, epochs and features: None chooses them on validation classes; see `LearntMethod`.
    """

    name = "sje"

    def loss(self, violations: Tensor) -> Tensor:
        """Return the largest violation."""
        return violations.amax(1)
