from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from zsarbench.cli.main import main
from zsarbench.data import inspection
from zsarbench.data.probe_cache import ProbeCache
from zsarbench.data.video.probe import Probe
from zsarbench.errors import ZsarbenchError
from zsarbench.testing.videos import write_video
from zsarbench.utils.progress import LogProgress
from zsarbench_datasets.folder import Folder

SOUND = ("a", "b")


def manifest_of(**clips: tuple[Path | None, float | None, float | None]) -> pd.DataFrame:
    rows = [(name, "x", path and str(path), start, end, name) for name, (path, start, end) in clips.items()]
    return pd.DataFrame(rows, columns=["clip_id", "label", "path", "start", "end", "group"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes, a sound clip in each, one that is cut off, one that is empty and one of noise."""
    root = tmp_path / "videos"
    for label, name in (("x", "a"), ("y", "b")):
        (root / label).mkdir(parents=True)
        write_video(root / label / f"{name}.mp4", 30)
    write_video(root / "x" / "cut.mkv", 100, options={"g": "10"})
    with (root / "x" / "cut.mkv").open("r+b") as file:
        file.truncate((root / "x" / "cut.mkv").stat().st_size // 2)
    (root / "y" / "empty.mp4").touch()
    (root / "y" / "noise.mp4").write_bytes(bytes(range(256)) * 30)
    return root


def inspected(
    root: Path, manifest: pd.DataFrame | None = None, *, thorough: bool = False, **options: Any
) -> inspection.Inspection:
    files = {path.stem: (path, None, None) for path in sorted(root.rglob("*.m*"))}
    manifest = manifest_of(**files, gone=(root / "x" / "gone.mp4", None, None)) if manifest is None else manifest
    cache = ProbeCache(root.parent / "cache" / "files.jsonl", thorough=thorough)
    return inspection.inspect_files(manifest, root, cache, **{"workers": 2, "progress": LogProgress(), **options})


def test_missing_unreadable_truncated_and_extra_are_distinguished(root: Path) -> None:
    write_video(root / "stranger.avi", 5, codec="mpeg4")
    found = inspected(root)
    bad = {clip.clip_id: (clip.state, clip.reason) for clip in found.bad}
    assert bad["gone"] == ("missing", "missing file")
    assert bad["empty"] == ("unreadable", "empty file")
    assert bad["noise"][0] == "unreadable"
    assert bad["cut"][0] == "truncated"
    assert "truncated" in bad["cut"][1]
    assert not set(SOUND) & set(bad)
    assert found.extra == {str(root / "stranger.avi"): "no clip of the data set"}
    assert found.counts() == {
        "clips": 6, "with_path": 6, "sound": 2, "missing": 1, "unreadable": 2, "truncated": 1, "damaged": 0, "extra": 1,
    }  # fmt: skip


def test_only_files_that_changed_are_probed_again(root: Path) -> None:
    first = inspected(root)
    assert (first.n_probed, first.n_known) == (5, 0)
    again = inspected(root, workers=1)
    assert (again.n_probed, again.n_known) == (0, 5)
    assert again.bad == first.bad
    write_video(root / "y" / "empty.mp4", 10)
    mended = inspected(root)
    assert (mended.n_probed, mended.n_known) == (1, 4)
    assert "empty" not in {clip.clip_id for clip in mended.bad}


def test_spans_are_judged_by_the_length_of_their_file_which_is_probed_once(root: Path) -> None:
    path = root / "x" / "a.mp4"  # three seconds
    found = inspected(
        root,
        manifest_of(
            within=(path, 0.5, 2.5), to_the_end=(path, 1.0, 3.05), beyond=(path, 1.0, 5.0), after=(path, 7.0, 9.0),
            nowhere=(None, None, None),
        ),
    )  # fmt: skip
    assert {clip.clip_id: (clip.state, clip.reason) for clip in found.bad} == {
        "beyond": ("truncated", "truncated: 3.00 s of 5.00 s"),
        "after": ("unreadable", "ends at 3.00 s, before the clip's start at 7.00 s"),
        "nowhere": ("missing", "no file is named"),
    }
    assert found.n_probed == 1


def test_a_damaged_cache_is_created_again(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = inspected(root)
    (root.parent / "cache" / "files.jsonl").write_bytes(b"these are no probes\n" * 100)
    again = inspected(root)
    assert (again.bad, again.n_probed) == (first.bad, 5)
    assert "100 lines of" in caplog.text
    assert "are damaged" in caplog.text
    assert inspected(root).n_known == 5


def test_where_the_cache_cannot_be_written_probes_are_not_kept(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root.parent / "cache").write_text("a file where a folder is needed")
    found = inspected(root)
    assert found.n_probed == 5
    assert "probes of files are not kept" in caplog.text


def test_files_that_kill_their_process_are_reported_and_tried_again(root: Path) -> None:
    found = inspected(root, probe=time.sleep)  # an error in a process that is given a path for seconds kills it
    bad = {clip.clip_id: clip.reason for clip in found.bad}
    assert bad["a"].startswith("its probing process died 2 times")
    again = inspected(root)
    assert again.n_known == 0
    assert "a" not in {clip.clip_id for clip in again.bad}


def test_only_a_thorough_inspection_finds_damage_inside(root: Path) -> None:
    path = root / "x" / "a.mp4"
    write_video(path, 100, options={"movflags": "faststart"})  # what is in the file comes first, the frames last
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 8 // 10] + b"\xff" * (len(content) - len(content) * 8 // 10))
    rows = manifest_of(inside=(path, None, None), sound=(root / "y" / "b.mp4", None, None))
    assert inspected(root, rows).bad == ()
    (bad,) = inspected(root, rows, thorough=True).bad
    assert (bad.clip_id, bad.state) == ("inside", "damaged")
    assert inspected(root, rows, thorough=True).n_probed == 0
    assert inspected(root, rows).n_probed == 0  # a thorough probe counts for any


def test_a_killed_inspection_continues_where_it_was(root: Path) -> None:
    for number in range(40):
        write_video(root / "x" / f"more{number}.mp4", 3)
    script = (
        "import sys, time, pandas as pd; from pathlib import Path\n"
        "from zsarbench.data import inspection; from zsarbench.data.probe_cache import ProbeCache\n"
        "root = Path(sys.argv[1])\n"
        "class Slow:\n"
        "    def task(self, *a): return self\n"
        "    def __enter__(self): return self\n"
        "    def __exit__(self, *a): pass\n"
        "    def advance(self, n=1, note=''): print('one', flush=True); time.sleep(0.05)\n"
        "rows = [(p.stem, 'x', str(p), None, None, p.stem) for p in sorted(root.rglob('*.m*'))]\n"
        "frame = pd.DataFrame(rows, columns=['clip_id', 'label', 'path', 'start', 'end', 'group'])\n"
        "cache = ProbeCache(root.parent / 'cache' / 'files.jsonl')\n"
        "inspection.inspect_files(frame, root, cache, workers=2, progress=Slow())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(20):
        assert process.stdout.readline() == "one\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    files = {path.stem: (path, None, None) for path in sorted(root.rglob("*.m*"))}
    found = inspected(root, manifest_of(**files))
    assert found.n_known >= 20
    assert found.n_known + found.n_probed == 45
    assert {clip.clip_id for clip in found.bad} == {"cut", "empty", "noise"}


def test_the_report_has_no_absolute_path_unless_requested(root: Path) -> None:
    write_video(root / "stranger.avi", 5, codec="mpeg4")
    found = inspected(root)
    head = ["dataset: made", "revision: r1"]
    text = inspection.report(found, head, root)
    assert str(root) not in text
    above, rows = text.split("\n\n")
    assert above.splitlines()[:2] == head
    assert above.splitlines()[2].startswith("decoder: ")
    lines = [line.split("\t") for line in rows.splitlines()]
    assert lines[0] == ["state", "clip", "label", "file", "reason"]
    assert ["missing", "gone", "x", "x/gone.mp4", "missing file"] in lines
    assert ["extra", "", "", "stranger.avi", "no clip of the data set"] in lines
    assert str(root / "x" / "gone.mp4") in inspection.report(found, head, root, absolute=True)
    assert "\tgone.mp4\t" in inspection.report(found, head, None)


def test_the_command_line_writes_json_and_a_report_and_sets_its_exit_code(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("zsarbench_datasets")
    command = ["data", "verify", "folder", "--data-root", f"folder={root}", "--workers", "2"]
    report = tmp_path / "report.txt"
    with pytest.raises(SystemExit) as end:
        main([*command, "--json", "--report", str(report)])
    assert end.value.code == 1
    content = json.loads(capsys.readouterr().out)
    assert (content["dataset"], content["clips"], content["sound"]) == ("folder", 5, 2)
    assert {clip["clip_id"]: clip["state"] for clip in content["bad"]}["y/empty"] == "unreadable"
    above = report.read_text().split("\n\n")[0]
    assert f"dataset: folder\nrevision: {content['revision']}\n" in above
    assert "sound: 2\nmissing: 0\nunreadable: 2\ntruncated: 1\ndamaged: 0\nextra: 0\n" in above
    with pytest.raises(SystemExit):
        main(command)
    assert "probed 0 files; 5 were known" in capsys.readouterr().out
    for name in ("x/cut.mkv", "y/empty.mp4", "y/noise.mp4"):
        (root / name).unlink()
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 0
    (tmp_path / "no").write_text("a file")
    with pytest.raises(SystemExit) as end:
        main([*command, "--report", str(tmp_path / "no" / "folder.txt")])
    assert end.value.code == 2
    assert "cannot be written" in capsys.readouterr().err


PROTOCOL = """
name = "mine/two"
version = 1
dataset = "folder"
summary = "Two classes of three."
source = "made"
setting = "zsl"
[[rounds]]
seen = ["z"]
candidates = ["x", "y"]
{lists}
"""


def verified(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> tuple[str, str]:
    with pytest.raises(SystemExit) as end:
        main(["data", "verify", *arguments])
    out, err = capsys.readouterr()
    assert end.value.code == code, err
    return out, err


def test_only_the_clips_of_a_protocol_are_probed_and_counted_by_list(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["clip,label,split", "x/a.mp4,x,test", "y/b.mp4,y,test", "x/cut.mkv,x,more", "y/gone.mp4,y,more"]
    rows += ["y/empty.mp4,y,train", "y/noise.mp4,z,train"]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    command = ["folder", "--data-root", f"folder={root}", "--set", f"dataset.annotations={tmp_path / 'clips.csv'}"]
    whole = json.loads(verified(capsys, *command, "--json", code=1)[0])
    assert (whole["clips"], whole["sound"], whole["extra"]) == (6, 2, 0)
    assert whole["lists"] == {
        "more": {"clips": 2, "present": 1, "missing": 1, "sound": 0},
        "test": {"clips": 2, "present": 2, "missing": 0, "sound": 2},
        "train": {"clips": 2, "present": 2, "missing": 0, "sound": 0},
    }
    protocol = tmp_path / "mine.toml"
    protocol.write_text(PROTOCOL.format(lists='test_list = "test"'))
    command += ["--protocol", str(protocol)]
    out, _ = verified(capsys, *command, "--report", str(tmp_path / "report.txt"), code=1)  # what is learnt from is bad
    assert "clips: 3\n" in out
    for line in (
        "scored: 2 clips, 2 present, 0 missing, 2 sound",
        "learnt from: 1 clips, 1 present, 0 missing, 0 sound",
        "test: 2 clips, 2 present, 0 missing, 2 sound",
    ):
        assert f"\nlist {line}\n" in out
        assert f"\nlist {line}\n" in (tmp_path / "report.txt").read_text()
    assert "\nprotocol: mine/two\n" in out
    assert "unreadable y/noise" in out
    protocol.write_text(PROTOCOL.replace('["z"]', "[]").format(lists='test_list = "test"'))
    content = json.loads(verified(capsys, *command, "--json", code=0)[0])
    assert (content["clips"], content["sound"], content["extra"]) == (2, 2, 0)  # other clips' files are not extra
    assert content["lists"]["learnt from"]["clips"] == 0
    _, err = verified(capsys, "hmdb51", "--protocol", str(protocol), code=2)
    assert "is defined on data set 'folder', not 'hmdb51'. Try: zsarbench data verify folder --protocol" in err


def test_without_a_folder_it_says_what_to_type(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Folder, "manifest", lambda self: manifest_of(a=(None, None, None)).assign(label=None))
    _, err = verified(capsys, "folder", code=2)
    assert "no folder of data set 'folder' was given, so none of its 1 clips has a file to probe" in err
    assert "Try: --data-root folder=DIR" in err


def test_unavailable_lists_cost_only_the_counts(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def splits(self: Folder) -> None:
        raise ZsarbenchError("the list is nowhere")

    monkeypatch.setattr(Folder, "splits", splits)
    out, err = verified(capsys, "folder", "--data-root", f"folder={root}", code=1)
    assert "clips: 5\n" in out
    assert "warning: clips are not counted by the lists of folder: the list is nowhere" in err


def test_probes_are_kept_one_by_one(tmp_path: Path) -> None:
    cache = ProbeCache(tmp_path / "files.jsonl")
    written = cache.write([("/a", (1, 2), Probe()), ("/b", (3, 4), Probe(problem="empty file"))])
    next(written)
    assert cache.read({"/a": (1, 2)}) == {"/a": Probe()}
    assert cache.read({"/a": (1, 3)}) == {}


@pytest.mark.parametrize("near", ["a (1).mp4", "A.mp4", "a_000100_000110.mp4", "a-copy.avi"])
def test_what_is_near_a_missing_clip_is_named(tmp_path: Path, near: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / near).touch()
    (tmp_path / "x" / "ab.mp4").touch()
    found = inspected(
        tmp_path, manifest_of(a=(tmp_path / "x" / "a.mp4", None, None), c=(tmp_path / "c.mp4", None, None))
    )
    reasons = {clip.clip_id: clip.reason for clip in found.bad}
    assert reasons == {"a": f"missing file; near it is x/{near}", "c": "missing file"}


def test_what_is_not_a_clip_is_reported_with_its_reason(root: Path) -> None:
    (root / "x" / "._a.mp4").touch()
    (root / ".git").mkdir()
    (root / "x" / "all").symlink_to("..")
    (root / "x" / "notes.txt").touch()
    found = inspected(root, manifest_of(a=(root / "x" / "a.mp4", None, None)))
    reasons = {Path(path).relative_to(root).as_posix(): reason for path, reason in found.extra.items()}
    assert reasons["x/._a.mp4"] == reasons[".git"] == "hidden, or kept by a system for itself"
    assert reasons["x/all"].startswith("a link to ")
    assert reasons["y/b.mp4"] == "no clip of the data set"
    assert found.others == {".txt": 1}


def test_names_that_are_not_utf8_are_probed_kept_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = os.fsencode(tmp_path) + b"/v\xff/x"
    os.makedirs(folder)
    shutil.copy(write_video(tmp_path / "one.mp4", 5), folder + b"/bad\xe9.mp4")
    open(folder + b"/empty\xe9.mp4", "wb").close()
    command = ["folder", "--data-root", "folder=" + os.fsdecode(folder[:-2]), "--workers", "1"]
    report = tmp_path / "report.txt"
    content = json.loads(verified(capsys, *command, "--json", "--report", str(report), code=1)[0])
    assert [(clip["clip_id"], clip["reason"]) for clip in content["bad"]] == [("x/empty\\xe9", "empty file")]
    assert content["bad"][0]["path"] == f"{tmp_path}/v\\xff/x/empty\\xe9.mp4"
    assert "\tx/empty\\xe9.mp4\tempty file\n" in report.read_text(encoding="utf-8")
    assert "probed 0 files; 2 were known" in verified(capsys, *command, code=1)[0]


def test_no_flipped_or_missing_byte_changes_a_kept_probe(tmp_path: Path) -> None:
    cache, path = ProbeCache(tmp_path / "files.jsonl"), tmp_path / "files.jsonl"
    probes = {"/a": Probe(seconds=3.0), "/b": Probe(problem="empty file")}
    states = {"/a": (1, 2), "/b": (3, 4)}
    list(cache.write((name, states[name], probe) for name, probe in probes.items()))
    sound = path.read_bytes()
    for place in range(len(sound)):
        for content in (sound[:place], sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :]):
            path.write_bytes(content)
            assert cache.read(states).items() <= probes.items()
    path.write_bytes(sound[:-5])
    list(cache.write([("/c", (5, 6), Probe())]))
    assert cache.read({**states, "/c": (5, 6)}) == {"/a": probes["/a"], "/c": Probe()}
