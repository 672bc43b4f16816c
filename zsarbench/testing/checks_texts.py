"""Checks of text encoders: rows for any text, which depend on their own sentence alone, and on all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from zsarbench.testing import checks_constructors
from zsarbench.testing.checking import (
    Check,
    ComponentUnderTest,
    ContractViolation,
    expect,
    farthest,
    is_tensor,
    same_bits,
    shape_of,
)
from zsarbench.testing.checks_encoders import declares_itself, expect_deterministic

if TYPE_CHECKING:
    from torch import Tensor

TEXT = "zsarbench.interfaces.TextEncoder"
TEXTS = (
    "a person lifts a cup", "", "   ", "word " * 3000, "a", "Ein Mann läuft über die Straße", "人が走る 🏃‍♀️",
    "two\nlines\tand a tab", "a person lifts a cup", "e\u0301 and \u00e9", "A PERSON LIFTS A CUP!",
)  # fmt: skip
SHORT, N_REPEATS = [0, 4, 8], 45
"""Short ones of these texts, so often that they fill batches of 32, 64 and 128 and leave some over."""


def _sentences(subject: ComponentUnderTest) -> Tensor:
    rows: Tensor = subject.once("encoded", lambda: subject.component.encode(list(TEXTS)))
    return rows


def gives_rows(subject: ComponentUnderTest) -> None:
    """`encode` gives a finite float32 row for any text: empty, very long, in any script; and 0 rows for 0 texts."""
    encoder, rows = subject.component, _sentences(subject)
    shape = (len(TEXTS), encoder.dim)
    expect(is_tensor(rows, shape, torch.float32), f"{shape} float32, D being `dim`", shape_of(rows))
    bad = [TEXTS[i][:20] for i in (~rows.isfinite().all(1)).nonzero().flatten()]
    expect(not bad, "finite values for every text", f"there is a NaN or an infinity for {bad}")
    empty = encoder.encode([])
    expect(is_tensor(empty, (0, encoder.dim)), f"(0, {encoder.dim}) for no text", shape_of(empty))


def sentence_alone(subject: ComponentUnderTest) -> None:
    """Row i depends on sentence i alone, bit for bit, and on nothing that was encoded before, in batches of any size.

    Sentences come in a list or a tuple.
    """
    whole = _sentences(subject)
    for index in ([0], list(range(len(TEXTS)))[::-1], [4, 1], SHORT * N_REPEATS):
        texts = [TEXTS[i] for i in index]
        rows = subject.component.encode(texts)
        expect(texts == [TEXTS[i] for i in index], "the given texts to stay unchanged", "they were changed")
        for row, text in enumerate(index):
            if not same_bits(rows[row], whole[text]):
                expect_deterministic(whole, lambda: subject.component.encode(list(TEXTS)))
                difference = f"of {TEXTS[text][:20]!r} in another batch {farthest(rows[row], whole[text])}"
                raise ContractViolation("a row to have the same bits in every batch", difference)
    in_tuple = subject.component.encode(TEXTS[:2])
    expect(same_bits(in_tuple, whole[:2]), "the same rows for texts in a tuple", farthest(in_tuple, whole[:2]))


def tells_texts_apart(subject: ComponentUnderTest) -> None:
    """Different sentences get different rows, even where only one word differs: the first, the last, or the 41st.

    Sentences that differ are equally long.
    """
    rows = _sentences(subject)
    expect(not same_bits(rows[0], rows[5]), "different rows for different sentences", "they are equal")
    cases = {
        "their last word": [f"a man in this clip slowly and carefully lifts a {word}" for word in ("cup", "box")],
        "their first word": [f"{word} runs over the green grass and plays with a ball" for word in ("man", "dog")],
        "their 41st word": [f"{'a man and a dog ' * 8}{word}" for word in ("runs", "jump")],
    }
    for which, texts in cases.items():
        one, other = subject.component.encode(texts)
        expect(not same_bits(one, other), f"different rows for sentences that differ in {which}", "they are equal")


def text_checks() -> tuple[Check, ...]:
    """Return the checks of text encoders."""
    return (
        *checks_constructors.checks("text"),
        Check("text", "declares-itself", TEXT, declares_itself),
        Check("text", "gives-rows", f"{TEXT}.encode", gives_rows),
        Check("text", "sentence-alone", TEXT, sentence_alone),
        Check("text", "tells-texts-apart", TEXT, tells_texts_apart),
    )
