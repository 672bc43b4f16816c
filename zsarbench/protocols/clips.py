"""The clips of a round: listed by an official list, or every clip of its classes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from zsarbench.errors import ZsarbenchError, unknown
from zsarbench.interfaces import Dataset, Round
from zsarbench.interfaces.lazy import Lazy

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = Lazy("pandas")


def round_clips(item: Round, manifest: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the ids of the clips that a method is given to learn from and to test, in the manifest's order.

    Raises:
        ZsarbenchError: a listed clip is not in the manifest or of another class, a clip is on both sides, or a
            candidate has none to test.
    """
    labels = dict(zip(manifest["clip_id"].tolist(), manifest["label"].tolist(), strict=True))
    train = _clips_of(item.train_clips, item.given, labels, f"train clips of round {item.index}")
    test = _clips_of(item.test_clips, item.candidates, labels, f"test clips of round {item.index}")
    if shared := set(train) & set(test):
        raise ZsarbenchError(f"round {item.index} trains on {len(shared)} of its test clips, e.g. '{min(shared)}'")
    tested = {labels[clip] for clip in test}
    if empty := [name for name in item.candidates if name not in tested]:
        raise ZsarbenchError(f"round {item.index} has no clip to test of {len(empty)} candidates, e.g. '{empty[0]}'")
    return train, test


def protocol_clips(rounds: Iterable[Round], manifest: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the ids of the clips that any round of a protocol learns from, and of those that any tests.

    manifest: the data set's, checked; the ids are in its order.

    Raises:
        ZsarbenchError: see `round_clips`.
    """
    clips = [round_clips(item, manifest) for item in rounds]
    learnt = {clip for train, _ in clips for clip in train}
    tested = {clip for _, test in clips for clip in test}
    ids = manifest["clip_id"].tolist()
    return [clip for clip in ids if clip in learnt], [clip for clip in ids if clip in tested]


def sharing_a_source(
    item: Round, train: Iterable[str], test: Iterable[str], clips: pd.DataFrame
) -> tuple[list[str], list[str]]:
    """Return the test clips of seen classes that share a source video with a training clip, and all of seen classes.

    Much of what such a clip shows was seen in training. clips: the manifest by clip id.
    """
    if not set(item.seen) & set(item.candidates):
        return [], []
    tested = clips.loc[list(test)]
    tested = tested[tested["label"].isin(item.seen)]
    learnt = set(clips.loc[list(train), "group"].dropna())
    return list(tested.index[tested["group"].isin(learnt)]), list(tested.index)


def with_listed_clips(
    rounds: Sequence[Round], clip_lists: Sequence[Mapping[str, str]], dataset: Dataset
) -> tuple[Round, ...]:
    """Return the rounds with the clips that official lists of the data set name, limited to the rounds' classes.

    clip_lists: for each round, names of official lists by what they are for (`zsarbench.protocols.CLIP_LISTS`). Nothing
    of the data set is read where no round has any.

    Raises:
        ZsarbenchError: the data set has no list of a name, or cannot read its lists.
    """
    if not any(clip_lists):
        return tuple(rounds)
    lists, manifest = dataset.splits(), dataset.manifest()
    if missing := sorted({name for named in clip_lists for name in named.values()} - set(lists)):
        raise ZsarbenchError("\n".join(unknown("list of the data set", name, lists) for name in missing))
    return tuple(_with_clips(item, named, lists, manifest) for item, named in zip(rounds, clip_lists, strict=True))


def _clips_of(
    listed: tuple[str, ...] | None, classes: tuple[str, ...], labels: Mapping[str, str], where: str
) -> list[str]:
    """Return the listed clips, all of their classes where none are, in the order of `labels`, the class of each."""
    own = set(classes)
    if listed is None:
        return [clip for clip, label in labels.items() if label in own]
    chosen = set(listed)
    if missing := chosen - labels.keys():
        raise ZsarbenchError(
            f"{where}: {len(missing)} clips are not in the manifest, e.g. '{min(missing)}'"
            + _meant(min(missing), labels)
        )
    clips = [clip for clip in labels if clip in chosen]
    if others := [clip for clip in clips if labels[clip] not in own]:
        raise ZsarbenchError(f"{where}: {len(others)} clips are of other classes than it has, e.g. '{others[0]}'")
    return clips


def _meant(listed: str, known: Collection[str]) -> str:
    """Return the clip that a list means by a file's name or path, as the end of a message; "" where it means none."""
    path = PurePosixPath(listed.replace("\\", "/"))
    forms = (str(path), str(path.parent / path.stem), path.name, path.stem)
    found = next((form for form in forms if form in known), None)
    return f"; did you mean '{found}'? A clip is listed by its id" if found else ""


def _with_clips(
    item: Round, named: Mapping[str, str], lists: Mapping[str, Sequence[str]], manifest: pd.DataFrame
) -> Round:
    ids, given, unseen = manifest["clip_id"], manifest["label"].isin(item.given), manifest["label"].isin(item.unseen)
    if "held_out_list" in named:
        tested = manifest["label"].isin(item.seen) & ids.isin(lists[named["held_out_list"]])
        trained = given & ~manifest["group"].isin(manifest.loc[tested, "group"])
        return replace(item, train_clips=tuple(ids[trained].tolist()), test_clips=tuple(ids[tested | unseen].tolist()))
    if "train_list" in named:
        item = replace(item, train_clips=tuple(ids[given & ids.isin(lists[named["train_list"]])].tolist()))
    if "test_list" in named:
        candidate = manifest["label"].isin(item.candidates)
        item = replace(item, test_clips=tuple(ids[candidate & ids.isin(lists[named["test_list"]])].tolist()))
    return item
