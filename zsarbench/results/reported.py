"""Figures that papers report, transcribed with their source into `benchmarks/reported/*.toml`."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.documents import invalid, read_toml, toml_lines
from zsarbench.utils.json_schema import json_schema
from zsarbench.utils.schema import STRICT, DoesNotFit, FilledText, Fraction, OneOf, parse

NOT_STATED = "not stated"
EVIDENCE = {
    "F": "read in a file of a public repository",
    "IMG": "read in an image of a public repository",
    "P": "read on a web page",
    "C": "computed from the source's own files",
}


@dataclass(frozen=True)
class ReportedRow:
    """One figure of one paper.

    method: as the paper calls it. protocol: the registered name, or `<dataset>/unplaced` where the exact lists are not
    known; `wording` then quotes the paper. metric: such as "top1", "top5" or "harmonic_mean". value: a fraction, as
    printed divided by 100. train: what the method was trained on. paper: where the figure was printed. table: where in
    the paper. evidence: how it was read: F in a file of a public repository, IMG in an image there, P on a web page,
    C computed from the source's own files. source: the file that was read. std: the spread as printed, a fraction.
    averaging: over what; left out where the metric's name states it. wording: how the paper describes the protocol.
    notes: for readers, shown with the citation.
    """

    method: FilledText
    protocol: FilledText
    metric: FilledText
    value: Fraction
    train: FilledText
    paper: FilledText
    table: FilledText
    evidence: Annotated[str, OneOf(tuple(EVIDENCE))]
    source: FilledText
    std: Fraction | None = None
    averaging: Literal["per_video", "per_class", "not stated"] | None = None
    wording: str = ""
    notes: str = ""

    @property
    def name(self) -> str:
        """The measured metric of the same meaning, such as `top1_per_video`; just `top1` where averaging is unknown."""
        return self.metric if self.averaging in (None, NOT_STATED) else f"{self.metric}_{self.averaging}"

    @property
    def citation(self) -> str:
        """Where the figure was printed and how it was read, for a footnote."""
        cited = f"{self.paper}, {self.table}, {EVIDENCE[self.evidence]} ({self.source})"
        return f"{cited}. {self.notes}" if self.notes else cited


@dataclass(frozen=True)
class ReportedFile:
    """A file of reported figures.

    rows: one [[rows]] table per figure.
    """

    __pydantic_config__ = STRICT

    rows: tuple[ReportedRow, ...] = ()


def schema() -> dict[str, Any]:
    """Return the JSON Schema of files of reported figures: `benchmarks/schemas/reported.schema.json`."""
    return json_schema(ReportedFile, name="reported:1", title="Reported figures of zsarbench", nullable=False)


def folder() -> Path:
    """Return the folder of the figures that ship with zsarbench."""
    return Path(str(importlib.resources.files("zsarbench_benchmarks"))) / "reported"


def text_of(content: Mapping[str, Any]) -> str:
    """Return the text of a file of one row of these fields.

    Raises:
        ZsarbenchError: a row cannot be so; the message lists every problem.
    """
    try:
        parse(ReportedFile, {"rows": [dict(content)]}, "row")
    except DoesNotFit as error:
        raise ZsarbenchError("\n  ".join(["the reported row would not be valid:", *error.problems])) from error
    return "\n".join(["[[rows]]", *toml_lines(content)])


def read(path: Path) -> list[ReportedRow]:
    """Return the rows of one file.

    Raises:
        ZsarbenchError: malformed TOML or rows; the message lists every problem.
    """
    content = read_toml(path, "file of reported figures")
    try:
        return list(parse(ReportedFile, content, "file").rows)
    except DoesNotFit as error:
        raise invalid("file of reported figures", path, error.problems) from error


def read_all(where: Path | None = None) -> list[ReportedRow]:
    """Return the rows of every file in a folder, by default of those that ship with zsarbench.

    Raises:
        ZsarbenchError: a file is malformed, or one figure appears twice.
    """
    rows: dict[tuple[Any, ...], ReportedRow] = {}
    for path in sorted((where or folder()).glob("*.toml")):
        for row in read(path):
            key = (row.protocol, row.method, row.name, row.train, row.paper, row.table, row.value)
            if key in rows:
                text = f"{row.name} of '{row.method}' on {row.protocol} appears twice"
                raise ZsarbenchError(f"file of reported figures {path}: {text}")
            rows[key] = row
    return list(rows.values())
