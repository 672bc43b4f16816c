"""What `leaderboard check` finds: what of a result derives from others is derived again, the rest is under a digest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from locations import ROOT
from records import changeable
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation.scores import Scores
from zsarbench.plugins import load_plugins
from zsarbench.reports.leaderboard import check, digests
from zsarbench.reports.leaderboard.check import KnownProtocol

COMMITTED = ROOT / "benchmarks" / "results"


@pytest.fixture(scope="module")
def known() -> Callable[[str], KnownProtocol]:
    return partial(check.known_protocol, load_plugins().registry)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A committed result with its scores, in a folder of its own."""
    target = tmp_path / "results" / "sketch-compositional"
    target.mkdir(parents=True)
    (found,) = (COMMITTED / target.name).glob("chance-*.json")
    shutil.copy(found.with_suffix(".npz"), target)
    return Path(shutil.copy(found, target))


def change(path: Path, place: str, value: Any) -> None:
    """Change the field of a result at a place such as `rounds.0.n_seen`; a function makes a value of the old one."""
    content = json.loads(path.read_text(encoding="utf-8"))
    *steps, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    part = content
    for step in steps:
        part = part[step]
    part[last] = value(part[last]) if callable(value) else value
    path.write_text(json.dumps(content), encoding="utf-8")


def nearer(value: float) -> float:
    return value + 1e-6


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("summary.top1_per_video.ci95.0", lambda old: old - 1e-6, "ci95 of top1_per_video is .*, but the scores give"),
        ("summary.top1_per_video.ci95.1", nearer, "ci95 of top1_per_video is .*, but the scores give"),
        ("summary.top1_per_video.ci95", None, "ci95 of top1_per_video is None"),
        ("summary.top1_per_class.no_ci95", "why not", "but there is a ci95"),
        ("summary.top1_per_video.std_kind", "sample", "std_kind is 'sample', but spreads are"),
        ("rounds.0.n_classes", 7, "n_classes of round 0"),
        ("rounds.0.n_seen", lambda old: old + 1, "n_seen of round 0 is .*, but the protocol gives"),
        ("rounds.0.candidates_sha256", "0" * 64, "candidates_sha256 of round 0"),
        ("rounds.0.duplicate_of", 0, "duplicate_of of round 0"),
        ("rounds.0.chance.top1_per_class", 0.5, "chance"),
        ("rounds.0.metrics.top1_per_class", nearer, "mean|metrics of round 0"),
        ("contamination.n_clean", 3, "contamination counts"),
        ("contamination.accuracy", {}, "contamination.accuracy is {}, but the scores give"),
        ("method.name", "chance2", "method is .*, but the spec holds"),
        ("method.options", {"skill": 2}, "method is .*, but the spec holds"),
        ("dataset.options", {}, "dataset is .*, but the spec holds"),
        ("train_on", "seen", "train_on is 'seen', but the spec gives 'none'"),
        ("class_text.form", "documents", "class_text is 'documents', but the spec holds"),
        ("control", "shuffle-labels", "control is shuffle-labels, but the spec holds none"),
        ("limit", 3, "limit is 3, but the spec holds None"),
        ("denominator", "survivors", "denominator is survivors, but the spec holds all"),
        ("environment.dtype", "bfloat16", "dtype is bfloat16, but the spec holds"),
        ("created", "2020-01-01T00:00:00Z", "its name is not that of its method, spec and date"),
        ("protocol.hash", "e" * 64, "no longer the registered one"),
        ("predictions.sha256", "e" * 64, "sha256 differs"),
    ],
)
def test_a_field_that_derives_from_others_cannot_be_altered(
    place: str, value: Any, problem: str, path: Path, known: Callable[[str], KnownProtocol]
) -> None:
    change(path, place, value)
    problems = check.result_problems(path.parent.parent, known)
    assert problems
    assert any(re.search(problem, text) for text in problems), problems
    assert all(str(path) in text or path.with_suffix(".npz").name in text for text in problems)


def test_clips_without_scores_are_listed_as_failures(path: Path, known: Callable[[str], KnownProtocol]) -> None:
    assert check.result_problems(path.parent.parent, known) == []
    change(path, "rounds.0.n_scored", lambda old: old - 1)
    change(path, "rounds.0.n_failed", 1)
    change(path, "failures", [{"clip_id": "none", "reason": "made up"}])
    assert any("n_scored of round 0" in text for text in check.result_problems(path.parent.parent, known))


def test_coverage_is_that_of_the_clips_and_a_command_that_of_the_row(
    tmp_path: Path, known: Callable[[str], KnownProtocol]
) -> None:
    (source,) = (COMMITTED / "ucf101-official-1").glob("GPT-4V-*.json")
    for file in source.parent.glob(f"{source.stem}*"):
        shutil.copy(file, tmp_path)
    path = tmp_path / source.name
    for place, value, problem in (
        ("coverage.n_test", 3784, "n_test is 3784, but its rounds test 3783 clips"),
        ("coverage.n_test_missing", 0, "n_test_missing is 0, but 4 of its failures are missing"),
        ("coverage.n_test_unreadable", 1, "n_test_unreadable is 1, but 0 of its failures are not missing"),
        ("failures.0.missing", False, "n_test_missing is 4, but 3 of its failures are missing"),
        ("method.record.clips_in_file.top1_per_video", 0.837, "clips_in_file is .*0.837.*, but its scores give"),
        ("command", "zsarbench score a.json --name GPT-5 --protocol ucf101/official-1", "--name GPT-5, but it is of"),
    ):
        shutil.copy(source, path)
        change(path, place, value)
        problems = check.of_results({path: results.read(path)}, known)
        assert [one.text for _, one in problems if re.search(problem, one.text)], (place, problems)
    shutil.copy(source, path)
    assert check.of_results({path: results.read(path)}, known) == []


