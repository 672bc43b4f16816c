"""Protocols and the rounds they yield: checked against a data set, hashed, and turned into lists of clips."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.evaluation.settings import SETTINGS, Setting
from zsarbench.interfaces import Round
from zsarbench.protocols import files as protocol_files
from zsarbench.protocols.clips import with_listed_clips
from zsarbench.utils.class_names import match

CLIP_RULES = protocol_files.CLIP_RULES

if TYPE_CHECKING:
    from zsarbench.interfaces import Dataset
    from zsarbench.plugins.registry import Registry


@dataclass(frozen=True)
class FileProtocol:
    """A protocol as its file states it, with the class lists still in the file's own spelling.

    parts: default part names. options: defaults by kind, component name and option; they apply where that component
    is chosen. n_clips: test clips of every round, or a count for each; checked against the manifest. validation_only:
    the validation classes are no seen ones: methods choose settings by their clips and do not learn from them after.
    duplicates: round index to the earlier round it equals, counted once in every interval and test.
    clip_rules: round index to the official lists of the data set that its clips come from, by what they are for:
    `train_list` gives the clips of seen classes to train on, `test_list` those of candidates to test; `held_out_list`
    (gzsl) gives the clips of seen classes to test, beside all clips of unseen ones, and leaves the seen clips of every
    other source group to train on.
    """

    name: str
    version: int
    dataset: str
    setting: Setting
    summary: str
    source: str
    listed_rounds: tuple[Round, ...]
    class_text: str = "name"
    notes: str = ""
    clip_list: str = ""
    n_clips: int | tuple[int, ...] | None = None
    validation_only: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    duplicates: Mapping[int, int] = field(default_factory=dict)
    clip_rules: Mapping[int, Mapping[str, str]] = field(default_factory=dict)

    def rounds(self) -> tuple[Round, ...]:
        """Return the rounds in the file's spelling; `checked` gives them in the data set's."""
        return self.listed_rounds

    @property
    def learns(self) -> bool:
        """Whether any round has seen classes to learn from."""
        return any(item.seen for item in self.listed_rounds)

    @property
    def n_distinct(self) -> int:
        """The number of rounds that repeat no earlier one."""
        return len(self.listed_rounds) - len(self.duplicates)

    def stated_clips(self, index: int) -> int | None:
        """Return how many test clips the file says a round has; None where it does not say."""
        return self.n_clips[index] if isinstance(self.n_clips, tuple) else self.n_clips

    def checked(self, dataset: Dataset) -> tuple[Round, ...]:
        """Return the rounds of `named`, with the clips that official lists of the data set stand for.

        Raises:
            ZsarbenchError: as `named`; the data set has no list of a name, or its lists cannot be had.
        """
        rounds = self.named(dataset)
        return with_listed_clips(rounds, self.clip_rules, dataset) if self.clip_rules else rounds

    def named(self, dataset: Dataset) -> tuple[Round, ...]:
        """Return the rounds with official class names; nothing but the class names of the data set is read.

        Raises:
            ZsarbenchError: all that is wrong with the lists: a class is unknown to the data set or stands twice in a
                list; a seen class is a candidate where the setting has none, or none where it has them all; a
                validation class is not seen, or with `validation_only` is seen or a candidate; a round equals an
                earlier one and does not say so, or says so and does not.
        """
        if not dataset.classes:
            raise ZsarbenchError(
                f"protocol '{self.name}': its data set '{self.dataset}' has no classes as it is. "
                f"Try: --data-root {self.dataset}=DIR, or --set dataset.OPTION=VALUE (zsarbench show {self.dataset})"
            )
        rounds, problems = [], []
        for listed in self.listed_rounds:
            where = f"round {listed.index} of protocol '{self.name}'"
            item, found = _named(listed, dataset, where)
            rounds.append(item)
            problems += found or self._list_problems(item, where)
        if problems := problems or self._repeat_problems(rounds):
            raise ZsarbenchError("\n".join(problems))
        return tuple(rounds)

    def _list_problems(self, item: Round, where: str) -> list[str]:
        """Return where the lists of a round, in official names, break the setting."""
        seen, candidates, validation = map(set, (item.seen, item.candidates, item.validation))
        problems = []
        if SETTINGS[self.setting].seen_are_candidates:
            if missing := seen - candidates:
                problems.append(
                    f"{where} is {self.setting}, but some seen classes are no candidates: {_listed(missing)}"
                )
        elif shared := seen & candidates:
            problems.append(f"{where} is {self.setting}, but both seen and candidate are: {_listed(shared)}")
        if self.validation_only and validation & (seen | candidates):
            told = _listed(validation & (seen | candidates))
            problems.append(f"validation classes of {where} are for choosing only, but seen or candidates too: {told}")
        if not self.validation_only and validation - seen:
            problems.append(
                f"validation classes of {where} are not seen: {_listed(validation - seen)}. "
                "Try: validation_only = true, where they are for choosing settings and not learnt from"
            )
        if len(candidates) < 2:
            problems.append(f"{where} has {len(candidates)} candidates; a choice needs two")
        return problems

    def _repeat_problems(self, rounds: Sequence[Round]) -> list[str]:
        first: dict[str, int] = {}
        problems = []
        for item in rounds:
            equal = first.setdefault(json.dumps(self._content(item), sort_keys=True), item.index)
            stated, where = self.duplicates.get(item.index, item.index), f"round {item.index} of protocol '{self.name}'"
            if equal != item.index and stated != equal:
                problems.append(f"{where} has the classes and clips of round {equal}. Try: duplicate_of = {equal}")
            elif stated != equal:
                problems.append(
                    f"{where} is said to repeat round {stated}, but no earlier round has its classes and clips. "
                    "Try: leave out duplicate_of"
                )
        return problems

    def _content(self, item: Round) -> dict[str, Any]:
        """Return what decides the comparison of a round in official names: its lists, whatever their order."""
        return {
            "seen": sorted(item.seen),
            "candidates": sorted(item.candidates),
            "validation": sorted(item.validation),
            "train_clips": sorted(item.train_clips) if item.train_clips is not None else None,
            "test_clips": sorted(item.test_clips) if item.test_clips is not None else None,
            **self.clip_rules.get(item.index, {}),
        }

    def hash(self, dataset: Dataset) -> str:
        """Return the sha256 of what decides the comparison: version, setting, and every list of every round.

        Options, notes and the spelling of names do not enter; an official list enters by its name. Two results share a
        table only where this is equal.
        """
        content = {
            "name": self.name,
            "version": self.version,
            "dataset": self.dataset,
            "setting": self.setting,
            "clip_list": self.clip_list,
            "rounds": [self._content(item) for item in self.named(dataset)],
            **({"validation_only": True} if self.validation_only else {}),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


def _named(listed: Round, dataset: Dataset, where: str) -> tuple[Round, list[str]]:
    """Return a round in official names, and what is wrong with the names of its lists."""
    lists: dict[str, Any] = {}
    problems: list[str] = []
    for which in ("seen", "candidates", "validation"):
        names = [(name, match(name, dataset.classes, dataset.aliases)) for name in getattr(listed, which)]
        problems += [
            f"{which} of {where}: " + unknown("class", name, dataset.classes)
            for name, official in names
            if not official
        ]
        lists[which] = tuple(official for _, official in names if official)
        if twice := {name for name in lists[which] if lists[which].count(name) > 1}:
            problems.append(f"{which} of {where} lists twice: {_listed(twice)}")
    return replace(listed, **lists), problems


def rounds_in_words(n_rounds: int, n_distinct: int) -> str:
    """Return a number of rounds as tables state it.

    >>> rounds_in_words(1, 1), rounds_in_words(50, 50), rounds_in_words(50, 47)
    ('1 round', '50 rounds', '50 rounds, 47 distinct')
    """
    words = f"{n_rounds} round" + ("s" if n_rounds != 1 else "")
    return words if n_distinct == n_rounds else f"{words}, {n_distinct} distinct"


def load(registry: Registry, name: str) -> FileProtocol:
    """Return a protocol by its registered name, or from a file of the user's (`./mine.toml`).

    Raises:
        UsageError: there is no such name or file.
        ZsarbenchError: the file is malformed; see `read`.
    """
    if name.endswith(".toml"):
        if not Path(name).is_file():
            raise UsageError(f"protocol file '{name}' does not exist. Try: zsarbench list protocol")
        return read(Path(name))
    return read(registry.get("protocol", name).path())


def read(path: Path) -> FileProtocol:
    """Return the protocol of a TOML file; "@NAME" in place of a list reads `splits/NAME.txt` beside its folder.

    "@NAME#PART" reads the lines of that file from `[PART]` to the next part.

    Raises:
        ZsarbenchError: malformed TOML; missing, unknown and unfit fields, all at once; a list that is not there.
    """
    return FileProtocol(**protocol_files.fields(path))


def miscounted(protocol: FileProtocol, index: int, n_test: int) -> str | None:
    """Return how the test clips of a round differ from the count that the file states, or None."""
    stated = protocol.stated_clips(index)
    if stated in (None, n_test):
        return None
    return (
        f"round {index} of protocol '{protocol.name}' has {n_test} test clips in data set '{protocol.dataset}', "
        f"but its file says {stated}"
    )
