from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText, Context, Method, Parts, Steps
from zsarbench_baselines.chance import Chance
from zsarbench_baselines.nearest_text import NearestText, check_one_space

CLASSES = (
    ClassText("walk", ("walk",)),
    ClassText("run", ("run", "jog", "sprint")),
    ClassText("swim", ("swim", "dive")),
)
WORDS = [text for each in CLASSES for text in each.texts]


class ToyText:
    """Gives each known word a fixed random vector of any length."""

    dim = 8
    space = "toy"

    def encode(self, texts: Sequence[str]) -> Tensor:
        table = torch.randn(len(WORDS), self.dim, generator=torch.Generator().manual_seed(1)) * 3
        return table[[WORDS.index(text) for text in texts]]


class ToyClips:
    """Holds steps of random length; clip 3 could not be read."""

    def __init__(self, n: int = 7) -> None:
        generator = torch.Generator().manual_seed(2)
        self.ids = tuple(f"clip{i}" for i in range(n))
        self.values = torch.randn(n, 4, ToyText.dim, generator=generator)
        self.mask = torch.arange(4) < torch.randint(1, 5, (n, 1), generator=generator)
        self.mask[3:4] = False
        self.values[~self.mask] = 0

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, index: Sequence[int]) -> Steps:
        positions = list(index)
        return Steps(self.values[positions], self.mask[positions])


def context(visual_space: str | None = "toy", text: object = None) -> Context:
    parts = Parts(SimpleNamespace(space=visual_space), text or ToyText())
    return Context(parts, torch.device("cpu"), torch.float32, torch.Generator, None, False, SimpleNamespace())


def by_hand(clips: ToyClips, aggregate: str) -> list[list[float]]:
    """Score clip by clip, step by step, text by text."""
    table = []
    for values, mask in zip(clips.values, clips.mask, strict=True):
        row = []
        for each in CLASSES:
            of_steps = []
            for step in values[mask]:
                cosines = [
                    float(torch.cosine_similarity(step, ToyText().encode([text])[0], dim=0)) for text in each.texts
                ]
                of_steps.append(max(cosines) if aggregate == "max" else sum(cosines) / len(cosines))
            row.append(sum(of_steps) / len(of_steps) if of_steps else float("nan"))
        table.append(row)
    return table


@pytest.mark.parametrize("aggregate", ["max", "mean"])
@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_score_is_the_mean_over_steps_of_the_texts_cosines(aggregate: str, at_once: int) -> None:
    class FewAtOnce(NearestText):
        clips_at_once = at_once

    method, clips = FewAtOnce(aggregate=aggregate), ToyClips()
    method.fit(None, context())
    scores = method.score(clips, CLASSES, context())
    assert isinstance(method, Method)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, torch.tensor(by_hand(clips, aggregate)), equal_nan=True)
    assert scores[3].isnan().all()
    assert not scores[:3].isnan().any()


def test_class_score_does_not_depend_on_the_other_classes() -> None:
    clips, method = ToyClips(), NearestText()
    every = method.score(clips, CLASSES, context())
    torch.testing.assert_close(method.score(clips, CLASSES[1:2], context()), every[:, 1:2], equal_nan=True)


def test_no_clips_give_no_rows() -> None:
    assert NearestText().score(ToyClips(0), CLASSES, context()).shape == (0, 3)


@pytest.mark.parametrize("space", [None, "another"])
def test_parts_without_a_common_space_are_refused_before_anything_is_scored(space: str | None) -> None:
    with pytest.raises(UsageError, match=r"share a space; the visual part .* text part in toy.*--visual captions"):
        NearestText().check_parts(context(space).parts)


def test_spaces_of_their_own_are_not_shared() -> None:
    with pytest.raises(UsageError, match="a space of its own"):
        NearestText().check_parts(context(None, SimpleNamespace(space=None)).parts)


def test_missing_part_is_named() -> None:
    with pytest.raises(UsageError, match="--visual captions --text"):
        check_one_space(Parts())


def test_chance_scores_every_class_alike_unread_clips_included() -> None:
    method = Chance()
    method.fit(None, context())
    scores = method.score(ToyClips(5), CLASSES, context(None))
    assert isinstance(method, Method)
    assert scores.shape == (5, 3)
    assert (scores == scores[0, 0]).all()
