"""Incomplete collections: the warning before work, what must be confirmed, and what becomes of the row."""

from __future__ import annotations

import importlib
import json
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from zsarbench import hookimpl
from zsarbench.cli.main import Session, cli
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.harness import answers, runs
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import RunRequest, request
from zsarbench.interfaces import ClassText, ClipFeatures, Context, LearnsFrom, TrainSet
from zsarbench.plugins import load_plugins
from zsarbench.reports import paired, table
from zsarbench.results import RunResult
from zsarbench.testing.videos import write_video
from zsarbench.utils.progress import LogProgress

PER_CLASS = 5
SEEN, UNSEEN = tuple("ABCD"), tuple("EFGH")


class Films:
    """Eight classes of five clips with a file each, and with captions on request."""

    classes: ClassVar[tuple[str, ...]] = (*SEEN, *UNSEEN)
    aliases: ClassVar[Mapping[str, str]] = {}
    revision = "1"

    def __init__(self, *, root: Path | None = None, captioned: str = "", telling: bool = False) -> None:
        self.root = root
        self.captioned = captioned
        self.telling = telling

    def manifest(self) -> pd.DataFrame:
        ids = [f"{name}{number}" for name in self.classes for number in range(PER_CLASS)]
        frame = pd.DataFrame({"clip_id": ids, "label": [clip[0] for clip in ids], "group": ids})
        paths = [str(self.root / f"{clip}.mp4") if self.root else None for clip in ids]
        return frame.assign(path=paths, start=float("nan"), end=float("nan"))

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {}

    def captions(self) -> Mapping[str, Sequence[str]]:
        clips = [clip for clip in self.manifest()["clip_id"] if clip[0] in self.captioned]
        return {clip: (f"somebody does {clip[0] if self.telling else 'something'}",) for clip in clips}

    def class_texts(self, form: str) -> Sequence[ClassText]:
        return [ClassText(name, (name,)) for name in self.classes]


class Means:
    """The class whose letter hashes nearest to the mean of the clip; takes nothing that was not read."""

    learns_from: LearnsFrom = "nothing"
    class_independent = True

    def fit(self, train: TrainSet | None, context: Context) -> None:
        """Learn nothing."""

    def score(self, clips: ClipFeatures, classes: Sequence[ClassText], context: Context) -> Tensor:
        steps = clips.rows(range(len(clips)))
        assert len(clips)
        assert steps.mask.any(1).all()
        return steps.values.mean((1, 2))[:, None] + torch.arange(len(classes))


class Learnt(Means):
    """The same after looking at what it may learn from."""

    learns_from: LearnsFrom = "seen-classes"

    def fit(self, train: TrainSet | None, context: Context) -> None:
        assert train is not None
        assert train.clips.rows(range(len(train.clips))).mask.any(1).all()
        self.learnt = sorted(train.clips.ids)

    def record(self) -> Mapping[str, Any]:
        return {"learnt": self.learnt}


@hookimpl
def zsarbench_register(registry: Any) -> None:
    registry.add("dataset", "films", f"{__name__}:Films", summary="A toy.", trained_on=())
    registry.add("visual", "tiny", "zsarbench.testing.videos:TinyEncoder", summary="A toy.", trained_on=())
    for name, target in (("means", "Means"), ("learnt", "Learnt")):
        registry.add(
            "method", name, f"{__name__}:{target}", summary="A toy.", trained_on=(), defaults={"visual": "tiny"}
        )


HOST = load_plugins(
    loaders={
        "toy": lambda: type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)}),
        "baselines": lambda: importlib.import_module("zsarbench_baselines"),
        "encoders": lambda: importlib.import_module("zsarbench_encoders"),
    }
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("film") / "a.mp4", 5, codec="mpeg4")


def protocol(folder: Path, *rounds: Mapping[str, Any], **head: Any) -> str:
    """Write a protocol; by default of one round without seen classes."""
    stated = {"name": "toy/films", "version": 1, "dataset": "films", "setting": "zsl", "class_text": "name"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**stated, "summary": "A", "source": "B", **head}.items()]
    for item in rounds or [{"seen": [], "candidates": UNSEEN}]:
        lines += ["[[rounds]]", *(f"{key} = {json.dumps(value)}" for key, value in item.items())]
    path = folder / "films.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


LEARNING = {"seen": SEEN, "candidates": UNSEEN}


