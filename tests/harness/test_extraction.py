from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from zsarbench import hookimpl
from zsarbench.cli.main import main
from zsarbench.errors import UsageError, UsageErrors
from zsarbench.features import FeatureStore
from zsarbench.features.extraction.plan import Share
from zsarbench.harness.extraction import device_of, share_of
from zsarbench.harness.resolve import resolve_extraction
from zsarbench.harness.spec import ExtractionRequest
from zsarbench.plugins import Host, load_plugins, loading
from zsarbench.testing.videos import write_video

N_CLIPS = 150  # three shards


class Toys:
    """A plugin with a small visual part, one that reads through a text part, and that text part."""

    @hookimpl
    def zsarbench_register(self, registry: Any) -> None:
        registry.add("visual", "tiny", "zsarbench.testing.videos:TinyEncoder", summary="A small encoder.")
        registry.add("visual", "captions", "zsarbench_encoders.captions:Captions", summary="Captions.")
        registry.add("text", "toy", "zsarbench.testing.toys:ToyText", summary="Toy text.")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    pytest.importorskip("zsarbench_datasets")
    real = loading.entry_points()
    found = {"toys": Toys, "datasets": real["datasets"]}
    monkeypatch.setattr(loading, "entry_points", lambda: found)
    return load_plugins()


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    video = write_video(root / "one.mp4", 15).read_bytes()
    for number in range(N_CLIPS):
        path = root / f"class{number % 3}" / f"{number:03}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(video)
    (root / "class0" / "003.mp4").write_bytes(b"broken")
    (root / "one.mp4").unlink()
    return root


def protocol_file(folder: Path) -> Path:
    path = folder / "mine.toml"
    path.write_text(
        'name = "mine/two"\nversion = 1\ndataset = "folder"\nsummary = "Two classes."\nsource = "none"\n'
        'setting = "zsl"\nclass_text = "name"\n[options.visual.tiny]\nmax_steps = 1\n'
        '[[rounds]]\nseed = 0\nseen = []\ncandidates = ["class0", "class1"]\n'
    )
    return path


def output_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    with pytest.raises(SystemExit) as end:
        main(["features", *arguments])
    out, err = capsys.readouterr()
    assert end.value.code == code, err
    return json.loads(out) if "--json" in arguments else out + err


def extract(root: Path, *more: str) -> list[str]:
    return ["extract", "--visual", "tiny", "--data-root", f"folder={root}", "--threads", "1", "--json", *more]


def stored_rows(cache: Path) -> tuple[tuple[str, ...], torch.Tensor]:
    (stored,) = FeatureStore(cache / "features").sets()
    ids = tuple(sorted(stored.stored_ids()))
    return ids, stored.clips(ids).rows(range(len(ids))).values


@pytest.mark.usefixtures("host")
def test_three_processes_and_a_merge_make_what_one_makes(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = extract(root, "--dataset", "folder")
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path / "one"))
    done = output_of(capsys, *whole)
    assert (done["clips"], done["made"], done["already_stored"], done["left_to_others"]) == (150, 149, 0, 0)
    assert list(done["failed"]) == ["class0/003"]
    caches = [tmp_path / name for name in ("shared", "shared", "elsewhere")]
    for number, cache in enumerate(caches):
        monkeypatch.setenv("ZSARBENCH_CACHE", str(cache))
        done = output_of(capsys, *whole, "--shard", f"{number}/3")
        assert done["made"] in (63, 64, 22)
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path / "shared"))
    for copied in (1, 0):
        (merged,) = output_of(capsys, "merge", str(tmp_path / "elsewhere"), "--json")
        assert (merged["copied"], merged["clips"], merged["failures"]) == (copied, 149, 1)
    assert output_of(capsys, *whole)["made"] == 0
    ids, rows = stored_rows(tmp_path / "shared")
    there, expected = stored_rows(tmp_path / "one")
    assert ids == there
    assert torch.equal(rows, expected)
    assert "sound" in output_of(capsys, "verify")


