"""The toy draw that samplers are tried on: which of its texts are equal, and which groups they share."""

from __future__ import annotations

import pytest
import torch

from zsarbench.testing import conformance
from zsarbench.testing.checks_training import K, toy_draw
from zsarbench.testing.toys import ToyNegatives


@pytest.mark.parametrize(("columns", "sources", "n_anchors"), [(1, 8, 24), (2, 8, 24), (3, 2, 5)])
def test_equal_texts_share_their_group_and_sources_have_three_texts(columns: int, sources: int, n_anchors: int) -> None:
    subject = conformance.subject_of(ToyNegatives, "negatives")
    draw = toy_draw(subject, columns=columns, sources=sources, n_anchors=n_anchors)
    assert (draw.k, draw.anchor_groups.shape) == (K, (n_anchors, columns))
    in_batch = subject.component.when == "batch"
    n_pool = n_anchors if in_batch else 24
    assert (len(draw.pool), draw.pool_groups.shape) == (n_pool, (n_pool, columns))
    assert torch.equal(draw.pool_groups[:n_anchors], draw.anchor_groups)
    assert torch.equal(draw.positives, draw.pool[:n_anchors])
    if n_pool == 24:
        equal = (draw.pool[:, None] == draw.pool[None]).all(2)
        assert torch.equal(equal, draw.pool_groups[:, None, 0] == draw.pool_groups[None, :, 0])
        assert int(equal.sum()) == 24 + 2 * 4
    if columns > 1:
        assert draw.pool_groups[:, 1].unique().tolist() == list(range(min(sources, -(-n_pool // 3))))
        assert draw.pool_groups[:6, 1].tolist() == [0, 0, 0, 1, 1, 1][:n_pool]


def test_the_kit_offers_what_it_lists_and_nothing_else() -> None:
    import zsarbench.testing as kit

    assert all(getattr(kit, name) is not None for name in kit.__all__)
    with pytest.raises(AttributeError, match=r"module 'zsarbench\.testing' has no attribute 'nothing'"):
        kit.nothing  # noqa: B018