def collection(folder: Path, film: Path, clips: Iterable[str], broken: Iterable[str] = ()) -> str:
    """Create the user's folder with the files of some clips and with broken ones; return the option that names it."""
    root = folder / "films"
    root.mkdir()
    for clip in clips:
        shutil.copy(film, root / f"{clip}.mp4")
    for clip in broken:
        (root / f"{clip}.mp4").write_bytes(b"no video at all")
    return f"films={root}"


def clips_of(names: Iterable[str], per_class: int = PER_CLASS) -> list[str]:
    return [f"{name}{number}" for name in names for number in range(per_class)]


def spec(folder: Path, method: str, root: str | None, where: str, **arguments: Any) -> Any:
    return resolve_run(
        request(method, protocol=where, data_root=[root] if root else (), out=str(folder / "out"), threads=1,
                **arguments), HOST,
    )  # fmt: skip


def run(folder: Path, method: str, root: str | None, where: str, **arguments: Any) -> tuple[RunResult, Path]:
    return runs.run(spec(folder, method, root, where, **arguments), HOST, LogProgress())


# --- before work ------------------------------------------------------------------------------------------------------


def test_a_small_part_of_a_protocol_must_be_requested(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, clips_of("EF", 2))
    with pytest.raises(UsageError) as raised:
        run(tmp_path, "means", root, protocol(tmp_path))
    assert "4 of 20 clips of toy/films are there: below 90 %" in str(raised.value)
    assert "--partial" in str(raised.value)
    assert f"`zsarbench data verify films --protocol toy/films --data-root {root}` lists them" in str(raised.value)
    assert list((tmp_path / "out").rglob("*.json")) == []


def test_few_clips_to_learn_from_must_be_requested_too(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, [*clips_of(UNSEEN), *clips_of("A")])
    with pytest.raises(UsageError, match=r"25 of 40 .*\(20 of 20 to test, 5 of 20 to learn from\): below 90 %"):
        run(tmp_path, "learnt", root, protocol(tmp_path, LEARNING))
    assert run(tmp_path, "means", root, protocol(tmp_path, LEARNING))[0].coverage.n_train == 0  # type: ignore[union-attr]


def test_one_line_says_what_is_there_before_work(tmp_path: Path, film: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="zsarbench")
    run(tmp_path, "learnt", collection(tmp_path, film, clips_of(SEEN + UNSEEN)), protocol(tmp_path, LEARNING))
    lines = [record.getMessage() for record in caplog.records]
    assert "40 of 40 clips of toy/films are there (20 of 20 to test, 20 of 20 to learn from)" in lines


def test_no_clip_at_all_is_an_error_with_what_to_type(tmp_path: Path, film: Path) -> None:
    where = protocol(tmp_path)
    with pytest.raises(UsageError, match=r"no test clip of .*: no folder of films is named. Try: --data-root films=DI"):
        run(tmp_path, "means", None, where, partial=True)
    root = collection(tmp_path, film, clips_of("A"), broken=())
    with pytest.raises(UsageError, match="none of their files is in the folder of films; `zsarbench data verify films"):
        run(tmp_path, "means", root, where, partial=True)


def test_no_clip_to_learn_from_is_an_error_with_what_to_type(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, clips_of(UNSEEN))
    with pytest.raises(UsageError, match="no clip that protocol 'toy/films' learns from can be read: none of their"):
        run(tmp_path, "learnt", root, protocol(tmp_path, LEARNING), partial=True)


def test_a_data_set_without_captions_is_not_a_row_of_zero(tmp_path: Path) -> None:
    captions = {"visual": "captions", "text": "hashed-words", "method": "nearest-text", "root": None}
    with pytest.raises(UsageError, match="films has no captions; captions are what is read"):
        run(tmp_path, where=protocol(tmp_path), **captions)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="films has no captions of them"):
        run(tmp_path, where=protocol(tmp_path), settings=["dataset.captioned=AB"], **captions)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="5 of 20 clips of toy/films have captions: below 90 %"):
        run(tmp_path, where=protocol(tmp_path), settings=["dataset.captioned=E"], **captions)  # type: ignore[arg-type]


def test_clips_that_are_there_and_cannot_be_read_are_an_error_where_they_are_all(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, (), broken=clips_of(UNSEEN))
    with pytest.raises(ZsarbenchError, match=r"no test clip of protocol 'toy/films' can be read: 20 × .*data verify"):
        run(tmp_path, "means", root, protocol(tmp_path))


