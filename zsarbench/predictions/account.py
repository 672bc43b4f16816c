"""What became of every row of a predictions file, and of every clip of the protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MAX_EXAMPLES = 5
"""Of each kind, that an account names."""

MISSING: Final = "missing"
OTHER: Final = "other"
UNKNOWN: Final = "unknown"
REPEATED: Final = "repeated"
CONTRADICTORY: Final = "contradictory"
EMPTY: Final = "empty"
FOREIGN: Final = "foreign"
REFUSAL: Final = "refusal"
NO_CLASS: Final = "no-class"
UNKNOWN_LABELS: Final = "unknown-labels"
NO_CANDIDATES: Final = "no-candidates"
REPEATED_LABELS: Final = "repeated-labels"
OTHER_TRUTH: Final = "other-truth"
ABSENT: Final = "absent-classes"

REASONS: Mapping[str, str] = MappingProxyType(
    {
        MISSING: "the predictions file has no row of it",
        CONTRADICTORY: "the predictions file has contradicting predictions of it",
        EMPTY: "its prediction is empty",
        FOREIGN: "its first label is not a class of the data set",
        REFUSAL: "its answer refuses to name a class",
        NO_CLASS: "its answer names no class",
    }
)
"""Why a clip has no prediction that counts, by kind; such a clip is wrong."""

_TEXTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        MISSING: ("test clip is missing, and counts as wrong", "test clips are missing, and count as wrong"),
        ABSENT: (
            "class has no clip in the file; is the file of a part of the data set?",
            "classes have no clip in the file; is the file of a part of the data set?",
        ),
        OTHER: (
            "row is of a clip of the data set that is not tested, and is left out",
            "rows are of clips of the data set that are not tested, and are left out",
        ),
        UNKNOWN: (
            "row is of a clip that the data set does not have, and is left out",
            "rows are of clips that the data set does not have, and are left out",
        ),
        REPEATED: (
            "row repeats another one of its clip, and is left out",
            "rows repeat another one of their clip, and are left out",
        ),
        CONTRADICTORY: (
            "clip has contradicting predictions, and counts as wrong",
            "clips have contradicting predictions, and count as wrong",
        ),
        EMPTY: (
            "clip has an empty prediction, and counts as wrong",
            "clips have an empty prediction, and count as wrong",
        ),
        FOREIGN: (
            "clip has a first label that is not a class, and counts as wrong",
            "clips have a first label that is not a class, and count as wrong",
        ),
        REFUSAL: ("answer is a refusal, and counts as wrong", "answers are refusals, and count as wrong"),
        NO_CLASS: ("answer names no class, and counts as wrong", "answers name no class, and count as wrong"),
        UNKNOWN_LABELS: ("label is not a class of the data set", "labels are not classes of the data set"),
        NO_CANDIDATES: (
            "label is a class that is a candidate in no round",
            "labels are classes that are a candidate in no round",
        ),
        REPEATED_LABELS: (
            "label repeats a better one of its clip, and is left out",
            "labels repeat a better one of their clip, and are left out",
        ),
        OTHER_TRUTH: (
            "clip has another true class in the file than in the data set; is it the intended clip?",
            "clips have another true class in the file than in the data set; are they the intended clips?",
        ),
    }
)
"""What an account says of each kind, of one and of several."""


@dataclass(frozen=True)
class Finding:
    """How often something was found: distinct clips, rows or labels, and the first of them."""

    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account of a predictions file under a protocol.

    n_rows: predictions in the file. n_expected: test clips of the protocol. n_predicted: of these, with a prediction
    that counts. n_unscored: of these, with labels and no scores. findings: by kind. not_read: fields of the file that
    are not read.
    """

    n_rows: int
    n_expected: int
    n_predicted: int
    findings: Mapping[str, Finding]
    not_read: tuple[str, ...] = ()
    n_unscored: int = 0

    @property
    def n_missing(self) -> int:
        """The number of test clips that the file says nothing of."""
        return self.findings[MISSING].count if MISSING in self.findings else 0

    def lines(self) -> list[str]:
        """Return the account in words: what counts, then one line for each kind that was found."""
        rows = "row" if self.n_rows == 1 else "rows"
        texts = [f"{self.n_predicted:,} of {self.n_expected:,} test clips have a prediction, in {self.n_rows:,} {rows}"]
        for kind, (one, several) in _TEXTS.items():
            if kind in self.findings:
                found = self.findings[kind]
                named = ", ".join(f"'{name:.60}'" for name in found.examples[:2])
                text = one if found.count == 1 else several
                texts.append(f"{found.count:,} {text}" + (f", e.g. {named}" if named else ""))
        if self.not_read:
            texts.append(f"fields that are not read: {', '.join(self.not_read)}")
        return texts


class Tally:
    """Counts what is found while a file is matched."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, None]] = {}
        self._times: Counter[str] = Counter()

    def add(self, kind: str, name: str) -> None:
        """Note a clip or a label of a kind; the same one counts once."""
        self._found.setdefault(kind, {})[name] = None

    def count(self, kind: str, name: str) -> None:
        """Note a row of a kind; every one counts."""
        self.add(kind, name)
        self._times[kind] += 1

    def findings(self) -> dict[str, Finding]:
        """Return what was found by kind."""
        return {
            kind: Finding(self._times.get(kind, len(names)), tuple(names)[:MAX_EXAMPLES])
            for kind, names in self._found.items()
        }
