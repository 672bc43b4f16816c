"""The leaderboard: one page that needs nothing else, the same bytes from the same results, and a check that refuses."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from locations import ROOT
from samples import contaminated, sample_result, sample_scores
from zsarbench import plugins, results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.evaluation.declared import Declared
from zsarbench.reports.backing import remeasured_row
from zsarbench.reports.leaderboard import board, build, check, rows, site
from zsarbench.reports.leaderboard.rows import Board
from zsarbench.results import Flag
from zsarbench.results.reported import ReportedRow, read_all

HOSTILE = "</td></script><script>alert('x')</script> \"&| `` \n# [a](javascript:alert(1)) *_"


def figure(method: str, protocol: str, value: float, **changed: Any) -> ReportedRow:
    cited = ("A Paper", "Table 3", "IMG", "owner/repo t.png")
    row = ReportedRow(method, protocol, "top1", value, "67 seen classes", *cited)
    return dataclasses.replace(row, **{"averaging": "not stated", **changed})


FIGURES = [
    figure("E2E", "toy/half", 0.452, std=0.021),
    figure("AURL", "toy/all", 0.443),
    figure("AURL", "toy/all", 0.436, averaging=None, metric="top1_per_class"),
    figure("CLIP", "toy/all", 0.741),
    figure("ZSECOC", "toy/unplaced", 0.226, wording="50 random halves, not released"),
    figure("ZSECOC", "toy/unplaced", 0.231, wording="50 random halves, not released"),
]


def write_samples(folder: Path) -> list[Path]:
    """Write results with spread, seeds, unread clips, an objection and the generalised setting."""
    several, weak = sample_scores(n_rounds=3, n_seeds=2, skill=2.0), sample_scores(n_rounds=3, skill=1.0)
    unread = sample_scores(n_rounds=3, skill=1.0, unread=[3])
    gzsl = sample_scores(skill=1.5, setting="gzsl")
    later = {"created": "2026-03-02T11:00:00Z"}
    samples = [
        (sample_result(several, seeds=(0, 1)), several),
        (sample_result(unread, "conse", objections=("saw A & B",), **later), unread),
        (sample_result(weak, "nearest-text", train_on="none"), weak),
        (sample_result(gzsl, "eszsl", setting="gzsl", protocol="toy/gzsl"), gzsl),
    ]
    return [results.write(result, scores, folder) for result, scores in samples]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_samples(tmp_path / "results")
    return tmp_path / "results"


def board_of(folder: Path, **options: Any) -> Board:
    return board.build_board(list(build.read_results(folder).values()), FIGURES, **options)


def zsarbench(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [*map(str, words)], obj={})


class Elements(HTMLParser):
    """Collects (tag, attributes) of all elements and the text of the whole."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_measured_and_reported_rows_are_distinguished_in_one_table(folder: Path) -> None:
    section = next(item for item in board_of(folder).measured if item.name == "toy/half")
    assert [group.heading for group in section.groups] == [
        "measured · trained on nothing · class text sentence",
        "measured · trained on seen · class text sentence",
        "reported · trained on 67 seen classes",
    ]
    cezsar, conse = section.groups[1].rows
    summary = results.read(next(folder.rglob("cezsar-*.json"))).summary["top1_per_video"]
    assert cezsar.values[0] == f"{100 * summary.mean:.1f} ± {100 * summary.std:.1f}"
    assert cezsar.interval == "[{:.1f}, {:.1f}]".format(*(100 * value for value in summary.ci95))
    assert ("deviation over training seeds", f"{100 * summary.seed_std:.1f} (top-1/video)") in cezsar.facts
    assert (cezsar.scored, cezsar.date) == ("96/96", "2026-03-01")
    assert cezsar.about == f"captions / minilm-l6 · 2 training seeds ± {100 * summary.seed_std:.1f}"
    assert cezsar.command == "zsarbench run --method cezsar --protocol toy/half"
    assert (conse.ranked, conse.scored, conse.date) == (False, "93/96", "2026-03-02")
    assert conse.notes == ("not ranked: saw A & B",)
    (reported,) = section.groups[2].rows
    assert (reported.kind, reported.ranked, reported.values[0]) == ("reported", False, "45.2 ± 2.1")
    assert reported.notes[0].startswith("A Paper, Table 3, read in an image")
    assert "averaging not stated there" in reported.notes


