"""What data sets of other benchmarks hold at a revision, by their own counts: `benchmarks/revisions.toml`."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zsarbench.utils.documents import invalid, read_toml
from zsarbench.utils.schema import STRICT, DoesNotFit, FilledText, parse

_WHAT = "file of revisions"


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One split of a data set at a revision.

    revision: as a result file has it. dataset: where it is published. samples: what is classified. n_samples: their
    number. n_classes: those that compete. source: where the counts were read. notes: for readers.
    """

    revision: FilledText
    dataset: FilledText
    split: FilledText
    samples: Literal["clips", "frames"]
    n_samples: int
    n_classes: int
    source: FilledText
    notes: str = ""

    def in_words(self) -> str:
        """Return what it holds, such as "mteb/UCF101-51VA at revision 866b006d84, 1,944 clips of 51 classes"."""
        counts = f"{self.n_samples:,} {self.samples} of {self.n_classes:,} classes"
        return f"{self.dataset} at revision {self.revision[:10]}, {counts}"


@dataclass(frozen=True)
class _File:
    __pydantic_config__ = STRICT

    revisions: tuple[Revision, ...] = ()


def find(revision: str, split: str, path: Path | None = None) -> Revision | None:
    """Return what a split of a data set holds at a revision; None where it is not recorded.

    path: a file of revisions, by default the one that ships with zsarbench.

    Raises:
        ZsarbenchError: the file is malformed.
    """
    path = path or Path(str(importlib.resources.files("zsarbench_benchmarks"))) / "revisions.toml"
    try:
        known = parse(_File, read_toml(path, _WHAT), "file").revisions
    except DoesNotFit as error:
        raise invalid(_WHAT, path, error.problems) from error
    return next((one for one in known if (one.revision, one.split) == (revision, split)), None)
