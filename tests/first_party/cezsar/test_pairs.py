"""Pairs of clips and sentences: a clip is never aligned with itself, nor pushed from its own sentences."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import ClassText, ClipFeatures, Steps, TrainSet
from zsarbench.utils.seeding import generator
from zsarbench_cezsar.pairs import Pairs, first_words, make_pairs, split_pairs


class Clips:
    """Clips with captions and no content worth reading."""

    dim, max_steps = 2, 4

    def __init__(self, captions: Sequence[tuple[str, ...]] | None, captions_in_steps: str = "none", n: int = 0) -> None:
        self.captions = None if captions is None else tuple(captions)
        self.captions_in_steps = captions_in_steps
        self.ids = tuple(f"clip{i}" for i in range(n or len(captions or ())))

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, index) -> Steps:
        return Steps(torch.zeros(len(index), 4, 2), torch.ones(len(index), 4, dtype=torch.bool))

    def subset(self, index) -> ClipFeatures:
        raise NotImplementedError


def train_set(clips: Clips, groups: Sequence[str], labels=None, classes=()) -> TrainSet:
    return TrainSet(clips, None if labels is None else torch.tensor(labels), tuple(groups), tuple(classes), (), "toy")


def pool_of(pairs: Pairs, clip: int, text: str) -> set[str]:
    """Return the sentences that may be negatives of one pair."""
    row = next(i for i in range(len(pairs)) if int(pairs.clip[i]) == clip and pairs.texts[int(pairs.text[i])] == text)
    allowed = (pairs.pool_groups != pairs.groups[row]).all(1)
    return {pairs.texts[int(i)] for i in pairs.pool_text[allowed]}


def test_captions_are_paired_once_each_and_blank_ones_not_at_all():
    pairs = make_pairs(train_set(Clips([("A b", " a  B ", "", "c"), ("c",)]), ["x", "y"]), "captions", 4)
    assert [(int(c), pairs.texts[int(t)]) for c, t in zip(pairs.clip, pairs.text, strict=True)] == [
        (0, "A b"), (0, "c"), (1, "c"),
    ]  # fmt: skip
    assert pairs.hidden is None


def test_no_negative_describes_the_clip_itself_or_comes_from_its_source():
    captions = [("red", "blue"), ("BLUE", "green"), ("grey",), ("black",)]
    pairs = make_pairs(train_set(Clips(captions), ["g1", "g2", "g3", "g1"]), "captions", 4)
    # "BLUE" of clip 1 describes clip 0 as well; "black" comes from clip 0's source
    assert pool_of(pairs, 0, "red") == {"green", "grey"}
    assert pool_of(pairs, 2, "grey") == {"red", "blue", "BLUE", "green", "black"}


def test_a_clip_made_of_captions_does_not_show_the_caption_it_is_aligned_with():
    captions = [("a", "b", "A "), ("c", "c"), ("d", ""), ("e", "f")]
    pairs = make_pairs(train_set(Clips(captions, "one-each"), "wxyz"), "captions", 4)
    shown = {
        (int(clip), pairs.texts[int(text)]): (~hidden).tolist()
        for clip, text, hidden in zip(pairs.clip, pairs.text, pairs.hidden, strict=True)
    }
    assert shown == {
        (0, "a"): [False, True, False, True],  # the third caption is the same text
        (0, "b"): [True, False, True, True],
        (3, "e"): [False, True, True, True],
        (3, "f"): [True, False, True, True],
    }
    assert pairs.n_skipped == 2


def test_steps_beyond_those_read_do_not_count_as_shown():
    train = train_set(Clips([("a", "a", "b")], "one-each"), "w")
    pairs = make_pairs(train, "captions", 2)
    assert [pairs.texts[int(t)] for t in pairs.text] == ["b"]  # with "a" hidden nothing would remain
    assert pairs.hidden.tolist() == [[False, False]]


def test_captions_that_are_all_in_every_step_cannot_be_positives():
    with pytest.raises(UsageError, match=r"aligned with itself.*method\.positives=classes"):
        make_pairs(train_set(Clips([("a", "b")], "all"), "w"), "captions", 4)


def test_classes_are_pushed_from_other_classes_only():
    classes = [ClassText("run", ("runs", "fast")), ClassText("walk", ("walks",)), ClassText("go", ("Runs",))]
    pairs = make_pairs(train_set(Clips(None, n=3), "xxy", [0, 1, 2], classes), "classes", 4)
    assert len(pairs) == 4
    assert pool_of(pairs, 0, "fast") == {"walks", "Runs"}
    assert pool_of(pairs, 0, "runs") == {"walks"}  # the third class says the same
    assert [pairs.texts[int(pairs.pool_text[row])] for row in pairs.pool_row] == ["runs", "fast", "walks", "Runs"]


@pytest.mark.parametrize(
    ("clips", "positives", "message"),
    [
        (Clips(None, n=1), "captions", "have no captions"),
        (Clips([("a",)]), "classes", "no classes of its own"),
    ],
)
def test_what_is_missing_is_named(clips, positives, message):
    with pytest.raises(UsageError, match=message):
        make_pairs(train_set(clips, "w"), positives, 4)


def test_a_set_without_pairs_is_refused():
    with pytest.raises(ZsarbenchError, match="gives no pair"):
        make_pairs(train_set(Clips([("a",)], "one-each"), "w"), "captions", 4)


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.9])
def test_the_split_keeps_source_videos_whole(fraction):
    captions = [(f"a{i}", f"b{i}") for i in range(40)]
    pairs = make_pairs(train_set(Clips(captions), [f"g{i // 4}" for i in range(40)]), "captions", 4)
    kept, held = split_pairs(pairs, fraction, "video", generator(0))
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(80))
    assert not set(pairs.source[kept].tolist()) & set(pairs.source[held].tolist())
    assert len(held) == 80 * fraction


def test_the_release_s_split_does_not():
    pairs = make_pairs(train_set(Clips([tuple("abcdefgh")] * 6), "uvwxyz"), "captions", 4)
    kept, held = split_pairs(pairs, 0.3, "triplet", generator(0))
    assert set(pairs.source[kept].tolist()) & set(pairs.source[held].tolist())


def test_one_source_video_cannot_be_split():
    pairs = make_pairs(train_set(Clips([("a",), ("b",)]), "xx"), "captions", 4)
    with pytest.raises(ZsarbenchError, match="validation_fraction=0"):
        split_pairs(pairs, 0.3, "video", generator(0))
    kept, held = split_pairs(pairs, 0, "video", generator(0))
    assert (len(kept), len(held)) == (2, 0)


def test_class_sentences_are_cut_at_300_words():
    assert len(first_words("word " * 400).split()) == 300
    assert first_words("two  words") == "two  words"
