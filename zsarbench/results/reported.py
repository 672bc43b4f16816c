"""Figures that papers report, transcribed with their source into `benchmarks/reported/*.toml`."""

from __future__ import annotations

import dataclasses
import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsarbench.errors import ZsarbenchError, unknown
from zsarbench.utils.schema import build, problems_of

NOT_STATED = "not stated"
EVIDENCE = {
    "F": "read in a file of a public repository",
    "IMG": "read in an image of a public repository",
    "P": "read on a web page",
    "C": "computed from the source's own files",
}


@dataclass(frozen=True)
class ReportedRow:
    """One figure of one paper, as a fraction in [0, 1].

    protocol: the registered name, or `<dataset>/unplaced` where the exact lists are not known; wording then says what
    the paper calls it. metric: "top1", "top5", "harmonic_mean". averaging: "per_video", "per_class" or "not stated";
    left out where the metric's name says it. train: what the method was trained on. table: where in the paper.
    evidence: a key of EVIDENCE. source: the file that was read. std: the spread as printed.
    """

    method: str
    protocol: str
    metric: str
    value: float
    train: str
    paper: str
    table: str
    evidence: str
    source: str
    std: float | None = None
    averaging: str | None = None
    wording: str = ""
    notes: str = ""

    @property
    def name(self) -> str:
        """The measured metric of the same meaning, such as `top1_per_video`; just `top1` where averaging is unknown."""
        return self.metric if self.averaging in (None, NOT_STATED) else f"{self.metric}_{self.averaging}"

    @property
    def citation(self) -> str:
        """Where the figure stands and how it was read, for a footnote."""
        cited = f"{self.paper}, {self.table}, {EVIDENCE[self.evidence]} ({self.source})"
        return f"{cited}. {self.notes}" if self.notes else cited


def folder() -> Path:
    """Return the folder of the figures that ship with zsarbench."""
    return Path(str(importlib.resources.files("zsarbench_benchmarks"))) / "reported"


def read(path: Path) -> list[ReportedRow]:
    """Return the rows of one file.

    Raises:
        ZsarbenchError: malformed TOML or rows; the message lists every problem.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ZsarbenchError(f"reported figures {path} are not valid TOML: {error}") from error
    listed = content.get("rows", [])
    problems = [f"row {number}: {text}" for number, row in enumerate(listed) for text in _problems(row)]
    if strangers := sorted(set(content) - {"rows"}):
        problems.append(f"there are only [[rows]], not {', '.join(strangers)}")
    if problems:
        raise ZsarbenchError(f"reported figures {path}:\n  " + "\n  ".join(problems))
    return [build(ReportedRow, row) for row in listed]


def read_all(where: Path | None = None) -> list[ReportedRow]:
    """Return the rows of every file in a folder, by default of those that ship with zsarbench.

    Raises:
        ZsarbenchError: a file is malformed, or one figure stands twice.
    """
    rows: dict[tuple[Any, ...], ReportedRow] = {}
    for path in sorted((where or folder()).glob("*.toml")):
        for row in read(path):
            key = (row.protocol, row.method, row.name, row.train, row.paper, row.table, row.value)
            if key in rows:
                raise ZsarbenchError(f"reported figures {path}: {row.name} of '{row.method}' on {row.protocol} twice")
            rows[key] = row
    return list(rows.values())


def for_protocol(protocol: str, where: Path | None = None) -> list[ReportedRow]:
    """Return the figures reported on this very protocol; [] where there is none."""
    return [row for row in read_all(where) if row.protocol == protocol]


def _problems(row: Mapping[str, Any]) -> list[str]:
    if problems := problems_of(ReportedRow, row, "row"):
        return problems
    if not 0 <= row["value"] <= 1 or not 0 <= (row.get("std") or 0) <= 1:
        problems.append(f"value {row['value']} or std {row.get('std')} is no fraction; 49.0 % is 0.490")
    if (averaging := row.get("averaging")) not in (None, "per_video", "per_class", NOT_STATED):
        problems.append(f"averaging is '{averaging}', not 'per_video', 'per_class' or '{NOT_STATED}'")
    if row["evidence"] not in EVIDENCE:
        problems.append(unknown("class of evidence", row["evidence"], EVIDENCE))
    filled = [item.name for item in dataclasses.fields(ReportedRow) if item.default is dataclasses.MISSING]
    problems += [f"{name} is empty" for name in filled if row[name] == ""]
    return problems