def test_a_plan_says_what_is_there_and_what_a_run_would_need(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, clips_of("EF", 2))
    plan = runs.plan(spec(tmp_path, "means", root, protocol(tmp_path)), HOST, LogProgress())
    assert (plan["clips"], plan["clips_there"], plan["needs"]) == (20, 4, "--partial")
    plan = runs.plan(spec(tmp_path, "means", root, protocol(tmp_path), partial=True), HOST, LogProgress())
    assert (plan["clips_there"], "needs" in plan) == (4, False)


def test_a_row_of_a_file_may_request_it(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, clips_of("EF", 2))
    row = f'[[rows]]\nmethods = ["means"]\ndata_root = ["{root}"]\n'
    (tmp_path / "rows.toml").write_text(
        f'protocols = ["{protocol(tmp_path)}"]\n{row}label = "whole"\n{row}label = "partial"\npartial = true\n'
    )
    words = ("sweep", "--file", tmp_path / "rows.toml", "--out", tmp_path / "out", "--threads", "1", "--json")
    done = CliRunner().invoke(cli, [*map(str, words)], obj={"session": Session((), host=HOST)})
    whole, partial = json.loads(done.stdout)
    assert (whole["label"], whole["result"]) == ("means whole", None)
    assert "4 of 20 clips of toy/films are there: below 90 %" in whole["reason"]
    assert json.loads(Path(partial["result"]).read_text())["coverage"]["n_test_missing"] == 16


# --- the row ----------------------------------------------------------------------------------------------------------


def test_a_partial_row_tells_missing_from_unreadable_and_has_no_rank_and_no_interval(
    tmp_path: Path, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="zsarbench")
    root = collection(tmp_path, film, [*clips_of("ABEF", 2)], broken=["G0"])
    where = protocol(tmp_path, LEARNING)
    result, path = run(tmp_path, "learnt", root, where, partial=True)
    assert result.coverage is not None
    assert (result.coverage.n_test, result.coverage.n_test_missing, result.coverage.n_test_unreadable) == (20, 15, 1)
    assert (result.coverage.n_train, result.coverage.n_train_missing, result.coverage.n_train_unreadable) == (20, 16, 0)
    text = "of 20 test clips 15 are missing and 1 cannot be read; of 20 training clips 16 are missing"
    assert [str(flag) for flag in result.flags] == [f"partial: {text}"]
    assert {summary.ci95 for summary in result.summary.values()} == {None}
    assert {summary.no_ci95 for summary in result.summary.values()} == {"many clips are missing"}
    assert (result.rounds[0].n_expected, result.rounds[0].n_scored) == (20, 4)
    missing = {failure.clip_id for failure in result.failures if failure.missing}
    assert len(missing) == 15 + 16
    assert {failure.clip_id for failure in result.failures if not failure.missing} == {"G0"}
    assert result.method.record["fits"][0]["learnt"] == clips_of("AB", 2)
    lines = "\n".join(record.getMessage() for record in caplog.records)
    assert "fit 1 of 1 (seed 0, 4 training clips)" in lines
    assert "31 clips are missing, and count as wrong" in lines
    assert "1 clips could not be read or scored, and count as wrong" in lines
    assert "--partial" in result.command
    assert RunRequest.from_command(result.command).partial
    (row,) = table.rows_of(table.build([result]))
    assert pd.isna(row["rank"])
    assert row["notes"][0] == f"not ranked: {text}"
    whole = json.loads(path.read_text(encoding="utf-8"))
    assert whole["coverage"]["n_test_missing"] == 15


def test_a_row_that_lacks_few_clips_is_ranked_and_says_what_it_lacks(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, clips_of(UNSEEN)[1:], broken=())
    result, _ = run(tmp_path, "means", root, protocol(tmp_path))
    assert [str(flag) for flag in result.flags] == ["of 20 test clips 1 is missing"]
    assert result.summary["top1_per_video"].no_ci95 == "fewer than 10 classes"
    (row,) = table.rows_of(table.build([result]))
    assert row["rank"] == 1
    assert "of 20 test clips 1 is missing" in row["notes"]


