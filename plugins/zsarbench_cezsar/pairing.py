"""Pairs segments with sentences about the objects in them, and filters these by the caption (stages 2 and 3).

Windows are drawn inside what is stored of every clip; the encoder's own classifier names their likeliest objects; of
what is written about these, the sentences most similar to each caption become further positives of the clip. The
windows choose sentences and nothing else: the visual side of a pair stays the clip's first steps.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zsarbench.features import CaptionView
from zsarbench.interfaces import ClipFeatures, Context, Sampling, TrainSet
from zsarbench.utils.classifiers import Classifier, classifier
from zsarbench_cezsar import checkpoints
from zsarbench_cezsar.model import first_steps
from zsarbench_cezsar.objects import ObjectTexts, mean_steps, read_at_once, top_objects, vocabulary
from zsarbench_cezsar.pairing_table import PairingTable, Row
from zsarbench_cezsar.pairs import check_captions
from zsarbench_cezsar.scoring import embeddings

_log = logging.getLogger(__name__)

N_WINDOWS = 3  # of every segment, drawn at random; valterlej/cezsar, stage 2
WINDOW_SECONDS = 10.0  # length of a window; valterlej/cezsar, stage 2
OBJECTS_PER_WINDOW = 5  # likeliest objects of a window; valterlej/cezsar, stage 2
OBJECT_SENTENCES = 2  # sentences about them kept for each caption; valterlej/cezsar, stage 3
CLIPS_PER_PART = 512  # of the table: what a kill may cost


@dataclass(frozen=True)
class Options:
    """How to pair; see the constants of this module for units and sources."""

    n_windows: int = N_WINDOWS
    window_seconds: float = WINDOW_SECONDS
    objects_per_window: int = OBJECTS_PER_WINDOW
    object_sentences: int = OBJECT_SENTENCES


class WithSentences(CaptionView):
    """Clips with further sentences next to their captions; the steps stay what they are."""

    def cut(self, max_steps: int) -> WithSentences:
        """Return the same clips without the steps after these."""
        view = copy.copy(self)
        view.clips = first_steps(self.clips, max_steps)
        view.max_steps = view.clips.max_steps
        return view


def add_sentences(
    train: TrainSet,
    options: Options,
    context: Context,
    folder: Path | None,
    *,
    clips_per_part: int = CLIPS_PER_PART,
) -> tuple[TrainSet, dict[str, Any]]:
    """Return a training set whose clips have the sentences of pairing and filtering too, and what was counted.

    folder: where the table is written part by part, `pairs.csv` in the end; an interrupted pairing continues there
    where the context allows it.

    Raises:
        UsageError: the clips have no captions, the visual part has no classifier, or the run has no text part.
    """
    check_captions(train.clips)
    objects = classifier(context.parts.visual, "cezsar")
    pairer = Pairer(train.clips, objects, options, context)
    identity = table_identity(train.clips, objects, options, context)
    table = PairingTable(folder, identity, resume=context.resume)
    added: dict[str, dict[str, None]] = {clip_id: {} for clip_id in train.clips.ids}
    windows: set[tuple[str, float]] = set()
    full: set[str] = set()  # clips whose steps fill the limit: they may continue after it, where no window lies
    n_kept, total = 0, 0.0
    parts = torch.arange(len(train.clips)).split(clips_per_part)
    with context.progress.task("pairing clips with objects", len(train.clips)) as task:

        def make(number: int) -> Iterator[Row]:
            yield from pairer.rows(parts[number])
            task.advance(len(parts[number]))

        for row in table.rows(len(parts), make):
            windows.add((row.clip_id, row.start))
            if row.clip_seconds >= pairer.limit_seconds:
                full.add(row.clip_id)
            if row.sentence:
                added[row.clip_id][row.sentence] = None
                n_kept, total = n_kept + 1, total + row.cosine
    record = {
        "n_windows": len(windows),
        "n_sentences_kept": n_kept,
        "n_clips_with_sentences": sum(map(bool, added.values())),
        "mean_cosine_to_caption": round(total / max(1, n_kept), 6),
        "limit_seconds": pairer.limit_seconds,
        "n_clips_at_the_limit": len(full),
    }
    for flag in flags(record):
        _log.warning("%s. To store more of a segment: --set visual.max_steps=240", flag)
    _log.info("paired %d windows with %d sentences about objects; table: %s", len(windows), n_kept, table.path)
    captions = zip(train.clips.captions or (), added.values(), strict=True)
    return replace(train, clips=WithSentences(train.clips, tuple((*own, *more) for own, more in captions))), record


def flags(record: Mapping[str, Any]) -> list[str]:
    """Return a remark on a pairing's record: windows that do not reach the end of clips."""
    if not record.get("n_clips_at_the_limit"):
        return []
    return [
        f"pairing: windows lie in the first {record['limit_seconds']:g} s, all that visual.max_steps stores, "
        f"of {record['n_clips_at_the_limit']} clips that last as long or longer"
    ]


def table_identity(
    clips: ClipFeatures,
    classifier: Classifier,
    options: Options,
    context: Context,
    *,
    columns: Sequence[str] = Row._fields,
) -> str:
    """Return a digest of all that decides the table of a pairing; columns: the names of its columns."""
    parts = context.parts
    return checkpoints.identity(
        {
            "columns": tuple(columns),
            "options": asdict(options),
            "parts": [checkpoints.described(parts.visual), checkpoints.described(parts.text)],
            "labels": classifier.labels,
            "clips": [checkpoints.clips(clips), clips.captions],
            "seed": context.generator("windows").initial_seed(),
            "step_seconds": _step_seconds(_sampling(context)),
        }
    )


