"""Questions about clips: their words, what they are known by, and the options of the command line they come from."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import pytest

from records import changeable, positional
from zsarbench.errors import UsageError
from zsarbench.predictions.asking import questions
from zsarbench.predictions.asking.questions import PROMPTS, Offered, Question, QuestionSettings

IMAGES = (b"one", b"two")


def settings_of(offered: Offered = "candidates", **fields: Any) -> QuestionSettings:
    """Return settings with the prompt of what is offered."""
    return QuestionSettings(**{"model": "m", "prompt": PROMPTS[offered], "offered": offered} | fields)


def test_a_question_names_its_options_and_the_number_of_frames() -> None:
    question = settings_of(prompt="{frames} frames:\n{options}").question(["play golf", "dive"], IMAGES)
    assert question.text == "2 frames:\nplay golf\ndive"
    assert question.images == IMAGES
    assert question.settings == {"model": "m", "temperature": 0.0, "max_tokens": 64}
    lettered = settings_of("choices", prompt="{options}").question(["play golf", "dive"], IMAGES)
    assert lettered.text == "A. play golf\nB. dive"
    assert settings_of("nothing", prompt="What?").question([], IMAGES).text == "What?"


def test_a_prompt_holds_options_where_and_only_where_names_are_offered() -> None:
    for offered in ("candidates", "choices"):
        with pytest.raises(UsageError, match=r"the prompt lacks \{options\}"):
            settings_of(offered, prompt="What?")
    with pytest.raises(UsageError, match=r"the prompt holds \{options\}, but none are offered"):
        settings_of("nothing", prompt="Which of {options}?")


def test_the_command_line_has_what_differs_from_the_defaults() -> None:
    assert settings_of().words() == []
    changed = settings_of(max_frames=4, frames_per_second=0.5, image_size=64, temperature=1.0, max_tokens=9)
    assert changed.words() == [
        "--frames", "4", "--fps", "0.5", "--size", "64", "--temperature", "1.0", "--max-tokens", "9",
    ]  # fmt: skip


def test_options_have_the_defaults_and_the_ranges_of_their_page() -> None:
    defaults = settings_of()
    assert (defaults.max_frames, defaults.frames_per_second, defaults.image_size) == (8, 1.0, 448)
    ranges = {
        field.metadata["flag"]: (field.metadata["min"], field.metadata.get("min_open", False))
        for field in dataclasses.fields(QuestionSettings)
        if "flag" in field.metadata
    }
    assert ranges == {
        "--frames": (1, False),
        "--fps": (0, True),
        "--size": (16, False),
        "--temperature": (0, False),
        "--max-tokens": (1, False),
    }


def test_a_question_is_known_by_everything_that_its_answer_depends_on() -> None:
    question = Question(text="t", images=IMAGES, settings={"model": "m", "temperature": 0.0})
    assert question.key == Question(text="t", images=IMAGES, settings={"temperature": 0.0, "model": "m"}).key
    others = [{"text": "u"}, {"images": IMAGES[::-1]}, {"images": (b"onetwo",)}, {"settings": {"model": "m"}}]
    keys = {dataclasses.replace(question, **other).key for other in others}  # type: ignore[arg-type]
    assert len({question.key, *keys}) == 5


def test_a_message_has_the_text_then_the_images() -> None:
    [message] = Question(text="t", images=IMAGES, settings={}).messages
    assert message["role"] == "user"
    text, *images = message["content"]
    assert text == {"type": "text", "text": "t"}
    heads, data = zip(*(image["image_url"]["url"].split(",") for image in images), strict=True)
    assert set(heads) == {"data:image/jpeg;base64"}
    assert tuple(map(base64.b64decode, data)) == IMAGES


def test_records_cannot_be_changed() -> None:
    assert (changeable(questions), positional(questions)) == ([], [])
