"""Figures of MTEB as reported rows: placed by their clips alone, and refused with the counts that differ."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from listed import NAMES, Place, clips_of
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.plugins import load_plugins
from zsarbench.predictions import placing
from zsarbench.predictions.target import target_of
from zsarbench.results import reported, revisions

CLIPS = clips_of(2)
OF_UCF101 = "866b006d84629d66d9927646db89bd43381925e7"
"""The revision of MTEB's data set of 51 classes of UCF-101."""


def result(**more: Any) -> dict[str, Any]:
    """A result as MTEB writes it."""
    one = {"accuracy": 0.625, "main_score": 0.625, "hf_subset": "default", "languages": ["eng-Latn"]}
    return {"dataset_revision": "0123456789abcdef", "task_name": "UCF101VideoZeroShotClassification", "date": None,
            "mteb_version": "2.14.2", "scores": {"test": [one]}, "evaluation_time": 1.5} | more  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path, CLIPS)


def run(place: Place, content: Mapping[str, Any], *words: str, clips: list[str] | None = None) -> str:
    """Import a result as method M, with a list of clips where one is given."""
    file = place.write("mteb.json", dict(content))
    if clips is not None:
        (place.path / "list.txt").write_text("\n".join(clips))
        words = ("--clips", str(place.path / "list.txt"), *words)
    return place.run("result", "import", str(place.path / file), "--name", "M", *words)


def mine(place: Place, name: str = "mine") -> tuple[str, str]:
    return "--protocol", str(place.path / f"{name}.toml")


def test_a_figure_is_on_the_protocol_that_tests_exactly_its_clips(place: Place) -> None:
    text = run(place, result(), *mine(place), "--train", "WebVid", clips=[f"/data/{clip}.avi" for clip in CLIPS])
    (place.path / "reported").mkdir()
    (place.path / "reported" / "mine.toml").write_text(text)
    [row] = reported.read_all(place.path / "reported")
    assert (row.protocol, row.method, row.name, row.value) == ("mine/mine", "M", "top1_per_video", 0.625)
    assert (row.paper, row.train) == ("MTEB 2.14.2", "WebVid")
    assert row.table == "task UCF101VideoZeroShotClassification, split test"
    assert row.source.startswith("mteb.json (sha256 ")
    assert "24 clips" in row.notes


def test_the_name_of_a_task_places_nothing(place: Place) -> None:
    with pytest.raises(UsageError) as caught:
        run(place, result(dataset_revision=OF_UCF101))
    assert "mteb/UCF101-51VA at revision 866b006d84, 1,944 clips of 51 classes" in str(caught.value)
    assert "does not decide it. Try: --clips FILE" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="unknown revision '0123456789'; which clips these are"):
        run(place, result())


def test_a_list_of_another_length_than_the_revision_has_is_refused(place: Place) -> None:
    with pytest.raises(UsageError, match=r"1,944 clips of 51 classes; .* lists 24 clips, so it is of another data set"):
        run(place, result(dataset_revision=OF_UCF101), *mine(place), clips=list(CLIPS))


def test_frames_are_on_no_protocol(place: Place) -> None:
    frames = "1098eed48f2929443f47c39f3b5c814e16369c11"
    with pytest.raises(UsageError, match="697,222 frames of 101 classes: its figure is over frames"):
        run(place, result(dataset_revision=frames), *mine(place), clips=list(CLIPS))


def test_clips_that_differ_are_counted(place: Place) -> None:
    place.add_protocol("few", NAMES[:9])
    some = [*list(CLIPS)[:-4], "strange1", "strange2", "strange3"]
    with pytest.raises(UsageError) as caught:
        run(place, result(), *mine(place, "few"), clips=some)
    assert str(caught.value) == (
        "the 23 listed clips are the test clips of no protocol: 'mine/few' tests 18 clips, of which 0 are not listed; "
        "of those listed 2 are not tested and 3 are not in its data set"
    )
    with pytest.raises(UsageError, match="tests 24 clips, of which 4 are not listed; of those listed 0 are not tested"):
        run(place, result(), *mine(place), clips=some)
    with pytest.raises(UsageError, match="no registered zsl protocol states so many"):
        run(place, result(), clips=some)