@pytest.mark.usefixtures("host")
def test_a_protocol_names_its_clips_and_the_options_of_its_parts(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = output_of(capsys, *extract(root, "--protocol", str(protocol_file(tmp_path))))
    assert (done["clips"], done["made"]) == (100, 99)
    (info,) = output_of(capsys, "info", "--json")
    assert info["key"]["part"]["options"]["max_steps"] == 1
    out = output_of(capsys, "extract", "--visual", "tiny", "--data-root", f"folder={root}", "--threads", "1",
               "--protocol", str(protocol_file(tmp_path)))  # fmt: skip
    assert "100 clips, 99 already stored, 0 computed, 0 failed" in out


@pytest.mark.usefixtures("host")
def test_strict_stops_with_exit_code_1(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["features", *extract(root, "--dataset", "folder", "--strict")])
    assert end.value.code == 1
    assert "1 clips cannot be used, e.g. 'class0/003'" in capsys.readouterr().err


@pytest.mark.usefixtures("host")
def test_garbage_is_listed_and_removed_only_with_yes(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZSARBENCH_CACHE", str(tmp_path))
    output_of(capsys, *extract(root, "--dataset", "folder"))
    assert "nothing to remove" in output_of(capsys, "gc")
    orphan = next(tmp_path.rglob("shards")) / "0123.safetensors"
    orphan.write_bytes(b"of a killed run")
    os.utime(orphan, (1, 1))
    assert "1 files, 0.0 MB removable\nnothing was removed; --yes removes it" in output_of(capsys, "gc")
    (item,) = output_of(capsys, "gc", "--json")
    assert (item["files"], item["bytes"], item["removed"]) == (1, 15, False)
    assert orphan.exists()
    assert "1 files, 0.0 MB removed" in output_of(capsys, "gc", "--yes")
    assert not orphan.exists()
    assert "the whole set" in output_of(capsys, "gc", "--unused-days", "0", "--yes")
    assert "nothing is stored" in output_of(capsys, "info")
    output_of(capsys, "gc", "no-such-set", code=2)


def test_every_mistake_of_a_request_is_reported_at_once(host: Host) -> None:
    def problems(visual: str, **options: Any) -> str:
        with pytest.raises(UsageError) as error:
            resolve_extraction(ExtractionRequest(visual=visual, **options), host.registry)
        return "\n".join(error.value.problems) if isinstance(error.value, UsageErrors) else str(error.value)

    assert "of a data set or of a protocol" in problems("tiny")
    assert "of a data set or of a protocol" in problems("tiny", dataset="folder", protocol="mine/two")
    found = problems("tinny", dataset="foldr", executor="locl", dtype="float64", settings=["loss.margin=1"])
    for part in ("did you mean 'folder'", "did you mean 'tiny'", "did you mean 'local'", "unknown dtype 'float64'",
                 "extraction has no loss part for --set loss.margin"):  # fmt: skip
        assert part in found
    assert "visual 'tiny' has no text part; leave out --text" in problems("tiny", dataset="folder", text="toy")
    assert "reads through a text part; name one" in problems("captions", dataset="folder")
    assert "max_stepz" in problems("tiny", dataset="folder", settings=["visual.max_stepz=3"])
    assert "nowhere" in problems("tiny", dataset="folder", settings=["executor.nowhere=3"])
    request = ExtractionRequest(dataset="folder", visual="captions", text="toy")
    assert resolve_extraction(request, host.registry).parts["text"].name == "toy"


@pytest.mark.parametrize("text", ["3/3", "x/3", "1", "1/0", "-1/2", ""])
def test_a_part_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not i/n with i from 0 to n - 1"):
        share_of(text)


def test_auto_asks_the_variables_of_torchrun_and_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="finds neither RANK and WORLD_SIZE nor SLURM_PROCID and SLURM_NTASKS"):
        share_of("auto")
    monkeypatch.setenv("SLURM_PROCID", "5")
    monkeypatch.setenv("SLURM_NTASKS", "8")
    assert share_of("auto") == Share(5, 8)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert share_of("auto") == Share(0, 2)
    assert device_of("auto", Share(0, 2)) in ("auto", "cuda:0")
    assert device_of("cpu", Share(0, 2)) == "cpu"
