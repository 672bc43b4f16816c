"""Times 50 random half splits of UCF-101 against scikit-learn's nearest neighbour, and checks that they agree.

Both sides start from the same arrays, stored clip features (N, D) and class vectors (C, D), and end with top-1, top-5
per video and top-1, top-5 per class of every round. The reference is what published code does: one
`KNeighborsClassifier(1, metric="cosine", algorithm="brute")` fitted on the candidate classes of each round. It is
timed as written (`predict` for top-1, `kneighbors` for top-5) and in its fastest form (one `kneighbors` for both).

    python benchmarks/speed/half_splits.py                        # made-up features of UCF-101's true shape
    python benchmarks/speed/half_splits.py --features stored.npz  # clips (N, D), classes (C, D), labels (N,)

Exit code 1 where any value differs by more than 1e-9 (as it does where two class vectors are equal: the reference picks
one of tied classes, zsarbench takes the expectation).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from zsarbench.evaluation import metrics

N_CLIPS, N_CLASSES, N_DIMS = 13_320, 101, 384  # UCF-101's clips and classes, MiniLM's dimensions
SMALLEST_CLASS, LARGEST_CLASS = 100, 167  # clips, as in UCF-101
TOLERANCE = 1e-9

Array = NDArray[np.floating]
Side = Callable[[], list[dict[str, float]]]
Rounds = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


def make_features(rng: np.random.Generator, n_classes: int) -> tuple[Array, Array, NDArray[np.int64]]:
    """Make clips (N, D), class vectors (C, D) and labels (N,) of UCF-101's shape, classes partly told apart."""
    n_clips = N_CLIPS * n_classes // N_CLASSES
    sizes = rng.integers(SMALLEST_CLASS, LARGEST_CLASS + 1, n_classes)
    while sizes.sum() != n_clips:
        step = 1 if sizes.sum() < n_clips else -1
        movable = np.flatnonzero((sizes + step >= SMALLEST_CLASS) & (sizes + step <= LARGEST_CLASS))
        sizes[rng.choice(movable)] += step
    labels = np.repeat(np.arange(n_classes), sizes)
    classes = rng.standard_normal((n_classes, N_DIMS))
    clips = 0.15 * classes[labels] + rng.standard_normal((n_clips, N_DIMS))
    return clips, classes, labels


def draw_rounds(labels: NDArray[np.int64], n_classes: int, n_rounds: int, rng: np.random.Generator) -> Rounds:
    """Draw half of the classes for every round, with all their clips."""
    halves = [np.sort(rng.permutation(n_classes)[: n_classes // 2]) for _ in range(n_rounds)]
    return [(np.flatnonzero(np.isin(labels, half)), half) for half in halves]


def with_zsarbench(clips: Array, classes: Array, labels: NDArray[np.int64], rounds: Rounds) -> list[dict[str, float]]:
    """Compute the cosines once and every round by slicing."""
    lengths = np.sqrt(np.einsum("nd,nd->n", clips, clips))
    classes = classes / np.linalg.norm(classes, axis=1, keepdims=True)
    return metrics.evaluate_rounds((clips @ classes.T) / lengths[:, None], labels, rounds)


def with_sklearn(
    clips: Array, classes: Array, labels: NDArray[np.int64], rounds: Rounds, *, one_query: bool
) -> list[dict[str, float]]:
    """Refit the classifier on every round's candidates and look the clips' neighbours up."""
    results = []
    for index, candidates in rounds:
        x, y = clips[index], labels[index]
        knn = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(classes[candidates], candidates)
        nearest = candidates[knn.kneighbors(x, n_neighbors=5, return_distance=False)]
        first = nearest[:, 0] if one_query else knn.predict(x)
        values = {}
        for k, correct in ((1, first == y), (5, (nearest == y[:, None]).any(axis=1))):
            values[f"top{k}_per_video"] = float(correct.mean())
            of_class = np.bincount(y, weights=correct, minlength=len(classes))[candidates]
            values[f"top{k}_per_class"] = float((of_class / np.bincount(y)[candidates]).mean())
        results.append(values)
    return results


def timed_in_turn(sides: dict[str, Side], repeats: int) -> dict[str, tuple[list[dict[str, float]], float]]:
    """Return every side's result and the seconds of its fastest call.

    The sides take turns, so that whatever else the machine does falls on all of them.
    """
    results, seconds = {}, {name: float("inf") for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            start = time.perf_counter()
            results[name] = side()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return {name: (results[name], seconds[name]) for name in sides}


def largest_difference(a: Sequence[dict[str, float]], b: Sequence[dict[str, float]]) -> float:
    """Return the largest absolute difference between two lists of metrics with the same names."""
    return max(abs(x[name] - y[name]) for x, y in zip(a, b, strict=True) for name in sorted(x.keys() | y.keys()))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", help=".npz with clips (N, D), classes (C, D) and labels (N,)")
    parser.add_argument("--classes", type=int, default=N_CLASSES, help="of made-up features, 100 to 167 clips each")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3, help="calls of each side, in turn; the fastest counts")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    # One class vector per class is what is meant; the warning, printed every round, would only slow the reference.
    warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
    rng = np.random.default_rng(options.seed)
    if options.features:
        with np.load(options.features, allow_pickle=False) as stored:
            clips, classes, labels = stored["clips"], stored["classes"], stored["labels"].astype(np.int64)
    else:
        clips, classes, labels = make_features(rng, options.classes)
    # float64 on both sides: in float32 the reference rounds 1 - cosine to 6e-8, which ties classes that differ.
    clips, classes = clips.astype(np.float64), classes.astype(np.float64)
    rounds = draw_rounds(labels, len(classes), options.rounds, rng)
    print(f"{len(clips)} clips x {clips.shape[1]}, {len(classes)} classes, {len(rounds)} rounds, float64")

    arrays = (clips, classes, labels, rounds)
    timings = timed_in_turn(
        {
            "zsarbench evaluate_rounds": lambda: with_zsarbench(*arrays),
            "sklearn, predict and kneighbors": lambda: with_sklearn(*arrays, one_query=False),
            "sklearn, one kneighbors for both": lambda: with_sklearn(*arrays, one_query=True),
        },
        options.repeats,
    )
    (our_name, (ours, our_seconds)), *others = timings.items()
    print(f"{our_name:33s} {our_seconds:7.3f} s")
    worst = 0.0
    for name, (theirs, seconds) in others:
        difference = largest_difference(ours, theirs)
        worst = max(worst, difference)
        print(f"{name:33s} {seconds:7.3f} s  ratio {seconds / our_seconds:5.1f}  largest difference {difference:.1e}")
    print(f"mean top1_per_video {np.mean([r['top1_per_video'] for r in ours]):.4f}")
    if not worst <= TOLERANCE:
        print(f"UNEQUAL: the values differ by more than {TOLERANCE:g}")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
