"""Why a row of a table is not ranked, and what a reader must know of one that is."""

from __future__ import annotations

from collections.abc import Iterable

from zsarbench.evaluation.bootstrap import TOO_FEW_CLASSES
from zsarbench.results import Flag, RunResult
from zsarbench.results.reported import NOT_STATED, ReportedRow


def notes_of(result: RunResult) -> list[Flag]:
    """Return all that belongs under the table for a result: what unranks it, contamination, then remarks of the run."""
    remarks = [flag for flag in result.flags if flag.kind == "remark"]  # the others repeat a field of the result
    if any(summary.no_ci95 == TOO_FEW_CLASSES for summary in result.summary.values()):
        remarks.append(Flag("remark", f"no 95 % interval: {TOO_FEW_CLASSES}"))
    return [*objections(result), *contamination(result), *remarks]


def notes_of_paper(row: ReportedRow) -> list[Flag]:
    """Return the source of a reported figure, and whether it leaves open over what it averages."""
    notes = [Flag("source", row.citation)]
    if row.averaging == NOT_STATED:
        notes.append(Flag("source", "averaging not stated there"))
    return notes


def may_rank(notes: Iterable[Flag]) -> bool:
    """Return whether nothing speaks against ranking the row that has these notes."""
    return not any(note.unranks for note in notes)


def note_text(note: Flag) -> str:
    """Return a note as readers see it.

    >>> note_text(Flag("control", "control run, shuffle-labels")), note_text(Flag("remark", "2 clips have remarks"))
    ('not ranked: control run, shuffle-labels', '2 clips have remarks')
    """
    if note.unranks:
        return f"not ranked: {note.text}"
    return f"contamination: {note.text}" if note.kind == "contamination" else note.text


def objections(result: RunResult) -> list[Flag]:
    """Return why a result is shown but not ranked; [] where it is ranked."""
    reasons = [Flag("objection", objection) for objection in result.objections]
    if result.control != "none":
        reasons.append(Flag("control", f"control run, {result.control}"))
    if result.limit is not None:
        reasons.append(Flag("limit", f"only {result.limit} clips a class"))
    if result.denominator == "survivors":
        text = "clips that could not be read are left out of the denominator"
        reasons.append(Flag("denominator", text))
    if result.coverage is not None and result.coverage.is_partial:
        reasons.append(Flag("partial", result.coverage.lacks))
    return reasons


def contamination(result: RunResult) -> list[Flag]:
    """Return which unseen classes something was trained on and the accuracy on them; [] where no such class is known.

    A text encoder of unknown training data is in the result alone: it has seen no clip.
    """
    audit = result.contamination
    if audit is None:
        return [Flag("contamination", "not audited")]
    texts = []
    if audit.n_overlapping:
        names = sorted({item.label_set for item in audit.overlapping})
        trained = "; ".join(f"{name}: {', '.join(map(str, audit.audited[name]))}" for name in names)
        sides = [f"{100 * values['top1_per_video']:.1f} on {side}" for side, values in sorted(audit.accuracy.items())]
        count = f"{audit.n_overlapping} of {audit.n_overlapping + audit.n_clean}"
        texts.append(f"{count} unseen classes were trained on ({trained}); top-1/video {', '.join(sides)} classes")
    if hidden := audit.unknown_of_clips:
        texts.append(f"unknown what was trained on: {', '.join(map(str, hidden))}")
    if audit.tested is not None and (problem := audit.tested.problem):
        texts.append(f"of test clips {problem}")
    if audit.naming:
        n_naming = sum(audit.naming.values())
        texts.append(f"{n_naming:,} of {audit.n_sentences:,} training sentences name an unseen class")
    return [Flag("contamination", text) for text in texts]
