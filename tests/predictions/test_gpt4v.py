"""GPT-4V's published predictions: the committed rows are a plain count's, and copies of the file are accounted for."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from listed import findings
from locations import ROOT
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.plugins import load_plugins
from zsarbench.predictions.files import read
from zsarbench.predictions.layouts import Reading
from zsarbench.predictions.matching import Classes, clip_names, matched
from zsarbench.predictions.target import target_of
from zsarbench.results import RunResult

pytestmark = pytest.mark.realdata
RELEASE = "whwu95/GPT4Vis/a401556c2f71f7a98770dc41caee4c0f02f93485"


def released(mirror: Path, name: str) -> Any:
    return json.loads((mirror / RELEASE / name).read_text(encoding="utf-8"))


def committed(protocol: str) -> RunResult:
    [path] = (ROOT / "benchmarks" / "results" / protocol.replace("/", "-")).glob("GPT-4V-*.json")
    return results.read(path)


@pytest.mark.parametrize(
    ("protocol", "file", "truth", "n_clips", "readme"),
    [
        ("ucf101/official-1", "ucf_8frame", "ucf_gt", 3783, None),
        ("kinetics400/all-text4vis-19796", "k400", "k400_gt", 19796, 0.588),
    ],
)
def test_the_committed_rows_are_what_a_plain_count_gives(
    protocol: str, file: str, truth: str, n_clips: int, readme: float | None, mirror: Path
) -> None:
    predicted, true = (
        released(mirror, name) for name in (f"GPT4V_ZS_Results/{file}.json", f"annotations/{truth}.json")
    )
    row = committed(protocol)
    for k, metric in ((1, "top1_per_video"), (5, "top5_per_video")):
        right = sum(true[clip] in dict.fromkeys(labels[:k]) for clip, labels in predicted.items())
        assert row.summary[metric].mean == right / n_clips
        assert row.method.record["clips_in_file"][metric] == right / len(predicted)
    assert row.rounds[0].n_expected == n_clips
    assert findings(row)["missing"] == n_clips - len(predicted)
    if readme is not None:
        assert round(row.method.record["clips_in_file"]["top1_per_video"], 3) == readme  # it counts the clips it has


def test_a_committed_row_can_be_trusted_as_far_as_its_files_show(mirror: Path) -> None:
    place = ROOT / "benchmarks" / "results" / "ucf101-official-1"
    done = CliRunner().invoke(cli, ["result", "validate", str(place)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "1 results: 0 refused" in done.stdout
    assert "unchecked" not in done.output


def test_copies_of_the_file_give_the_accounted_counts(mirror: Path, tmp_path: Path) -> None:
    lists = released(mirror, "GPT4V_ZS_Results/ucf_8frame.json")
    rows = [{"clip": clip, "labels": names} for clip, names in lists.items()][:500]
    lacking = 3783 - len(rows)
    shuffled = random.Random(0).sample(rows, len(rows))
    renamed = [row | {"clip": f"/data/UCF-101/{row['clip']}.avi"} for row in rows[:-5]]
    renamed += [row | {"clip": f"{row['clip']}_copy"} for row in rows[-5:]]
    copies = {
        "original": (rows, {"missing": lacking}),
        "shuffled": (shuffled, {"missing": lacking}),
        "duplicated": (rows + shuffled, {"missing": lacking, "repeated": len(rows)}),
        "cut": (rows[100:], {"missing": lacking + 100}),
        "renamed": (renamed, {"missing": lacking + 5, "unknown": 5}),
    }
    target = target_of(load_plugins().registry, "ucf101/official-1")
    classes, clips = Classes(target.dataset.classes, target.dataset.aliases), clip_names(target.manifest)
    found = {}
    for name, (lines, expected) in copies.items():
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        found[name] = matched(read(path, Reading({})).predictions, target.labels, target.candidates, clips, classes)
        counts = {kind: item.count for kind, item in found[name].account.findings.items()}
        assert {kind: count for kind, count in counts.items() if kind != "repeated-labels"} == expected, name
        assert found[name].account.n_rows == len(lines)
    for name in ("shuffled", "duplicated"):
        np.testing.assert_array_equal(found[name].scores, found["original"].scores)
