"""What `zsarbench plugin new` copies, as it stands: each component does what its first line says."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from zsarbench.cli.verbs.plugin import TEMPLATE
from zsarbench.errors import UsageError


@pytest.fixture
def template(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Return what imports a module of the template."""
    monkeypatch.syspath_prepend(TEMPLATE)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield lambda name: importlib.import_module(f"my_plugin.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_plugin"]:
        del sys.modules[name]


def test_the_data_set_reads_its_list(template: Callable[[str], Any], tmp_path: Any) -> None:
    listed = template("dataset").Listed()
    clips = listed.manifest()
    assert len(clips) == len(listed.captions()) > 0
    assert clips["clip_id"].is_monotonic_increasing
    assert set(clips["label"]) == set(listed.classes)
    assert clips["path"].isna().all()
    assert clips[["start", "end"]].isna().all(axis=None)
    (first, *_) = template("dataset").Listed(root=tmp_path).manifest()["path"]
    assert first == str(tmp_path / f"{clips['clip_id'][0]}.mp4")
    name, sentence = (listed.class_texts(form)[0].texts[0] for form in ("name", "sentence"))
    assert sentence == f"a person is {name}"
    with pytest.raises(UsageError, match="known: name, sentence"):
        listed.class_texts("documents")
    assert len(listed.revision) == 16


def test_frames_become_the_mean_colours_of_sixteen_fields(template: Callable[[str], Any]) -> None:
    frame = np.zeros((8, 64, 3), dtype=np.uint8)
    frame[2:4, 48:] = (10, 20, 30)  # the second row's last field
    fields = template("frames").Fields()(frame)
    assert fields.shape == (3, 4, 4)
    assert fields[:, 1, 3].tolist() == [10, 20, 30]
    assert fields.sum() == 60


def test_the_reporter_writes_a_line_for_each_row(template: Callable[[str], Any]) -> None:
    import pandas as pd

    frame = pd.DataFrame([{"rank": 1, "method": "sae", "top1": 0.51249}, {"rank": 2, "method": "conse", "top1": 0.1}])
    table = SimpleNamespace(title="toy/half", frame=frame, rank_by="top1")
    assert template("reporter").Lines().render(table) == "toy/half\n1 sae 0.512\n2 conse 0.100"


def test_the_method_is_ridge_regression_and_a_cosine(template: Callable[[str], Any]) -> None:
    torch = pytest.importorskip("torch", reason="the method imports torch")
    from zsarbench.features.clips import MemoryClips

    texts = {"up": [0.0, 3.0], "right": [5.0, 0.0], "diagonal": [1.0, 1.0]}
    encoder = SimpleNamespace(encode=lambda names: torch.tensor([texts[name] for name in names]))
    context = SimpleNamespace(parts=SimpleNamespace(text=encoder))
    classes = [SimpleNamespace(texts=(name,)) for name in texts]
    rows = [torch.tensor([[1.0, 0.0], [3.0, 0.0]]), torch.tensor([[0.0, 1.0]])]
    clips = MemoryClips(("a", "b"), rows)
    method = template("method").RidgeToText()
    method.fit(SimpleNamespace(clips=clips, labels=torch.tensor([0, 1]), classes=classes), context)
    # (x'x + 1)^-1 x'y with x = diag(2, 1) and y = ((0, 3), (5, 0))
    assert torch.allclose(method.map, torch.tensor([[0.0, 2 * 3 / (4 + 1)], [5 / (1 + 1), 0.0]]))
    scores = method.score(clips, classes, context)
    assert torch.allclose(scores, torch.tensor([[1.0, 0.0, 0.5**0.5], [0.0, 1.0, 0.5**0.5]]))
    several = [SimpleNamespace(texts=("up", "right"))]
    assert torch.allclose(method.score(clips, several, context)[:, 0], torch.tensor([1.5, 2.5]) / 8.5**0.5)


def test_the_loss_is_a_squared_hinge_with_a_margin_of_1(template: Callable[[str], Any]) -> None:
    torch = pytest.importorskip("torch", reason="the loss imports torch")
    video, positive = torch.tensor([[0.0, 0.0]]), torch.tensor([[2.0, 0.0]])
    negative = torch.tensor([[[0.0, 1.5], [0.0, 9.0]]])
    loss = template("loss").SquaredHinge
    assert float(loss()(video, positive, negative)) == pytest.approx((1 + 2 - 1.5) ** 2 / 2, abs=1e-4)
    assert float(loss(margin=2.0)(video, positive, negative)) == pytest.approx((2 + 2 - 1.5) ** 2 / 2, abs=1e-4)


def test_the_sampler_draws_texts_of_other_groups(template: Callable[[str], Any]) -> None:
    torch = pytest.importorskip("torch", reason="the sampler imports torch")
    from zsarbench.errors import NoNegatives

    rng = torch.Generator().manual_seed(0)
    draw = SimpleNamespace(
        anchor_groups=torch.tensor([[0], [1]]), pool_groups=torch.tensor([[0], [1], [0]]), k=20, rng=rng
    )
    drawn = template("negatives").OtherTexts().sample(draw)
    assert drawn.shape == (2, 20)
    assert set(drawn[0].tolist()) == {1}
    assert set(drawn[1].tolist()) == {0, 2}
    draw.anchor_groups = torch.tensor([[0]])
    draw.pool_groups = torch.tensor([[0]])
    with pytest.raises(NoNegatives):
        template("negatives").OtherTexts().sample(draw)


def test_the_encoders_count_words_and_average_colours(template: Callable[[str], Any]) -> None:
    torch = pytest.importorskip("torch", reason="the encoders import torch")
    rows = template("text").HashedWords().encode(["a Man a", "man"])
    assert rows.shape == (2, 512)
    assert rows.sum(1).tolist() == [3, 1]
    assert float(rows[0] @ rows[1]) == 1
    assert template("text").HashedWords(dim=64).space == "my-plugin-64"
    visual = template("visual").Colours()
    assert (visual.sampling.frames_per_second, visual.sampling.max_steps, visual.dim) == (1.0, 8, 48)
    frames = torch.full((1, 2, 1, 3, 4, 4), 51, dtype=torch.uint8)
    steps = visual.encode(SimpleNamespace(frames=frames, mask=torch.tensor([[True, False]])))
    assert torch.allclose(steps.values, torch.tensor([[[0.2] * 48, [0.0] * 48]]))
