"""Objects of a clip: their sentences, the likeliest of them, and what bounds the memory that this takes."""

from __future__ import annotations

import pytest
import torch

from records import changeable
from zsarbench.features.clips import MemoryClips
from zsarbench.interfaces import Steps
from zsarbench.utils.classifiers import Classifier
from zsarbench_cezsar import objects
from zsarbench_cezsar.objects import ObjectTexts, clip_sentences, mean_steps, read_at_once, top_objects, vocabulary

FIVE, SIX = "one two three four five", "one two three four five six"


def test_a_sentence_says_something_with_more_than_five_words_and_is_cut_at_twenty() -> None:
    texts = ObjectTexts((("cup", f"{FIVE}. {SIX}! {' '.join(map(str, range(21)))}"),))
    assert texts.sentences(0) == (f"{SIX}!", " ".join(map(str, range(20))))
    exact = " ".join(map(str, range(20)))
    assert ObjectTexts((("cup", exact),)).sentences(0) == (exact,)


def test_a_name_of_many_words_is_a_sentence_and_equal_ones_count_once() -> None:
    assert ObjectTexts(((SIX, "short"),)).sentences(0) == (SIX,)
    assert ObjectTexts((("cup", f"{SIX}.  {SIX}."),)).sentences(0) == (f"{SIX}.",)


def test_definitions_are_the_own_one_then_other_senses_of_single_words_each_once() -> None:
    senses = {"crane": ("a bird", "a machine", "own"), "lifting crane": ("never",), "jib": ("an arm",)}
    texts = ObjectTexts((("Crane, lifting crane, jib", "own"), ("crane", ""), ("cup", "")), senses)
    assert texts.definitions(0) == ("own", "a bird", "a machine", "an arm")
    assert texts.definitions(1) == ("a bird", "a machine", "own")
    assert texts.definitions(2) == ()


def test_single_word_lemmas_bring_their_other_senses() -> None:
    """ImageNet-21k knows several things called `crane`; of a lemma of two words, no other sense is taken."""
    objects = ObjectTexts.of([("crane", ""), ("crane", "my own crane"), ("swivel chair", "a chair")])
    birds = [text for text in objects.definitions(0) if "bird" in text]
    machines = [text for text in objects.definitions(0) if "lift" in text]
    assert birds
    assert machines
    assert objects.definitions(1)[0] == "my own crane"
    assert set(objects.definitions(1)) == set(objects.definitions(0))
    assert objects.definitions(2) == ("a chair",)


def test_one_sentence_about_several_objects() -> None:
    labels = (("cup", "for tea"), ("ball", "round"), ("dance", ""))
    assert ObjectTexts(labels).described([1, 2]) == "ball: round. dance"


def test_the_vocabulary_has_a_row_of_positions_for_each_label() -> None:
    other = "six five four three two one"
    texts, of_label = vocabulary(ObjectTexts((("a", SIX), ("b", "none"), ("c", f"{other}. {SIX}"))))
    assert texts == (SIX, f"{other}.")
    assert of_label.tolist() == [[0, -1], [-1, -1], [1, 0]]
    assert vocabulary(ObjectTexts((("a", ""),)))[1].tolist() == [[-1]]


def test_the_likeliest_objects_come_first_with_their_probabilities() -> None:
    classifier = Classifier((("a", ""), ("b", ""), ("c", "")), lambda features: features)
    logits = torch.tensor([[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]])
    likely, labels = top_objects(logits.to(torch.float16), classifier, 2)
    assert labels[:, 0].tolist() == [1, 0]
    assert labels[0].tolist() == [1, 2]
    torch.testing.assert_close(likely[0], logits[0].softmax(0)[[1, 2]])
    assert likely.dtype == torch.float32
    assert top_objects(logits, classifier, 9)[1].shape == (2, 3)


def test_means_are_over_steps_that_are_shown_and_there() -> None:
    values = torch.arange(8.0).reshape(2, 2, 2)
    mask = torch.tensor([[True, True], [True, False]])
    shown = torch.tensor([[[True, True], [False, True]], [[True, True], [False, True]]])
    found = mean_steps(Steps(values, mask), shown)
    assert found.tolist() == [[[1.0, 2.0], [2.0, 3.0]], [[4.0, 5.0], [0.0, 0.0]]]


@pytest.mark.parametrize(
    ("n_steps", "dim", "n_clips"), [(1, 1, 64), (2**10, 2**10, 64), (2**11, 2**10, 32), (2**14, 2**14, 1)]
)
def test_as_many_clips_are_read_at_once_as_memory_has_room_for(n_steps: int, dim: int, n_clips: int) -> None:
    clips = MemoryClips(["a"], torch.zeros(1, 1, 1))
    clips.max_steps, clips.dim = n_steps, dim
    assert read_at_once(clips) == n_clips


def test_a_clip_that_was_not_read_has_an_empty_sentence() -> None:
    values = torch.tensor([[[0.0, 5.0], [9.0, 0.0]], [[5.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    clips = MemoryClips(["a", "b", "c"], values, mask)
    classifier = Classifier((("cup", "for tea"), ("door", "")), lambda features: features)
    texts = ObjectTexts(classifier.labels)
    assert clip_sentences(clips, torch.tensor([0, 1, 2]), classifier, texts, 1, 1) == ["door", "cup: for tea", ""]
    assert clip_sentences(clips, torch.tensor([0]), classifier, texts, 2, 2) == ["cup: for tea. door"]
    assert changeable(objects) == []
