"""A sweep: many runs in one command, each measured once, those that a result already answers not at all."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.errors import NotApplicable, UsageError, UsageErrors, ZsarbenchError, unknown
from zsarbench.harness import answers as known
from zsarbench.harness import runs
from zsarbench.harness.answers import Key
from zsarbench.harness.resolve import DataSetBuilder, resolve_run
from zsarbench.harness.spec import RunRequest, RunSpec, request
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.utils.compute import Stopwatch

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
            UsageError: it is of another form, names a value twice, or nothing of this name can vary.
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

    def apply(self, arguments: Mapping[str, Any], value: str) -> dict[str, Any]:
        """Return the arguments of a request with this value."""
        if "." in self.name:
            return {**arguments, "settings": [*arguments.get("settings", ()), f"{self.name}={value}"]}
        return {**arguments, self.name: value}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of a sweep; `spec` is None where it is not applicable or left out, for `reason`.

    label: its name among the runs under its protocol. title: its name among all.
    """

    label: str
    title: str
    request: RunRequest
    spec: RunSpec | None = None
    reason: str = ""

    @property
    def protocol(self) -> str | None:
        """The protocol's name, or where it is left out, what the request calls it."""
        return self.spec.what.protocol.name if self.spec is not None else self.request.protocol

    @property
    def key(self) -> Key | None:
        """What a result must have to answer this cell; None where nothing can."""
        return None if self.spec is None else known.key_of(self.spec)


@dataclass(frozen=True, kw_only=True)
class Done:
    """The outcome of a cell: a result file, or the reason why there is none.

    seconds: that the run took, 0 where nothing was run.
    """

    cell: Cell
    path: Path | None
    reason: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "label": self.cell.label,
            "protocol": self.cell.protocol,
            "result": self.path and str(self.path),
            "reason": self.reason,
            "seconds": round(self.seconds, 1),
        }

    @property
    def failed(self) -> bool:
        """Whether it should have a result and has none."""
        return self.path is None and self.cell.spec is not None


def grid(arguments: Mapping[str, Any], axes: Sequence[Axis], host: Host) -> list[Cell]:
    """Return every combination, the last axis varying fastest.

    arguments: of the request (`zsarbench.harness.spec.RunRequest`) that all combinations share.

    Raises:
        UsageErrors: the mistakes of all combinations, before any of them runs. That a method does not apply to a
            protocol is not a mistake unless it applies to every combination.
    """
    names = [axis.name for axis in axes]
    if len(set(names)) < len(names):
        raise UsageError(f"--grid names '{max(names, key=names.count)}' twice; give all its values in one")
    if "method" not in arguments and "method" not in names:
        raise UsageError("no method was given. Try: --method NAME, or --grid method=NAME,NAME (zsarbench list method)")
    cells = []
    for values in itertools.product(*(axis.values for axis in axes)):
        combined = dict(arguments)
        for axis, value in zip(axes, values, strict=True):
            combined = axis.apply(combined, value)
        label = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        cells.append(Cell(label=label, title=label, request=request(**combined)))
    return resolved(cells, host)


def resolved(cells: Iterable[Cell], host: Host) -> list[Cell]:
    """Return the cells with their specs; those that have a reason to be left out stay without one.

    Raises:
        UsageErrors: the mistakes of all requests; or none of them is applicable.
    """
    done: list[Cell] = []
    problems: list[str] = []
    builder = DataSetBuilder(host.registry)
    for cell in cells:
        try:
            done.append(cell if cell.reason else replace(cell, spec=resolve_run(cell.request, host, builder)))
        except NotApplicable as error:
            done.append(replace(cell, reason=str(error)))
        except UsageErrors as error:
            problems += error.problems
    if not problems and all(cell.spec is None for cell in done):
        problems = [cell.reason for cell in done]
    if problems:
        raise UsageErrors(dict.fromkeys(problems))
    return done


def run(cells: Sequence[Cell], out: Path, host: Host, progress: Progress) -> Iterator[Done]:
    """Measure what is not yet measured under `out`, and yield each cell when its result exists.

    A cell that fails is yielded with its reason, and the rest go on.
    """
    answers = known.measured(out)
    for number, cell in enumerate(cells, start=1):
        done = without_run(cell, answers)
        if done is None:
            _log.info("%d of %d: %s", number, len(cells), cell.title)
            done = measure(cell, host, progress)
        if cell.key is not None and done.path is not None:
            answers[cell.key] = done.path
        yield done


def without_run(cell: Cell, answers: Mapping[Key, Path]) -> Done | None:
    """Return what becomes of a cell that need not be run, None where it must."""
    if cell.spec is None or cell.key is None:
        return Done(cell=cell, path=None, reason=cell.reason)
    if (path := answers.get(cell.key)) is not None and not cell.spec.where.refit:
        _log.info("%s: measured before", cell.title)
        return Done(cell=cell, path=path)
    return None


def measure(cell: Cell, host: Host, progress: Progress) -> Done:
    """Run a cell; a failure that is meant for a user becomes its reason."""
    assert cell.spec is not None
    watch = Stopwatch()
    try:
        with watch("run"):
            path = runs.run(cell.spec, host, progress)[1]
    except ZsarbenchError as error:
        _log.warning("%s failed: %s", cell.title, error)
        return Done(cell=cell, path=None, reason=str(error), seconds=watch.seconds["run"])
    return Done(cell=cell, path=path, seconds=watch.seconds["run"])
