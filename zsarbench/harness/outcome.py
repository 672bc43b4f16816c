"""What a run measured, between the harness that runs it and the recording that writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zsarbench.evaluation.scores import Scores
from zsarbench.harness.inputs import Inputs, RoundClips
from zsarbench.harness.spec import RunSpec
from zsarbench.interfaces import Method, Parts
from zsarbench.utils.compute import Compute


@dataclass(frozen=True)
class Fit:
    """One fit: the training set's clips and classes, its training seed, and the rounds it serves."""

    train: tuple[str, ...]
    seen: tuple[str, ...]
    validation: tuple[str, ...]
    round_seed: int
    seed: int
    rounds: tuple[RoundClips, ...]


@dataclass(frozen=True)
class Outcome:
    """What a run measured, before it is written down.

    training: the other data set that was learnt from. learnt: ids of the clips that any fit was given, of `training`
    where there is one, else of `inputs`; those that could not be read are not among them. scores: every round of every
    seed, in the order of `served`. records: what each fit chose and measured. failures: why a clip could not be read,
    by clip id.
    """

    spec: RunSpec
    machine: Compute
    parts: Parts
    inputs: Inputs
    training: Inputs | None
    learnt: tuple[str, ...]
    scores: Scores
    served: tuple[tuple[Fit, RoundClips], ...]
    fits: tuple[Fit, ...]
    records: tuple[Mapping[str, Any], ...]
    failures: Mapping[str, str]
    flags: tuple[str, ...]
    seconds: Mapping[str, float]
    method: Method
