from __future__ import annotations

import torch

from zsarbench_encoders.hashed import HashedWords


def test_the_same_words_lie_near_and_others_far() -> None:
    encoder = HashedWords()
    rows = encoder.encode(["a person lifts a ball", "A person lifts the ball!", "two dogs swim"])
    cosine = rows @ rows.T
    assert cosine[0, 1] > 0.5 > cosine[0, 2]


def test_rows_depend_on_their_sentence_alone() -> None:
    encoder = HashedWords(dim=64)
    texts = ["one two", "three", "", "ünïcode wörds"]
    together = encoder.encode(texts)
    assert together.shape == (4, 64)
    assert torch.equal(together, torch.cat([encoder.encode([text]) for text in texts]))
    assert not together[2].any()
    assert encoder.encode([]).shape == (0, 64)


def test_pairs_tell_the_order_of_words() -> None:
    texts = ["dog bites man", "man bites dog"]
    with_pairs, without = HashedWords().encode(texts), HashedWords(word_pairs=False).encode(texts)
    assert torch.allclose(without[0], without[1])
    assert not torch.allclose(with_pairs[0], with_pairs[1])
