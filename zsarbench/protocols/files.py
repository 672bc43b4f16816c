"""Protocol files: TOML and the lists it names, checked for all that shows without the data set."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.settings import SETTINGS, Setting
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.plugins.registry import KINDS
from zsarbench.utils import text_files
from zsarbench.utils.documents import invalid, read_toml
from zsarbench.utils.json_schema import json_schema
from zsarbench.utils.schema import STRICT, Count, DoesNotFit, FilledText, OneOf, Positive, Rule, parse

CLIP_LISTS = ("train_list", "test_list", "held_out_list")
"""The fields of a round that take its clips from official lists of the data set."""

Names = Annotated[str | tuple[str, ...], Rule('a list of names, or "@FILE"')]
ListName = Annotated[str, Rule("the name of a list of the data set", {"pattern": r"\S"})]
PartNames = Mapping[Annotated[str, OneOf(PART_KINDS)], Annotated[str, Rule("the name of a component")]]
Options = Annotated[Mapping[str, Any], Rule("a table of options of one component")]
ClipCounts = Annotated[Positive | tuple[Positive, ...], Rule("a number of test clips, or a list of one for each round")]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a protocol file states of the protocol as a whole.

    name: such as "ucf101/truze-v2". version: rises when the protocol changes. dataset: as registered. setting: which
    classes are seen, and which compete. summary: one sentence. source: where the lists come from, and under what
    licence. class_text: the form of the texts that describe the classes to a method. notes: what readers should know.
    clip_list: the name of the list of clips, where several exist. validation_only: whether the validation classes are
    not seen ones: methods choose settings by their clips, and do not learn from them afterwards. parts: default parts
    by kind. options: default options by kind and component; they apply where that component is chosen. choices: "@NAME"
    of a list of the options of every test clip, in the setting multiple-choice.
    """

    name: FilledText
    version: Positive
    dataset: FilledText
    setting: Setting
    summary: FilledText
    source: FilledText
    class_text: FilledText = "name"
    notes: str = ""
    clip_list: str = ""
    validation_only: bool = False
    parts: PartNames = field(default_factory=dict)
    options: Mapping[Annotated[str, OneOf(KINDS)], Mapping[str, Options]] = field(default_factory=dict)
    choices: str = ""


@dataclass(frozen=True, kw_only=True)
class RoundTable:
    """One [[rounds]] table. A list is written out, or "@NAME" for `splits/NAME.txt`, or "@NAME#PART" for a part of it.

    candidates: the classes that compete. seen: those that methods may learn from. validation: those that stand for
    unseen ones when methods choose settings. train_clips: clip ids to learn from; by default every clip of the seen
    classes. test_clips: clip ids to test; by default every clip of the candidates. train_list: the official list of
    the data set that the clips to learn from are taken from. test_list: the one that the clips to test are taken from.
    held_out_list: the one that the clips of seen classes to test are taken from, next to all clips of unseen classes;
    the clips of seen classes of every other source group are learnt from. seed: by default the position of the round.
    duplicate_of: the position, from 0, of the earlier round that this one equals; it counts once in every interval and
    test.
    """

    candidates: Names
    seen: Names = ()
    validation: Names = ()
    train_clips: Names | None = None
    test_clips: Names | None = None
    train_list: ListName | None = None
    test_list: ListName | None = None
    held_out_list: ListName | None = None
    seed: Count | None = None
    duplicate_of: Count | None = None

    @property
    def clip_lists(self) -> dict[str, str]:
        """The official lists that clips are taken from, by field."""
        return {key: name for key in CLIP_LISTS if (name := getattr(self, key)) is not None}


@dataclass(frozen=True, kw_only=True)
class ProtocolFile(Description):
    """The content of a protocol file.

    rounds: one [[rounds]] table per round. n_clips: the number of test clips of every round, or a list of one for each
    round; checked against the data set.
    """

    __pydantic_config__ = STRICT

    rounds: Annotated[tuple[RoundTable, ...], Rule(constraints={"min_length": 1})]
    n_clips: ClipCounts | None = None

    def description(self) -> dict[str, Any]:
        """Return the fields of `Description`, by name."""
        return {item.name: getattr(self, item.name) for item in fields(Description)}

    def n_clips_of(self, number: int) -> int | None:
        """Return the number of test clips that the file states for a round; None where it states none."""
        return self.n_clips[number] if isinstance(self.n_clips, tuple) else self.n_clips


