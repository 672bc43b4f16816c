"""Small sound results with their scores: what reporters, observers and tables can be tested with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zsarbench import results
from zsarbench.evaluation import metrics
from zsarbench.evaluation.contamination import Contamination, Overlap, accuracies
from zsarbench.evaluation.declared import Declared
from zsarbench.evaluation.scores import Block, RoundScores, Scores
from zsarbench.evaluation.settings import SETTINGS
from zsarbench.evaluation.summary import RoundResult, summarise
from zsarbench.results import (
    ClassTextInfo,
    ClipFailure,
    DatasetInfo,
    Environment,
    MethodInfo,
    PartInfo,
    ProtocolInfo,
    RunResult,
)

N_CLASSES = 12
CLIPS_A_CLASS = 4


def sample_scores(
    *, n_rounds: int = 1, n_seeds: int = 1, setting: str = "zsl", skill: float = 1.0, unread: Sequence[int] = ()
) -> Scores:
    """Return scores of 48 clips of 12 classes; in several rounds the candidates are 8 of them, in `gzsl` half seen."""
    rng = np.random.default_rng(int(100 * skill))
    labels = np.repeat(np.arange(N_CLASSES), CLIPS_A_CLASS).astype(np.int32)
    blocks, rounds = [], []
    for seed in range(n_seeds):
        scores = rng.normal(size=(len(labels), N_CLASSES)).astype(np.float32)
        scores[np.arange(len(labels)), labels] += skill
        scores[list(unread)] = np.nan
        everything = np.arange(len(labels), dtype=np.int32), np.arange(N_CLASSES, dtype=np.int32)
        blocks.append(Block(*everything, scores))
        for number in range(n_rounds):
            classes = everything[1] if n_rounds == 1 else np.roll(everything[1], number)[:8]
            clips = everything[0][np.isin(labels, classes)]
            seen = (classes % 2 == 0) if setting == "gzsl" else np.zeros(len(classes), dtype=bool)
            rounds.append(RoundScores(block=seed, clips=clips, classes=classes, seen=seen))
    return Scores(
        clip_ids=np.array([f"clip{number:02}" for number in range(len(labels))]),
        groups=np.array([f"g{number % 2}" for number in range(len(labels))]),
        class_names=np.array([f"Class{number}" for number in range(N_CLASSES)]),
        labels=labels,
        blocks=tuple(blocks),
        rounds=tuple(rounds),
    )


def sample_result(
    scores: Scores,
    method: str = "cezsar",
    *,
    parts: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    part_options: Mapping[str, Any] | None = None,
    seeds: Sequence[int] = (0,),
    setting: Any = "zsl",
    denominator: Any = "all",
    protocol: str = "toy/half",
    created: str = "2026-03-01T10:00:00Z",
    **changed: Any,
) -> RunResult:
    """Return the result that these scores make; `changed` replaces fields."""
    per_seed = len(scores.rounds) // len(seeds)
    rules, rounds = SETTINGS[setting], []
    for number, item in enumerate(scores.rounds):
        part, labels = scores.round(number)
        n_seen = int(item.seen.sum())
        values = metrics.evaluate(part, labels, setting=setting, seen=item.seen, denominator=denominator)
        n_failed = int(np.isnan(part).any(axis=1).sum())
        rounds.append(
            RoundResult(
                round=number % per_seed,
                seed=seeds[number // per_seed],
                fit=number // per_seed,
                n_classes=len(item.classes),
                n_seen=n_seen,
                n_expected=len(labels),
                n_scored=len(labels) - n_failed,
                n_failed=n_failed,
                metrics=values,
                chance={metric.name: rules.chance(metric, len(item.classes), n_seen) for metric in rules.parse(values)},
                candidates_sha256=results.names_sha256([str(scores.class_names[c]) for c in item.classes]),
            )
        )
    unread = np.unique(np.concatenate([block.clips[np.isnan(block.scores).any(axis=1)] for block in scores.blocks]))
    summary = summarise(rounds)
    around = {
        name: (max(0.0, round(value.mean - 0.1, 3)), min(1.0, round(value.mean + 0.1, 3)))
        for name, value in summary.items()
        if name != "ausuc"
    }
    names = parts if parts is not None else {"visual": "captions", "text": "minilm-l6"}
    spec = {
        "method": method, "options": options or {}, "parts": dict(names), "part_options": part_options or {},
        "protocol": protocol, "seeds": list(seeds), "denominator": denominator, "changed": sorted(changed),
    }  # fmt: skip
    result = RunResult(
        method=MethodInfo(
            method, "baselines", "A method.", "A paper, 2026", options or {}, "seen-classes", None, {"epochs": 3}
        ),
        parts={
            kind: PartInfo(name, "encoders", (part_options or {}).get(kind, {}), {"weights_sha256": "ab" * 32}, 22, ())
            for kind, name in names.items()
        },
        sampling=None,
        views=1,
        protocol=ProtocolInfo(protocol, 1, "0123456789abcdef" * 4, setting, "A toy.", "This test."),
        dataset=DatasetInfo("toy", "feedbeef" * 8, {}),
        train_on="seen",
        class_text=ClassTextInfo("sentence", "cd" * 32),
        denominator=denominator,
        control="none",
        limit=None,
        seed=seeds[0],
        seeds=tuple(seeds),
        rounds=tuple(rounds),
        summary=summarise(rounds, around),
        failures=tuple(ClipFailure(str(scores.clip_ids[clip]), "no video stream") for clip in unread),
        objections=(),
        flags=(),
        environment=Environment("3.11.0", "2.14.1", "0.1.0", "Linux-x86_64", "cpu", "float32", 2, None, None),
        seconds={"score": 0.1},
        created=created,
        spec=spec,
        spec_id=results.spec_id(spec),
        command=f"zsarbench run --method {method} --protocol {protocol}",
        contamination=_contamination(scores, denominator, ()),
    )
    return dataclasses.replace(result, **changed)


def contaminated(result: RunResult, scores: Scores, classes: Sequence[str]) -> RunResult:
    """Return a result whose visual part was trained on these of its classes."""
    return dataclasses.replace(result, contamination=_contamination(scores, result.denominator, classes))


def _contamination(scores: Scores, denominator: Any, classes: Sequence[str]) -> Contamination:
    unseen = {str(scores.class_names[c]) for item in scores.rounds for c in item.classes[~item.seen]}
    return Contamination(
        audited={"kinetics400": (Declared("visual", "captions"),)},
        unknown=(),
        near_by=None,
        overlapping=tuple(Overlap(name, "kinetics400", name.lower(), "exact") for name in classes),
        n_overlapping=len(classes),
        n_clean=len(unseen) - len(classes),
        accuracy=accuracies(scores, classes, denominator),
    )
