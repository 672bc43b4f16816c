"""What `zsarbench.run` takes by name, for type checkers and editors: the fields of a request with their types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class RunOptions(TypedDict, total=False):
    """The fields of `zsarbench.harness.spec.RunRequest`, the options of `zsarbench run`, but for the method."""

    protocol: str | None
    visual: str | None
    text: str | None
    negatives: str | None
    loss: str | None
    settings: Sequence[str]
    seed: int
    seeds: int
    train_on: str
    class_text: str | None
    captions: Sequence[str]
    data_root: Sequence[str]
    device: str
    dtype: str
    threads: int | None
    denominator: str
    control: str
    limit: int | None
    partial: bool
    executor: str
    out: str
    strict: bool
    refit: bool
