"""Values that travel between the harness and components: what they derive from their fields."""

from __future__ import annotations

import dataclasses
import math

import pandas as pd
import pytest
import torch

from records import changeable, positional
from zsarbench.interfaces import Round, Sampling, Table, TextDraw, values


@pytest.mark.parametrize(
    ("fields", "selects"),
    [
        ({}, True),
        ({"frames_per_second": 0.01, "max_steps": 1, "frames_per_step": 1, "step_stride": 1}, True),
        ({"max_steps": 0}, False),
        ({"frames_per_step": 0}, False),
        ({"step_stride": -1}, False),
        ({"frames_per_second": 0.0}, False),
        ({"frames_per_second": math.inf}, False),
        ({"frames_per_second": math.nan}, False),
    ],
)
def test_a_sampling_selects_frames_where_its_numbers_are_above_zero(fields: dict[str, float], selects: bool) -> None:
    assert dataclasses.replace(Sampling(), **fields).selects_frames is selects


def test_a_sampling_takes_sixteen_steps_of_one_frame_a_second() -> None:
    default = Sampling()
    assert dataclasses.astuple(default) == (1.0, 16, 1, 1)


def test_a_method_is_given_seen_classes_and_validation_classes_and_unseen_ones_are_the_other_candidates() -> None:
    item = Round(0, 0, seen=("b", "a"), candidates=("c", "a", "d"), validation=("a", "e"))
    assert item.given == ("b", "a", "e")
    assert item.unseen == ("c", "d")


@pytest.mark.parametrize("of_its_own", [False, True])
def test_a_draw_among_distinct_texts_is_the_draw_among_copies(of_its_own: bool) -> None:
    embeddings, texts = torch.eye(3), torch.tensor([2, 0, 2])
    groups, rng = torch.zeros(3, 1, dtype=torch.int64), torch.Generator()
    pool = torch.tensor([1, 2]) if of_its_own else texts
    draw = TextDraw(
        embeddings=embeddings, texts=texts, pool_texts=pool, anchor_groups=groups, pool_groups=groups + 1, k=2, rng=rng
    )
    found = draw.gathered()
    assert found.anchors.tolist() == found.positives.tolist() == embeddings[texts].tolist()
    assert found.pool.tolist() == embeddings[pool].tolist()
    assert (found.pool is found.positives) is not of_its_own
    assert (found.anchor_groups, found.pool_groups, found.k, found.rng) == (groups, draw.pool_groups, 2, rng)


def table(**columns: list[float | None]) -> Table:
    """Return a table of two rows."""
    frame = pd.DataFrame(
        {
            "rank": [1, None], "method": ["<m>", "n"], "settings": ["", ""], "kind": ["measured", "reported"],
            "train_on": ["seen", None], "class_text": ["name", None], **columns,
        }
    )  # fmt: skip
    return Table("A <title>", frame, "top1", "zsl", remarks=("a & b",), left_out=("id: reason",))


def test_a_table_is_one_line_and_its_main_columns_in_percent_in_a_notebook() -> None:
    shown = table(top1=[0.512, None], top1_ci_low=[0.4, None], top1_std=[0.1, 0.2])
    assert repr(shown) == "Table(A <title>: 2 rows by top1, 1 left out)"
    page = shown._repr_html_()
    assert page.startswith("<p><b>A &lt;title&gt;</b></p>")
    assert page.endswith("<ul><li>a &amp; b</li><li>id: reason</li></ul>")
    cells = [line.strip() for line in page.splitlines() if "<th>" in line or "<td>" in line]
    texts = [line.removeprefix(line[:4]).removesuffix(line[-5:]) for line in cells]
    assert texts == [
        "rank", "method", "settings", "kind", "train_on", "class_text", "mean, %", "low, %",
        "1.0", "&lt;m&gt;", "", "measured", "seen", "name", "51.2", "40.0",
        "", "n", "", "reported", "", "", "", "",
    ]  # fmt: skip


def test_records_cannot_be_changed() -> None:
    assert (changeable(values), positional(values)) == (
        [],
        ["ClassText", "ClipSource", "Clips", "Round", "Sampling", "Shard", "ShardReport", "Steps", "Table", "TrainSet"],
    )
