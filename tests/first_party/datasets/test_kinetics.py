"""Kinetics-400 and -600 from synthetic lists and folders, and their real lists and protocols against public copies."""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from zsarbench import protocols
from zsarbench.cli.main import main
from zsarbench.data.downloads import Download, RemoteFile
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.utils.class_names import match
from zsarbench_datasets import kinetics
from zsarbench_datasets.kinetics import Kinetics400, Kinetics600

realdata = pytest.mark.realdata
TEXT4VIS = "whwu95/Text4Vis/d61b34d0208a03ce6146edcc51033b2a040cb249/lists"
OST = "tomchen-ctj/OST/1810ae6e56ebcb549b333ea349a8ca80d41a62d1"
ER = "DeLightCMU/ElaborativeRehearsal/e3130fd43badebe66a36d0b0db9a24bb742b5095/datasets/Kinetics/zsl220"
CEZSAR = "valterlej/cezsar/f3eef3e53f20d617c18f2e693cf4a8dccff90c57/data/datasets/splits/kinetics400_splits.json"

LABELS = "id,name\n0,abseiling\n1,archery\n"
BOTH, NO_TIME, CSV_ONLY, TRAIN = "--07WQ2iBlw", "I02uj1Sc7TM", "zzokQ8DKETs", "c1O_FxuKCI0"


