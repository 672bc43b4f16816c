"""What runs make of a protocol: validation classes for choosing only, rounds that repeat others, stated counts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor

from zsarbench import hookimpl, protocols, results
from zsarbench.cli.main import Session, cli
from zsarbench.errors import ZsarbenchError
from zsarbench.harness import runs
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import request
from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, TrainSet
from zsarbench.plugins import load_plugins
from zsarbench.protocols.check import check
from zsarbench.reports.comparison import render
from zsarbench.reports.paired import describe_differences, paired
from zsarbench.results import RunResult
from zsarbench.utils.progress import LogProgress

PER_CLASS = 4


class Letters:
    """Ten classes of four clips, two of each source video."""

    classes: ClassVar[tuple[str, ...]] = tuple("ABCDEFGHIJ")
    aliases: ClassVar[Mapping[str, str]] = {}
    revision = "1"

    def manifest(self) -> pd.DataFrame:
        rows = [(name, number) for name in self.classes for number in range(PER_CLASS)]
        frame = pd.DataFrame({"clip_id": [f"{name}{number}" for name, number in rows], "label": [n for n, _ in rows]})
        frame["group"] = [f"{name}/{number // 2}" for name, number in rows]
        return frame.assign(path=None, start=float("nan"), end=float("nan"))

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {}

    def captions(self) -> Mapping[str, Sequence[str]]:
        return {clip: (clip,) for clip in self.manifest()["clip_id"]}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        return [ClassText(name, (name,)) for name in self.classes]


class Noted:
    """Keeps what it was given, and scores by a rule of the clip and the class that is right with some luck."""

    learns_from: LearnsFrom = "seen-classes"
    class_independent = True

    def __init__(self, *, skill: float = 1.0, draws: bool = False) -> None:
        self.skill = skill
        self.draws = draws

    def fit(self, train: TrainSet | None, context: Context) -> None:
        assert train is not None
        assert train.labels is not None
        choosing = train.validation_set
        self.drawn = float(torch.rand(1, generator=context.generator("toy"))) if self.draws else ""
        self.given = {
            "learnt from": list(train.clips.ids),
            "labels": [train.classes[int(label)].name for label in train.labels],
            "validation": list(train.validation),
            "chosen by": None if choosing is None else list(choosing.clips.ids),
            "groups": None if choosing is None else list(choosing.groups),
            "chosen among": None if choosing is None else [choosing.classes[int(i)].name for i in choosing.labels],
        }

    def record(self) -> Mapping[str, Any]:
        return self.given

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        def of(clip: str, name: str) -> float:
            draw = hashlib.sha256(f"{clip} {name} {self.skill}{self.drawn}".encode()).digest()[0] / 255
            return draw + self.skill * (clip[0] == name)

        assert clips.captions is not None
        return torch.tensor([[of(shown, described.name) for described in classes] for (shown,) in clips.captions])


class OfSentences(Noted):
    """Learns from the sentences of clips."""

    learns_from: LearnsFrom = "captions"

    def fit(self, train: TrainSet | None, context: Context) -> None:
        assert train is not None
        self.given, self.drawn = {"learnt from": list(train.clips.ids)}, ""


@hookimpl
def zsarbench_register(registry: Any) -> None:
    registry.add("dataset", "letters", f"{__name__}:Letters", summary="A toy.", trained_on=())
    parts = {"visual": "captions", "text": "toy"}
    registry.add("method", "noted", f"{__name__}:Noted", summary="A toy.", trained_on=(), defaults=parts)
    registry.add("method", "reading", f"{__name__}:OfSentences", summary="A toy.", trained_on=(), defaults=parts)
    registry.add("visual", "captions", "zsarbench_encoders.captions:Captions", summary="A toy.", trained_on=())
    registry.add("text", "toy", "zsarbench.testing.toys:ToyText", summary="A toy.", trained_on=())


HOST = load_plugins(
    loaders={"toy": lambda: type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)})}
)


def write(folder: Path, *rounds: Mapping[str, Any], **head: Any) -> str:
    stated = {"name": "toy/letters", "version": 1, "dataset": "letters", "setting": "zsl"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**stated, "summary": "A", "source": "B", **head}.items()]
    for item in rounds:
        lines += ["[[rounds]]", *(f"{key} = {json.dumps(value)}" for key, value in item.items())]
    path = folder / "letters.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def run(
    folder: Path, protocol: str, skill: float = 0.3, draws: bool = False, method: str = "noted", **arguments: Any
) -> tuple[RunResult, Path]:
    settings = [f"method.skill={skill}", f"method.draws={draws}"]
    spec = resolve_run(
        request(method, protocol=protocol, out=str(folder / "out"), threads=1, settings=settings, **arguments), HOST
    )
    return runs.run(spec, HOST, LogProgress())


# --- validation classes -----------------------------------------------------------------------------------------------


def clips_of(names: str) -> list[str]:
    return [f"{name}{number}" for name in names for number in range(PER_CLASS)]


@pytest.mark.parametrize("control", ["none", "shuffle-labels"])
def test_clips_of_validation_classes_for_choosing_only_are_not_learnt_from(tmp_path: Path, control: str) -> None:
    lists = {"seen": list("AB"), "validation": list("CD"), "candidates": list("EFGH")}
    result, _ = run(tmp_path, write(tmp_path, lists, validation_only=True), control=control)
    (given,) = result.method.record["fits"]
    assert given["learnt from"] == clips_of("AB")
    assert given["chosen by"] == clips_of("CD")
    assert given["validation"] == ["C", "D"]
    assert given["groups"] == [clip[0] + "/" + str(int(clip[1]) // 2) for clip in clips_of("CD")]
    for what, labels in (("labels", "AB"), ("chosen among", "CD")):
        right = [clip[0] for clip in clips_of(labels)]
        assert sorted(given[what]) == right
        assert (given[what] == right) == (control == "none")
    assert (result.rounds[0].n_seen, result.rounds[0].n_expected) == (2, 16)


def test_validation_classes_that_are_seen_are_learnt_from(tmp_path: Path) -> None:
    lists = {"seen": list("ABCD"), "validation": list("CD"), "candidates": list("EFGH")}
    (given,) = run(tmp_path, write(tmp_path, lists))[0].method.record["fits"]
    assert given["learnt from"] == clips_of("ABCD")
    assert (given["validation"], given["chosen by"]) == (["C", "D"], None)


def test_without_clips_of_validation_classes_there_is_no_validation_set(tmp_path: Path) -> None:
    lists = {"seen": list("AB"), "validation": list("CD"), "candidates": list("EFGH"), "train_clips": clips_of("AB")}
    (given,) = run(tmp_path, write(tmp_path, lists, validation_only=True))[0].method.record["fits"]
    assert (given["learnt from"], given["chosen by"]) == (clips_of("AB"), None)


# --- rounds that repeat others, stated counts -------------------------------------------------------------------------

ONE = {"seen": list("AB"), "candidates": list("CDEF")}
TWO = {"seen": list("CD"), "candidates": list("ABGH")}


@pytest.mark.parametrize(("draws", "remarks"), [(True, []), (False, ["all 2 training seeds gave the same scores"])])
def test_seeds_that_change_nothing_are_remarked(tmp_path: Path, draws: bool, remarks: list[str]) -> None:
    protocol = write(tmp_path, ONE, TWO)
    result, _ = run(tmp_path, protocol, draws=draws, seeds=2)
    assert [flag.text for flag in result.flags if "seeds" in flag.text] == remarks


def both(folder: Path, *rounds: Mapping[str, Any]) -> tuple[RunResult, pd.DataFrame]:
    """Return a result under these rounds, and its paired difference to a better method."""
    folder.mkdir()
    protocol = write(folder, *rounds)
    (result, path), (_, better) = run(folder, protocol), run(folder, protocol, skill=0.5)
    return result, paired([path, better], against=better)


def test_a_round_that_repeats_another_counts_in_the_mean_and_in_no_interval(tmp_path: Path) -> None:
    one, two = {**ONE, "candidates": list("CDEFI")}, {**TWO, "candidates": list("ABGHJ")}
    thrice, compared = both(tmp_path / "thrice", one, two, {**one, "duplicate_of": 0})
    twice, alone = both(tmp_path / "twice", one, two)
    rounds = sorted(thrice.rounds, key=lambda item: item.round)
    assert [item.duplicate_of for item in rounds] == [None, None, 0]
    for name in ("top1_per_video", "top1_per_class"):
        first, second, again = (item.metrics[name] for item in rounds)
        assert first == again != second
        assert thrice.summary[name].ci95 == twice.summary[name].ci95 is not None
        assert thrice.summary[name].mean == pytest.approx((2 * first + second) / 3)  # as the field prints it: over all
        assert thrice.summary[name].std == pytest.approx(np.std([first, second, first]))
    columns = ["difference", "low", "high", "share_not_better", "n_rounds"]
    assert compared[columns].values.tolist() == alone[columns].values.tolist()
    assert compared["low"].item() < compared["difference"].item() < compared["high"].item()


def test_too_few_classes_have_no_interval_and_the_result_and_its_table_say_so(tmp_path: Path) -> None:
    result, compared = both(tmp_path / "few", ONE, TWO)  # of eight classes
    for name in ("top1_per_video", "top1_per_class"):
        assert result.summary[name].ci95 is None
        assert result.summary[name].no_ci95 == "fewer than 10 classes"
    assert compared[["low", "high", "share_not_better"]].isna().all(axis=None)
    paths = sorted((tmp_path / "few").rglob("noted-*.json"))
    described = describe_differences(paths)
    assert "percentage points, no interval of fewer than 10 classes:" in described
    assert "[" not in described
    table = render(load_plugins(), {paths[0]: result}, "table")
    assert "95 % CI" in table
    assert "no 95 % interval: fewer than 10 classes" in table


def test_a_round_with_another_number_of_clips_than_stated_is_refused(tmp_path: Path) -> None:
    run(tmp_path, write(tmp_path, ONE, {**TWO, "candidates": list("ABG")}, n_clips=[16, 12]))
    with pytest.raises(
        ZsarbenchError, match=r"round 1 .* has 16 test clips in data set 'letters', but its file states 12"
    ):
        run(tmp_path, write(tmp_path, ONE, TWO, n_clips=[16, 12]))


def test_base_and_novel_classes_compete_among_their_own_kind_alone(tmp_path: Path) -> None:
    lists = {"train_clips": ["A0", "B0"], "test_clips": ["A2", "A3", "B2", "B3", *clips_of("CD")]}
    where = write(tmp_path, {"seen": ["A", "B"], "candidates": list("ABCD"), **lists}, setting="base-to-novel")
    result, path = run(tmp_path, where, skill=5.0)
    assert {name: summary.mean for name, summary in result.summary.items()} == dict.fromkeys(result.summary, 1.0)
    (block,) = results.read_scores(path).blocks
    assert np.isfinite(block.scores[:4, :2]).all()
    assert np.isfinite(block.scores[4:, 2:]).all()


def test_sentences_are_counted_and_searched_for_names_where_a_method_learns_from_them(tmp_path: Path) -> None:
    protocol = write(tmp_path, ONE)
    read = run(tmp_path, protocol, method="reading")[0].contamination
    assert (read.n_sentences, read.naming) == (2 * PER_CLASS, {})
    other = run(tmp_path, protocol)[0].contamination
    assert (other.n_sentences, other.naming) == (None, {})


def test_a_run_goes_on_where_no_checkpoint_can_be_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    protocol, place = write(tmp_path, ONE), Path(os.environ["ZSARBENCH_CACHE"]) / "checkpoints"
    run(tmp_path / "kept", protocol)
    run(tmp_path / "again", protocol, refit=True)
    assert "no checkpoints are kept" not in caplog.text
    shutil.rmtree(place, ignore_errors=True)
    place.write_text("a file")
    run(tmp_path / "not", protocol, refit=True)
    assert f"no checkpoints are kept: {place} cannot be written" in caplog.text
    assert place.read_text() == "a file"


# --- what a run builds and returns ------------------------------------------------------------------------------------


def test_the_data_set_of_a_run_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Letters] = []
    monkeypatch.setattr(Letters, "__init__", lambda self: built.append(self))
    run(tmp_path, write(tmp_path, ONE))
    assert len(built) == 1


def test_what_a_run_returns_is_what_its_file_holds(tmp_path: Path) -> None:
    result, path = run(tmp_path, write(tmp_path, ONE, TWO))
    assert result.predictions is not None
    assert results.read(path) == result
    assert results.read_scores(path).rounds


def test_test_clips_of_a_source_video_that_was_learnt_from_are_counted(tmp_path: Path) -> None:
    lists = {"train_clips": ["A0", "B0"], "test_clips": ["A1", "A2", "B2", *clips_of("CD")]}  # A0 and A1 are of one
    where = write(tmp_path, {"seen": ["A", "B"], "candidates": list("ABCD"), **lists}, setting="gzsl")
    text = "1 of 3 test clips of seen classes share a source video with training clips"
    result, _ = run(tmp_path, where)
    assert text in [str(flag) for flag in result.flags]
    found = check(protocols.read(Path(where)), Letters(), Letters().manifest())
    assert (found.problems, found.warnings) == ((), (f"round 0: {text}, e.g. 'A1'",))
    lists = {"train_clips": ["A0", "B0"], "test_clips": ["A2", "B2", *clips_of("CD")]}
    where = write(tmp_path, {"seen": ["A", "B"], "candidates": list("ABCD"), **lists}, setting="gzsl")
    assert not any("share a source" in str(flag) for flag in run(tmp_path, where)[0].flags)
    assert check(protocols.read(Path(where)), Letters(), Letters().manifest()).warnings == ()


# --- controls ---------------------------------------------------------------------------------------------------------


def test_a_control_run_above_chance_says_leak_and_fails(tmp_path: Path) -> None:
    protocol = write(tmp_path, {"seen": list("ABCD"), "candidates": list("EFGHIJ")})

    def ran(skill: float, control: str) -> Result:
        words = ["run", "--method", "noted", "--protocol", protocol, "--set", f"method.skill={skill}", "--threads", "1"]
        words += ["--control", control, "--out", str(tmp_path / "out")]
        return CliRunner().invoke(cli, words, obj={"session": Session((), HOST)})

    leaking = ran(5.0, "shuffle-labels")  # it reads the class from the id of a clip
    assert leaking.exit_code == 1
    assert "error: LEAK: top-1/video of noted is 100.0" in leaking.stderr
    assert "Try: zsarbench check toy" in leaking.stderr
    assert "not ranked: control run, shuffle-labels" in leaking.stdout
    for skill, control in ((0.0, "shuffle-labels"), (5.0, "none")):
        sound = ran(skill, control)
        assert (sound.exit_code, "LEAK" in sound.stderr) == (0, False)
