"""Protocol files and the rounds they yield: read, checked against a data set, and hashed."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from zsarbench.errors import UsageError, ZsarbenchError, unknown
from zsarbench.interfaces import Round, Setting
from zsarbench.names import match

if TYPE_CHECKING:
    import pandas as pd

    from zsarbench.interfaces import Dataset
    from zsarbench.registry import Registry

ZSL_METRICS = ("top1_per_video", "top1_per_class", "top5_per_video", "top5_per_class")
GZSL_METRICS = ("top1_per_class_seen", "top1_per_class_unseen", "harmonic_mean", "ausuc")
_FIELDS = {
    "name", "version", "dataset", "setting", "summary", "source", "notes", "metrics", "class_text", "clip_list",
    "n_clips", "parts", "options", "rounds",
}  # fmt: skip
_ROUND_FIELDS = {"seed", "seen", "candidates", "validation", "train_clips", "test_clips", "duplicate_of"}
_CLIP_RULES = ("train_list", "test_list", "held_out_list")


@dataclass(frozen=True)
class FileProtocol:
    """A protocol as its file states it, with the class lists still in the file's own spelling.

    parts: default part names. options: defaults by kind, component name and option; they apply where that component
    is chosen. n_clips: test clips of every round, where all rounds have as many; checked against the manifest.
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
    class_text: str
    metrics: tuple[str, ...]
    listed_rounds: tuple[Round, ...]
    notes: str = ""
    clip_list: str = ""
    n_clips: int | None = None
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

    def checked(self, dataset: Dataset) -> tuple[Round, ...]:
        """Return the rounds of `named`, with the clips that official lists of the data set stand for.

        Raises:
            ZsarbenchError: as `named`; the data set has no list of a name, or its lists cannot be had.
        """
        rounds = self.named(dataset)
        return _with_listed_clips(rounds, self.clip_rules, dataset) if self.clip_rules else rounds

    def named(self, dataset: Dataset) -> tuple[Round, ...]:
        """Return the rounds with official class names; nothing but the class names of the data set is read.

        Raises:
            ZsarbenchError: a class is unknown to the data set or stands twice in a list; in `zsl` a class is both seen
                and candidate, elsewhere a seen one is no candidate; a validation class is not seen.
        """
        return tuple(self._named(item, dataset) for item in self.listed_rounds)

    def _named(self, item: Round, dataset: Dataset) -> Round:
        where = f"round {item.index} of protocol '{self.name}'"
        lists = {}
        for which in ("seen", "candidates", "validation"):
            names = [_official(name, dataset, f"{which} of {where}") for name in getattr(item, which)]
            if len(set(names)) != len(names):
                twice = sorted({name for name in names if names.count(name) > 1})
                raise ZsarbenchError(f"{which} of {where} lists twice: {', '.join(twice)}")
            lists[which] = tuple(names)
        both = sorted(set(lists["seen"]) & set(lists["candidates"]))
        if self.setting == "zsl" and both:
            raise ZsarbenchError(f"{where} is zsl, but both seen and candidate are: {', '.join(both)}")
        if self.setting != "zsl" and set(lists["seen"]) - set(lists["candidates"]):
            raise ZsarbenchError(f"{where} is {self.setting}, but some seen classes are no candidates")
        if strangers := sorted(set(lists["validation"]) - set(lists["seen"])):
            raise ZsarbenchError(f"validation classes of {where} are not seen: {', '.join(strangers)}")
        if len(lists["candidates"]) < 2:
            raise ZsarbenchError(f"{where} has {len(lists['candidates'])} candidates; a choice needs two")
        return Round(item.index, item.seed, **lists, train_clips=item.train_clips, test_clips=item.test_clips)

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
            "rounds": [
                {
                    "seen": sorted(item.seen),
                    "candidates": sorted(item.candidates),
                    "validation": sorted(item.validation),
                    "train_clips": sorted(item.train_clips) if item.train_clips is not None else None,
                    "test_clips": sorted(item.test_clips) if item.test_clips is not None else None,
                    **self.clip_rules.get(item.index, {}),
                }
                for item in self.named(dataset)
            ],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _official(name: str, dataset: Dataset, where: str) -> str:
    official = match(name, dataset.classes, dataset.aliases)
    if official is None:
        raise ZsarbenchError(unknown(f"class in {where}", name, dataset.classes))
    return official


