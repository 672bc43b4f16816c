"""Finds runs that are already measured: the results under a folder, by the key that they share with a run."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from zsarbench import results
from zsarbench.results.record import file_name
from zsarbench.utils.targets import expanded

if TYPE_CHECKING:
    from zsarbench.harness.spec import RunSpec
    from zsarbench.results import RunResult

_log = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, str]
"""What a result must have in common with a run to answer it: the spec's id and the revision of the data set."""


def key_of(spec: RunSpec) -> Key:
    """Return the key that a result must share with a run to answer it."""
    return results.spec_id(spec.what.identity()), spec.data.tested.revision


def measured(out: Path) -> dict[Key, Path]:
    """Return the result files under a folder by the runs that they answer; the log names those that are damaged."""
    valid, problems = results.read_all(out)
    for path, problem in problems.items():
        _log.warning("%s is left out: %s", path, problem)
    return {(result.spec_id, result.dataset.revision): path for path, result in valid.items()}


def answer(spec: RunSpec) -> tuple[RunResult, Path] | None:
    """Return the newest result of a finished run, and its file; None where it is to be measured.

    It is measured again where the request says so, where clips failed that may exist now, and where user files that may
    have changed are read: neither the spec nor the revision of the tested data set states what they hold.
    """
    if spec.where.refit or _reads_own_files(spec):
        return None
    key = key_of(spec)
    folder = expanded(spec.where.out) / file_name(spec.what.protocol.name)
    found, _ = results.read_all(*sorted(folder.glob(f"{file_name(spec.what.method.name)}-{key[0]}-*.json")))
    fit = {
        path: result
        for path, result in found.items()
        if (result.spec_id, result.dataset.revision) == key and not result.failures and results.has_scores(result, path)
    }
    path = max(fit, key=lambda path: (fit[path].created, path), default=None)
    return (fit[path], path) if path is not None else None


def _reads_own_files(spec: RunSpec) -> bool:
    """Return whether class texts or a part come from files that the spec names, but for those of the data set."""
    what, learnt = spec.what, spec.what.train_dataset
    form = what.class_text.partition(":")[0]
    parts = (what.method, *what.parts.values(), *([learnt] if learnt is not None else []))
    return (
        bool(Path(form).suffix)
        or any(isinstance(value, Path) for part in parts for value in part.options.values())
        or (learnt is not None and learnt.name in spec.where.data_root)
    )
