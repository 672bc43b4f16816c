"""The area under the seen-unseen accuracy curve, computed exactly."""

from __future__ import annotations

import numpy as np

from zsarbench.evaluation.arrays import Index, Mask, Scores, check_both_kinds, checked, checked_seen, unread


def ausuc(scores: Scores, labels: Index, seen: Mask) -> float:
    """Return the area under the seen-unseen accuracy curve, accuracies averaged per class.

    The curve is that of calibrated stacking (Chao et al. 2016, arXiv:1605.04253): a bias, taken off the scores of seen
    classes, goes from minus to plus infinity. Every clip changes sides at one bias, its best seen score minus its best
    unseen score, so the area is exact: accuracies are summed over these critical values, not sampled on a grid. Clips
    that change at the very same bias are joined by a straight line, which is what breaking their ties at random
    reaches. Where a clip's best scores on both sides are the same infinity, its critical value is 0.

    scores: (N, C), larger is better, NaN where a clip was not read. labels: (N,), indices into the columns. seen: (C,).

    Raises:
        ValueError: shapes, types or labels are wrong, or the candidates are all seen or all unseen.
        ZsarbenchError: there are no test clips of one kind.

    >>> ausuc(np.array([[0.9, 0.1], [0.2, 0.3]]), np.array([0, 1]), np.array([True, False]))
    1.0
    """
    scores, labels = checked(scores, labels)
    seen = checked_seen(seen, scores.shape[1])
    if seen.all() or not seen.any():
        raise ValueError("the seen-unseen curve needs candidates of both kinds")
    of_seen = seen[labels]
    check_both_kinds(of_seen)
    missing = unread(scores)
    known = np.where(missing[:, None], 0.0, scores).astype(np.float64)

    best_seen, best_unseen = known[:, seen].max(axis=1), known[:, ~seen].max(axis=1)
    best = np.where(of_seen, best_seen, best_unseen)
    ties = np.count_nonzero((known == best[:, None]) & (seen[None, :] == of_seen[:, None]), axis=1)
    hit = (known[np.arange(len(labels)), labels] == best) / ties
    with np.errstate(invalid="ignore"):  # inf - inf: both sides equal, decided on the next line
        critical = np.where(best_seen == best_unseen, 0.0, best_seen - best_unseen)
    # No finite bias brings these clips to the side of their class.
    hit[missing | (of_seen & (critical == -np.inf)) | (~of_seen & (critical == np.inf))] = 0.0

    clips_of_class = np.bincount(labels, minlength=len(seen))
    classes_of_kind = np.where(of_seen, (clips_of_class[seen] > 0).sum(), (clips_of_class[~seen] > 0).sum())
    share = hit / clips_of_class[labels] / classes_of_kind
    step = np.unique(critical, return_inverse=True)[1].reshape(-1)
    seen_lost = np.bincount(step, weights=share * of_seen)
    unseen_won = np.bincount(step, weights=share * ~of_seen)
    seen_after = seen_lost.sum() - np.cumsum(seen_lost)
    return float((unseen_won * (seen_after + 0.5 * seen_lost)).sum())
