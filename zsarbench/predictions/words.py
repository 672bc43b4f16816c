"""Answers in words as classes: four mappings, of which each has its own row.

`exact`: the whole answer is the name of a class or an alias of it, whatever its case, blanks and punctuation.
`inclusion`: the classes that the answer names word by word, a name inside a longer one left out; where several remain
they share the place, so that the answer counts one k-th of a right one if the true class is among the k.
`nearest`: the class whose name has the largest cosine with the answer, by a sentence encoder.
`choice`: the letter or the text of an option, where the answer is one of a multiple choice.

An empty answer is wrong under every mapping. So is a refusal, which is an answer that declines to name a class (see
`REFUSAL`) and names no class word by word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from zsarbench.data.class_texts import words_of
from zsarbench.evaluation.caption_names import ClassMentions
from zsarbench.evaluation.contamination import similarities
from zsarbench.predictions import account as kinds
from zsarbench.predictions.matching import Classes
from zsarbench.predictions.records import Prediction
from zsarbench.utils.class_names import normalise

if TYPE_CHECKING:
    from zsarbench.interfaces import TextEncoder

EXACT: Final = "exact"
INCLUSION: Final = "inclusion"
NEAREST: Final = "nearest"
CHOICE: Final = "choice"
VERSION: Final = 1
"""Of the rules; rises where an answer may be mapped to another class than before."""
BATCH: Final = 256  # answers that are encoded together

REFUSAL: Final = re.compile(
    r"\b(?:sorry|apologi[sz]e|as an ai|(?:can ?not|can['’]?t|could ?n[o'’]?t|unable to|not able to|impossible to)"
    r"\s+(?:\w+\s+){0,3}?(?:tell|determine|identify|see|view|watch|assist|help|answer|say|classify|recogni[sz]e|analy[sz]e"
    r"|provide|process|access|be sure)|(?:do|does) ?n['’o]?t know|do not know|no idea|not sure|none of (?:the|these)"
    r"|not enough information|insufficient information)\b|^\W*(?:unknown|unclear|n/?a|none|unsure)\W*$",
    re.IGNORECASE,
)
_LETTER = re.compile(
    r"""^\W*(?:(?:the\s+)?(?:correct\s+|best\s+)?(?:answer|option|choice)\s*(?:is|:|=)?\s*)?   # Answer:
        (?:\(?(?P<only>[a-z])\W*$ | \((?P<bracketed>[a-z])\) | (?P<marked>[a-z])[.):](?=\s|$))""",
    re.IGNORECASE | re.VERBOSE,
)
_STATED = re.compile(r"\b(?:answer|option|choice)\s*(?:is|:|=)?\s*\(?([A-Z])\b(?![\w'’])")


class Answers:
    """Answers in words, to be mapped to the classes of a data set."""

    def __init__(self, predictions: Sequence[Prediction], classes: Classes) -> None:
        self._predictions = predictions
        self._classes = classes
        self._mentions = ClassMentions(classes.names, classes.aliases)

    @property
    def have_options(self) -> bool:
        """Whether any answer is one of a multiple choice."""
        return any(prediction.options for prediction in self._predictions)

    def exact(self) -> tuple[Prediction, ...]:
        """Return the answers that are names of classes."""
        return self._each(lambda one: self._whole(one.answer or ""))

    def inclusion(self) -> tuple[Prediction, ...]:
        """Return the classes that the answers name, those of one answer with equal scores."""
        return self._each(lambda one: sorted(self._mentions.longest(one.answer or "")))

    def choice(self) -> tuple[Prediction, ...]:
        """Return the options that the answers choose, by letter or by text."""
        return self._each(lambda one: chosen(one.answer or "", one.options))

    def nearest(self, encoder: TextEncoder) -> tuple[Prediction, ...]:
        """Return the cosines of the answers with the names of all classes."""
        silent = [self._silence(prediction) for prediction in self._predictions]
        spoken = list(dict.fromkeys(
            one.answer or "" for one, reason in zip(self._predictions, silent, strict=True) if not reason
        ))  # fmt: skip
        names = [words_of(name) for name in self._classes.names]
        cosines: dict[str, np.ndarray] = {}
        for start in range(0, len(spoken), BATCH):
            part = spoken[start : start + BATCH]
            with np.errstate(invalid="ignore"):  # a sentence without a word that the encoder knows may be zero
                cosines |= zip(part, similarities(part, names, encoder), strict=True)
        silent = [
            kinds.NO_CLASS if not reason and np.isnan(cosines[one.answer or ""]).any() else reason
            for one, reason in zip(self._predictions, silent, strict=True)
        ]
        return tuple(
            replace(one, answer=None, silence=reason)
            if reason
            else replace(one, answer=None, labels=self._classes.names, scores=cosines[one.answer or ""].astype(float))
            for one, reason in zip(self._predictions, silent, strict=True)
        )

    def _each(self, classes_of: Callable[[Prediction], Sequence[str]]) -> tuple[Prediction, ...]:
        """Return the answers as the classes that a function gives, which share the first place."""
        found = []
        for one in self._predictions:
            reason, labels = self._silence(one), tuple(classes_of(one))
            if reason == kinds.EMPTY or not labels:
                found.append(replace(one, answer=None, silence=reason or kinds.NO_CLASS))
            else:
                found.append(replace(one, answer=None, labels=labels, scores=np.zeros(len(labels))))
        return tuple(found)

    def _silence(self, prediction: Prediction) -> str:
        """Return why an answer says nothing of any class; "" where it may."""
        answer = prediction.answer or ""
        if not normalise(answer):
            return kinds.EMPTY
        refuses = REFUSAL.search(answer) is not None and not self._mentions.of(answer)
        return kinds.REFUSAL if refuses else ""

    def _whole(self, answer: str) -> list[str]:
        place = self._classes.find(answer)
        return [] if place < 0 else [self._classes.names[place]]


def chosen(answer: str, options: Sequence[str]) -> list[str]:
    """Return the option that an answer chooses; [] where it chooses none, or names several.

    A letter counts where it is all there is, in brackets, before a full stop, colon or bracket, or stated to be the
    answer: the article of "A man runs" is none. Otherwise the option's text counts, word by word.

    >>> options = ["archery", "horse riding", "golf"]
    >>> [chosen(text, options) for text in ("B", "(c) golf", "The answer is A", "A man, horse riding", "D", "it is")]
    [['horse riding'], ['golf'], ['archery'], ['horse riding'], [], []]
    """
    if not options:
        return []
    letter = _LETTER.match(answer)
    found = next((text for text in letter.groups() if text), None) if letter else None
    if found is None and (stated := _STATED.search(answer)):
        found = stated[1]
    if found is not None:
        place = ord(found.upper()) - ord("A")
        return [options[place]] if place < len(options) else []
    named = ClassMentions(options).longest(answer)
    return sorted(named) if len(named) == 1 else []


def letters(options: Sequence[str]) -> Mapping[str, str]:
    """Return the options by the letters that name them."""
    return {chr(ord("A") + place): option for place, option in enumerate(options)}