def schema() -> dict[str, Any]:
    """Return the JSON Schema of protocol files, which is published as `benchmarks/schemas/protocol.schema.json`."""
    return json_schema(ProtocolFile, name="protocol:1", title="A protocol file of zsarbench", nullable=False)


def read_file(path: Path) -> ProtocolFile:
    """Return the content of a protocol file; the lists it names are not read.

    Raises:
        ZsarbenchError: it does not exist or is not TOML; fields are missing, unknown, of another form, or contradict
            each other. All problems at once.
    """
    content = read_toml(path, "protocol file")
    try:
        file = parse(ProtocolFile, content, "file")
        if problems := [*_count_problems(file), *_clip_problems(file), *_choice_problems(file)]:
            raise DoesNotFit(problems)
    except DoesNotFit as error:
        raise invalid("protocol file", path, error.problems) from error
    return file


class ListReader:
    """Reads the lists that a protocol file names, each of their files once: one may have those of fifty rounds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: dict[Path, Mapping[str, tuple[str, ...]]] = {}

    def names(self, value: str | Sequence[str]) -> tuple[str, ...]:
        """Return a list: written out, or in `splits` next to the file's folder, or in the same folder.

        Raises:
            ZsarbenchError: the list does not exist, or has no part of that name.
        """
        if not isinstance(value, str):
            return tuple(value)
        name, _, part = value.removeprefix("@").partition("#")
        file = self._path.parent.parent / "splits" / f"{name}.txt"
        if not os.path.isfile(file):
            file = self._path.parent / f"{name}.txt"
        if file not in self._read:
            where = f"list '{value}' of protocol file {self._path}:"
            self._read[file] = _parts(text_files.names(file, where), f"{where} {file}")
        if part not in self._read[file]:
            raise ZsarbenchError(f"list '{value}' of protocol file {self._path}: {file} has no part [{part}]")
        return self._read[file][part]


def _parts(lines: Sequence[str], where: str) -> Mapping[str, tuple[str, ...]]:
    """Return the lines from each `[PART]` to the next, by its name, and all lines under "".

    Raises:
        ZsarbenchError: two parts have one name.
    """
    starts = [at for at, line in enumerate(lines) if line.startswith("[")]
    parts = {"": tuple(lines)}
    for start, end in pairwise([*starts, len(lines)]):
        if lines[start].endswith("]"):
            if (part := lines[start][1:-1]) in parts:
                raise ZsarbenchError(f"{where} has the part [{part}] twice")
            parts[part] = tuple(lines[start + 1 : end])
    return parts


def _count_problems(file: ProtocolFile) -> list[str]:
    if isinstance(file.n_clips, tuple) and len(file.n_clips) != len(file.rounds):
        return [f"n_clips has {len(file.n_clips)} counts for {len(file.rounds)} rounds"]
    return []


def _choice_problems(file: ProtocolFile) -> list[str]:
    if SETTINGS[file.setting].own_options_only == bool(file.choices):
        return []
    if file.choices:
        return [f"choices are of the setting multiple-choice, and the setting is {file.setting}"]
    return [f"the setting {file.setting} needs choices. Try: zsarbench protocol choices PROTOCOL --out FILE.toml"]


def _clip_problems(file: ProtocolFile) -> list[str]:
    """Return where a round takes the clips of one side from two places."""
    problems = []
    for number, item in enumerate(file.rounds):
        listed = {name for name in ("train_clips", "test_clips") if getattr(item, name) is not None}
        used = {*listed, *item.clip_lists}
        problems += [
            f"rounds[{number}] has both {one} and {other}"
            for one, other in (("train_list", "train_clips"), ("test_list", "test_clips"))
            if {one, other} <= used
        ]
        if "held_out_list" in used and len(used) > 1:
            problems.append(f"rounds[{number}]: held_out_list decides training and test clips alone")
    return problems
