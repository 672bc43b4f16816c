"""What `zsarbench.run` takes by name, for type checkers and editors: the fields of a request with their types."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any, TypedDict

from zsarbench.interfaces.lazy import Lazy

if TYPE_CHECKING:
    import numpy as np
else:
    np = Lazy("numpy")


class RunOptions(TypedDict, total=False):
    """The fields of `zsarbench.harness.spec.RunRequest`, the options of `zsarbench run`, but for the method.

    Types are wider than those of the fields by what `zsarbench.harness.spec.request` turns into them: paths, numbers
    of numpy, and any iterable of texts.
    """

    protocol: str | PathLike[str] | None
    visual: str | None
    text: str | None
    negatives: str | None
    loss: str | None
    settings: Iterable[str]
    seed: int | np.integer[Any]
    seeds: int | np.integer[Any]
    train_on: str
    class_text: str | PathLike[str] | None
    captions: Iterable[str]
    data_root: Iterable[str]
    device: str
    dtype: str
    threads: int | np.integer[Any] | None
    denominator: str
    control: str
    limit: int | np.integer[Any] | None
    partial: bool | np.bool_
    executor: str
    out: str | PathLike[str]
    strict: bool | np.bool_
    refit: bool | np.bool_
