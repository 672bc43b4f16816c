"""`zsarbench result validate`: forged rows are refused, each fault by its name; sound ones are not."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from locations import ROOT
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError

COMMITTED = ROOT / "benchmarks" / "results"


def validate(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["result", "validate", *map(str, words)], catch_exceptions=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A committed result with its scores, in a folder of its own."""
    (found,) = (COMMITTED / "sketch-compositional").glob("chance-*.json")
    shutil.copy(found.with_suffix(".npz"), tmp_path)
    return Path(shutil.copy(found, tmp_path))


@pytest.fixture
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another committed result on the same data."""
    folder = tmp_path_factory.mktemp("committed")
    (found,) = (COMMITTED / "sketch-compositional").glob("conse-*.json")
    for file in (found, found.with_suffix(".npz")):
        shutil.copy(file, folder)
    return folder


def edited(path: Path, change: Callable[[dict[str, Any]], None], *, sealed: bool = False) -> Path:
    """Return a result after a change of its JSON; sealed: with its hash and file name updated to agree."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    target = path
    if sealed:
        content["spec_id"] = results.spec_id(content["spec"])
        target = path.with_name(f"{content['method']['name']}-{content['spec_id']}-{path.stem.rpartition('-')[2]}.json")
        path.unlink()
    target.write_text(json.dumps(content), encoding="utf-8")
    return target


def other_scores(path: Path, **changed: Any) -> None:
    """Give a result other predictions, with all that follows from them, as one who forges a row would."""
    content = dataclasses.replace(results.read_scores(path), **changed).to_bytes()
    path.with_suffix(".npz").write_bytes(content)
    edited(path, lambda record: record["predictions"].update(sha256=hashlib.sha256(content).hexdigest()))
    results.rewrite(results.recompute(path), path)


def faults(path: Path, reference: Path) -> set[str]:
    """Return the names of the faults of a result, as JSON states them."""
    done = validate(path, "--results", reference, "--json")
    content = json.loads(done.stdout)
    assert done.exit_code == content["refused"] == bool(content["problems"])
    assert all(item["file"] == str(path) and item["text"] for item in content["problems"])
    return {item["name"] for item in content["problems"]}


def test_a_sound_result_holds(path: Path, reference: Path) -> None:
    done = validate(path.parent, "--results", reference)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "1 results: 0 refused\n", "")


def test_edited_metrics_are_refused(path: Path, reference: Path) -> None:
    def all_right(content: dict[str, Any]) -> None:
        for item in content["rounds"]:
            item["metrics"] = dict.fromkeys(item["metrics"], 0.99)
        for summary in content["summary"].values():
            summary.update(mean=0.99, std=0.0, ci95=[0.98, 1.0])
        content["method"]["record"] = {}

    assert faults(edited(path, all_right), reference) == {"metrics", "intervals"}
    done = validate(path, "--results", reference)
    assert f"error: [intervals] {path}: ci95 of top1_per_class is (0.98, 1.0), but the scores give" in done.stderr
    assert done.stdout == "1 results: 1 refused\n"


def test_metrics_that_the_rounds_do_not_give_are_refused(path: Path, reference: Path) -> None:
    mean = edited(path, lambda content: content["summary"]["top1_per_video"].update(mean=0.99))
    assert faults(mean, reference) == {"metrics"}


def test_an_edited_interval_is_refused(path: Path, reference: Path) -> None:
    narrow = edited(path, lambda content: content["summary"]["top1_per_video"].update(ci95=[0.0, 0.01]))
    assert faults(narrow, reference) == {"intervals"}


def test_missing_predictions_are_refused(path: Path, reference: Path) -> None:
    path.with_suffix(".npz").unlink()
    assert faults(path, reference) == {"predictions"}
    assert faults(edited(path, lambda content: content.update(predictions=None)), reference) == {"predictions"}


def test_predictions_of_another_file_are_refused(path: Path, reference: Path) -> None:
    shutil.copy(next(reference.glob("*.npz")), path.with_suffix(".npz"))
    assert faults(path, reference) == {"predictions"}


def test_predictions_of_other_clips_or_labels_are_refused(path: Path, reference: Path) -> None:
    scores = results.read_scores(path)
    other_scores(path, clip_ids=np_replaced(scores.clip_ids, "clip of my own"))
    assert faults(path, reference) == {"clips"}


def np_replaced(values: Any, first: str) -> Any:
    changed = values.astype(f"<U{max(len(first), values.dtype.itemsize // 4)}")
    changed[0] = first
    return changed


def test_labels_that_follow_the_predictions_are_refused(path: Path, reference: Path) -> None:
    scores = results.read_scores(path)
    labels = scores.labels.copy()
    one, other = scores.rounds[0].clips[[0, -1]]
    labels[[one, other]] = labels[[other, one]]
    other_scores(path, labels=labels)
    assert faults(path, reference) == {"clips"}


def test_an_edited_spec_is_refused(path: Path, reference: Path) -> None:
    assert "spec" in faults(edited(path, lambda content: content["spec"].update(seed=7)), reference)