def test_many_clips_that_are_there_and_cannot_be_read_make_a_row_partial_too(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, clips_of("EFG"), broken=clips_of("H"))
    result, _ = run(tmp_path, "means", root, protocol(tmp_path))
    assert [str(flag) for flag in result.flags] == ["partial: of 20 test clips 5 cannot be read"]
    assert pd.isna(table.rows_of(table.build([result]))[0]["rank"])


def test_a_round_without_a_clip_to_learn_from_or_to_test_counts_as_wrong(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, [*clips_of("A"), *clips_of("EF")])
    rounds = (
        {"seen": list("AB"), "candidates": list("EF")},
        {"seen": list("CD"), "candidates": list("EF")},  # none to learn from
        {"seen": list("AC"), "candidates": list("GH")},  # none to test
    )
    result, _ = run(tmp_path, "learnt", root, protocol(tmp_path, *rounds), partial=True)
    assert [(item.n_scored, item.n_failed) for item in result.rounds] == [(10, 0), (0, 10), (0, 10)]
    assert [item.metrics["top1_per_video"] for item in result.rounds][1:] == [0.0, 0.0]
    reasons = {failure.clip_id: failure.reason for failure in result.failures}
    assert reasons["E0"] == "no training clip of its round can be read"


def test_there_are_no_survivors_of_a_round_without_a_readable_clip(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, clips_of("EF"))
    rounds = ({"seen": [], "candidates": list("EF")}, {"seen": [], "candidates": list("GH")})
    where = protocol(tmp_path, *rounds)
    with pytest.raises(ZsarbenchError, match=r"denominator 'survivors' is empty; .* use --denominator all"):
        run(tmp_path, "means", root, where, partial=True, denominator="survivors")


def test_the_same_request_on_the_whole_collection_is_another_measurement(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, clips_of("E"))
    where = protocol(tmp_path)
    partial, path = run(tmp_path, "means", root, where, partial=True)
    for clip in clips_of("FGH"):
        shutil.copy(film, root.removeprefix("films=") + f"/{clip}.mp4")
    whole, other = run(tmp_path, "means", root, where)
    assert partial.spec_id != whole.spec_id
    assert len(answers.measured(tmp_path / "out")) == 2
    ranks = {row["id"]: row["rank"] for row in table.rows_of(table.build([partial, whole]))}
    assert ranks[whole.stem] == 1
    assert pd.isna(ranks[partial.stem])
    with pytest.raises(ZsarbenchError, match="cannot be paired: of 20 test clips 15 are missing"):
        paired.paired([path, other])


def test_the_identity_of_a_run_is_as_before_unless_it_is_partial(tmp_path: Path, film: Path) -> None:
    root = collection(tmp_path, film, clips_of(UNSEEN))
    assert "partial" not in spec(tmp_path, "means", root, protocol(tmp_path)).what.identity()
    assert spec(tmp_path, "means", root, protocol(tmp_path), partial=True).what.identity()["partial"] is True


# --- what captions give away ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("telling", [True, False])
def test_captions_of_test_clips_that_name_their_class_are_noted(tmp_path: Path, telling: bool) -> None:
    settings = ["dataset.captioned=EFGH", f"dataset.telling={telling}"]
    parts = {"visual": "captions", "text": "hashed-words", "settings": settings}
    result, _ = run(tmp_path, "nearest-text", None, protocol(tmp_path), **parts)
    assert result.contamination is not None
    assert result.contamination.tested is not None
    assert result.contamination.tested.n_own == (20 if telling else 0)
    (row,) = table.rows_of(table.build([result]))
    noted = [note for note in row["notes"] if "of test clips 20 of 20 captions name the class of their clip" in note]
    assert bool(noted) is telling


def test_lint_finds_captions_that_name_their_class() -> None:
    words = ["data", "lint", "films", "--class-text", "name", "--set", "dataset.captioned=EFGH"]
    sound = CliRunner().invoke(cli, words, obj={"session": Session((), HOST)})
    assert (sound.exit_code, "captions: 20, of which 0 name" in sound.output) == (0, True), sound.output
    done = CliRunner().invoke(cli, [*words, "--set", "dataset.telling=true"], obj={"session": Session((), HOST)})
    assert done.exit_code == 1
    assert "finding: 20 of 20 captions name the class of their clip (100.0 %; any other class 0.00 %)" in done.output
    assert "E0 (E): somebody does E" in done.output
