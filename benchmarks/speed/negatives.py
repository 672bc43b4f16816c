"""Times the negative sampling of CEZSAR (stage 4) against the plain loop, and says how much memory it takes.

The corpus is made: embeddings of 768 features of which 49 are independent, so that about 8 % of all pairs lie at a
cosine distance in (0, 0.8); three texts share a source video. The plain loop draws one text and computes one cosine by
scipy at a time until 10 different negatives are found, as the release does; it runs on a sample of the positives and
its seconds are extrapolated to all of them, which the output says.

    python benchmarks/speed/negatives.py                    # 1e5 positives: both modes against the loop
    python benchmarks/speed/negatives.py --positives 1e6    # a corpus of 3.1 GB; peak memory is printed
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence

import numpy as np
import torch
from scipy.spatial.distance import cosine
from torch import Tensor

from zsarbench.seeding import generator, numpy_generator
from zsarbench_cezsar.negatives import HIGH, LOW, CosineWindow

DIM, INDEPENDENT = 768, 49  # features of an embedding, and of what it is mixed from
N_NEGATIVES = 10
CHUNK = 8192  # rows made at once, so that no second corpus is ever held


def make_corpus(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return embeddings (n, 768) and groups (n, 2): a text of its own, three texts a source."""
    rng = generator(seed, "corpus")
    mixed = torch.randn(INDEPENDENT, DIM, generator=rng)
    vectors = torch.empty(n, DIM)
    for part in vectors.split(CHUNK):
        torch.matmul(torch.randn(len(part), INDEPENDENT, generator=rng), mixed, out=part)
    numbers = torch.arange(n)
    return vectors, torch.stack([numbers, numbers // 3], 1)


def plain_loop(vectors: Tensor, groups: Tensor, anchors: Sequence[int], rng: np.random.Generator) -> tuple[float, int]:
    """Draw for some anchors, one text and one cosine at a time; return seconds and cosines computed."""
    texts, sources = vectors.numpy(), groups[:, 1].tolist()
    n_cosines, start = 0, time.perf_counter()
    for anchor in anchors:
        drawn: list[int] = []
        while len(drawn) < N_NEGATIVES:
            candidate = int(rng.integers(len(texts)))
            n_cosines += 1
            distance = cosine(texts[anchor], texts[candidate])
            if LOW < distance < HIGH and sources[candidate] != sources[anchor] and candidate not in drawn:
                drawn.append(candidate)
    return time.perf_counter() - start, n_cosines


def peak_gigabytes() -> float:
    """Return the most memory that this process ever held, in GB of 1e9 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positives", type=lambda text: int(float(text)), default=100_000)
    parser.add_argument("--loop-anchors", type=int, default=200, help="positives that the plain loop draws for")
    parser.add_argument("--repeats", type=int, default=3, help="calls of each mode; the fastest counts")
    parser.add_argument("--draws", choices=("both", "shared", "independent"), default="both")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)

    vectors, groups = make_corpus(options.positives, options.seed)
    n = len(vectors)
    print(f"{n} positives x {N_NEGATIVES} negatives, {DIM} features, window ({LOW}, {HIGH}), {options.threads} threads")
    print(f"corpus {vectors.nbytes / 1e9:.2f} GB; peak before sampling {peak_gigabytes():.2f} GB")
    rng = numpy_generator(options.seed, "loop")
    anchors = rng.integers(n, size=min(n, options.loop_anchors)).tolist()
    seconds, n_cosines = plain_loop(vectors, groups, anchors, rng)
    plain = seconds * n / len(anchors)
    print(
        f"plain loop   {plain:9.1f} s  extrapolated from {len(anchors)} positives: {seconds:.2f} s, "
        f"{n_cosines} cosines, acceptance {N_NEGATIVES * len(anchors) / n_cosines:.3f}"
    )
    for draws in ("shared", "independent") if options.draws == "both" else (options.draws,):
        fastest = float("inf")
        for _ in range(options.repeats):
            sampler = CosineWindow(draws=draws)
            start = time.perf_counter()
            sampler.sample(vectors, vectors, vectors, groups, groups, N_NEGATIVES, generator(options.seed, "draw"))
            fastest = min(fastest, time.perf_counter() - start)
        record = sampler.record()
        print(
            f"{draws:12s} {fastest:9.2f} s  ratio {plain / fastest:6.1f}  acceptance {record['acceptance_rate']:.3f}, "
            f"fewer than {N_NEGATIVES}: {record['share_of_anchors_with_fewer_than_k']:.4f}, "
            f"peak memory {peak_gigabytes():.2f} GB"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