@pytest.fixture
def synthetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror folder with the lists of Kinetics-400, of four clips."""
    splits = "datasets_splits/base2novel_splits/k400_splits"
    contents = {
        "K400_OST": {
            "datasets_splits/k400_splits/val.txt": f"val/{BOTH}_000004_000014.mp4 0\n",
            "labels/kinetics_400_labels.csv": LABELS,
            "labels/kinetics_400_base_labels.csv": "id,name\n0,archery\n",
            **{f"{splits}/fs_base_s{n}_train.txt": f"train/{TRAIN}_000110_000120.mp4 0\n" for n in (1, 2, 3)},
        },
        "K400_TEXT4VIS": {
            "lists/kinetics_400_labels.csv": LABELS,
            "lists/k400/kinetics_video_val_se320.txt": f"{NO_TIME}.mp4 1\n{BOTH}.mp4 0\n",
        },
        "K400_CEZSAR": {
            "data/datasets/kinetics400/validate.csv": "label,youtube_id,time_start,time_end,split\n"
            f"abseiling,{BOTH},4,14,validate\narchery,{CSV_ONLY},112,122,validate\n"
        },
    }
    for name, texts in contents.items():
        source = f"someone/{name}/0123"
        pinned = []
        for path, text in texts.items():
            (tmp_path / source / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / source / path).write_text(text)
            pinned.append(RemoteFile(path, hashlib.sha256(text.encode()).hexdigest(), len(text)))
        download = Download(name=name, files=tuple(pinned), source=source, licence="MIT", summary="Made.")
        monkeypatch.setattr(kinetics, name, download)
    monkeypatch.setenv("ZSARBENCH_MIRROR", str(tmp_path))
    return tmp_path


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def spans(frame: pd.DataFrame) -> dict[str, tuple[float, float]]:
    timed = frame.dropna(subset=["start"])
    return dict(zip(timed["clip_id"], zip(timed["start"], timed["end"], strict=True), strict=True))


def test_the_manifest_is_the_union_of_the_lists(synthetic: Path) -> None:
    frame = Kinetics400().manifest()
    labels = {BOTH: "abseiling", NO_TIME: "archery", CSV_ONLY: "archery", TRAIN: "archery"}
    assert dict(zip(frame["clip_id"], frame["label"], strict=True)) == labels
    assert frame[["path", "start", "end"]].isna().all(axis=None)
    splits = Kinetics400().splits()
    assert splits["text4vis-19796"] == (NO_TIME, BOTH)
    assert splits["cezsar-18035"] == (BOTH, CSV_ONLY)
    assert splits["base-s2"] == (TRAIN,)


def test_trimmed_files_flat_and_in_class_folders(synthetic: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = synthetic / "flat"
    touch(root / f"{BOTH}_000004_000014.mp4", root / f"{NO_TIME}.webm", root / "notaclip.mp4", root / "list.csv")
    with caplog.at_level(logging.INFO):
        frame = Kinetics400(root=root).manifest()
    assert dict(zip(frame["clip_id"], frame["path"], strict=True)) == {
        BOTH: str(root / f"{BOTH}_000004_000014.mp4"),
        NO_TIME: str(root / f"{NO_TIME}.webm"),
        CSV_ONLY: str(root / f"{CSV_ONLY}_000112_000122.mp4"),  # expected there, found missing when it is read
        TRAIN: str(root / f"{TRAIN}_000110_000120.mp4"),
    }
    assert spans(frame) == {}
    assert "2 of 4 listed clips" in caplog.text
    root = synthetic / "folders"
    touch(root / "val" / "archery" / f"{NO_TIME}_000001_000011.mp4")
    paths = Kinetics400(root=root).manifest().set_index("clip_id")["path"]
    assert paths[NO_TIME] == str(root / "val" / "archery" / f"{NO_TIME}_000001_000011.mp4")
    assert paths[CSV_ONLY] == str(root / "val" / "archery" / f"{CSV_ONLY}_000112_000122.mp4")
    assert Kinetics400(root=root).revision == Kinetics400().revision


def test_untrimmed_files_are_cut_by_the_annotation(synthetic: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = synthetic / "whole"
    touch(root / f"{BOTH}.mp4", root / f"{NO_TIME}.mp4", root / f"{TRAIN}_000110_000120.mp4")
    frame = Kinetics400(root=root, trimmed=False).manifest()
    assert spans(frame) == {BOTH: (4.0, 14.0), CSV_ONLY: (112.0, 122.0)}  # a file named with its times is trimmed
    paths = frame.set_index("clip_id")["path"]
    assert paths[CSV_ONLY] == str(root / f"{CSV_ONLY}.mp4")
    assert pd.isna(paths[NO_TIME])
    assert "no list says where 1 untrimmed clips start" in caplog.text


def test_official_files_of_the_users_add_clips(
    synthetic: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "official"
    touch(folder / "train.csv")
    (folder / "train.csv").write_text(
        "label,youtube_id,time_start,time_end,split\nArchery,aaaaaaaaaaa,0,10,train\nabseiling,bbbbbbbbbbb,5,15,train\n"
    )
    (folder / "more.csv").write_text(
        f'label,youtube_id,time_start,time_end,split\narchery,{BOTH},4,14,validate\n"abseiling",{NO_TIME},7,17,validate\n'
    )
    data = Kinetics400(annotations=folder)
    labels = data.manifest().set_index("clip_id")["label"]
    assert labels["aaaaaaaaaaa"] == "archery"
    assert labels[BOTH] == "abseiling"  # the public list's label stays
    assert data.splits()["train"] == ("aaaaaaaaaaa", "bbbbbbbbbbb")
    assert set(data.splits()["val"]) == {BOTH, NO_TIME}
    assert data.revision != Kinetics400().revision
    assert "list val has other labels of 2 clips than lists before it" in caplog.text
    touch(synthetic / "whole" / f"{NO_TIME}.mp4")
    timed = Kinetics400(root=synthetic / "whole", annotations=folder, trimmed=False).manifest()
    assert spans(timed)[NO_TIME] == (7.0, 17.0)


@pytest.mark.usefixtures("synthetic")
def test_lists_and_spans_of_the_users_files_are_in_the_revision(tmp_path: Path) -> None:
    """A protocol's hash has the name of a list alone, such as train: other clips in it are another data set."""
    header, path = "label,youtube_id,time_start,time_end,split\n", tmp_path / "own.csv"
    one, other = "archery,aaaaaaaaaaa,{},9,{}\n", "archery,bbbbbbbbbbb,0,9,{}\n"
    contents = [
        one.format(0, "train") + other.format("test"),
        one.format(0, "test") + other.format("train"),
        one.format(1, "train") + other.format("test"),
    ]
    revisions = []
    for content in contents:
        path.write_text(header + content)
        revisions.append(Kinetics400(annotations=path).revision)
    assert len(set(revisions)) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("youtube_id,time_start\nx,1\n", "lacks the columns label, time_end"),
        ("label,youtube_id,time_start,time_end\narchry,aaaaaaaaaaa,0,10\n", "did you mean 'archery'"),
    ],
)
def test_malformed_official_files_are_explained(synthetic: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(ZsarbenchError, match=message):
        Kinetics400(annotations=tmp_path / "train.csv").manifest()


def test_missing_official_files_and_forms_are_explained(synthetic: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a CSV file nor a folder"):
        Kinetics400(annotations=tmp_path / "none.csv").manifest()
    with pytest.raises(UsageError, match="it has: name, sentence"):
        Kinetics400().class_texts("sentences")


# --- files of other times, and CSV files as people keep them ---


@pytest.mark.parametrize(
    ("names", "file"),
    [
        ([f"{BOTH}_000004_000014.mp4"], f"{BOTH}_000004_000014.mp4"),
        ([f"{BOTH}_000004_000014.mp4", f"{BOTH}_000100_000110.mp4", f"{BOTH}.mp4"], f"{BOTH}_000004_000014.mp4"),
        ([f"{BOTH}.webm"], f"{BOTH}.webm"),  # named by the id alone: it can be no other clip
        ([f"{BOTH}_000100_000110.mp4"], None),
        ([f"{BOTH}_000004_000015.mp4"], None),
        ([f"{BOTH}.mp4", f"{BOTH}_000100_000110.mp4"], None),  # which of the two it is, nobody says
        ([f"{BOTH[:-1]}x_000004_000014.mp4"], None),
        ([f"._{BOTH}_000004_000014.mp4", "other_file.mp4"], None),
    ],
)
def test_a_file_is_the_clip_of_its_id_and_its_times(synthetic: Path, names: list[str], file: str | None) -> None:
    root = synthetic / "videos"
    touch(*(root / name for name in [*names, "any.mp4"]))
    path = Kinetics400(root=root).manifest().set_index("clip_id").at[BOTH, "path"]
    assert path == str(root / (file or f"{BOTH}_000004_000014.mp4"))
    assert Path(path).is_file() == (file is not None)


def test_a_clip_without_listed_times_is_the_only_file_of_its_id(
    synthetic: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = synthetic / "videos"
    touch(root / f"{NO_TIME}_000001_000011.mp4")
    with caplog.at_level(logging.INFO):
        paths = Kinetics400(root=root).manifest().set_index("clip_id")["path"]
    assert paths[NO_TIME] == str(root / f"{NO_TIME}_000001_000011.mp4")
    assert "of 1 files the name or the list has no times" in caplog.text
    touch(root / f"{NO_TIME}_000050_000060.mp4")
    paths = Kinetics400(root=root).manifest().set_index("clip_id")["path"]
    assert not Path(paths[NO_TIME]).exists()


def test_files_of_other_times_are_logged_and_verify_names_them(
    synthetic: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    root = synthetic / "videos"
    touch(root / "val" / "abseiling" / f"{BOTH}_000100_000110.mp4")
    Kinetics400(root=root).manifest()
    assert f"named with other times, so these clips are missing: {BOTH}_000100_000110.mp4 (annotated is 4-14)" in (
        caplog.text
    )
    with pytest.raises(SystemExit) as end:
        main(["data", "verify", "kinetics400", "--data-root", f"kinetics400={root}", "--json"])
    assert end.value.code == 1
    found = json.loads(capsys.readouterr().out)
    assert found["sound"] == 0
    reasons = {clip["clip_id"]: clip["reason"] for clip in found["bad"]}
    assert reasons[BOTH] == f"missing file; near it is val/abseiling/{BOTH}_000100_000110.mp4"
    assert reasons[CSV_ONLY] == "missing file"


def test_an_untrimmed_video_holds_its_clip_whatever_other_clips_of_it_there_are(synthetic: Path) -> None:
    root = synthetic / "videos"
    touch(root / f"{BOTH}.mp4", root / f"{BOTH}_000100_000110.mp4")
    frame = Kinetics400(root=root, trimmed=False).manifest().set_index("clip_id")
    assert frame.at[BOTH, "path"] == str(root / f"{BOTH}.mp4")
    assert spans(frame.reset_index())[BOTH] == (4.0, 14.0)


def test_feature_files_are_named_as_the_archives_name_clips(synthetic: Path) -> None:
    videos = Kinetics400().manifest().set_index("clip_id")["video"]
    assert videos[BOTH] == f"{BOTH}_000004_000014"
    assert videos[NO_TIME] == NO_TIME


HEADER = "label,youtube_id,time_start,time_end,split\n"


@pytest.mark.parametrize(
    ("content", "span"),
    [
        (f"\ufeff{HEADER}archery,aaaaaaaaaaa,417,427,val\r\n".encode(), (417.0, 427.0)),
        (f"{HEADER}archery,aaaaaaaaaaa,,,val\n".encode(), None),
        (f"{HEADER} archery , aaaaaaaaaaa ,417,427,val \n".encode(), (417.0, 427.0)),
    ],
)
@pytest.mark.usefixtures("synthetic")
def test_official_files_are_read_as_spreadsheets_save_them(
    tmp_path: Path, content: bytes, span: tuple[float, float] | None
) -> None:
    (tmp_path / "own.csv").write_bytes(content)
    root = tmp_path / "whole"
    touch(root / "aaaaaaaaaaa.mp4")
    data = Kinetics400(annotations=tmp_path / "own.csv", root=root, trimmed=False)
    assert data.splits()["val"] == ("aaaaaaaaaaa",)
    assert spans(data.manifest()).get("aaaaaaaaaaa") == span
    assert "aaaaaaaaaaa" in data.manifest()["clip_id"].to_list()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("archery,aaaaaaaaaaa,nan,10", "line 2: start and end are seconds, not 'nan'"),
        ("archery,aaaaaaaaaaa,0,inf", "line 2: start and end are seconds"),
        ("archery,aaaaaaaaaaa,20,10", "line 2: a clip cannot go from 20 to 10"),
        ("archery,aaaaaaaaaaa,,10", "line 2: one of time_start and time_end is empty"),
        ("archery,#NAME?,0,10", "line 2: '#NAME\\?' is not a YouTube id"),  # what a spreadsheet makes of -abc
        ("archéry,aaaaaaaaaaa,0,10", "line 2 is not UTF-8 text"),
    ],
)
@pytest.mark.usefixtures("synthetic")
def test_rows_that_cannot_be_meant_are_refused_with_their_line(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "own.csv").write_text("label,youtube_id,time_start,time_end\n" + row, encoding="latin-1")
    with pytest.raises(UsageError, match=message):
        Kinetics400(annotations=tmp_path / "own.csv").manifest()


@pytest.mark.usefixtures("synthetic")
def test_a_clip_that_is_annotated_twice_and_otherwise_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = ["archery,aaaaaaaaaaa,0,10,val", "archery,aaaaaaaaaaa,0,10,val", "archery,aaaaaaaaaaa,30,40,val"]
    (tmp_path / "own.csv").write_text(HEADER + "\n".join(rows))
    data = Kinetics400(annotations=tmp_path / "own.csv")
    assert data.splits()["val"] == ("aaaaaaaaaaa",)
    assert "1 clips are annotated twice, and otherwise; the first counts" in caplog.text
    assert "line 4" in caplog.text


def test_aliases_are_renamed_classes_and_nothing_else() -> None:
    assert (len(Kinetics400.classes), len(Kinetics600.classes)) == (400, 620)
    old = [match(name, Kinetics600.classes, Kinetics600.aliases) for name in Kinetics400.classes]
    assert None not in old
    assert len(set(old)) == 400
    assert set(Kinetics600.aliases) <= set(Kinetics400.classes)
    assert [name for name in Kinetics600.aliases if match(name, Kinetics600.classes, {})] == []


# --- protocols --------------------------------------------------------------------------------------------------------


def load(name: str) -> protocols.Protocol:
    return protocols.read(Path(str(files("zsarbench_benchmarks"))) / "protocols" / f"{name}.toml")


@pytest.mark.parametrize("size", [100, 200])
@pytest.mark.parametrize("clips", ["cezsar-18035", "text4vis-19796"])
def test_random_subsets_are_drawn_as_stated(size: int, clips: str) -> None:
    protocol = load(f"kinetics400-random-{size}-{clips}")
    assert protocol.clip_list == clips
    for item in (listed.round for listed in protocol.rounds):
        drawn = np.random.RandomState(item.seed).permutation(400)[:size]
        assert list(item.candidates) == [Kinetics400.classes[index] for index in drawn]
    assert sorted(Kinetics400.classes, key=str.encode) == list(Kinetics400.classes)


@realdata
def test_real_lists_of_kinetics_400(mirror: Path) -> None:
    data = Kinetics400()
    splits, labels = data.splits(), data.manifest().set_index("clip_id")["label"]
    ost, cezsar, text4vis = (set(splits[name]) for name in ("ost-19877", "cezsar-18035", "text4vis-19796"))
    assert (len(ost), len(cezsar), len(text4vis), len(ost | cezsar | text4vis)) == (19877, 18035, 19796, 19899)
    assert (len(cezsar - text4vis), len(text4vis - ost)) == (5, 21)
    assert len(text4vis - ost - cezsar) == 3
    rows = (line.split() for line in (mirror / TEXT4VIS / "k400/kinetics_rgb_val_se320.txt").read_text().splitlines())
    assert {clip: Kinetics400.classes[int(index)] for clip, _, index in rows} == labels[list(text4vis)].to_dict()
    every = data._lists  # the three lists agree, as the notes say
    for clip in cezsar & ost:
        assert every["cezsar-18035"][clip] == every["ost-19877"][clip]
    assert all(every["ost-19877"][clip].label == every["text4vis-19796"][clip].label for clip in ost & text4vis)
    released = json.loads((mirror / CEZSAR).read_text())["testing"]
    assert len(released) == 400
    assert {match(name, Kinetics400.classes, {}) for name in released} == set(Kinetics400.classes)
    assert {text.name: len(text.texts) for text in data.class_texts("sentence")} == dict.fromkeys(
        Kinetics400.classes, 1
    )


@realdata
def test_clips_of_kinetics_400_protocols(mirror: Path) -> None:
    data = Kinetics400()
    frame, splits = data.manifest(), data.splits()
    for clips in ("cezsar-18035", "text4vis-19796"):
        (item,) = load(f"kinetics400-all-{clips}").on(data)
        assert set(protocols.round_clips(item, frame)[1]) == set(splits[clips])
        for size in (100, 200):
            protocol = load(f"kinetics400-random-{size}-{clips}")
            counts = [len(protocols.round_clips(item, frame)[1]) for item in protocol.on(data)]
            assert [item.n_clips for item in protocol.rounds] == counts
    folder = mirror / OST / "datasets_splits/base2novel_splits/k400_splits"

    def ids(name: str) -> set[str]:
        return {line.split("/")[1][:11] for line in (folder / f"{name}.txt").read_text().splitlines()}

    assert ids("base_val") | ids("novel_val") == set(splits["ost-19877"])
    for number, item in enumerate(load("kinetics400-base-to-novel").on(data), start=1):
        train, test = protocols.round_clips(item, frame)
        assert set(train) == ids(f"fs_base_s{number}_train")
        assert set(test) == ids("base_val") | ids("novel_val")
        assert set(frame[frame["clip_id"].isin(ids("novel_val"))]["label"]) == set(item.unseen)
        assert not set(train) & {clip for name, clips in splits.items() if "base" not in name for clip in clips}
        by_hash = sorted(item.seen, key=lambda seen: hashlib.sha256(seen.encode()).hexdigest())
        assert set(item.validation) == set(by_hash[:40])


@realdata
def test_classes_of_elaborative_rehearsal(mirror: Path) -> None:
    words = [entry["word"] for entry in json.loads((mirror / ER / "classes620_label_defn.json").read_text())]
    assert words[:400] == list(Kinetics400.classes)
    official = [match(word, Kinetics600.classes, Kinetics600.aliases) for word in words]
    assert set(official) == set(Kinetics600.classes)
    new = [name for name in Kinetics600.classes[:600] if match(name, Kinetics400.classes, {}) is None]
    assert len(new) == 231  # as the notes say
    assert set(new) - set(official[400:]) == set(Kinetics600.aliases.values())
    trained, validated, tested = (
        json.loads((mirror / ER / f"{x}_class_idxs.json").read_text()) for x in ("trn", "val", "tst")
    )
    for item in load("kinetics600-er-text4vis").with_official_names(Kinetics600()):
        assert list(item.seen) == [official[index] for index in trained[item.index]] == official[:400]
        assert list(item.validation) == [official[index] for index in validated[item.index]]
        assert list(item.candidates) == [official[index] for index in tested[item.index]]
        for file in (
            mirror / TEXT4VIS / f"k600/k160_labels_split{item.index + 1}.csv",
            mirror / OST / f"labels/ZS_split{item.index + 1}_K600.csv",
        ):
            with file.open() as lines:
                assert tuple(row["name"] for row in csv.DictReader(lines)) == item.candidates


@realdata
def test_clips_of_kinetics_600_protocols(mirror: Path, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(
        "label,youtube_id,time_start,time_end,split\n"
        "dying hair,aaaaaaaaaaa,0,10,train\n"
        "acting in play,bbbbbbbbbbb,0,10,train\n"  # a new class: of validation in the third split, tested in the others
    )
    data = Kinetics600(annotations=tmp_path / "train.csv")
    frame, splits = data.manifest(), Kinetics600().splits()
    assert splits["train"] == ()
    counts = {}
    for name in ("text4vis", "ost"):
        for item in load(f"kinetics600-er-{name}").on(data):
            train, test = protocols.round_clips(item, frame)
            assert set(test) == set(splits[f"{name}-s{item.index + 1}"])
            assert "acting in play" not in item.seen
            assert ("bbbbbbbbbbb" in train) == ("acting in play" in item.validation) == (item.index == 2)
            assert "aaaaaaaaaaa" in train
            counts.setdefault(name, []).append(len(test))
        assert [item.n_clips for item in load(f"kinetics600-er-{name}").rounds] == list(counts[name])
    assert counts == {"text4vis": [14119, 14067, 14161], "ost": [14084, 13978, 14136]}
    only = [
        [len(set(splits[f"{a}-s{n}"]) - set(splits[f"{b}-s{n}"])) for n in (1, 2, 3)]
        for a, b in (("text4vis", "ost"), ("ost", "text4vis"))
    ]
    assert only == [[44, 98, 29], [9, 9, 4]]
    assert set(frame["label"]) == set(Kinetics600.classes[:600]) & {
        name for i in load("kinetics600-er-ost").rounds for name in i.round.candidates
    } | {"dyeing hair"}
    assert [text.name for text in data.class_texts("sentence")] == list(Kinetics600.classes)
