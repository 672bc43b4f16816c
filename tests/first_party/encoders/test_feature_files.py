"""Feature files: the release's layout is read as it is, and every unsound file is named with its reason."""

from __future__ import annotations

import json
import os
import pickle
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from locations import ROOT
from zsarbench import results
from zsarbench.cli.main import main
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.features import FeatureStore
from zsarbench.features.extraction.plan import EncoderPart, Extraction, LocalExecutor, ensure
from zsarbench.interfaces import Clips, ClipSource, Parts
from zsarbench.plugins import load_plugins
from zsarbench.plugins.parts import PartSpec
from zsarbench.utils.progress import LogProgress
from zsarbench_encoders.feature_files import FeatureFiles

DIM = 3


def rows(n: int, first: float = 0) -> np.ndarray:
    """Return (n, 3): row t is t in every column."""
    return np.repeat(np.arange(first, first + n, dtype=np.float32)[:, None], DIM, 1)


def read(folder: Path, *sources: ClipSource, **options) -> tuple[list[list[float]], dict[str, str]]:
    """Return the first column of each clip's rows, and the reasons."""
    encoder = FeatureFiles(folder=folder, dim=DIM, **options)
    steps = encoder.encode(Clips(tuple(source.clip_id for source in sources), sources=sources))
    assert steps.values.dtype == torch.float32
    assert not steps.values[~steps.mask].any()
    return [value[kept][:, 0].tolist() for value, kept in zip(steps.values, steps.mask, strict=True)], dict(
        steps.reasons
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_whole_files_of_any_float_and_folder(tmp_path: Path, dtype: str) -> None:
    (tmp_path / "ucf101").mkdir()
    np.save(tmp_path / "ucf101" / "v_a.npy", rows(4).astype(dtype))
    np.save(tmp_path / "v_b.npy", np.asfortranarray(rows(9)))
    assert read(tmp_path, ClipSource("v_b"), ClipSource("v_a"), max_steps=5) == ([[0, 1, 2, 3, 4], [0, 1, 2, 3]], {})


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0.0, 3.0, [0, 1, 2]),
        (1.2, 3.9, [2, 3]),
        (2.3, 2.6, [2]),  # between two rows: the one on show
        (None, 2.0, [0, 1]),
        (6.0, None, [6, 7]),
        (6.5, 99.0, [7]),
        (7.9, 8.0, [7]),
        (8.6, 8.9, [7]),  # the file holds whole seconds, the video goes on to 8.9 s
    ],
)
def test_a_segment_is_cut_out_of_its_video(tmp_path: Path, start, end, expected) -> None:
    np.save(tmp_path / "v_a.npy", rows(8))
    assert read(tmp_path, ClipSource("v_a#x", None, start, end, video="v_a"))[0] == [expected]


def test_rows_may_be_denser(tmp_path: Path) -> None:
    np.save(tmp_path / "v_a.npy", rows(8))
    assert read(tmp_path, ClipSource("s", None, 1.0, 2.5, video="v_a"), frames_per_second=2.0)[0] == [[2, 3, 4]]


def test_a_file_of_the_segment_itself_is_taken_whole(tmp_path: Path) -> None:
    np.save(tmp_path / "v_a.npy", rows(8))
    np.save(tmp_path / "v_a#4-6.npy", rows(2, first=70))
    assert read(tmp_path, ClipSource("v_a#4-6", None, 4.0, 6.0, video="v_a"))[0] == [[70, 71]]


def test_every_unsound_file_has_its_reason(tmp_path: Path) -> None:
    np.save(tmp_path / "good.npy", rows(2))
    np.save(tmp_path / "nan.npy", np.full((2, DIM), np.nan, np.float32))
    np.save(tmp_path / "wide.npy", np.zeros((2, 5), np.float32))
    np.save(tmp_path / "turned.npy", np.zeros((DIM, 2), np.float32))
    np.save(tmp_path / "cube.npy", np.zeros((1, 2, DIM), np.float32))
    np.save(tmp_path / "ints.npy", np.zeros((2, DIM), np.int64))
    np.save(tmp_path / "none.npy", rows(0))
    np.save(tmp_path / "short.npy", rows(2))
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "empty.npy").touch()
    whole = (tmp_path / "good.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-4])
    names = ["good", "nan", "wide", "turned", "cube", "ints", "none", "text", "empty", "cut", "gone"]
    found, reasons = read(tmp_path, *map(ClipSource, names), ClipSource("late", None, 5.0, 6.0, video="short"))
    assert found == [[0, 1]] + [[]] * 11
    for name, words in {
        "nan": "its file holds values that are not finite",
        "wide": "its file has shape (2, 5), not (T, 3)",
        "turned": "its file has shape (3, 2), not (T, 3); its rows are columns",
        "cube": "its file has shape (1, 2, 3), neither (T, D) nor (D,)",
        "ints": "its file holds int64, not one of float16, bfloat16, float32, float64",
        "none": "its file has no row",
        "text": "its file cannot be read: it has no header of an array",
        "empty": "its file cannot be read: it has no header of an array",
        "cut": "its file cannot be read: it has 148 bytes, but states an array of 24",
        "gone": "no feature file of it is in",
        "late": "it starts after the end of its video's file",
    }.items():
        assert words in reasons[name]


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    np.save(tmp_path / "a.npy", np.array([[Bomb()]], dtype=object), allow_pickle=True)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Bomb()))
    np.save(tmp_path / "c.npy", rows(1))
    _, reasons = read(tmp_path, ClipSource("a"), ClipSource("b"))
    assert "holds object" in reasons["a"]
    assert "it has no header of an array" in reasons["b"]
    assert not (tmp_path / "exploded").exists()