def _sampling(context: Context) -> Sampling:
    visual = context.parts.visual
    return Sampling() if visual is None else visual.sampling


def _step_seconds(sampling: Sampling) -> float:
    return sampling.step_stride / sampling.frames_per_second


class Pairer:
    """Computes the rows of the table for some clips."""

    def __init__(self, clips: ClipFeatures, classifier: Classifier, options: Options, context: Context) -> None:
        self.clips = clips
        self.found = classifier
        self.context = context
        self.options = options
        self.objects = ObjectTexts.of(classifier.labels)
        self.texts, self.of_label = vocabulary(self.objects)
        sampling = _sampling(context)
        self.step_seconds = _step_seconds(sampling)
        self.limit_seconds = sampling.max_steps * self.step_seconds
        generator = context.generator("windows")
        # Drawn at once, so that a clip's windows do not depend on where a pairing was interrupted.
        self.drawn = torch.rand(len(clips), options.n_windows, generator=generator, dtype=torch.float64)

    def rows(self, index: Tensor) -> Iterator[Row]:
        """Yield the rows of clips at these positions, in order."""
        for part in index.split(read_at_once(self.clips)):
            steps = self.clips.rows(part)
            n_steps = steps.mask.sum(1)
            first, last = self._windows(part, n_steps)
            places = torch.arange(steps.mask.shape[1])
            shown = (places >= first[..., None]) & (places < last[..., None])
            means = mean_steps(steps, shown)  # (B, W, D)
            likely, labels = top_objects(means.flatten(0, 1), self.found, self.options.objects_per_window)
            yield from self._described(part, n_steps, first, last, likely.unflatten(0, first.shape),
                                       labels.unflatten(0, first.shape))  # fmt: skip

    def _windows(self, part: Tensor, n_steps: Tensor) -> tuple[Tensor, Tensor]:
        """Return first and last step (B, W) of the windows of clips with so many steps; a short clip is its window."""
        length = max(1, round(self.options.window_seconds / self.step_seconds))
        places = (n_steps - length).clamp(min=0) + 1
        first = (self.drawn[part] * places[:, None]).long()
        return first, torch.minimum(first + length, n_steps[:, None])

    def _described(
        self, part: Tensor, n_steps: Tensor, first: Tensor, last: Tensor, likely: Tensor, labels: Tensor
    ) -> Iterator[Row]:
        """Yield a row for each distinct window, caption and kept sentence; one without sentence where none is."""
        clip, window, captions = self._queries(part, first, last)
        if not captions:
            return
        kept, cosine = self._filtered(labels[clip, window], captions)
        starts, ends = first[clip, window].tolist(), last[clip, window].tolist()
        for number, caption in enumerate(captions):
            place = (clip[number], window[number])
            objects = " | ".join(
                f"{self.found.labels[label][0]} {share:.3f}"
                for label, share in zip(labels[place].tolist(), likely[place].tolist(), strict=True)
            )
            about = (
                self.clips.ids[int(part[clip[number]])],
                int(n_steps[clip[number]]) * self.step_seconds,
                starts[number] * self.step_seconds,
                ends[number] * self.step_seconds,
                objects,
                caption,
            )
            sentences = [one for one in kept[number].tolist() if one >= 0]
            for sentence, near in zip(sentences, cosine[number].tolist(), strict=False):
                yield Row(*about, self.texts[sentence], round(near, 6))
            if not sentences:
                yield Row(*about, "", 0.0)

    def _queries(self, part: Tensor, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor, list[str]]:
        """Return clip and window (Q,), positions in the part, and the caption of every query, equal windows once."""
        queries: list[tuple[int, int, str]] = []
        for row, position in enumerate(part.tolist()):
            captions = dict.fromkeys(text.strip() for text in (self.clips.captions or ())[position] if text.strip())
            spans: dict[tuple[int, int], int] = {}
            for window, span in enumerate(zip(first[row].tolist(), last[row].tolist(), strict=True)):
                if span[1] > 0:  # the clip could be read
                    spans.setdefault(span, window)
            queries += [(row, window, caption) for window in spans.values() for caption in captions]
        places = torch.tensor([(row, window) for row, window, _ in queries], dtype=torch.long).reshape(-1, 2)
        return places[:, 0], places[:, 1], [caption for _, _, caption in queries]

    def _filtered(self, labels: Tensor, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Return the sentences nearest to each caption, (Q, k) positions in `texts`, else -1, and their cosines.

        labels: (Q, O) objects of each query's window.
        """
        candidates = self.of_label[labels].flatten(1).sort(1).values  # (Q, O * S)
        if not self.texts:
            return candidates, candidates.float()
        again = torch.zeros_like(candidates, dtype=torch.bool)
        again[:, 1:] = candidates[:, 1:] == candidates[:, :-1]
        missing = again | (candidates < 0)
        used, places = candidates.clamp(min=0).unique(return_inverse=True)
        sentences = F.normalize(embeddings([self.texts[i] for i in used.tolist()], self.context), dim=1)
        caption_vectors = F.normalize(embeddings(captions, self.context), dim=1)
        # Row by row rather than as one product, so that the bits of a query do not depend on the others.
        cosine = (sentences[places] * caption_vectors[:, None]).sum(-1).masked_fill(missing, -torch.inf)
        best = cosine.topk(min(self.options.object_sentences, cosine.shape[1]), dim=1)
        kept = candidates.gather(1, best.indices).masked_fill(best.values == -torch.inf, -1)
        return kept, best.values
