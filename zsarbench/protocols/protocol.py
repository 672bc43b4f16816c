"""Protocols and their rounds: checked against a data set, hashed, and joined with the clips of official lists."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.interfaces import Dataset, Round
from zsarbench.plugins.registry import Registry
from zsarbench.protocols import choices
from zsarbench.protocols.choices import Choices
from zsarbench.protocols.clips import with_listed_clips
from zsarbench.protocols.files import Description, ListReader, RoundTable, read_file
from zsarbench.utils.class_names import match, namesakes


@dataclass(frozen=True, kw_only=True)
class ListedRound:
    """A round as its file states it.

    round: its lists, with class names as the file spells them. duplicate_of: index of the earlier round that it equals;
    it counts once in every interval and test. clip_lists: official lists of the data set that its clips are taken
    from, by field of the file (`zsarbench.protocols.CLIP_LISTS`). n_clips: the number of test clips that the file
    states.
    """

    round: Round
    duplicate_of: int | None = None
    clip_lists: Mapping[str, str] = field(default_factory=dict)
    n_clips: int | None = None


@dataclass(frozen=True, kw_only=True)
class Protocol(Description):
    """A protocol as its file states it.

    rounds: by index, in the file's spelling; `with_official_names` and `on` return them as a data set has them.
    listed_choices: the options of every test clip of a multiple choice, in the file's spelling; see `choices_on`.
    plugin: the one that registered it; "" for a file of the user's.
    """

    rounds: tuple[ListedRound, ...]
    listed_choices: Choices = field(default_factory=dict)
    plugin: str = ""

    @property
    def learns(self) -> bool:
        """Whether any round has seen classes to learn from."""
        return any(item.round.seen for item in self.rounds)

    @property
    def n_distinct(self) -> int:
        """The number of rounds that repeat no earlier one."""
        return sum(item.duplicate_of is None for item in self.rounds)

    def on(self, dataset: Dataset) -> tuple[Round, ...]:
        """Return the rounds with official class names and the clips of the official lists that they name.

        Raises:
            ZsarbenchError: as `with_official_names`; the data set has no list of a name, or cannot read its lists.
        """
        rounds = self.with_official_names(dataset)
        return with_listed_clips(rounds, [item.clip_lists for item in self.rounds], dataset)

    @property
    def n_options(self) -> int:
        """The number of options of a test clip; 0 where all candidates compete."""
        return len(next(iter(self.listed_choices.values()), ()))

    def choices_on(self, dataset: Dataset) -> Choices:
        """Return the options of every test clip with official class names; {} where all candidates compete.

        Raises:
            ZsarbenchError: an option is not a class of the data set, or a clip has one twice.
        """
        return choices.official(self.listed_choices, dataset.classes, dataset.aliases)

    def with_official_names(self, dataset: Dataset) -> tuple[Round, ...]:
        """Return the rounds with official class names; only the class names of the data set are read.

        Raises:
            ZsarbenchError: all that is wrong with the lists: a class is unknown to the data set or appears twice in a
                list; a seen class is a candidate where the setting has none, or none where it has them all; a
                validation class is not seen, or with `validation_only` is seen or a candidate; a round equals an
                earlier one and does not state it, or states it and does not; another class of the data set has the
                same letters as one in a list.
        """
        if not dataset.classes:
            raise ZsarbenchError(
                f"protocol '{self.name}': its data set '{self.dataset}' has no classes without further options. "
                f"Try: --data-root {self.dataset}=DIR, or --set dataset.OPTION=VALUE (zsarbench show {self.dataset})"
            )
        rounds: list[Round] = []
        problems: list[str] = []
        for listed in self.rounds:
            where = f"round {listed.round.index} of protocol '{self.name}'"
            item, name_problems = _official(listed.round, dataset, where)
            rounds.append(item)
            problems += name_problems or self._list_problems(item, where)
        problems = [*problems, *self._namesake_problems(rounds, dataset)]
        if problems := problems or self._repeat_problems(rounds):
            raise ZsarbenchError("\n".join(problems))
        return tuple(rounds)

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
            "rounds": [self._content(item) for item in self.with_official_names(dataset)],
            **({"validation_only": True} if self.validation_only else {}),
            **({"choices": choices.digest(self.choices_on(dataset))} if self.listed_choices else {}),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def _list_problems(self, item: Round, where: str) -> list[str]:
        """Return where the lists of a round, in official names, break the setting."""
        seen, candidates, validation = map(set, (item.seen, item.candidates, item.validation))
        problems = []
        if SETTINGS[self.setting].seen_are_candidates:
            if missing := seen - candidates:
                problems.append(
                    f"{where} is {self.setting}, but some seen classes are not candidates: {_listed(missing)}"
                )
        elif shared := seen & candidates:
            problems.append(f"{where} is {self.setting}, but both seen and candidate are: {_listed(shared)}")
        if self.validation_only and validation & (seen | candidates):
            names = _listed(validation & (seen | candidates))
            problems.append(f"validation classes of {where} are for choosing only, but seen or candidates too: {names}")
        if not self.validation_only and validation - seen:
            problems.append(
                f"validation classes of {where} are not seen: {_listed(validation - seen)}. "
                "Try: validation_only = true, where they are for choosing settings and not learnt from"
            )
        if len(candidates) < 2:
            problems.append(f"{where} has {len(candidates)} candidates; a choice needs two")
        return problems

    def _namesake_problems(self, rounds: Sequence[Round], dataset: Dataset) -> list[str]:
        """Return which classes in the lists share their letters with others, whose clips would be left out."""
        listed = {name for item in rounds for name in (*item.seen, *item.candidates, *item.validation)}
        return [
            f"protocol '{self.name}' cannot tell {' and '.join(map(repr, names))} of data set '{self.dataset}' apart: "
            "they differ in spelling alone. Try: one name for all of their clips"
            for names in namesakes(dataset.classes)
            if listed.intersection(names)
        ]

    def _repeat_problems(self, rounds: Sequence[Round]) -> list[str]:
        first: dict[str, int] = {}
        problems = []
        for item in rounds:
            equal = first.setdefault(json.dumps(self._content(item), sort_keys=True), item.index)
            where, stated = f"round {item.index} of protocol '{self.name}'", self.rounds[item.index].duplicate_of
            if equal != item.index and stated != equal:
                problems.append(f"{where} has the classes and clips of round {equal}. Try: duplicate_of = {equal}")
            elif equal == item.index and stated is not None:
                problems.append(
                    f"{where} states that it repeats round {stated}, but no earlier round has its classes and clips. "
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
            **self.rounds[item.index].clip_lists,
        }


def load(registry: Registry, name: str) -> Protocol:
    """Return a protocol by its registered name, or from a file of the user's (`./mine.toml`).

    Raises:
        UsageError: the name or the file does not exist.
        ZsarbenchError: the file is malformed; see `read`.
    """
    if name.endswith(".toml"):
        if not os.path.isfile(name):
            raise UsageError(f"protocol file '{name}' does not exist. Try: zsarbench list protocol")
        return read(Path(name))
    entry = registry.get("protocol", name)
    return replace(read(entry.path()), plugin=entry.plugin)


def read(path: Path) -> Protocol:
    """Return the protocol of a TOML file; "@NAME" in place of a list reads `splits/NAME.txt` next to its folder.

    "@NAME#PART" reads the lines of that file from `[PART]` to the next part.

    Raises:
        ZsarbenchError: malformed TOML; missing, unknown and unfit fields, all at once; a list that does not exist.
    """
    file, lists = read_file(path), ListReader(path)
    rounds = (
        ListedRound(
            round=_round(lists, number, item),
            duplicate_of=item.duplicate_of,
            clip_lists=item.clip_lists,
            n_clips=file.n_clips_of(number),
        )
        for number, item in enumerate(file.rounds)
    )
    listed = choices.read(path, file.choices)
    return Protocol(**file.description(), rounds=tuple(rounds), listed_choices=listed)


def miscounted(protocol: Protocol, index: int, n_test: int) -> str | None:
    """Return how the test clips of a round differ from the count that the file states, or None."""
    stated = protocol.rounds[index].n_clips
    if stated in (None, n_test):
        return None
    return (
        f"round {index} of protocol '{protocol.name}' has {n_test} test clips in data set '{protocol.dataset}', "
        f"but its file states {stated}"
    )


def rounds_in_words(n_rounds: int, n_distinct: int) -> str:
    """Return a number of rounds as tables state it.

    >>> rounds_in_words(1, 1), rounds_in_words(50, 50), rounds_in_words(50, 47)
    ('1 round', '50 rounds', '50 rounds, 47 distinct')
    """
    text = f"{n_rounds} round" + ("s" if n_rounds != 1 else "")
    return text if n_distinct == n_rounds else f"{text}, {n_distinct} distinct"


def _round(lists: ListReader, index: int, item: RoundTable) -> Round:
    return Round(
        index=index,
        seed=index if item.seed is None else item.seed,
        seen=lists.names(item.seen),
        candidates=lists.names(item.candidates),
        validation=lists.names(item.validation),
        train_clips=None if item.train_clips is None else lists.names(item.train_clips),
        test_clips=None if item.test_clips is None else lists.names(item.test_clips),
    )


def _official(listed: Round, dataset: Dataset, where: str) -> tuple[Round, list[str]]:
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


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