def test_a_folder_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        FeatureFiles(folder=tmp_path / "gone")
    with pytest.raises(UsageError, match=r"no feature file \(\.npy, .*\) is in"):
        FeatureFiles(folder=tmp_path)
    np.save(tmp_path / "v_a.npy", rows(2))
    with pytest.raises(UsageError, match=r"rows of 3 features, not 4096. Try: --set visual\.dim=3"):
        FeatureFiles(folder=tmp_path)
    (tmp_path / "more").mkdir()
    np.save(tmp_path / "more" / "v_a.npy", rows(2))
    with pytest.raises(UsageError, match=r"Try: --set visual\.folder=FOLDER"):
        FeatureFiles().encode(Clips(("a",), sources=(ClipSource("a"),)))
    with pytest.raises(ValueError, match="sources of the clips"):
        FeatureFiles(folder=tmp_path / "more", dim=DIM).encode(Clips(("a",)))


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    def fingerprint() -> str:
        return FeatureFiles(folder=tmp_path, dim=DIM).fingerprint["files_sha256"]

    np.save(tmp_path / "a.npy", rows(2))
    seen = [fingerprint(), fingerprint()]
    np.save(tmp_path / "a.npy", rows(2, first=1))
    seen.append(fingerprint())
    np.save(tmp_path / "b.npy", rows(2))
    seen.append(fingerprint())
    assert len(set(seen)) == 3
    assert seen[0] == seen[1]