def test_rounds_that_repeat_others_are_distinguished_from_distinct_ones(folder: Path) -> None:
    whole = list(build.read_results(folder).values())
    repeated = [
        dataclasses.replace(
            result,
            rounds=tuple(
                dataclasses.replace(item, duplicate_of=0 if item.round == 2 else None) for item in result.rounds
            ),
        )
        for result in whole
    ]
    for measured, rounds in ((whole, "3 rounds"), (repeated, "3 rounds, 2 distinct")):
        section = next(item for item in board.build_board(measured, FIGURES).measured if item.name == "toy/half")
        assert f" · {rounds} · " in section.about
        assert ("rounds", rounds) in section.groups[1].rows[0].facts


def test_bars_lie_on_the_scale_of_their_table(folder: Path) -> None:
    section = next(item for item in board_of(folder).measured if item.name == "toy/half")
    highest = results.read(next(folder.rglob("cezsar-*.json"))).summary["top1_per_video"].ci95[1]
    assert section.scale == 80
    assert highest < 0.8
    for row in section.rows:
        assert row.bar is not None
        drawn = [row.bar.low, row.bar.value, row.bar.high]
        known = [place for place in drawn if place is not None]
        assert known == sorted(known)
        assert 4 <= known[0] <= known[-1] <= 116
    bar = section.groups[1].rows[0].bar
    assert bar is not None
    assert bar.high == pytest.approx(4 + 112 * highest / 0.8, abs=0.06)


@pytest.mark.parametrize("metric", ["top1_per_video", "top1_per_video_novel"])
def test_a_figure_that_does_not_state_its_average_has_a_bar_on_the_scale(metric: str) -> None:
    known = {f"{metric}_ci_low": 0.2, f"{metric}_ci_high": 0.3, f"{metric}_chance": 0.1}
    measured = {metric: 0.25, metric.replace("_per_video", ""): math.nan, **known}
    reported = {metric: math.nan, metric.replace("_per_video", ""): 0.75, **dict.fromkeys(known, math.nan)}
    assert rows.scale_of([measured, reported], metric) == 80
    assert rows.bar_of(reported, metric, 80) == rows.Bar(value=4 + 112 * 0.75 / 0.8, low=None, high=None, chance=None)


def test_protocols_with_reported_figures_alone_and_unplaced_ones_stand_apart(folder: Path) -> None:
    whole = board_of(folder, summaries={"toy/all": "All classes."})
    (section,) = whole.reported
    assert (section.name, section.summary, section.measured) == ("toy/all", "All classes.", False)
    assert section.metrics == ("top-1/class", "top-1")
    assert [(row.method, row.values) for row in section.rows] == [("AURL", ("43.6", "44.3")), ("CLIP", ("–", "74.1"))]
    ((dataset, rows),) = whole.unplaced
    assert dataset == "toy"
    assert [row.figures for row in rows] == ["top-1 22.6", "top-1 23.1"]  # the second does not replace the first
    assert {row.wording for row in rows} == {"50 random halves, not released"}
    text = build.markdown(whole)
    placed = text.split("Figures without an exact list")[0]
    assert "ZSECOC" not in placed
    assert text.count("50 random halves, not released") == 2


def test_every_reported_figure_of_the_package_is_on_the_page() -> None:
    rows = read_all()
    whole = board.build_board([], rows)
    shown = sum(value != "–" for section in whole.reported for row in section.rows for value in row.values)
    unplaced = sum(row.figures.count(";") + 1 for _, of_dataset in whole.unplaced for row in of_dataset)
    assert shown + unplaced == len(rows) == whole.n_figures


def test_contaminated_classes_are_counted_in_a_column(tmp_path: Path) -> None:
    scores = sample_scores()
    clean = sample_result(scores, "clean")
    unsure = sample_result(scores, "unsure")
    audit = contaminated(unsure, scores, ["Class1", "Class2"]).contamination
    assert audit is not None
    audit = dataclasses.replace(audit, unknown=(Declared("visual", "clip-vit"), Declared("text", "clip")))
    unsure = dataclasses.replace(unsure, contamination=audit)
    silent = dataclasses.replace(sample_result(scores, "silent"), contamination=None)
    (section,) = board.build_board([clean, unsure, silent], []).measured
    assert section.extra == ("contaminated classes",)
    assert {row.method: row.extra[0] for row in section.rows} == {"clean": "0/12", "unsure": "≥ 2/12", "silent": "–"}


