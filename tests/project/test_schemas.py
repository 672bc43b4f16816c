"""The published JSON Schemas: those of the code, and kept by every file that ships."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from locations import GOLDEN
from zsarbench import protocols, results
from zsarbench.errors import ZsarbenchError
from zsarbench.results import reported

BENCHMARKS = Path(str(files("zsarbench_benchmarks")))
SCHEMAS = {"result": results.schema, "protocol": protocols.schema, "reported": reported.schema}
PROTOCOL = {
    "name": "toy/one",
    "version": 1,
    "dataset": "toy",
    "setting": "zsl",
    "summary": "A toy.",
    "source": "written for a test",
    "n_clips": [4],
    "parts": {"visual": "captions"},
    "options": {"method": {"cezsar": {"epochs": 3}}},
    "rounds": [{"seen": "@toy-seen", "candidates": ["a", "b"], "test_list": "test1", "seed": 0}],
}
ROW = {
    "method": "E2E",
    "protocol": "toy/one",
    "metric": "top1",
    "value": 0.45,
    "train": "67 seen classes",
    "paper": "ZSARCap",
    "table": "Table 3",
    "evidence": "IMG",
    "source": "images/table3.png",
}
Change = Callable[[dict[str, Any]], object]


def published(name: str) -> Draft202012Validator:
    text = (BENCHMARKS / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_toml(path: Path) -> Any:
    return tomllib.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_file_is_the_schema_of_the_code(name: str) -> None:
    """After a change of a data class, `python .ci/schemas.py` writes the files again."""
    text = (BENCHMARKS / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert text == json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"
    Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_is_described_and_no_other_is_allowed(name: str) -> None:
    schema = SCHEMAS[name]()
    for record in (schema, *schema.get("$defs", {}).values()):
        assert record["description"]
        assert record["additionalProperties"] is False
        assert all(value["description"] for value in record["properties"].values())


@pytest.mark.parametrize(
    ("name", "folder", "pattern", "read"),
    [
        ("result", BENCHMARKS / "results", "*/*.json", read_json),
        ("result", GOLDEN, "result.json", read_json),
        ("protocol", BENCHMARKS / "protocols", "*.toml", read_toml),
        ("reported", BENCHMARKS / "reported", "*.toml", read_toml),
    ],
)
def test_every_file_that_ships_keeps_its_schema(
    name: str, folder: Path, pattern: str, read: Callable[[Path], Any]
) -> None:
    validator, paths = published(name), sorted(folder.glob(pattern))
    assert paths
    wrong = {path.name: error.message for path in paths for error in validator.iter_errors(read(path))}
    assert wrong == {}


BROKEN_RESULTS: dict[str, Change] = {
    "a field is missing": lambda content: content.pop("seeds"),
    "a field is unknown": lambda content: content["method"].update(colour=1),
    "the schema is another": lambda content: content.update(schema=2),
    "a metric is a percentage": lambda content: content["rounds"][0]["metrics"].update(top1_per_video=47.0),
    "a metric is text": lambda content: content["rounds"][0]["metrics"].update(top1_per_video="nan"),
    "a count is negative": lambda content: content["rounds"][0].update(n_failed=-1),
    "a count is not a whole number": lambda content: content["rounds"][0].update(n_scored=1.5),
    "an interval has one end": lambda content: content["summary"]["top1_per_video"].update(ci95=[0.4]),
    "a number is a truth value": lambda content: content.update(views=True),
    "the date has another form": lambda content: content.update(created="yesterday"),
    "the control is unknown": lambda content: content.update(control="shuffle"),
    "there is no round": lambda content: content.update(rounds=[]),
    "an object is null": lambda content: content.update(dataset=None),
    "a list is an object": lambda content: content.update(failures={}),
    "a sampling has no rate": lambda content: content.update(sampling={"frames_per_second": "1"}),
}


@pytest.mark.parametrize("change", BROKEN_RESULTS.values(), ids=BROKEN_RESULTS)
def test_a_broken_result_is_refused_by_schema_and_reader(change: Change) -> None:
    content = read_json(GOLDEN / "result.json")
    assert published("result").is_valid(content)
    change(content)
    assert not published("result").is_valid(content)
    assert results.validate(content)


BROKEN_PROTOCOLS: dict[str, Change] = {
    "a field is missing": lambda content: content.pop("source"),
    "a field is unknown": lambda content: content.update(metrics=["top1"]),
    "a round has no candidates": lambda content: content["rounds"][0].pop("candidates"),
    "a field of a round is unknown": lambda content: content["rounds"][0].update(unseen=["a"]),
    "there is no round": lambda content: content.update(rounds=[]),
    "the version is 0": lambda content: content.update(version=0),
    "the source is blank": lambda content: content.update(source=" "),
    "the setting is unknown": lambda content: content.update(setting="zls"),
    "a kind of part is unknown": lambda content: content.update(parts={"visuals": "captions"}),
    "a kind of options is unknown": lambda content: content.update(options={"methods": {}}),
    "options are not a table": lambda content: content.update(options={"method": {"cezsar": 3}}),
    "a class is a number": lambda content: content["rounds"][0].update(seen=[1]),
    "a seed is negative": lambda content: content["rounds"][0].update(seed=-1),
    "a count of clips is 0": lambda content: content.update(n_clips=[0]),
    "a choice is text": lambda content: content.update(validation_only="no"),
}


@pytest.mark.parametrize("change", BROKEN_PROTOCOLS.values(), ids=BROKEN_PROTOCOLS)
def test_a_broken_protocol_is_refused_by_schema_and_reader(tmp_path: Path, change: Change) -> None:
    (tmp_path / "toy-seen.txt").write_text("c\n", encoding="utf-8")
    path = tmp_path / "toy.toml"
    content = copy.deepcopy(PROTOCOL)
    path.write_text(as_toml(content), encoding="utf-8")
    assert published("protocol").is_valid(read_toml(path))
    assert protocols.read(path).rounds[0].round.seen == ("c",)
    change(content)
    path.write_text(as_toml(content), encoding="utf-8")
    assert not published("protocol").is_valid(read_toml(path))
    with pytest.raises(ZsarbenchError, match=r"toy\.toml is not valid"):
        protocols.read(path)


BROKEN_ROWS: dict[str, Change] = {
    "a field is missing": lambda row: row.pop("paper"),
    "a field is unknown": lambda row: row.update(papr="x"),
    "the value is a percentage": lambda row: row.update(value=45.2),
    "the value is text": lambda row: row.update(value="0.452"),
    "the spread is negative": lambda row: row.update(std=-0.1),
    "the averaging is unknown": lambda row: row.update(averaging="micro"),
    "the evidence is unknown": lambda row: row.update(evidence="U"),
    "the table is blank": lambda row: row.update(table=""),
}


@pytest.mark.parametrize("change", BROKEN_ROWS.values(), ids=BROKEN_ROWS)
def test_a_broken_row_is_refused_by_schema_and_reader(tmp_path: Path, change: Change) -> None:
    path = tmp_path / "toy.toml"
    row = dict(ROW)
    path.write_text(as_toml({"rows": [row]}), encoding="utf-8")
    assert published("reported").is_valid(read_toml(path))
    assert len(reported.read(path)) == 1
    change(row)
    path.write_text(as_toml({"rows": [row]}), encoding="utf-8")
    assert not published("reported").is_valid(read_toml(path))
    with pytest.raises(ZsarbenchError, match=r"toy\.toml is not valid"):
        reported.read(path)


def as_toml(content: dict[str, Any]) -> str:
    return "".join(f"{key} = {inline(value)}\n" for key, value in content.items())


def inline(value: Any) -> str:
    """Return a value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)
