"""Turns JSON into results: upgraded where it is older, and only where its fields, types, sums and hash are right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.contamination import Contamination
from zsarbench.evaluation.summary import round_problems, summary_problems
from zsarbench.results.problems import Problem
from zsarbench.results.record import SCHEMA, Json, RunResult, spec_id
from zsarbench.utils.json_schema import json_schema
from zsarbench.utils.schema import DoesNotFit, parse

UPGRADES: dict[int, Callable[[Json], Json]] = {}
"""For each older schema, the function that turns its JSON into the next one's; there is no older one yet."""


def schema() -> Json:
    """Return the JSON Schema of result files, which is published as `benchmarks/schemas/result.schema.json`."""
    return json_schema(RunResult, name=f"result:{SCHEMA}", title="A result file of zsarbench")


def from_json(content: Any) -> RunResult:
    """Return the result of a JSON value, upgraded where it is of an older schema.

    Raises:
        DoesNotFit: fields, types, ranges, sums or hash are wrong; all problems at once.
        ZsarbenchError: it has no schema, or a newer one.
    """
    result = parse(RunResult, _upgraded(content), "result")
    if problems := _problems(result):
        raise DoesNotFit([problem.text for problem in problems])
    return result


def validate(content: Any) -> list[str]:
    """Return all that is wrong with a result's JSON; [] where nothing is."""
    return [problem.text for problem in problems_of(content)]


def problems_of(content: Any) -> list[Problem]:
    """Return all that is wrong with a result's JSON, by name; [] where nothing is."""
    try:
        return _problems(parse(RunResult, _upgraded(content), "result"))
    except DoesNotFit as error:
        return [Problem("format", text) for text in error.problems]
    except ZsarbenchError as error:
        return [Problem("format", str(error))]


def _upgraded(content: Any) -> Json:
    if not isinstance(content, dict) or type(content.get("schema")) is not int:
        raise ZsarbenchError("has no field 'schema' with a whole number; is it a result of zsarbench?")
    upgraded: Json = content
    while upgraded["schema"] in UPGRADES:
        upgraded = UPGRADES[upgraded["schema"]](upgraded)
    if upgraded["schema"] > SCHEMA:
        raise ZsarbenchError(
            f"has schema {upgraded['schema']}, but this zsarbench reads up to {SCHEMA}. "
            "Try: pip install --upgrade zsarbench"
        )
    return upgraded


def _problems(result: RunResult) -> list[Problem]:
    """Return what types cannot say: sums that are wrong and fields that disagree."""
    problems = [
        Problem("metrics", f"round {item.round}: {problem}")
        for item in result.rounds
        for problem in round_problems(item, result.protocol.setting)
    ]
    if (seeds := {item.seed for item in result.rounds}) != set(result.seeds):
        problems.append(Problem("spec", f"seeds is {list(result.seeds)}, but the rounds have {sorted(seeds)}"))
    if result.spec_id != (expected := spec_id(result.spec)):
        problems.append(Problem("spec", f"spec_id is '{result.spec_id}', but that of `spec` is '{expected}'"))
    if not _is_date(result.created):
        problems.append(Problem("format", f"created is '{result.created}', which is no date"))
    if any(item.n_failed for item in result.rounds) and not result.failures:
        problems.append(Problem("clips", "failures is empty, but rounds count failed clips"))
    problems += [Problem("metrics", text) for text in summary_problems(result.rounds, result.summary)]
    return problems + _contamination_problems(result.contamination)


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _contamination_problems(audit: Contamination | None) -> list[Problem]:
    if audit is None or (listed := len({item.candidate for item in audit.overlapping})) == audit.n_overlapping:
        return []
    text = f"contamination.n_overlapping is {audit.n_overlapping}, but {listed} classes are listed"
    return [Problem("contamination", text)]