def test_a_protocol_that_does_not_exist_is_named(path: Path) -> None:
    def unknown(name: str) -> KnownProtocol:
        raise UsageError(f"unknown protocol '{name}'")

    (problem,) = check.result_problems(path.parent.parent, unknown)
    assert "its protocol cannot be checked: unknown protocol 'sketch/compositional'" in problem


def test_a_result_without_its_predictions_is_refused(path: Path, known: Callable[[str], KnownProtocol]) -> None:
    path.with_suffix(".npz").write_bytes(b"other")
    assert "sha256 differs" in check.result_problems(path.parent.parent, known)[0]
    path.with_suffix(".npz").unlink()
    (problem,) = check.result_problems(path.parent.parent, known)
    assert problem.startswith(f"result file {path}: has no predictions that its figures follow from")


def rewritten(path: Path, scores: Scores) -> None:
    """Give a result other predictions, with all that follows from them, as one who forges a row would."""
    path.with_suffix(".npz").write_bytes(content := scores.to_bytes())
    change(path, "predictions.sha256", hashlib.sha256(content).hexdigest())
    results.rewrite(results.recompute(path), path)


def test_predictions_of_other_clips_or_labels_are_refused(path: Path, known: Callable[[str], KnownProtocol]) -> None:
    (other,) = (COMMITTED / path.parent.name).glob("conse-*.json")
    for file in (other, other.with_suffix(".npz")):
        shutil.copy(file, path.parent)
    scores = results.read_scores(path)
    ids = scores.clip_ids.copy()
    ids[0] = "clip of my own"
    rewritten(path, dataclasses.replace(scores, clip_ids=ids))
    problems = check.result_problems(path.parent.parent, known)
    assert [text for text in problems if "its predictions are of other clips, or labels" in text], problems


def test_a_method_or_a_part_that_nobody_registers_is_refused(path: Path, known: Callable[[str], KnownProtocol]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    content["method"]["name"] = content["spec"]["method"]["name"] = "supernet"
    content["spec_id"] = results.spec_id(content["spec"])
    content["method"]["plugin"] = "nets"
    content["command"] = content["command"].replace("chance", "supernet")
    forged = path.with_name(f"supernet-{content['spec_id']}-{path.stem.rpartition('-')[2]}.json")
    forged.write_text(json.dumps(content), encoding="utf-8")
    path.unlink()
    (problem,) = check.result_problems(forged.parent.parent, known, load_plugins().registry)
    assert "method 'supernet' of plugin 'nets' is registered by no plugin that is installed here" in problem


def test_a_spec_that_was_edited_is_refused(path: Path, known: Callable[[str], KnownProtocol]) -> None:
    change(path, "spec.seed", 7)
    problems = check.result_problems(path.parent.parent, known)
    assert any("spec_id is" in text and "but that of `spec` is" in text for text in problems), problems


def test_files_that_git_should_not_carry_are_named(path: Path, known: Callable[[str], KnownProtocol]) -> None:
    folder = path.parent.parent
    large = folder / "large.npz"
    large.write_bytes(b"\0" * (check.MAX_FILE_BYTES + 1))
    (problem,) = check.result_problems(folder, known)
    assert f"{large} is 1.3 MB" in problem
    for number in range(20):
        (folder / f"{number}.npz").write_bytes(b"\0" * check.MAX_FILE_BYTES)
    assert "committed results may be 20 MB in all" in check.result_problems(folder, known)[-1]


# --- digests ----------------------------------------------------------------------------------------------------------


def zsarbench(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [*map(str, words)], obj={})


def test_the_rest_of_a_result_is_under_its_digest(path: Path, known: Callable[[str], KnownProtocol]) -> None:
    folder = path.parent.parent
    done = zsarbench("leaderboard", "seal", "--results", folder)
    assert done.exit_code == 0
    assert f"{folder / 'SHA256SUMS'}: 1 results added, 0 dropped" in done.stdout
    assert check.result_problems(folder, known) == []
    change(path, "method.summary", "Altered.")
    (problem,) = check.result_problems(folder, known)
    assert f"result file {path} is not the one that SHA256SUMS lists" in problem
    with pytest.raises(ZsarbenchError, match="its line is kept"):
        digests.seal(folder)


def test_new_results_are_to_be_listed_and_dropped_ones_are_named(
    path: Path, known: Callable[[str], KnownProtocol]
) -> None:
    folder = path.parent.parent
    digests.seal(folder)
    other = path.with_name(f"{path.stem}-2.json")
    path.rename(other)
    problems = check.result_problems(folder, known)
    assert any(f"{path} is listed in SHA256SUMS and does not exist" in text for text in problems)
    assert any(f"{other} is not listed in SHA256SUMS. Try: zsarbench leaderboard seal" in text for text in problems)
    assert digests.seal(folder) == (["sketch-compositional/" + other.name], ["sketch-compositional/" + path.name])
    assert check.result_problems(folder, known) == []


def test_a_list_of_digests_that_is_none_is_named(path: Path, known: Callable[[str], KnownProtocol]) -> None:
    (path.parent.parent / "SHA256SUMS").write_text("nothing\n")
    assert "line 1 is not a SHA-256" in check.result_problems(path.parent.parent, known)[0]


def test_every_committed_result_is_listed() -> None:
    assert (COMMITTED / digests.FILE).is_file()
    assert digests.digest_problems(COMMITTED) == []


def test_what_is_known_of_a_protocol_cannot_be_changed() -> None:
    assert changeable(check) == []
