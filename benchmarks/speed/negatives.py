"""Times the negative sampling of CEZSAR (stage 4) against the plain loop, and says how much memory it takes.

The corpus is synthetic: embeddings of 768 features of which 49 are independent, so that about 8 % of all pairs lie at a
cosine distance in (0, 0.8); three texts share a source video. The plain loop draws one text and computes one cosine by
scipy at a time until 10 different negatives are found, as the release does; it runs on a sample of the positives and
its seconds are extrapolated to all of them, which the output says. "trainer" is the draw as a fit asks for it, of
captions of which one in a hundred stands twice, so that the embeddings of the positives are not a separate tensor.
Each part runs in a process of its own, with memory and threads set as in a run, so that each has its own peak.

    python benchmarks/speed/negatives.py                    # 1e5 positives: both modes against the loop
    python benchmarks/speed/negatives.py --spread 2000      # how evenly each draws; the loop draws for all of them
    python benchmarks/speed/negatives.py --positives 1e6    # a corpus of 3.1 GB; the limit is 4 GB in all
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zsarbench.interfaces import NegativeDraw
from zsarbench.utils.compute import deterministic, reuse_freed_memory
from zsarbench.utils.seeding import generator, numpy_generator
from zsarbench_cezsar.drawing import Draws
from zsarbench_cezsar.negatives import HIGH, LOW, CosineWindow
from zsarbench_cezsar.pair_negatives import Negatives
from zsarbench_cezsar.pairs import Pairs

DIM, INDEPENDENT = 768, 49  # features of an embedding, and of what it is mixed from
N_NEGATIVES = 10
STANDS_TWICE = 100  # one caption in so many, for the trainer
CHUNK = 8192  # rows generated at once, so that no second corpus is ever held


def make_corpus(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return embeddings (n, 768) and groups (n, 2): a text of its own, three texts a source."""
    rng = generator(seed, "corpus")
    mixed = torch.randn(INDEPENDENT, DIM, generator=rng)
    vectors = torch.empty(n, DIM)
    for part in vectors.split(CHUNK):
        torch.matmul(torch.randn(len(part), INDEPENDENT, generator=rng), mixed, out=part)
    numbers = torch.arange(n)
    return vectors, torch.stack([numbers, numbers // 3], 1)


def plain_loop(
    vectors: Tensor, groups: Tensor, anchors: Sequence[int], rng: np.random.Generator
) -> Iterator[tuple[list[int], int]]:
    """Draw for some anchors, one text and one cosine at a time; yield the texts and how many cosines were computed."""
    from scipy.spatial.distance import cosine  # here alone: it would count as memory of the other parts

    texts, sources = vectors.numpy(), groups[:, 1].tolist()
    for anchor in anchors:
        n_cosines = 0
        drawn: list[int] = []
        while len(drawn) < N_NEGATIVES:
            candidate = int(rng.integers(len(texts)))
            n_cosines += 1
            distance = cosine(texts[anchor], texts[candidate])
            if LOW < distance < HIGH and sources[candidate] != sources[anchor] and candidate not in drawn:
                drawn.append(candidate)
        yield drawn, n_cosines


@dataclass(frozen=True)
class Size:
    """What every part is measured on."""

    positives: int
    repeats: int
    loop_anchors: int
    threads: int
    seed: int


@dataclass(frozen=True)
class Measured:
    """Seconds of the fastest call, peak memory before and after it (GB of 1e9 bytes), and what the part says."""

    seconds: float
    before: float
    peak: float
    statistics: Mapping[str, float]


def loop(size: Size) -> Measured:
    """Measure the plain loop on some positives; its seconds are extrapolated to all."""
    vectors, groups = make_corpus(size.positives, size.seed)
    rng, before = numpy_generator(size.seed, "loop"), peak_gigabytes()
    anchors = rng.integers(len(vectors), size=min(len(vectors), size.loop_anchors)).tolist()
    start = time.perf_counter()
    n_cosines = sum(computed for _, computed in plain_loop(vectors, groups, anchors, rng))
    seconds = time.perf_counter() - start
    statistics = {
        "anchors": len(anchors),
        "seconds": seconds,
        "acceptance_rate": N_NEGATIVES * len(anchors) / n_cosines,
    }
    return Measured(seconds * len(vectors) / len(anchors), before, peak_gigabytes(), statistics)


def sampler(size: Size, draws: Draws) -> Measured:
    """Measure the sampler on embeddings that lie as they are drawn from."""
    vectors, groups = make_corpus(size.positives, size.seed)
    drawing = CosineWindow(draws=draws)

    return fastest(lambda: draw_once(vectors, groups, drawing, size.seed), size.repeats, drawing)


def trainer(size: Size, draws: Draws) -> Measured:
    """Measure the draw of a fit whose captions repeat."""
    n, n_twice = size.positives, size.positives // STANDS_TWICE
    vectors, _ = make_corpus(n - n_twice, size.seed)
    text, numbers = torch.cat([torch.arange(len(vectors)), torch.arange(n_twice)]), torch.arange(n)
    groups = torch.stack([text, numbers // 3], 1)
    pairs = Pairs((), numbers, text, numbers // 3, groups, text, groups, numbers)
    drawing = CosineWindow(draws=draws)
    negatives = Negatives(drawing, pairs, N_NEGATIVES)
    return fastest(lambda: negatives.draw(vectors, generator(size.seed, "draw")), 1, drawing)


def fastest(call: Callable[[], object], repeats: int, drawing: CosineWindow) -> Measured:
    """Return the seconds of the fastest of some calls, and what the sampler recorded."""
    before, seconds = peak_gigabytes(), float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds = min(seconds, time.perf_counter() - start)
    return Measured(seconds, before, peak_gigabytes(), drawing.record())


def spread(n: int, draws: str, n_draws: int, seed: int) -> str:
    """Return how evenly texts are drawn over the corpus, and how distances are distributed compared with their window.

    chi2/df: of how often each text is drawn, against what the anchors' windows give it; 1 where all draws are
    independent. KS: the largest difference between the distribution of the drawn distances and that of all distances
    in the windows, every anchor weighing the same. met: how many of the K texts two anchors one place apart share.
    """
    vectors, groups = make_corpus(n, seed)
    unit = torch.nn.functional.normalize(vectors, dim=1)
    distances = (1 - unit @ unit.T).numpy()
    inside = (distances > LOW) & (distances < HIGH) & (groups[:, None, 1] != groups[None, :, 1]).numpy()
    weights = inside / inside.sum(1, keepdims=True)
    expected, counts, drawn, met = N_NEGATIVES * n_draws * weights.sum(0), np.zeros(n), [], 0.0
    for number in range(n_draws):
        if draws == "loop":
            loop_draws = plain_loop(vectors, groups, range(n), numpy_generator(number, "loop"))
            chosen = np.array([texts for texts, _ in loop_draws])
        else:
            chosen = draw_once(vectors, groups, CosineWindow(draws=as_draws(draws)), number).numpy()
        counts += np.bincount(chosen.ravel(), minlength=n)
        drawn.append(np.take_along_axis(distances, chosen, 1).ravel())
        met += (
            float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(chosen[:-3], chosen[3:], strict=True)])) / n_draws
        )
    often = expected > 0
    dispersion = float((np.square(counts - expected)[often] / expected[often]).sum() / (often.sum() - 1))
    order = np.argsort(distances[inside])
    sample, cumulative = np.sort(np.concatenate(drawn)), np.cumsum(weights[inside][order]) / n
    of_sample = np.searchsorted(sample, distances[inside][order], side="right") / len(sample)
    largest = float(np.abs(of_sample - cumulative).max())
    return f"{draws:11s} chi2/df {dispersion:6.2f}  KS {largest:.4f}  texts met again by another anchor {met:.2f}"


def as_draws(name: str) -> Draws:
    """Return a name of the sampler's draws."""
    return "shared" if name == "shared" else "independent"


def draw_once(vectors: Tensor, groups: Tensor, drawing: CosineWindow, seed: int) -> Tensor:
    """Return the negatives (n, K) of every text, of all texts."""
    return drawing.sample(
        NegativeDraw(
            anchors=vectors, positives=vectors, pool=vectors, anchor_groups=groups, pool_groups=groups,
            k=N_NEGATIVES, rng=generator(seed, "draw"),
        )
    )  # fmt: skip


def peak_gigabytes() -> float:
    """Return the most memory that this process ever held, in GB of 1e9 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def apart(part: Callable[..., Measured], size: Size, *given: str) -> Measured:
    """Run a part in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as process:
        return process.submit(as_in_a_run, part, size, *given).result()


def as_in_a_run(part: Callable[..., Measured], size: Size, *given: str) -> Measured:
    """Run a part with threads and memory as a run has them."""
    reuse_freed_memory()
    with deterministic(size.threads):
        return part(size, *given)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positives", type=lambda text: int(float(text)), default=100_000)
    parser.add_argument("--loop-anchors", type=int, default=200, help="positives that the plain loop draws for")
    parser.add_argument("--repeats", type=int, default=3, help="calls of each mode; the fastest counts")
    parser.add_argument("--draws", choices=("both", "shared", "independent"), default="both")
    parser.add_argument(
        "--spread", type=int, metavar="N", help="measure how evenly N positives are drawn for, and stop"
    )
    parser.add_argument("--spread-draws", type=int, default=5, help="draws for all N positives, of each kind")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.spread:
        print(f"{options.spread} positives x {N_NEGATIVES} negatives, {options.spread_draws} draws, ({LOW}, {HIGH})")
        for draws in ("loop", "independent", "shared"):
            print(spread(options.spread, draws, options.spread_draws, options.seed), flush=True)
        return 0
    size = Size(options.positives, options.repeats, options.loop_anchors, options.threads, options.seed)

    print(
        f"{size.positives} positives x {N_NEGATIVES} negatives, {DIM} features, window ({LOW}, {HIGH}), "
        f"{size.threads} threads; the corpus alone is {size.positives * DIM * 4 / 1e9:.2f} GB"
    )
    plain = apart(loop, size)
    print(
        f"plain loop           {plain.seconds:9.1f} s  extrapolated from {plain.statistics['anchors']} positives: "
        f"{plain.statistics['seconds']:.2f} s, acceptance {plain.statistics['acceptance_rate']:.3f}",
        flush=True,
    )
    modes = ("shared", "independent") if options.draws == "both" else (options.draws,)
    for name, part in (("sampler", sampler), ("trainer", trainer)):
        for draws in modes:
            result = apart(part, size, draws)
            print(
                f"{name}, {draws:11s} {result.seconds:9.2f} s  ratio {plain.seconds / result.seconds:6.1f}  "
                f"acceptance {result.statistics['acceptance_rate']:.3f}, fewer than {N_NEGATIVES}: "
                f"{result.statistics['share_of_anchors_with_fewer_than_k']:.4f}, peak memory {result.peak:.2f} GB "
                f"({result.before:.2f} before drawing)",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