def test_columns_of_plugins_are_shown(folder: Path) -> None:
    whole = board_of(
        folder, extra_columns=lambda result: {"contamination": f"3 of {result.rounds[0].n_classes} classes"}
    )
    for output in (site.page(whole), build.markdown(whole)):
        assert "contamination" in output
        assert "3 of 8 classes" in output


def test_the_generalised_setting_has_its_own_columns(folder: Path) -> None:
    section = next(item for item in board_of(folder).measured if item.name == "toy/gzsl")
    assert section.metrics == ("H/class", "seen/class", "unseen/class", "AUSUC")


# --- the files --------------------------------------------------------------------------------------------------------


def test_the_same_results_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "deep"
    for path in sorted(folder.rglob("*.json"), reverse=True):  # other folder, other order on the disk, other times
        place = other / path.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / path.name)
    first, second = board_of(folder), board_of(other)
    assert site.page(first) == site.page(second)
    assert build.markdown(first) == build.markdown(second)
    backwards = board.build_board(list(reversed(build.read_results(folder).values())), FIGURES)
    assert site.page(first) == site.page(backwards)


def hostile_results(folder: Path) -> None:
    scores = sample_scores()
    result = sample_result(
        scores,
        HOSTILE,
        parts={"visual": HOSTILE, "text": "minilm-l6"},
        protocol="toy/half",
        objections=(HOSTILE,),
        flags=(Flag.parse(HOSTILE),),
        command=f"zsarbench run --method {HOSTILE}",
        train_on=HOSTILE,
    )
    named = dataclasses.replace(result.protocol, name=f"toy/{HOSTILE}", summary=HOSTILE)
    results.write(dataclasses.replace(result, protocol=named), scores, folder)


def test_what_results_and_papers_bring_is_escaped(tmp_path: Path) -> None:
    hostile_results(tmp_path)
    rows = [
        figure(HOSTILE, "toy/all", 0.4, paper=HOSTILE, notes=HOSTILE, train=HOSTILE),
        figure(HOSTILE, "toy/unplaced", 0.4, wording=HOSTILE),
    ]
    whole = board.build_board(
        list(build.read_results(tmp_path).values()),
        rows,
        summaries={"toy/all": HOSTILE},
        extra_columns=lambda _: {HOSTILE: HOSTILE},
    )
    page = Elements(site.page(whole))
    assert len(page.of("script")) == 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not [attributes for attributes in page.of("a") if "script:" in (attributes["href"] or "")]
    assert page.text.count(HOSTILE) > 5
    text = build.markdown(whole)
    outside = re.sub(r"^(`{3,})bash\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "alert" in outside
    assert not re.search(r"(?<!\\)<", outside)
    assert not re.search(r"(?<!\\)\]\(", outside)
    assert text.count("```") > outside.count("```")
    table = [line for line in text.splitlines() if line.startswith("|")]
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in table]
    assert all(  # a bar in a name makes no further column
        wide == before for line, before, wide in zip(table[1:], widths, widths[1:], strict=False) if "alert" in line
    )


def test_one_unsound_result_stops_the_build_and_is_named(folder: Path) -> None:
    path = next(folder.rglob("conse-*.json"))
    content = json.loads(path.read_text())
    content["summary"]["top1_per_video"]["mean"] += 0.1
    path.write_text(json.dumps(content))
    with pytest.raises(ZsarbenchError, match=rf"{path.name} is not valid:\n.*summary of top1_per_video: mean is"):
        build.read_results(folder)


def test_reported_figures_on_no_registered_protocol_are_named() -> None:
    assert check.reported_problems(FIGURES, {"toy/half"}) == [
        "reported figures are on 'toy/all', which is not a registered protocol"
    ]


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture
def real_folder(tmp_path: Path) -> Path:
    """Return a folder with one of the committed results, which agrees with its protocol."""
    target = tmp_path / "real" / "results" / "ucf101-truze-v1"
    target.mkdir(parents=True)
    for file in (ROOT / "benchmarks/results/ucf101-truze-v1").glob("cezsar-*"):
        shutil.copy(file, target)
    return target.parent