def load(registry: Registry, name: str) -> FileProtocol:
    """Return a protocol by its registered name, or from a file of the user's (`./mine.toml`).

    Raises:
        UsageError: there is no such name or file.
        ZsarbenchError: the file is malformed.
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
        ZsarbenchError: malformed TOML, a missing or unknown field, a missing list.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ZsarbenchError(f"protocol file {path} is not valid TOML: {error}") from error
    for unfit in sorted(set(content) - _FIELDS):
        raise ZsarbenchError(f"protocol file {path}: " + unknown("field", unfit, _FIELDS))
    missing = {"name", "version", "dataset", "setting", "summary", "source", "rounds"} - set(content)
    if missing:
        raise ZsarbenchError(f"protocol file {path} lacks {', '.join(sorted(missing))}")
    setting = content["setting"]
    if setting not in get_args(Setting):
        raise ZsarbenchError(f"protocol file {path}: " + unknown("setting", setting, get_args(Setting)))
    listed = content.pop("rounds")
    rounds = tuple(_read_round(path, index, item) for index, item in enumerate(listed))
    duplicates = {index: item["duplicate_of"] for index, item in enumerate(listed) if "duplicate_of" in item}
    rules = {index: _read_rules(path, index, item) for index, item in enumerate(listed) if set(_CLIP_RULES) & set(item)}
    metrics = tuple(content.pop("metrics", ZSL_METRICS if setting == "zsl" else GZSL_METRICS))
    class_text = content.pop("class_text", "name")
    return FileProtocol(
        **content,
        class_text=class_text,
        metrics=metrics,
        listed_rounds=rounds,
        duplicates=duplicates,
        clip_rules=rules,
    )


def _read_round(path: Path, index: int, item: Mapping[str, Any]) -> Round:
    known = _ROUND_FIELDS | set(_CLIP_RULES)
    for unfit in sorted(set(item) - known):
        raise ZsarbenchError(f"round {index} of protocol file {path}: " + unknown("field", unfit, known))
    if "candidates" not in item:
        raise ZsarbenchError(f"round {index} of protocol file {path} lacks candidates")
    train, test = (tuple(_read_list(path, item[key])) if key in item else None for key in ("train_clips", "test_clips"))
    lists = {key: tuple(_read_list(path, item.get(key, []))) for key in ("seen", "candidates", "validation")}
    return Round(index, int(item.get("seed", index)), **lists, train_clips=train, test_clips=test)


def _read_rules(path: Path, index: int, item: Mapping[str, Any]) -> dict[str, str]:
    """Return which official lists a round takes its clips from; clips of one side come from one place."""
    rules = {key: str(item[key]) for key in _CLIP_RULES if key in item}
    sources = [key for key in item if key in rules or key in ("train_clips", "test_clips")]
    for one, other in (("train_list", "train_clips"), ("test_list", "test_clips")):
        if one in sources and other in sources:
            raise ZsarbenchError(f"round {index} of protocol file {path} has both {one} and {other}")
    if "held_out_list" in sources and len(sources) > 1:
        raise ZsarbenchError(
            f"round {index} of protocol file {path}: held_out_list decides training and test clips alone"
        )
    return rules


def _read_list(path: Path, value: str | Sequence[str]) -> list[str]:
    if not isinstance(value, str):
        return list(value)
    name, _, part = value.removeprefix("@").partition("#")
    file = path.parent.parent / "splits" / f"{name}.txt"
    if not file.is_file():
        file = path.parent / f"{name}.txt"
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ZsarbenchError(f"list '{value}' of protocol file {path} is not there: {file}") from None
    lines = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not part:
        return lines
    if f"[{part}]" not in lines:
        raise ZsarbenchError(f"list '{value}' of protocol file {path}: {file} has no part [{part}]")
    rest = lines[lines.index(f"[{part}]") + 1 :]
    return rest[: next((at for at, line in enumerate(rest) if line.startswith("[")), None)]


def _with_listed_clips(
    rounds: tuple[Round, ...], rules: Mapping[int, Mapping[str, str]], dataset: Dataset
) -> tuple[Round, ...]:
    """Return the rounds with the clips that the data set's official lists name, cut down to the rounds' classes."""
    lists, manifest = dataset.splits(), dataset.manifest()
    for name in {name for rule in rules.values() for name in rule.values()} - set(lists):
        raise ZsarbenchError(unknown("list of the data set", name, lists))
    return tuple(_with_clips(item, rules.get(item.index, {}), lists, manifest) for item in rounds)


def _with_clips(
    item: Round, rule: Mapping[str, str], lists: Mapping[str, Sequence[str]], manifest: pd.DataFrame
) -> Round:
    ids, seen, unseen = manifest["clip_id"], manifest["label"].isin(item.seen), manifest["label"].isin(item.unseen)
    if "held_out_list" in rule:
        tested = seen & ids.isin(lists[rule["held_out_list"]])
        trained = seen & ~manifest["group"].isin(manifest.loc[tested, "group"])
        return replace(item, train_clips=tuple(ids[trained]), test_clips=tuple(ids[tested | unseen]))
    if "train_list" in rule:
        item = replace(item, train_clips=tuple(ids[seen & ids.isin(lists[rule["train_list"]])]))
    if "test_list" in rule:
        candidate = manifest["label"].isin(item.candidates)
        item = replace(item, test_clips=tuple(ids[candidate & ids.isin(lists[rule["test_list"]])]))
    return item


def round_clips(item: Round, manifest: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the training and test clip ids of a round, in the manifest's order.

    Raises:
        ZsarbenchError: a listed clip is not in the manifest, or a class of the round has no clip to test.
    """
    train = _clips_of(item.train_clips, item.seen, manifest, f"train clips of round {item.index}")
    test = _clips_of(item.test_clips, item.candidates, manifest, f"test clips of round {item.index}")
    if shared := set(train) & set(test):
        raise ZsarbenchError(f"round {item.index} trains on {len(shared)} of its test clips, e.g. '{min(shared)}'")
    return train, test


def _clips_of(
    listed: tuple[str, ...] | None, classes: tuple[str, ...], manifest: pd.DataFrame, where: str
) -> list[str]:
    if listed is None:
        return list(manifest.loc[manifest["label"].isin(classes), "clip_id"])
    strangers = set(listed) - set(manifest["clip_id"])
    if strangers:
        raise ZsarbenchError(f"{where}: {len(strangers)} clips are not in the manifest, e.g. '{min(strangers)}'")
    return list(manifest.loc[manifest["clip_id"].isin(listed), "clip_id"])
