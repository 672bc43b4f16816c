"""The semantic gap of a run: the clips that are drawn, and what lies in one space before and after the joint one."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from records import changeable, positional
from zsarbench.errors import UsageError
from zsarbench.evaluation.scores import Block, RoundScores, Scores
from zsarbench.interfaces import ClassText, ClipFeatures, Parts
from zsarbench.reports import semantic_gap
from zsarbench.reports.semantic_gap import Gap
from zsarbench.testing import toys

NAMES, N_CLIPS = toys.HELD_OUT, 31  # of each class, one more than are drawn
CLIPS = toys.clips(NAMES, N_CLIPS)
LABELS = np.repeat(np.arange(len(NAMES)), N_CLIPS)
UNREAD = 40  # a clip that was not read


class Half:
    """A method whose joint space is the first half of the features, and whose classes have two sentences each."""

    def embed(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Return clips, sentences and their classes."""
        steps = clips.rows(range(len(clips)))
        texts = toys.ToyText().encode([text for one in classes for text in one.texts])
        return steps.values[:, 0, :8], texts[:, :8], torch.arange(len(classes)).repeat_interleave(2)

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Any) -> Tensor:
        """Return the features of the first step as scores."""
        return clips.rows(range(len(clips))).values[:, 0, : len(classes)]


def scores_of(off_by: float) -> Scores:
    """Return scores that are off from those of the method by so much."""
    values = Half().score(CLIPS, toys.class_texts(NAMES), None).numpy() + np.float32(off_by)
    values[UNREAD] = np.nan
    clips, classes = np.arange(len(CLIPS), dtype=np.int32), np.arange(len(NAMES), dtype=np.int32)
    part = RoundScores(block=0, clips=clips, classes=classes, seen=np.zeros(len(NAMES), dtype=bool))
    return Scores(
        clip_ids=np.array(CLIPS.ids), groups=np.array(CLIPS.ids), class_names=np.array(NAMES),
        labels=LABELS.astype(np.int32), blocks=(Block(clips, classes, values),), rounds=(part,),
    )  # fmt: skip


def gap_of(monkeypatch: pytest.MonkeyPatch, parts: Parts, *, off_by: float = 0.0, method: type = Half) -> Gap:
    """Return the gap of a run of these parts, whose fit gives the method."""
    item = SimpleNamespace(round=SimpleNamespace(candidates=NAMES), test=CLIPS.ids)
    prepared = SimpleNamespace(
        compute=SimpleNamespace(deterministic=contextlib.nullcontext),
        inputs=SimpleNamespace(texts={one.name: one for one in toys.class_texts(NAMES, 2)}),
        clips=lambda ids: CLIPS.subset([CLIPS.ids.index(one) for one in ids]),
        parts=parts,
    )
    monkeypatch.setattr(semantic_gap, "prepare", lambda *given: prepared)
    monkeypatch.setattr(semantic_gap, "fits", lambda given: [SimpleNamespace(rounds=[item])])
    monkeypatch.setattr(semantic_gap, "fitted", lambda *given: SimpleNamespace(method=method(), context=None))
    registry = SimpleNamespace(get=lambda *given: SimpleNamespace(load=lambda: method))
    spec: Any = SimpleNamespace(what=SimpleNamespace(method=SimpleNamespace(name="half")))
    host: Any = SimpleNamespace(registry=registry)
    progress: Any = None
    return semantic_gap.of_run(spec, host, progress, scores_of(off_by), 0)


def parts_of(visual: Any, text: Any) -> Parts:
    """Return the parts of a run."""
    return Parts(visual=visual, text=text, negatives=None, loss=None)


def test_thirty_clips_that_were_read_are_drawn_of_each_class_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    gap = gap_of(monkeypatch, parts_of(toys.ToyVisual(), toys.ToyText()))
    assert gap.labels.tolist() == np.repeat(np.arange(12), 30).tolist()
    again = gap_of(monkeypatch, parts_of(toys.ToyVisual(), toys.ToyText()))
    np.testing.assert_array_equal(gap.before.clips, again.before.clips)
    steps = CLIPS.rows(range(len(CLIPS)))
    means = torch.stack([row[mask].mean(0) for row, mask in zip(steps.values, steps.mask, strict=True)]).numpy()
    places = [int(np.abs(means - row).max(axis=1).argmin()) for row in gap.before.clips]
    np.testing.assert_allclose(gap.before.clips, means[places], atol=1e-5)
    assert places == sorted(set(places))
    assert UNREAD not in places
    assert (gap.names, gap.difference) == (NAMES, 0.0)
    np.testing.assert_array_equal(gap.after.clips, steps.values[places, 0, :8])


def test_every_sentence_has_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    gap = gap_of(monkeypatch, parts_of(toys.ToyVisual(), toys.ToyText()))
    texts = [text for one in toys.class_texts(NAMES, 2) for text in one.texts]
    np.testing.assert_allclose(gap.before.sentences, toys.ToyText().encode(texts).numpy())
    assert gap.before.owner.tolist() == gap.after.owner.tolist() == [number for number in range(12) for _ in (0, 1)]
    assert gap.after.sentences.shape == (24, 8)


@pytest.mark.parametrize(
    ("visual", "text", "shared"), [("a", "a", True), ("a", "b", False), (None, None, False), (None, "a", False)]
)
def test_sides_share_a_space_where_both_name_the_same(
    monkeypatch: pytest.MonkeyPatch, visual: str | None, text: str | None, shared: bool
) -> None:
    sides: tuple[Any, Any] = toys.ToyVisual(), toys.ToyText()
    for side, space in zip(sides, (visual, text), strict=True):
        side.space = space
    assert gap_of(monkeypatch, parts_of(*sides)).shared_before is shared


def test_a_run_without_a_text_part_has_no_vectors_before(monkeypatch: pytest.MonkeyPatch) -> None:
    gap = gap_of(monkeypatch, parts_of(toys.ToyVisual(), None))
    assert gap.before.sentences.shape == (24, 0)
    assert not gap.shared_before


@pytest.mark.parametrize(("off_by", "warns"), [(0.0005, False), (0.002, True)])
def test_scores_that_the_repeated_fit_does_not_give_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, off_by: float, warns: bool
) -> None:
    with caplog.at_level(logging.WARNING):
        gap = gap_of(monkeypatch, parts_of(toys.ToyVisual(), toys.ToyText()), off_by=off_by)
    assert gap.difference == pytest.approx(off_by, rel=1e-2)
    assert ("the repeated fit gives other scores than the result, by up to 0.002" in caplog.text) is warns


def test_a_method_without_a_joint_space_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="method 'half' has no joint space to show"):
        gap_of(monkeypatch, parts_of(None, None), method=dict)


def test_a_gap_cannot_be_changed() -> None:
    assert (changeable(semantic_gap), positional(semantic_gap)) == ([], ["Gap", "Points"])
