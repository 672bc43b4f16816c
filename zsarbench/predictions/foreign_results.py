"""Result files of other programs that hold figures and no prediction of any clip: read, each by its fields.

Source of MTEB's: embeddings-benchmark/mteb a905523, mteb/results/task_result.py and
mteb/abstasks/zeroshot_classification.py, where accuracy is the share of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from zsarbench.errors import UsageError, unknown
from zsarbench.utils.documents import read_json

WHAT: Final = "result of another program"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a result file: the share of a split's samples of which the best class is the true one, in [0, 1].

    program: what wrote it, with its version. task, split: as it calls them. revision: of the task's data set.
    """

    program: str
    task: str
    split: str
    revision: str
    top1: float


@dataclass(frozen=True)
class Program:
    """A program that writes result files. fields: those by which one is known; read: the figure of a split."""

    name: str
    fields: frozenset[str]
    read: Callable[[Mapping[str, Any], str | None, str], Figure]


def program_of(content: Any) -> Program | None:
    """Return which program writes result files of this content; None where none does."""
    if not isinstance(content, dict):
        return None
    return next((program for program in PROGRAMS if program.fields <= content.keys()), None)


def read_figure(path: Path, split: str | None = None) -> Figure:
    """Return the figure of a result file; split: None is the only one.

    Raises:
        UsageError: the file is of no known program or of no zero-shot task, or the split does not exist.
        ZsarbenchError: it does not exist, or is damaged.
    """
    content = read_json(path, WHAT, nan=True)
    program = program_of(content)
    if program is None:
        known = "; ".join(f"{one.name} writes an object with {', '.join(sorted(one.fields))}" for one in PROGRAMS)
        raise UsageError(f"{WHAT} {path} is of no known program: {known}")
    return program.read(content, split, f"{WHAT} {path}")


def _mteb(content: Mapping[str, Any], split: str | None, where: str) -> Figure:
    """Return the figure of a result of MTEB, which must have one subset.

    Raises:
        UsageError: the task is not a zero-shot one, the split does not exist or has no one accuracy.
    """
    task, revision, splits = content["task_name"], content["dataset_revision"], content["scores"]
    if not isinstance(task, str) or not isinstance(revision, str) or not isinstance(splits, dict):
        raise UsageError(
            f"{where} has a task_name or dataset_revision that is not text, or scores that are not an object"
        )
    if "zeroshot" not in task.lower():
        raise UsageError(f"{where} is of the task '{task:.80}', which trains on labels: none of MTEB's zero-shot tasks")
    if split is None and len(splits) == 1:
        [split] = splits
    if split is None or split not in splits:
        raise UsageError(f"{where}: " + unknown("split", split or "", splits, "--split NAME"))
    subsets = splits[split]
    if not isinstance(subsets, list) or len(subsets) != 1 or not isinstance(subsets[0], dict):
        raise UsageError(f"{where} must have one subset in the split '{split}', whose figure it is")
    accuracy = subsets[0].get("accuracy")
    if isinstance(accuracy, bool) or not isinstance(accuracy, int | float):
        raise UsageError(f"{where} has no accuracy in the split '{split}'")
    version = content.get("mteb_version")
    program = f"MTEB {version}" if isinstance(version, str) else "MTEB"
    return Figure(program=program, task=task, split=split, revision=revision, top1=float(accuracy))


PROGRAMS: Final = (Program("MTEB", frozenset({"task_name", "dataset_revision", "scores"}), _mteb),)
"""The programs whose result files are known by their fields."""
