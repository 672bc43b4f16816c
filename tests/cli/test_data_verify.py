"""`zsarbench data verify`: what is printed of an inspection, and which clips it is of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from listed import Place, clips_of
from zsarbench.cli.main import Session, cli
from zsarbench.data import inspection
from zsarbench.data.inspection import BadClip, Inspection
from zsarbench.errors import UsageError
from zsarbench.plugins import load_plugins

HOST = load_plugins()
Verify = Callable[..., Result]


@pytest.fixture
def given() -> dict[str, Any]:
    """What the inspection is given, and what it finds."""
    return {"bad": 0, "extra": 0, "others": {}}


@pytest.fixture
def verify(tmp_path: Path, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Verify:
    Place.make(tmp_path, clips_of(5)).add_protocol("two", ("archery", "golf"))

    def inspect_files(manifest: Any, root: Path | None, cache: Any, **options: Any) -> Inspection:
        given.update(options, root=root, thorough=cache.thorough)
        names = sorted(options["only"] or manifest["clip_id"])
        bad = tuple(BadClip(clip_id=name, state="missing", reason="no such file", label=None, path=f"{name}.mp4")
                    for name in names[: given["bad"]])  # fmt: skip
        extra = {f"x{number:02}.avi": "no clip of the data set" for number in range(given["extra"])}
        return Inspection(n_clips=len(names), n_with_path=len(names), bad=bad, extra=extra, others=given["others"],
                          n_probed=3, n_known=4)  # fmt: skip

    monkeypatch.setattr(inspection, "inspect_files", inspect_files)
    where = ("folder", "--data-root", f"folder={tmp_path}", "--set", f"dataset.annotations={tmp_path / 'clips.csv'}")
    return lambda *words: CliRunner().invoke(
        cli, ["data", "verify", *where, *map(str, words)], obj={"session": Session((), HOST)}, catch_exceptions=False
    )


def test_sound_clips_end_with_0(verify: Verify, given: dict[str, Any], tmp_path: Path) -> None:
    done = verify()
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[-1] == "probed 3 files; 4 were known"
    assert {"dataset: folder", "classes: 12", "clips: 60", "sound: 60", "missing: 0"} <= set(lines)
    assert not any(line.startswith(("other files", "protocol")) for line in lines)
    assert (given["root"], given["thorough"], given["only"]) == (tmp_path, False, None)


def test_workers_and_thoroughness_reach_the_inspection(verify: Verify, given: dict[str, Any]) -> None:
    verify("--workers", "3", "--thorough")
    assert (given["workers"], given["thorough"]) == (3, True)
    verify("--workers", "1")
    assert given["workers"] == 1
    assert verify("--workers", "0").exit_code == 2


def test_bad_clips_end_with_1_and_forty_of_each_kind_are_listed(verify: Verify, given: dict[str, Any]) -> None:
    given |= {"bad": 40, "extra": 41, "others": {"": 2, ".txt": 1}}
    done = verify()
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert "other files: 2 without an ending, 1 .txt" in lines
    assert sum(line.startswith("  missing ") for line in lines) == 40
    assert "  missing BrushHair/Bru0: no such file" in lines
    assert sum(line.startswith("  extra ") for line in lines) == 40
    assert [line for line in lines if " more; " in line] == ["  … 1 more; --report FILE or --json lists all"]
    content = json.loads(verify("--json").stdout)
    assert (len(content["bad"]), len(content["extra_files"]), content["missing"]) == (40, 41, 40)


def test_a_report_is_written_and_its_place_checked_first(verify: Verify, given: dict[str, Any], tmp_path: Path) -> None:
    given["bad"] = 1
    assert verify("--report", tmp_path / "report.txt", "--full-paths").exit_code == 1
    lines = (tmp_path / "report.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "dataset: folder"
    assert lines[-1].startswith("missing\t")
    assert "Invalid value for '--report'" in verify("--report", tmp_path).stderr
    with pytest.raises(UsageError, match="--report with another FILE"):
        verify("--report", tmp_path / "clips.csv" / "report.txt")


def test_the_clips_of_a_protocol_alone(verify: Verify, given: dict[str, Any], tmp_path: Path) -> None:
    lines = verify("--protocol", tmp_path / "two.toml").stdout.splitlines()
    assert {"protocol: mine/two", "clips: 10"} <= set(lines)
    assert "list scored: 10 clips, 10 present, 0 missing, 10 sound" in lines
    assert len(given["only"]) == 10
    text = (tmp_path / "two.toml").read_text().replace('dataset = "folder"', 'dataset = "hmdb51"')
    (tmp_path / "two.toml").write_text(text)
    with pytest.raises(UsageError, match="is defined on data set 'hmdb51', not 'folder'"):
        verify("--protocol", tmp_path / "two.toml")


def test_without_files_it_says_what_to_type(tmp_path: Path, given: dict[str, Any], verify: Verify) -> None:
    session = {"session": Session((), HOST)}
    with pytest.raises(UsageError, match=r"so none of its \d+ clips has a file to probe\. Try: --data-root hmdb51=DIR"):
        CliRunner().invoke(cli, ["data", "verify", "hmdb51"], obj=session, catch_exceptions=False)
    assert "workers" not in given


def test_of_official_lists_the_clips_that_a_protocol_uses_are_counted(verify: Verify, tmp_path: Path) -> None:
    rows = (tmp_path / "clips.csv").read_text().splitlines()
    chosen = ("archery/arc0.mp4", "golf/gol0.mp4", "diving/div0.mp4")
    listed = [f"{row},{'first' if row.startswith(chosen) else ''}" for row in rows[1:]]
    (tmp_path / "clips.csv").write_text("\n".join([f"{rows[0]},split", *listed]))
    text = (tmp_path / "two.toml").read_text().replace("n_clips = 10", "n_clips = 2")
    (tmp_path / "two.toml").write_text(f'{text}test_list = "first"\n')
    lines = verify("--protocol", tmp_path / "two.toml").stdout.splitlines()
    assert "list first: 2 clips, 2 present, 0 missing, 2 sound" in lines
    assert "list first: 3 clips, 3 present, 0 missing, 3 sound" in verify().stdout.splitlines()
