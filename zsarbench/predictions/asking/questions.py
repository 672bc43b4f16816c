"""The question about a clip: a prompt, the names that it may choose from, and frames."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from string import ascii_uppercase
from typing import Any, Final, Literal

from zsarbench.errors import UsageError

Offered = Literal["candidates", "choices", "nothing"]
"""The names that a prompt lists: all candidates, the options of a multiple choice with letters, or none."""
OPTIONS: Final = "{options}"
FRAMES: Final = "{frames}"
PROMPTS: Final[Mapping[Offered, str]] = {
    "candidates": "These are {frames} frames of one video, in order of time. Which of these actions does it show?\n"
    "{options}\nAnswer with one of them, as it is written, and with nothing else.",
    "choices": "These are {frames} frames of one video, in order of time. Which of these actions does it show?\n"
    "{options}\nAnswer with the letter of one of them, and with nothing else.",
    "nothing": "These are {frames} frames of one video, in order of time. Which action does it show?\n"
    "Answer with a short name of the action, and with nothing else.",
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """A request to a chat model: its text, then JPEG images. settings: of the model, as the API names them."""

    text: str
    images: tuple[bytes, ...]
    settings: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The sha256 of everything that an answer depends on: two clips of the same frames are one question."""
        images = [hashlib.sha256(image).hexdigest() for image in self.images]
        content = json.dumps([self.text, images, dict(self.settings)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of the request."""
        urls = [f"data:image/jpeg;base64,{base64.b64encode(image).decode()}" for image in self.images]
        images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return [{"role": "user", "content": [{"type": "text", "text": self.text}, *images]}]


def _option(default: float, flag: str, help: str, **bounds: Any) -> Any:
    """Return a field that is an option of `zsarbench ask`; bounds: as click's ranges take them."""
    return field(default=default, metadata={"flag": flag, "help": help, **bounds})


@dataclass(frozen=True, kw_only=True)
class QuestionSettings:
    """What a question depends on besides its clip; all of it is part of a result's identity.

    prompt: with {options} where names are offered, and {frames} for the number of frames. frames_per_second and
    max_frames: those of a clip that are shown, from its start. image_size: pixels of their longer side at most.
    """

    model: str
    prompt: str
    offered: Offered
    max_frames: int = _option(8, "--frames", "Maximum number of frames per clip.", min=1)
    frames_per_second: float = _option(
        1.0, "--fps", "Frames per second of the clip, from its start.", min=0, min_open=True
    )
    image_size: int = _option(448, "--size", "Longer side of an image, pixels.", min=16)
    temperature: float = _option(0.0, "--temperature", "Sampling temperature of the model.", min=0)
    max_tokens: int = _option(64, "--max-tokens", "Maximum number of tokens per answer.", min=1)

    def __post_init__(self) -> None:
        if (OPTIONS in self.prompt) != (self.offered != "nothing"):
            wrong = "holds {options}, but none are offered" if OPTIONS in self.prompt else "lacks {options}"
            raise UsageError(f"the prompt {wrong}. Try: --open for a question without options")

    def words(self) -> list[str]:
        """Return the words of a command line that give what differs from the defaults."""
        given = [(item.metadata["flag"], getattr(self, item.name), item.default)
                 for item in fields(self) if "flag" in item.metadata]  # fmt: skip
        return [word for flag, value, default in given if value != default for word in (flag, str(value))]

    def question(self, options: Sequence[str], images: Sequence[bytes]) -> Question:
        """Return the question of a clip; options: class names in words, in the order that they are offered in."""
        lettered = self.offered == "choices"
        lines = [f"{ascii_uppercase[i]}. {name}" if lettered else name for i, name in enumerate(options)]
        text = self.prompt.replace(OPTIONS, "\n".join(lines)).replace(FRAMES, str(len(images)))
        settings = {"model": self.model, "temperature": self.temperature, "max_tokens": self.max_tokens}
        return Question(text=text, images=tuple(images), settings=settings)