def test_one_round_of_several_is_not_the_protocol(place: Place) -> None:
    place.add_protocol("rounds", NAMES[:6])
    file = place.path / "rounds.toml"
    more = f"\n[[rounds]]\nseed = 1\ncandidates = {list(NAMES[6:])}\n"
    file.write_text(file.read_text().replace("[[rounds]]", "[[rounds]]\nseed = 0") + more)
    first = [clip for clip, name in CLIPS.items() if name in NAMES[:6]]
    with pytest.raises(UsageError, match=r"round 0 of 'mine/rounds' alone tests exactly these, .* mean over 2 rounds"):
        run(place, result(), *mine(place, "rounds"), clips=first)


def test_a_protocol_where_other_classes_compete_is_another_one(place: Place) -> None:
    where = {"data_root": [f"folder={place.path}"], "settings": [f"dataset.annotations={place.path / 'clips.csv'}"]}
    registry, protocol = load_plugins().registry, str(place.path / "mine.toml")
    assert placing.place(list(CLIPS), registry, protocol=protocol, n_classes=12, **where).protocol == "mine/mine"
    with pytest.raises(UsageError, match="in 'mine/mine' 12 classes compete, not 13"):
        placing.place(list(CLIPS), registry, protocol=protocol, n_classes=13, **where)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"task": "UCF101"},
            "of no known program: MTEB writes an object with dataset_revision, scores, task_n",
        ),
        (result(task_name="UCF101VideoClassification"), "none of MTEB's zero-shot tasks"),
        (result(task_name=3), "a task_name or dataset_revision that is not text"),
        (result(scores={"test": [], "val": []}), "unknown split ''. Known: test, val. Try: --split NAME"),
        (result(scores={"test": []}), "must have one subset in the split 'test'"),
        (result(scores={"test": [{"main_score": 0.5}]}), "has no accuracy in the split 'test'"),
        (result(scores={"test": [{"accuracy": 62.5}]}), "must be a fraction in [0, 1]"),
    ],
)
def test_figures_of_other_tasks_are_refused(place: Place, content: dict[str, Any], message: str) -> None:
    with pytest.raises(ZsarbenchError) as caught:
        run(place, content, *mine(place), clips=list(CLIPS))
    assert message in str(caught.value)


def test_a_result_of_figures_is_not_scored(place: Place) -> None:
    with pytest.raises(UsageError, match=r"is a result of MTEB, .* Try: zsarbench result import"):
        place.score(place.write("mteb.json", result()))


def test_the_revisions_that_ship_are_sound() -> None:
    path = Path(str(reported.folder())).parent / "revisions.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["revisions"]
    assert len({(row["revision"], row["split"]) for row in rows}) == len(rows)
    for row in rows:
        found = revisions.find(row["revision"], row["split"])
        assert found is not None
        assert found.n_samples >= found.n_classes > 1
    of_ucf101 = revisions.find(OF_UCF101, "test")
    assert of_ucf101 is not None
    assert (of_ucf101.n_samples, of_ucf101.n_classes) == (1944, 51)
    assert revisions.find(OF_UCF101, "train") is None
    assert json.dumps(of_ucf101.in_words()) == '"mteb/UCF101-51VA at revision 866b006d84, 1,944 clips of 51 classes"'


@pytest.mark.realdata
@pytest.mark.slow
def test_official_lists_are_found_by_their_clips(tmp_path: Path) -> None:
    registry = load_plugins().registry
    ucf101, hmdb51 = (target_of(registry, name).test[0] for name in ("ucf101/official-1", "hmdb51/official"))
    paths = [f"videos/{clip}.avi" for clip in ucf101[::-1]]
    assert placing.place(paths, registry).protocol == "ucf101/official-1"
    with pytest.raises(UsageError, match="in 'ucf101/official-1' 101 classes compete, not 51"):
        placing.place(paths, registry, n_classes=51)
    with pytest.raises(UsageError, match="round 0 of 'hmdb51/official' alone tests exactly these"):
        placing.place(hmdb51, registry)
    with pytest.raises(UsageError, match="tests 3,783 clips, of which 1,839 are not listed; of those listed 0 are not"):
        placing.place(ucf101[:1944], registry, protocol="ucf101/official-1")