def test_build_writes_both_files_and_check_passes_then_finds_the_file_stale(real_folder: Path, tmp_path: Path) -> None:
    markdown = real_folder.parent / "LEADERBOARD.md"
    done = zsarbench(
        "leaderboard", "build", "--out", tmp_path / "site", "--results", real_folder, "--markdown", markdown
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.split() == [str(tmp_path / "site" / "index.html"), str(markdown)]
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "ucf101/truze-v1" in page
    assert "CLASTER" in page  # a reported row of the package
    done = zsarbench("leaderboard", "check", "--results", real_folder)
    assert (done.exit_code, done.stderr) == (0, "")
    markdown.write_text(markdown.read_text(encoding="utf-8").replace("cezsar", "mine"), encoding="utf-8")
    done = zsarbench("leaderboard", "check", "--results", real_folder)
    assert done.exit_code == 1
    again = f"zsarbench leaderboard build --out site/ --results {real_folder} --markdown {markdown}"
    assert f"{markdown} is stale. Try: {again}" in done.stderr
    markdown.unlink()
    assert f"{markdown} does not exist" in zsarbench("leaderboard", "check", "--results", real_folder).stderr


def test_check_names_an_unsound_result_and_a_stale_protocol(real_folder: Path) -> None:
    path = next(real_folder.rglob("*.json"))
    sound = path.read_text(encoding="utf-8")
    content = json.loads(sound)
    content["protocol"]["hash"] = "e" * 64
    path.write_text(json.dumps(content), encoding="utf-8")
    done = zsarbench("leaderboard", "check", "--results", real_folder)
    assert done.exit_code == 1
    assert f"{path}: its ucf101/truze-v1 (version 1, hash eeeeeeee) is no longer the registered one" in done.stderr
    path.write_text(sound[:-20], encoding="utf-8")
    done = zsarbench("leaderboard", "check", "--results", real_folder)
    assert done.exit_code == 1
    assert f"{path} is not valid JSON, perhaps cut short" in done.stderr
    assert "so it is not checked" in done.stderr


def test_build_keeps_the_markdown_of_other_results_in_its_own_folder(folder: Path, tmp_path: Path) -> None:
    done = zsarbench("leaderboard", "build", "--out", tmp_path / "site", "--results", folder)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "site" / "LEADERBOARD.md").is_file()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    done = zsarbench("leaderboard", "build", "--out", tmp_path, "--results", tmp_path / "none")
    assert isinstance(done.exception, UsageError)
    assert "folder of results" in str(done.exception)


@pytest.mark.once
def test_the_committed_leaderboard_can_be_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = zsarbench("leaderboard", "check")
    assert done.exit_code == 0, done.stderr


# --- the cheap rows ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def remeasure() -> ModuleType:
    pytest.importorskip("torch", reason="torch and what stands on it is not installed")
    spec = importlib.util.spec_from_file_location("remeasure", ROOT / ".ci" / "remeasure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_that_is_no_longer_true_is_found(remeasure: ModuleType, folder: Path) -> None:
    valid, _ = results.read_all(folder)
    old = remeasured_row(valid.values(), "toy/half", "nearest-text")
    assert old.method.name == "nearest-text"
    assert remeasured_row(valid.values(), "toy/half", "chance") is None
    assert remeasure.differences(old, old, 0.0) == []
    moved = dataclasses.replace(old.summary["top1_per_video"], mean=old.summary["top1_per_video"].mean + 0.02)
    new = dataclasses.replace(old, summary={**old.summary, "top1_per_video": moved})
    assert remeasure.differences(old, new, 0.03) == []
    assert remeasure.differences(old, new, 0.01) == [
        f"top1_per_video is {moved.mean:.4f}, not {old.summary['top1_per_video'].mean:.4f}"
    ]
    assert "spec 00000000" in remeasure.differences(old, dataclasses.replace(old, spec_id="00000000"), 1.0)[0]


def test_the_cheap_rows_name_what_exists(remeasure: ModuleType, folder: Path, capsys: Any) -> None:
    assert remeasure.main([str(folder)]) == 1  # none of them is among the samples
    registry = plugins.load_plugins().registry
    lines = capsys.readouterr().out.splitlines()
    assert lines
    for line in lines:
        method, protocol = re.match(r"(\S+) on (\S+): no result is committed", line).groups()
        assert registry.get("method", method)
        assert registry.get("protocol", protocol)
