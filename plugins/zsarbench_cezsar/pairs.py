"""Which sentences a clip is aligned with: its captions, or the sentences of its seen class (stages 2 and 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import ClipFeatures, TrainSet

MAX_CLASS_WORDS = 300  # words of a class sentence that are read; valterlej/cezsar, stage 7
NOTHING = -1  # a group that no text is in

Positives = Literal["captions", "classes"]


@dataclass(frozen=True)
class Pairs:
    """P pairs of a clip and a positive sentence, and the pool of M sentences that negatives come from.

    texts: U distinct sentences. clip (P,), text (P,): positions in the clip set and in `texts`. source (P,): source
    video of the clip. groups (P, G), pool_groups (M, G): a pool text that shares any group with a pair is never its
    negative. pool_text (M,): positions in `texts`. pool_row (P,): the pool row of the pair's own sentence.
    hidden: (P, T) bool, steps that show the sentence itself and that the pair must not see; None: none.
    n_skipped: sentences left out because the clip has nothing else to show.
    """

    texts: tuple[str, ...]
    clip: Tensor
    text: Tensor
    source: Tensor
    groups: Tensor
    pool_text: Tensor
    pool_groups: Tensor
    pool_row: Tensor
    hidden: Tensor | None = None
    n_skipped: int = 0

    def __len__(self) -> int:
        """Return P."""
        return len(self.clip)


class _Numbers(dict[str, int]):
    """Gives each new name the next number."""

    def __missing__(self, name: str) -> int:
        self[name] = len(self)
        return self[name]


def make_pairs(train: TrainSet, positives: Positives, max_steps: int) -> Pairs:
    """Pair the training clips with their captions or with the sentences of their classes.

    Raises:
        ZsarbenchError: the training set lacks what is requested, or no pair remains.
    """
    pairs = _with_captions(train, max_steps) if positives == "captions" else _with_classes(train)
    if len(pairs) == 0:
        raise ZsarbenchError(
            f"the training set of '{train.dataset}' gives no pair of a clip and a sentence: "
            f"{len(train.clips)} clips, {pairs.n_skipped} captions that are all that their clip shows"
        )
    return pairs


def _with_captions(train: TrainSet, max_steps: int) -> Pairs:
    """Pair each clip with its captions, equal ones once; a clip is never aligned with itself.

    Groups: the captions of the pair's own clip, whichever clip they stand at, and its source video.
    """
    clips = train.clips
    check_captions(clips)
    texts, identities, sources = _Numbers(), _Numbers(), _Numbers()
    clip, text, source, own, hidden, skipped = [], [], [], [], [], 0
    for position, (captions, group) in enumerate(zip(clips.captions or (), train.groups, strict=True)):
        stripped = [caption.strip() for caption in captions]
        keys = [identities[identity(caption)] if caption else NOTHING for caption in stripped]
        for place, key in enumerate(keys):
            if key == NOTHING or key in keys[:place]:
                continue
            if clips.captions_in_steps == "one-each":
                shown = keys[:max_steps]
                if not set(shown) - {key, NOTHING}:
                    skipped += 1
                    continue
                hidden.append([step == key for step in shown] + [False] * (max_steps - len(shown)))
            clip.append(position)
            text.append(texts[stripped[place]])
            source.append(sources[group])
            own.append([key, *sorted(set(keys) - {key, NOTHING})])
    sources_of = torch.tensor(source, dtype=torch.long)
    captions_of = _table(own)
    # As a candidate a caption stands for itself alone, and is compared with every caption of the anchor's clip.
    itself = captions_of[:, :1].expand_as(captions_of)
    rows = torch.tensor(text, dtype=torch.long)
    return Pairs(
        texts=tuple(texts),
        clip=torch.tensor(clip, dtype=torch.long),
        text=rows,
        source=sources_of,
        groups=torch.cat([captions_of, sources_of[:, None]], 1),
        pool_text=rows,
        pool_groups=torch.cat([itself, sources_of[:, None]], 1),
        pool_row=torch.arange(len(rows)),
        hidden=torch.tensor(hidden, dtype=torch.bool) if hidden else None,
        n_skipped=skipped,
    )


def _with_classes(train: TrainSet) -> Pairs:
    """Pair each clip with every sentence of its class; negatives are other classes' sentences."""
    if train.labels is None:
        raise UsageError(f"'{train.dataset}' has no classes of its own. Try: --set method.positives=captions")
    texts, identities, sources = _Numbers(), _Numbers(), _Numbers()
    pool_text: list[int] = []
    pool_groups: list[tuple[int, int]] = []
    rows_of_class: list[list[int]] = []
    for label, described in enumerate(train.classes):
        rows_of_class.append([len(pool_text) + j for j in range(len(described.texts))])
        for sentence in map(first_words, described.texts):
            pool_text.append(texts[sentence])
            pool_groups.append((identities[identity(sentence)], label))
    labels = train.labels.tolist()
    pairs = [(position, row) for position, label in enumerate(labels) for row in rows_of_class[label]]
    clip, pool_row = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).unbind(1)
    of_pool, groups = torch.tensor(pool_text, dtype=torch.long), torch.tensor(pool_groups, dtype=torch.long)
    source = torch.tensor([sources[group] for group in train.groups], dtype=torch.long)
    return Pairs(
        texts=tuple(texts),
        clip=clip,
        text=of_pool[pool_row],
        source=source[clip],
        groups=groups[pool_row],
        pool_text=of_pool,
        pool_groups=groups,
        pool_row=pool_row,
    )


def check_captions(clips: ClipFeatures) -> None:
    """Raise unless captions may be positives of these clips."""
    if clips.captions is None:
        raise UsageError("the training clips have no captions to align with. Try: --set method.positives=classes")
    if clips.captions_in_steps == "all":
        raise UsageError(
            "every step was made from all captions of its clip, so a caption would be aligned with itself. "
            "Try: --set method.positives=classes, or --set visual.join=false"
        )


def identity(text: str) -> str:
    """Return what makes two sentences the same one: its words, whatever their case and spacing."""
    return " ".join(text.casefold().split())


def first_words(text: str, n: int = MAX_CLASS_WORDS) -> str:
    """Return the first n words of a text, or the text itself where it has no more."""
    words = text.split()
    return text if len(words) <= n else " ".join(words[:n])


def split_pairs(
    pairs: Pairs, fraction: float, by: Literal["video", "triplet"], rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Split the pairs into rows to train on and rows to validate on.

    by "video": whole source videos; "triplet": pair by pair, as in the release, so that a video stands on both sides.

    Raises:
        ZsarbenchError: all pairs are of one source video.
    """
    everything = torch.arange(len(pairs))
    if fraction == 0:
        return everything, everything[:0]
    unit = pairs.source if by == "video" else everything
    names = unit.unique()
    if len(names) < 2:
        raise ZsarbenchError(
            "all training clips come from one source video, so none can be held out for validation. "
            "Try: --set method.validation_fraction=0"
        )
    n_held = min(len(names) - 1, max(1, round(fraction * len(names))))
    held = torch.isin(unit, names[torch.randperm(len(names), generator=rng)[:n_held]])
    return everything[~held], everything[held]


def _table(rows: list[list[int]]) -> Tensor:
    """Return ragged rows as one table, filled up with the number of nothing."""
    width = max(map(len, rows), default=1)
    return torch.tensor([row + [NOTHING] * (width - len(row)) for row in rows], dtype=torch.long).reshape(-1, width)