def test_the_store_takes_the_files_in_with_the_reasons(tmp_path: Path) -> None:
    """Imported once, features are read from the store; a file that appears is taken in by the next run."""
    folder = tmp_path / "features"
    folder.mkdir()
    np.save(folder / "v_a.npy", rows(6))
    target = load_plugins().registry.get("visual", "feature-files").target

    def stored():
        options = {"folder": folder, "dim": DIM, "frames_per_second": 1.0, "max_steps": 4, "classifier": None,
                   "weights": None}  # fmt: skip
        part = PartSpec("visual", "feature-files", target, "encoders", options)
        sources = [ClipSource("v_a#1-3", None, 1.0, 3.0, video="v_a"), ClipSource("v_b")]
        encoder = EncoderPart(part, FeatureFiles(**options))
        extraction = Extraction(dataset="toy", revision="1", sources=sources, encoder=encoder, executor=LocalExecutor())
        return ensure(extraction, FeatureStore(tmp_path / "store"), LogProgress())

    clips = stored()
    assert clips.rows([0]).values[0, :, 0].tolist() == [1, 2]
    assert set(clips.failures) == {"v_b"}
    assert "no feature file of it is in" in clips.failures["v_b"]
    np.save(folder / "v_b.npy", rows(6))
    assert stored().rows([1]).values[0, :, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.weights
def test_the_classifier_of_the_encoder_that_made_the_features_reads_them(tmp_path: Path) -> None:
    from zsarbench_encoders.visual import EfficientNetLite0

    features = torch.randn(3, 1280, generator=torch.Generator().manual_seed(0)).numpy()
    np.save(tmp_path / "v_a.npy", features)
    plain = FeatureFiles(folder=tmp_path, dim=1280)
    assert plain.labels is None
    with pytest.raises(UsageError, match=r"--set visual\.classifier="):
        plain.classify(torch.from_numpy(features))
    named = FeatureFiles(folder=tmp_path, dim=1280, classifier="efficientnet-lite0")
    encoder = EfficientNetLite0()
    assert named.labels == encoder.labels
    assert torch.equal(named.classify(torch.from_numpy(features)), encoder.classify(torch.from_numpy(features)))
    with pytest.raises(UsageError, match="reads 1280 features, the files hold 3"):
        FeatureFiles(dim=DIM, classifier="efficientnet-lite0").classify(torch.zeros(1, DIM))


def test_a_classifier_that_cannot_be_loaded_is_reported_before_anything_is_extracted(tmp_path: Path) -> None:
    from zsarbench_cezsar.method import Cezsar

    (tmp_path / "weights.safetensors").write_bytes(b"no weights")
    np.save(tmp_path / "v_a.npy", rows(2))
    encoder = FeatureFiles(
        folder=tmp_path, dim=DIM, classifier="bit-m-r152x2", weights=str(tmp_path / "weights.safetensors")
    )
    with pytest.raises(ZsarbenchError, match=r"weights\.safetensors cannot be read"):
        Cezsar().check_parts(Parts(visual=encoder))


# --- the paper's setting, as the README of CEZSAR types it ---

README = ROOT / "plugins" / "zsarbench_cezsar" / "README.md"
SKETCH = ("raise ball", "lower ball")


def readme_commands() -> list[list[str]]:
    text = README.read_text(encoding="utf-8").replace("\\\n", " ")
    return [shlex.split(line, comments=True)[1:] for line in text.splitlines() if line.startswith("zsarbench ")]


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the commands name: train.json, features, and a protocol over drawn clips."""
    features = tmp_path / "features"
    features.mkdir()
    rng = np.random.default_rng(0)
    entries = {}
    for number in range(8):
        video = f"v_{number:011d}"
        np.save(features / f"{video}.npy", rng.random((30, 1280), dtype=np.float32))
        sentences = [f"a person number {number} walks {what}" for what in ("home", "away")]
        entries[video] = {"duration": 30, "timestamps": [[0, 20], [5, 30]], "sentences": sentences}
    (tmp_path / "train.json").write_text(json.dumps(entries), encoding="utf-8")
    clips = [f"{name.replace(' ', '-')}-{number:05d}" for name in SKETCH for number in range(2)]
    for clip in clips:
        np.save(features / f"{clip}.npy", rng.random((5, 1280), dtype=np.float32))
    lines = [
        'name = "sketch/few"', "version = 1", 'dataset = "sketch"', 'setting = "zsl"', 'class_text = "sentence"',
        'summary = "Few."', 'source = "This."', "[[rounds]]",
        f"candidates = {json.dumps(SKETCH)}", f"test_clips = {json.dumps(sorted(clips))}",
    ]  # fmt: skip
    (tmp_path / "few.toml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(words: list[str], *more: str) -> None:
    """Run a command of the README with the files of the test in place of the user's."""
    from zsarbench.cli.main import main

    mine = {"ucf101/half-e2e": "few.toml", "visual.classifier=bit-m-r152x2": "visual.classifier=efficientnet-lite0"}
    with pytest.raises(SystemExit) as done:
        main([*(mine.get(word, word) for word in words), "--set", "visual.dim=1280", "--threads", "1", *more])
    assert done.value.code == 0


@pytest.mark.weights
@pytest.mark.usefixtures("drawn_sketch")
def test_a_run_reads_the_import_of_the_readme_and_its_result_names_the_colour_order(
    setting: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def taken_in() -> list[str]:
        return [line for line in capsys.readouterr().err.splitlines() if line.endswith("clips to compute")]

    (imported,) = [words for words in readme_commands() if words[:2] == ["features", "extract"]]
    (run,) = [words for words in readme_commands() if words[0] == "run" and "feature-files" in words]
    typed(imported, "--set", "dataset.lists=train")
    assert taken_in() == ["features of activitynet-captions by feature-files: 16 of 16 clips to compute"]
    small = (
        "method.d_model=8", "method.feedforward=8", "method.max_epochs=1", "train_dataset.lists=train",
        "dataset.clips_per_class=2",
    )  # fmt: skip
    sets = [word for option in small for word in ("--set", option)]
    typed(run, *sets, "--text", "hashed-words", "--negatives", "uniform", "--out", "results")
    assert taken_in() == ["features of sketch by feature-files: 4 of 4 clips to compute"]
    (path,) = setting.glob("results/**/*.json")
    result = results.read(path)
    assert "colour_order=bgr: as the release departs, see the README of zsarbench_cezsar" in map(str, result.flags)
    assert not any(str(flag).startswith("pairing:") for flag in result.flags)  # no segment is longer than 240 s


# --- folders of files ---


def saved(folder: Path, **files: float) -> Path:
    """Write a file of two rows for each name; the first row shows the number."""
    for name, first in files.items():
        path = folder / f"{name.replace('__', '/')}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, rows(2, first))
    return folder


def test_files_in_class_folders_are_matched_by_their_path(tmp_path: Path) -> None:
    saved(tmp_path, level0__a1=10, level1__a1=20, level1__b=30)
    found = read(tmp_path, ClipSource("level0/a1"), ClipSource("level1/a1"), ClipSource("level1/b"))
    assert found == ([[10, 11], [20, 21], [30, 31]], {})


@pytest.mark.parametrize(
    ("file", "clip"),
    [
        ("a1", "archery/a1"),  # kept flat
        ("archery__a1", "a1"),  # kept in class folders, ids without
        ("i3d__train__archery__a1", "archery/a1"),  # below further folders
    ],
)
def test_the_longer_path_ends_with_the_shorter(tmp_path: Path, file: str, clip: str) -> None:
    assert read(saved(tmp_path, **{file: 5}), ClipSource(clip)) == ([[5, 6]], {})


def test_a_file_in_another_class_s_folder_is_not_the_clip(tmp_path: Path) -> None:
    _, reasons = read(saved(tmp_path, archery__a1=1), ClipSource("bowling/a1"))
    assert "no feature file of it is in" in reasons["bowling/a1"]


def test_a_clip_that_may_be_several_files_names_them(tmp_path: Path) -> None:
    found, reasons = read(saved(tmp_path, x__v_a=1, y__v_a=2, v_b=3), ClipSource("v_a"), ClipSource("v_b"))
    assert found == [[], [3, 4]]
    assert reasons == {"v_a": "several feature files can be it: x/v_a.npy, y/v_a.npy"}
    assert read(saved(tmp_path, v_a=7), ClipSource("v_a"))[0] == [[7, 8]]  # its own path comes first


def test_a_file_that_may_be_two_clips_is_refused(tmp_path: Path) -> None:
    encoder = FeatureFiles(folder=saved(tmp_path, a1=1), dim=DIM)
    encoder.check_sources([ClipSource("x/a1"), ClipSource("x/b")])
    with pytest.raises(
        UsageError, match=r"a1\.npy can be of 'x/a1' and of 'y/a1'\. Try: y/a1\.npy, named as the clips are"
    ):
        encoder.check_sources([ClipSource("x/a1"), ClipSource("y/a1")])
    spans = [ClipSource(f"a1#{n}", None, n, n + 1.0, video="a1") for n in range(2)]
    encoder.check_sources(spans)  # of one video


def test_a_file_of_other_times_is_not_the_clip(tmp_path: Path) -> None:
    saved(tmp_path, abcdefghijk_000036_000046=1, bcdefghijkl_000100_000110=2)
    sources = [ClipSource(f"{name}", video=f"{name}_000036_000046") for name in ("abcdefghijk", "bcdefghijkl")]
    found, reasons = read(tmp_path, *sources)
    assert found == [[1, 2], []]
    assert set(reasons) == {"bcdefghijkl"}


def test_hidden_files_are_not_features_and_odd_names_are_read(tmp_path: Path) -> None:
    saved(tmp_path, x__a=1)
    (tmp_path / "x" / "._a.npy").write_bytes(b"what a system keeps next to a file")
    (tmp_path / "x" / "all").symlink_to("..")
    os.rename(saved(tmp_path, bad=5) / "bad.npy", os.fsencode(tmp_path) + b"/x/bad\xe9.npy")
    assert read(tmp_path, ClipSource("x/a"), ClipSource("x/bad\\xe9")) == ([[1, 2], [5, 6]], {})


def test_extraction_of_a_folder_of_class_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing that matches is a failure of the command, not eight lines and success."""
    for name in ("level 0/a1", "level 1/a1"):
        (tmp_path / "v" / name).parent.mkdir(parents=True)
        (tmp_path / "v" / f"{name}.mp4").touch()
    command = ["features", "extract", "--dataset", "folder", "--data-root", f"folder={tmp_path / 'v'}", "--visual",
               "feature-files", "--set", f"visual.dim={DIM}", "--set", f"visual.folder={tmp_path / 'f'}"]  # fmt: skip
    saved(tmp_path / "f", **{"level 0__b1": 1})
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert "none of 2 clips has a feature file in" in error
    assert "where for example level 0/b1.npy is. Try: level 0/a1.npy" in error
    saved(tmp_path / "f", **{"level 0__a1": 1, "level 1__a1": 2})
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 0
    assert "2 clips, 0 already stored, 2 computed, 0 failed" in capsys.readouterr().out


def test_an_extraction_that_reads_nothing_at_all_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "v" / "x").mkdir(parents=True)
    (tmp_path / "v" / "x" / "a.mp4").touch()
    np.save(saved(tmp_path / "f", other=1) / "a.npy", np.full((2, DIM), np.nan, np.float32))
    with pytest.raises(SystemExit) as end:
        main(["features", "extract", "--dataset", "folder", "--data-root", f"folder={tmp_path / 'v'}", "--visual",
              "feature-files", "--set", f"visual.dim={DIM}", "--set", f"visual.folder={tmp_path / 'f'}"])  # fmt: skip
    assert end.value.code == 1
    assert "x/a: its file holds values that are not finite" in capsys.readouterr().out
