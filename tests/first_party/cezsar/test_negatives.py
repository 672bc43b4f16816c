"""Negative samplers: uniform inside their window, never the anchor's own text or source, and never an endless loop."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, cosine
from scipy.stats import chi2_contingency, chisquare

from zsarbench.errors import NoNegatives, UsageError
from zsarbench.interfaces import NegativeDraw, NegativeSampler, TextDraw
from zsarbench.utils.seeding import generator
from zsarbench_cezsar.distances import Distances, Texts
from zsarbench_cezsar.drawing import PART, resolve
from zsarbench_cezsar.negatives import CosineWindow, Hardest, InBatch, SemiHard, Uniform
from zsarbench_cezsar.pair_negatives import Negatives

EVERY = (
    CosineWindow(high=2.1), CosineWindow(high=2.1, draws="shared"), Uniform(), InBatch(), Hardest(), SemiHard(),
)  # fmt: skip


def corpus(n: int, dim: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return n embeddings that crowd on one side, and groups: a text of its own, three texts a source."""
    vectors = torch.randn(n, dim, generator=generator(seed, "corpus"))
    vectors[:, 0] += 1.5
    return vectors, torch.stack([torch.arange(n), torch.arange(n) // 3], 1)


def sample(sampler: NegativeSampler, vectors, groups, k: int, seed: int = 0, rows=slice(None)) -> torch.Tensor:
    return sampler.sample(drawing(vectors[rows], vectors[rows], vectors, groups[rows], groups, k, seed))


def drawing(anchors, positives, pool, anchor_groups, pool_groups, k: int, seed: int = 0) -> NegativeDraw:
    """Return a draw whose generator has this seed."""
    return NegativeDraw(
        anchors=anchors, positives=positives, pool=pool, anchor_groups=anchor_groups, pool_groups=pool_groups,
        k=k, rng=generator(seed, "draw"),
    )  # fmt: skip


def plain_window(vectors, groups, row: int, low: float, high: float) -> list[int]:
    """Return the admissible pool rows of one anchor, by scipy in float64."""
    distances = cdist(vectors[row : row + 1].double().numpy(), vectors.double().numpy(), "cosine")[0]
    other = (groups != groups[row]).all(1).numpy()
    return np.flatnonzero(other & (distances > low) & (distances < high)).tolist()


def plain_loop(vectors, groups, row: int, low: float, high: float, k: int, rng) -> list[int]:
    """Draw as the release does: one pool row and one cosine at a time, until k different ones are in the window."""
    drawn: list[int] = []
    while len(drawn) < k:
        candidate = int(rng.integers(len(vectors)))
        other = bool((groups[candidate] != groups[row]).all())
        if other and candidate not in drawn and low < cosine(vectors[row], vectors[candidate]) < high:
            drawn.append(candidate)
    return drawn


@pytest.mark.parametrize("draws", ["shared", "independent"])
def test_every_anchor_of_a_block_is_drawn_for_as_by_the_plain_loop(draws):
    """Counts of each pool row over many seeds, for several anchors, against those of the plain loop (chi-square)."""
    vectors, groups = corpus(240)
    sampler, times, anchors = CosineWindow(low=0.2, high=0.6, draws=draws), 400, (0, 7, 101, 239)
    chosen = np.stack([sample(sampler, vectors, groups, 3, seed).numpy() for seed in range(times)])
    rng, plain = np.random.default_rng(5), vectors.double().numpy()
    for row in anchors:
        loop = [index for _ in range(times) for index in plain_loop(plain, groups, row, 0.2, 0.6, 3, rng)]
        counts = np.stack([np.bincount(rows, minlength=240) for rows in (chosen[:, row].ravel(), loop)])
        assert chi2_contingency(counts[:, counts.sum(0) > 0]).pvalue > 1e-3


@pytest.mark.parametrize("draws", ["shared", "independent"])
@pytest.mark.parametrize("n_anchors", [1, 40])
def test_the_window_is_drawn_from_uniformly_for_every_single_anchor(n_anchors, draws):
    vectors, groups = corpus(400)
    window = plain_window(vectors, groups, 0, 0.2, 0.6)
    assert 50 < len(window) < 200
    sampler, counts = CosineWindow(low=0.2, high=0.6, draws=draws), np.zeros(400)
    for seed in range(1500):
        counts += np.bincount(sample(sampler, vectors, groups, 3, seed, slice(n_anchors))[0], minlength=400)
    assert counts.sum() == counts[window].sum() == 4500
    assert chisquare(counts[window]).pvalue > 1e-3


@pytest.mark.parametrize(
    "sampler",
    [CosineWindow(low=0.3, high=0.7, draws="shared"), CosineWindow(low=0.3, high=0.7), Uniform()],
    ids=["shared", "independent", "uniform"],
)
def test_neighbours_in_the_pool_are_drawn_independently(sampler):
    """Pairs of draws of one anchor: a rank and the next one are no likelier together than any two others."""
    vectors, groups = corpus(90)
    chosen = torch.cat([sample(sampler, vectors, groups, 2, seed, slice(1)) for seed in range(1200)])
    inside = chosen.unique()
    place = {int(row): number for number, row in enumerate(inside)}
    apart = np.array([(place[int(b)] - place[int(a)]) % len(inside) for a, b in chosen])
    assert chisquare(np.bincount(apart, minlength=len(inside))[1:]).pvalue > 1e-3


@settings(max_examples=40)
@given(
    n=st.integers(8, 90),
    k=st.integers(1, 12),
    low=st.floats(0, 0.6),
    width=st.floats(0.2, 1.5),
    seed=st.integers(0, 10**6),
    draws=st.sampled_from(["shared", "independent"]),
)
def test_draws_lie_in_the_window_and_are_distinct_where_there_are_enough(n, k, low, width, seed, draws):
    vectors, groups = corpus(n, 4, seed)
    sampler = CosineWindow(low=low, high=low + width, draws=draws)
    # float32 and float64 may differ at the bounds themselves
    wider = [plain_window(vectors, groups, row, low - 1e-5, low + width + 1e-5) for row in range(n)]
    narrower = [plain_window(vectors, groups, row, low + 1e-5, low + width - 1e-5) for row in range(n)]
    if not all(wider):
        with pytest.raises(NoNegatives, match="no negative"):
            sample(sampler, vectors, groups, k, seed)
        return
    assume(all(narrower))
    chosen = sample(sampler, vectors, groups, k, seed)
    assert chosen.shape == (n, k)
    assert chosen.dtype == torch.int64
    for row in range(n):
        drawn = set(chosen[row].tolist())
        assert drawn <= set(wider[row])
        assert len(drawn) >= min(k, len(narrower[row]))


@pytest.mark.parametrize(
    "sampler",
    [CosineWindow(high=0.5, draws="shared"), CosineWindow(high=0.5), CosineWindow(high=1.2, draws="shared"), Uniform()],
    ids=["shared", "independent", "shared, nearly all", "uniform"],
)
@pytest.mark.parametrize("n", [300, 1500, 2100])
def test_how_often_each_text_is_drawn_over_the_corpus_varies_as_independent_draws_do(sampler, n):
    """Against what its windows predict: the sum over anchors of k over the number of texts of their window."""
    vectors, groups = corpus(n)
    high = 3.0 if isinstance(sampler, Uniform) else sampler.high
    distances = cdist(vectors.double().numpy(), vectors.double().numpy(), "cosine")
    inside = (distances < high) & (groups[:, None, 1] != groups[None, :, 1]).numpy()
    expected = (4 / np.maximum(inside.sum(1), 4))[inside.any(1)] @ inside[inside.any(1)]
    counts = np.bincount(sample(sampler, vectors, groups, 4).numpy().ravel(), minlength=n)
    often = expected > 1
    assert often.mean() > 0.6
    dispersion = (np.square(counts - expected) / np.maximum(expected, 1e-9))[often].mean()
    assert 0.6 < dispersion < 1.5


def test_many_anchors_are_drawn_for_together_unless_requested_otherwise():
    assert [resolve("auto", n) for n in (1, 100_000, 100_001)] == ["independent", "independent", "shared"]
    assert [resolve(draws, 10**6) for draws in ("shared", "independent")] == ["shared", "independent"]
    assert [resolve(draws, 1) for draws in ("shared", "independent")] == ["shared", "independent"]


def test_independent_draws_of_two_anchors_meet_as_often_as_chance_has_it():
    vectors, groups = corpus(300)
    vectors[1] = vectors[0]
    groups[:, 1] = torch.arange(300)  # a source of its own each
    window, met = len(plain_window(vectors, groups, 0, 0.2, 0.8)), 0
    sampler = CosineWindow(low=0.2, high=0.8, draws="independent")
    for seed in range(400):
        first, second = sample(sampler, vectors, groups, 4, seed, slice(2)).tolist()
        met += len(set(first) & set(second))
    expected = 400 * 4 * 4 / window
    assert abs(met - expected) < 4 * expected**0.5


@pytest.mark.parametrize("draws", ["shared", "independent"])
def test_the_whole_pool_is_searched_for_an_anchor_whose_window_is_nearly_empty(draws):
    vectors, groups = corpus(20_000, 8)
    vectors[0], vectors[19_999] = torch.eye(8)[1] * 9, torch.eye(8)[1] * 3 + 1e-3
    others = 1 - torch.nn.functional.normalize(vectors) @ torch.eye(8)[1]
    assert int((others < 1e-6).sum()) == 2
    sampler = CosineWindow(high=1e-6, draws=draws)
    assert sample(sampler, vectors, groups, 2, rows=slice(1)).tolist() == [[19_999, 19_999]]
    assert sampler.record()["share_of_anchors_with_fewer_than_k"] == 1


def test_another_text_with_the_same_embedding_is_admitted_and_the_own_text_elsewhere_is_not():
    vectors = torch.randn(1, 32, generator=generator(0)).repeat(4, 1)
    groups = torch.tensor([[7, 0], [7, 1], [8, 2], [9, 0]])  # own; own text elsewhere; other text; own source
    for sampler in EVERY:
        assert sample(sampler, vectors, groups, 2, rows=slice(1)).tolist() == [[2, 2]]


@pytest.mark.parametrize("sampler", EVERY, ids=lambda sampler: type(sampler).__name__)
def test_one_source_alone_has_no_negatives(sampler):
    vectors, groups = corpus(3)
    with pytest.raises(NoNegatives, match="positive 0 has no negative: no text of the 3 in the pool is"):
        sample(sampler, vectors, groups, 2)


def test_an_empty_window_says_what_to_try():
    vectors, groups = corpus(30)
    with pytest.raises(NoNegatives, match=r"Try a wider window .*--negatives uniform"):
        sample(CosineWindow(high=1e-5), vectors, groups, 2)


def test_quantiles_of_the_corpus_set_the_window_and_its_acceptance_rate():
    vectors, groups = corpus(3000, 32)
    sampler = CosineWindow(low_quantile=0.02, high_quantile=0.10)
    chosen = sample(sampler, vectors, groups, 10)
    measured = sampler.record()
    assert measured["acceptance_rate"] == pytest.approx(0.08, abs=0.015)
    cosines = torch.cosine_similarity(vectors[:, None], vectors[chosen], dim=-1)
    assert 1 - float(cosines.max()) > measured["window_low"] - 1e-5
    assert 1 - float(cosines.min()) < measured["window_high"] + 1e-5


def test_the_acceptance_rate_is_the_share_of_other_texts_in_the_window():
    vectors, groups = corpus(60)
    sampler = CosineWindow(low=0.1, high=1.2)
    sample(sampler, vectors, groups, 30)  # so many that the whole pool is examined
    inside = sum(len(plain_window(vectors, groups, row, 0.1, 1.2)) for row in range(60))
    assert sampler.record()["acceptance_rate"] == pytest.approx(inside / (60 * 57))


@pytest.mark.parametrize(
    "sampler", [CosineWindow(high=1.5), CosineWindow(high=1.5, draws="shared"), Uniform(), InBatch()]
)
def test_the_seed_decides(sampler):
    vectors, groups = corpus(200)
    assert torch.equal(sample(sampler, vectors, groups, 5, 1), sample(sampler, vectors, groups, 5, 1))
    assert not torch.equal(sample(sampler, vectors, groups, 5, 1), sample(sampler, vectors, groups, 5, 2))


@pytest.mark.parametrize(
    ("sampler", "digest"),
    [
        (CosineWindow(low=0.2, high=0.3, draws="shared"), "db86d3378ac55599"),
        (CosineWindow(low=0.2, high=0.3), "71b47852d489296f"),
        (CosineWindow(low_quantile=0.0, high_quantile=0.08), "2478aeecc6313752"),
        (Uniform(), "7e1409abe180233c"),
    ],
    ids=["shared", "independent", "quantiles", "uniform"],
)
def test_a_seed_gives_what_it_gave_before(sampler, digest):
    """20,000 texts in several parts and rounds; the whole pool is searched for a few of the 1,000 anchors."""
    vectors, groups = corpus(20_000, 16)
    chosen = sample(sampler, vectors, groups, 5, 1, slice(1000))
    assert hashlib.sha256(chosen.numpy().tobytes()).hexdigest()[:16] == digest


def repeated(n: int) -> tuple[torch.Tensor, SimpleNamespace]:
    """Return embeddings of distinct texts, and n pairs whose texts stand about three times each, in no order."""
    vectors, _ = corpus(n // 3)
    text = torch.randint(n // 3, (n,), generator=generator(3))
    groups = torch.stack([text, torch.arange(n) // 3], 1)
    pairs = {"text": text, "pool_text": text, "groups": groups, "pool_groups": groups, "pool_row": torch.arange(n)}
    return vectors, SimpleNamespace(**pairs)


@pytest.mark.parametrize("draws", ["shared", "independent"])
def test_texts_that_occur_several_times_are_drawn_as_if_gathered_and_not_copied(draws):
    vectors, pairs = repeated(1200)
    sampler = Watched(low=0.2, high=0.6, draws=draws)
    lazily, gathering = Negatives(sampler, pairs, 3), Negatives(Gathering(draws), pairs, 3)
    measured = lazily.draw(vectors, generator(0))
    assert gathering.draw(vectors, generator(0)) == measured
    assert torch.equal(lazily.of_corpus, gathering.of_corpus)
    assert sampler.requests[0].embeddings is vectors


class Watched(CosineWindow):
    """Keeps the draws over rows of embeddings that were requested."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.requests: list[TextDraw] = []

    def sample_texts(self, draw: TextDraw) -> torch.Tensor:
        self.requests.append(draw)
        return super().sample_texts(draw)


class Gathering:
    """A stranger's sampler, which has `sample` alone."""

    when = "corpus"

    def __init__(self, draws: str) -> None:
        self.plain = CosineWindow(low=0.2, high=0.6, draws=draws)
        self.sample, self.record = self.plain.sample, self.plain.record


def test_distances_are_written_to_the_same_memory_whatever_their_number():
    vectors, _ = corpus(3 * PART)
    distance = Distances(Texts(vectors), Texts(vectors))
    rows = torch.tensor([5, 9])
    distance(rows, torch.arange(PART))  # grows to what is needed
    memory = distance(rows, torch.arange(4 * PART + 6).view(2, -1) % len(vectors)).data_ptr()
    for columns in (torch.arange(7), torch.arange(2 * (2 * PART + 3)).view(2, -1) % len(vectors)):
        computed = distance(rows, columns)
        plain = [
            cdist(vectors[row : row + 1], vectors[columns.expand(2, -1)[i]], "cosine") for i, row in enumerate(rows)
        ]
        np.testing.assert_allclose(computed.numpy(), np.concatenate(plain), atol=2e-6)
        assert computed.data_ptr() == memory
    assert len(distance._gathered) == PART


def test_hardest_takes_the_texts_nearest_to_the_video():
    texts, groups = corpus(30)
    videos = torch.randn(30, 12, generator=generator(5))
    chosen = Hardest().sample(drawing(videos, texts, texts, groups, groups, 4))
    distances = cdist(videos.numpy(), texts.numpy(), "cosine")
    for row in range(30):
        others = [i for i in range(30) if i // 3 != row // 3]
        others.sort(key=lambda i: distances[row, i])
        assert chosen[row].tolist() == others[:4]


def test_semi_hard_takes_the_nearest_of_those_behind_the_positive():
    texts, groups = corpus(30)
    videos = torch.randn(30, 12, generator=generator(5))
    chosen = SemiHard().sample(drawing(videos, texts, texts, groups, groups, 27))
    distances = cdist(videos.numpy(), texts.numpy(), "cosine")
    for row, own in enumerate(distances.diagonal()):
        others = [i for i in range(30) if i // 3 != row // 3]
        behind = sorted((i for i in others if distances[row, i] > own), key=lambda i: distances[row, i])
        before = sorted((i for i in others if distances[row, i] < own), key=lambda i: -distances[row, i])
        assert chosen[row].tolist() == behind + before


def test_semi_hard_takes_a_text_as_near_as_the_positive_after_all_that_lie_farther():
    texts = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])  # the positive; nearer, as near, farther
    groups = torch.arange(4)[:, None]
    chosen = SemiHard().sample(drawing(torch.tensor([[1.0, 0.0]]), texts[:1], texts, groups[:1], groups, 3))
    assert chosen.tolist() == [[3, 2, 1]]


def test_a_row_with_fewer_texts_than_k_repeats_them():
    vectors, groups = corpus(6)
    for sampler in EVERY:
        first = sample(sampler, vectors, groups, 7)[0].tolist()
        assert sampler.record()["share_of_anchors_with_fewer_than_k"] == 1
        sample(sampler, vectors, groups, 3)
        assert sampler.record()["share_of_anchors_with_fewer_than_k"] == 0
        assert sorted(set(first)) == [3, 4, 5]
        assert sorted(first.count(row) for row in (3, 4, 5)) == [2, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 0.8, "high": 0.2}, r"low=0.8 is not below high=0.2.*--set negatives.low=0.0 --set negatives.high=0.8"),
        ({"high_quantile": 1.5}, "high_quantile above 0 and up to 1, not 1.5"),
        ({"high_quantile": 0.0}, r"above 0 and up to 1, not 0.0. Try: --set negatives.high_quantile=0.08"),
        ({"low_quantile": 1.0}, r"from 0 to below 1, not 1.0. Try: --set negatives.low_quantile=0"),
        ({"low_quantile": 0.5, "high_quantile": 0.1}, r"low_quantile=0.5 is not below .*Try: --set"),
    ],
)
def test_an_impossible_window_is_refused(options, message):
    with pytest.raises(UsageError, match="cosine-window.*" + message):
        CosineWindow(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"low_quantile": 0.5, "high": 0.1},
            r"low_quantile=0.5 \(a distance of 0.[5-9]\d\d here\) is not below high=0.1. "
            "Try: --set negatives.high_quantile=0.75",
        ),
        (
            {"low": 1.5, "high_quantile": 0.1},
            r"low=1.5 is not below high_quantile=0.1 \(a distance of 0.\d\d\d here\). "
            "Try: --set negatives.low_quantile=0",
        ),
    ],
)
def test_a_window_that_the_corpus_leaves_empty_says_what_to_type(options, message):
    vectors, groups = corpus(90)
    with pytest.raises(NoNegatives, match=message):
        sample(CosineWindow(**options), vectors, groups, 2)


def test_texts_all_alike_leave_no_window_between_quantiles():
    vectors, groups = torch.ones(9, 4), torch.arange(9)[:, None]
    with pytest.raises(NoNegatives, match="Try: --negatives uniform"):
        sample(CosineWindow(low_quantile=0.1, high_quantile=0.5), vectors, groups, 2)
