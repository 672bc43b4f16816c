"""CLIP's zero-shot classifier: a clip's steps against each class's prompts, in one space of images and texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from zsarbench.errors import UsageError
from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, Parts, Steps, TextEncoder, TrainSet
from zsarbench_methods.representation import READ_AT_ONCE, mean_of_steps, text_encoder

Prompts = Literal["none", "photo", "actions"]

TEMPLATES: dict[Prompts, tuple[str, ...]] = {
    "none": ("{}",),
    "photo": ("a photo of {}.",),
    # The 48 that CLIP's authors give for videos of actions (openai/CLIP, data/prompts.md), their grammar included.
    "actions": tuple(
        f"a {medium} of {article} person {verb}{{}}."
        for verb in ("", "using ", "doing ", "during ", "performing ", "practicing ")
        for article in ("a", "the")
        for medium in ("photo", "video", "example", "demonstration")
    ),
}


class Clip:
    """Scores a class by the mean over a clip's steps of the cosine to the class's vector; nothing is learnt.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, arXiv:2103.00020,
    section 3.1.2 to 3.1.4. A class's vector is the mean of the unit vectors of its prompts, its texts put into each
    template. With the parts open-clip this is CLIP averaged over frames; with x-clip its two towers.

    prompts: "none", the text as it is; "photo", one template; "actions", the authors' ensemble for videos of actions.
    Expects class names (--class-text name) in the templates; sentences go with "none".
    """

    learns_from: LearnsFrom = "nothing"
    class_independent = True

    def __init__(self, *, prompts: Prompts = "actions") -> None:
        self.prompts = prompts

    def check_parts(self, parts: Parts) -> None:
        """Refuse parts whose cosine means nothing.

        Raises:
            UsageError: the visual and the text part do not share a space, or what they share is a space of texts.
        """
        visual, text = parts.visual, text_encoder(parts, "clip")
        if visual is not None and visual.needs == "captions":
            raise UsageError(
                "method 'clip' compares what is seen with texts, and the visual part reads captions. "
                "Try: --visual open-clip --text open-clip; captions go with --method nearest-text"
            )
        if visual is None or visual.space is None or visual.space != text.space:
            raise UsageError(
                f"method 'clip' compares images with texts by cosine, but the visual part {type(visual).__name__} and "
                "the text part do not share a space: they must be two towers of one model, with the same weights. "
                "Try: --visual open-clip --text open-clip, or --visual x-clip --text x-clip"
            )

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn nothing."""
        self.check_parts(context.parts)

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        """Return mean cosines (N, C); NaN for a clip that could not be read."""
        vectors = self._class_vectors(classes, text_encoder(context.parts, "clip"))
        blocks = [clips.rows(index) for index in torch.arange(len(clips)).split(READ_AT_ONCE)]
        # The mean of cosines is the cosine, but for its length, of the mean of unit vectors.
        means = [mean_of_steps(Steps(F.normalize(steps.values, dim=-1), steps.mask)) for steps in blocks]
        return torch.cat(means) @ vectors.T if means else torch.empty(0, len(classes))

    def _class_vectors(self, classes: Sequence[ClassText], encoder: TextEncoder) -> Tensor:
        templates = TEMPLATES[self.prompts]
        prompts = [[t.format(text) for text in described.texts for t in templates] for described in classes]
        encoded = F.normalize(encoder.encode([prompt for row in prompts for prompt in row]).float(), dim=1)
        return F.normalize(torch.stack([part.mean(0) for part in encoded.split([len(row) for row in prompts])]), dim=1)
