"""A grid of runs: every combination of some parts and options, measured once, compared on the same clips."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench import results
from zsarbench.errors import NotApplicable, UsageError, UsageErrors, ZsarbenchError, unknown
from zsarbench.harness import runs as harness
from zsarbench.harness.resolve import resolve
from zsarbench.harness.spec import RunRequest, RunSpec
from zsarbench.plugins.building import build_dataset
from zsarbench.plugins.parts import PART_KINDS

if TYPE_CHECKING:
    from zsarbench.interfaces import Progress
    from zsarbench.plugins import Host

_log = logging.getLogger(__name__)
AXES = ("method", "protocol", *PART_KINDS, "class_text", "train_on", "control")
"""Fields of a request that an axis may vary; any other axis is an option of a part, as in `--set`."""


@dataclass(frozen=True)
class Axis:
    """One thing that varies: "loss", or an option such as "loss.margin", with its values as typed."""

    name: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Axis:
        """Return the axis of "loss.margin=0.5,1".

        Raises:
            UsageError: it is of another form, names a value twice, or what varies is no axis.
        """
        name, equals, values = text.partition("=")
        split = tuple(value.strip() for value in values.split(","))
        if not (equals and name and all(split)):
            raise UsageError(f"--grid {text} is not of the form NAME=VALUE,VALUE, e.g. --grid loss.margin=0.5,1")
        if len(set(split)) < len(split):
            raise UsageError(f"--grid {text} names a value twice")
        name = name.replace("-", "_") if "." not in name else name
        if "." not in name and name not in AXES:
            raise UsageError(unknown("axis in --grid", name, AXES) + " Options are axes too: loss.margin=0.5,1")
        return cls(name, split)

    def apply(self, asked: RunRequest, value: str) -> RunRequest:
        """Return the request with this value."""
        if "." in self.name:
            return replace(asked, settings=[*asked.settings, f"{self.name}={value}"])
        changed: dict[str, Any] = {self.name: value}
        return replace(asked, **changed)


@dataclass(frozen=True)
class Cell:
    """One combination; `spec` is None where it is not applicable, for `reason`."""

    label: str
    spec: RunSpec | None
    reason: str = ""


@dataclass(frozen=True)
class Done:
    """What became of a combination: a result file, or the reason why there is none."""

    cell: Cell
    path: Path | None
    reason: str = ""


def grid(asked: RunRequest, axes: Sequence[Axis], host: Host) -> list[Cell]:
    """Return every combination, the last axis varying fastest.

    Raises:
        UsageErrors: the mistakes of all combinations, before any of them runs. That a method does not apply to a
            protocol is no mistake unless it is true of every combination.
    """
    names = [axis.name for axis in axes]
    if len(set(names)) < len(names):
        raise UsageError(f"--grid names '{max(names, key=names.count)}' twice; give all its values in one")
    cells: list[Cell] = []
    problems: list[str] = []
    for values in itertools.product(*(axis.values for axis in axes)):
        request = asked
        for axis, value in zip(axes, values, strict=True):
            request = axis.apply(request, value)
        label = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        try:
            cells.append(Cell(label, resolve(request, host)))
        except NotApplicable as error:
            cells.append(Cell(label, None, str(error)))
        except UsageErrors as error:
            problems += error.problems
    if not problems and all(cell.spec is None for cell in cells):
        problems = [cell.reason for cell in cells]
    if problems:
        raise UsageErrors(dict.fromkeys(problems))
    return cells


def measured(cells: Iterable[Cell], out: Path, host: Host) -> dict[str, Path]:
    """Return the result files under `out` that already answer a combination, by the label of it.

    A result answers one that has the same spec on the same revision of its data set.
    """
    found: dict[tuple[str, str], Path] = {}
    for path in results.find(out):
        try:
            result = results.read(path)
        except ZsarbenchError as error:
            _log.warning("%s is left out: %s", path, error)
            continue
        found[result.spec_id, result.dataset.revision] = path
    answered = {}
    for cell in cells:
        if cell.spec is not None:
            revision = build_dataset(cell.spec.dataset, dict(cell.spec.data_roots), host.registry).revision
            if path_of := found.get((results.spec_id(cell.spec.identity()), revision)):
                answered[cell.label] = path_of
    return answered


def run(cells: Sequence[Cell], out: Path, host: Host, progress: Progress) -> Iterator[Done]:
    """Measure what is not yet measured under `out`, and yield each combination when its result is there.

    A combination that fails is yielded with its reason, and the rest go on.
    """
    there = measured(cells, out, host)
    for number, cell in enumerate(cells, start=1):
        if cell.spec is None:
            yield Done(cell, None, cell.reason)
        elif cell.label in there:
            _log.info("%d of %d: %s: measured before", number, len(cells), cell.label)
            yield Done(cell, there[cell.label])
        else:
            _log.info("%d of %d: %s", number, len(cells), cell.label)
            try:
                yield Done(cell, harness.run(cell.spec, host, progress)[1])
            except ZsarbenchError as error:
                _log.warning("%s failed: %s", cell.label, error)
                yield Done(cell, None, str(error))
