"""Answers in words as classes: four mappings, of which each has its own row.

What a model reasons between tags before its answer is no part of it, see `answered`.

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
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
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
VERSION: Final = 2
"""Of the rules; rises where an answer may be mapped to another class than before."""
BATCH: Final = 256  # answers that are encoded together

REFUSAL: Final = re.compile(
    r"\b(?:sorry|apologi[sz]e|as an ai|(?:can ?not|can['’]?t|could ?n[o'’]?t|unable to|not able to|impossible to)"
    r"\s+(?:\w+\s+){0,3}?(?:tell|determine|identify|see|view|watch|assist|help|answer|say|classify|recogni[sz]e|analy[sz]e"
    r"|provide|process|access|be sure)|(?:do|does) ?n['’o]?t know|do not know|no idea|not sure|none of (?:the|these)"
    r"|not enough information|insufficient information)\b|^\W*(?:unknown|unclear|n/?a|none|unsure)\W*$",
    re.IGNORECASE,
)
_LONE = r"(?<![A-Za-z0-9])(?<![A-Za-z0-9]['’])(?P<letter>[A-Za-z])(?!['’]?[A-Za-z0-9])"
_END = r"\W*$|[.):\]}\"*,;]"
_STATED = re.compile(
    rf"\b(?:answer|option|choice)\b\W{{0,6}}(?:(?:is|was|would be|must be|should be)\b\W{{0,6}})?{_LONE}", re.IGNORECASE
)
_LEADING = re.compile(rf"[^A-Za-z0-9]*{_LONE}(?:{_END}|\s*\n|\s+(?:is|because|since|as)\b|\s+[-–—]\s)", re.IGNORECASE)
_MARKED = re.compile(rf"[^A-Za-z0-9]*{_LONE}[.):](?=\s|$)")
_OTHER = re.compile(rf"\s*(?:,|/|&|\bor\b|\band\b)\W{{0,3}}(?:option\s+)?{_LONE}", re.IGNORECASE)
_ARTICLE = re.compile(r"[ \t]+(?!(?:is|was|and|or|but|because|since|as|for)\b)\w", re.IGNORECASE)
_NEGATED = re.compile(r"\b(?:not|nor|n['’]t|than)\W{1,3}(?:option\W{1,3})?$", re.IGNORECASE)
_REASONING = r"think|thinking|thought|reasoning"
_AFTER_REASONING = re.compile(rf"</(?:{_REASONING})>", re.IGNORECASE)
_BEFORE_REASONING = re.compile(rf"<(?:{_REASONING})>", re.IGNORECASE)
_TAGGED = re.compile(r"<answer>(?P<text>[^<]*)</answer>", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{)?(?P<text>[^{}]*)\}")


class Answers:
    """Answers in words, to be mapped to the classes of a data set."""

    def __init__(self, predictions: Sequence[Prediction], classes: Classes) -> None:
        self._predictions = [replace(one, answer=answered(one.answer or "")) for one in predictions]
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


def answered(text: str) -> str:
    """Return what a text gives as its answer: without the reasoning before it, and alone where it is marked.

    Reasoning stands between tags, as "<think>"; where it never ends, nothing was answered.

    >>> answered("<think>Golf? No.</think>It is <answer>archery</answer>"), answered("<think>Golf?")
    ('archery', '')
    """
    *before, last = _AFTER_REASONING.split(text)
    spoken = _BEFORE_REASONING.split(last, maxsplit=1)[0]
    if before and not spoken.strip():
        spoken = _BEFORE_REASONING.split(text, maxsplit=1)[0]
    for marked in (_TAGGED, _BOXED):
        if found := marked.findall(spoken):
            spoken = found[-1]
    return spoken


def chosen(answer: str, options: Sequence[str]) -> list[str]:
    """Return the option that an answer chooses; [] where it chooses none, or names several.

    The letter that it says is the answer counts, the last one where it says so again; else the one that it begins with,
    if it lists no others, or the only one that it calls an option. Else the option whose text it names, word by word,
    and at last the only letter that stands alone. "A" before a word is an article.

    >>> options = ["archery", "horse riding", "golf"]
    >>> [chosen(text, options) for text in ("B", "(c) golf", "The answer is A", "A man, horse riding", "D", "it is")]
    [['horse riding'], ['golf'], ['archery'], ['horse riding'], [], []]
    """
    if not options:
        return []
    text = unicodedata.normalize("NFKC", answer)
    letter = _letter(text)
    if not letter:
        named = ClassMentions(options).longest(text)
        if named:
            return sorted(named) if len(named) == 1 else []
        letter = _only(one for one in re.finditer(_LONE, text) if one["letter"].isupper() and _counts(one))
    place = ord(letter) - ord("A") if letter else len(options)
    return [options[place]] if place < len(options) else []


def _letter(text: str) -> str:
    """Return the letter that an answer gives as such, in upper case; "" where it gives none, or several."""
    stated = [one for one in _STATED.finditer(text) if _counts(one)]
    if final := [one for one in stated if one[0][:6].lower() == "answer"]:
        return "" if _is_one_of_several(final[-1]) else final[-1]["letter"].upper()
    leading = _LEADING.match(text)
    if leading and not _ARTICLE.match(text, leading.end("letter")):
        first, *others = text[leading.end("letter") :].split("\n")
        more = [one["letter"] for one in re.finditer(_LONE, first) if one["letter"].isupper() and _counts(one)]
        more += [one["letter"] for line in others if (one := _MARKED.match(line))]
        return "" if set(more) - {leading["letter"].upper()} else leading["letter"].upper()
    return _only(stated)


def _counts(found: re.Match[str]) -> bool:
    """Return whether a single letter is one of an option: no article, not denied, no small letter within a text."""
    letter, text, end = found["letter"], found.string, found.end("letter")
    if letter.islower() and not re.compile(_END).match(text, end):
        return False
    if letter in "AI" and _ARTICLE.match(text, end):
        return False
    return not _NEGATED.search(text[max(0, found.start("letter") - 20) : found.start("letter")])


def _is_one_of_several(found: re.Match[str]) -> bool:
    """Return whether another letter follows a letter, joined by "or" or the like."""
    other = _OTHER.match(found.string, found.end("letter"))
    return other is not None and other["letter"].upper() != found["letter"].upper() and _counts(other)


def _only(found: Iterable[re.Match[str]]) -> str:
    """Return the letter of these, in upper case; "" where there is none, or more than one."""
    given = {one["letter"].upper() for one in found}
    return given.pop() if len(given) == 1 else ""


def letters(options: Sequence[str]) -> Mapping[str, str]:
    """Return the options by the letters that name them."""
    return {chr(ord("A") + place): option for place, option in enumerate(options)}