def test_a_spec_that_its_command_contradicts_is_refused(path: Path, reference: Path) -> None:
    def longer(content: dict[str, Any]) -> None:
        content["command"] += " --set method.epochs=500"

    assert faults(edited(path, longer), reference) == {"spec"}


def test_a_plugin_that_nobody_has_is_refused(path: Path, reference: Path) -> None:
    def renamed(content: dict[str, Any]) -> None:
        content["method"].update(name="supernet", plugin="nets")
        content["spec"]["method"]["name"] = "supernet"
        content["command"] = content["command"].replace("chance", "supernet")

    assert faults(edited(path, renamed, sealed=True), reference) == {"plugin"}


def test_another_protocol_is_refused(path: Path, reference: Path) -> None:
    def other_hash(content: dict[str, Any]) -> None:
        content["protocol"]["hash"] = content["spec"]["protocol_hash"] = "e" * 64

    assert "protocol" in faults(edited(path, other_hash, sealed=True), reference)


def test_other_data_and_class_texts_are_refused(path: Path, reference: Path) -> None:
    texts = edited(path, lambda content: content["class_text"].update(sha256="0" * 64))
    assert faults(texts, reference) == {"class-text"}
    data = edited(path, lambda content: content["dataset"].update(revision="2-0123456789ab"))
    assert "data" in faults(data, reference)


def test_what_is_not_a_result_is_refused_by_name(path: Path, reference: Path) -> None:
    path.write_text("{", encoding="utf-8")
    assert faults(path, reference) == {"format"}
    path.write_text('{"schema": 1}', encoding="utf-8")
    assert faults(path, reference) == {"format"}


def test_there_must_be_something_to_check(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        validate(tmp_path / "none")
    with pytest.raises(UsageError, match="no result was found there"):
        validate(tmp_path)


def of_conse(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Return a row whose visual encoder was trained on a label set, and whose text encoder on unknown data, changed."""
    (found,) = (COMMITTED / "sketch-compositional").glob("conse-*.json")
    shutil.copy(found.with_suffix(".npz"), folder)
    return edited(Path(shutil.copy(found, folder)), change)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda row: row["contamination"].update(audited={}),
            "trained on imagenet-1k, which contamination.audited leaves",
        ),
        (lambda row: row["contamination"].update(unknown=[]), "unknown data, which contamination.unknown leaves out"),
        (lambda row: row.update(contamination=None), "contamination is null"),
        (
            lambda row: row["parts"]["visual"].update(trained_on=[]),
            "visual efficientnet-lite0 was trained on imagenet-1k, but the result says on nothing",
        ),
        (
            lambda row: row["method"].update(trained_on=None),
            "method conse was trained on nothing, but the result says on unknown data",
        ),
    ],
)
def test_what_was_trained_on_cannot_be_left_out(
    tmp_path: Path, reference: Path, change: Callable[[dict[str, Any]], None], text: str
) -> None:
    path = of_conse(tmp_path, change)
    assert faults(path, reference) == {"contamination"}
    assert text in validate(path, "--results", reference).stderr


def test_a_class_that_a_label_set_has_by_name_cannot_be_left_out(path: Path, reference: Path) -> None:
    """Sketch is trained on itself here: every unseen class is one of its classes."""

    def change(row: dict[str, Any]) -> None:
        row["contamination"]["audited"] = {"sketch": ["other my encoder"]}

    hidden = edited(path, change)
    assert faults(hidden, reference) == {"contamination"}
    assert "contamination.overlapping leaves out ['balance " in validate(hidden, "--results", reference).stderr


def test_another_version_of_the_same_protocol_is_refused(path: Path, reference: Path) -> None:
    assert faults(edited(path, lambda row: row["protocol"].update(version=9)), reference) == {"protocol"}


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf /",
        "zsarbench run --method chance; rm -rf /",
        "zsarbench run --method chance --out $(reboot)",
        "zsarbench features gc --yes",
        "zsarbench run 'unclosed",
        "",
    ],
)
def test_a_command_that_readers_should_not_type_is_refused(path: Path, reference: Path, command: str) -> None:
    assert faults(edited(path, lambda row: row.update(command=command)), reference) == {"spec"}


def test_seen_classes_that_are_marked_otherwise_are_refused(path: Path, reference: Path) -> None:
    """They decide what is seen and unseen accuracy, and which classes are clean."""
    scores = results.read_scores(path)
    other_scores(path, rounds=tuple(dataclasses.replace(item, seen=~item.seen) for item in scores.rounds))
    assert faults(path, reference) == {"protocol"}
    assert "round 0 mark other classes as seen" in validate(path, "--results", reference).stderr


def test_what_is_no_date_is_refused(path: Path, reference: Path) -> None:
    dated = path.with_name(path.name.replace("20261124T040123Z", "20261344T040123Z"))
    edited(path, lambda row: row.update(created="2026-13-44T04:01:23Z")).rename(dated)
    assert faults(dated, reference) == {"format"}


def test_a_link_to_itself_is_no_result(path: Path, reference: Path) -> None:
    path.with_name("loop.json").symlink_to("loop.json")
    done = validate(path.parent, "--results", reference)
    assert "error: [format]" in done.stderr
    assert done.stdout == "2 results: 1 refused\n"
