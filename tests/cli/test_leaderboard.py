"""`zsarbench leaderboard`: what is built where, and what its checks print."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import Session, cli
from zsarbench.errors import UsageError
from zsarbench.plugins import load_plugins
from zsarbench.reports.leaderboard import check as checks
from zsarbench.reports.leaderboard import site
from zsarbench.reports.leaderboard.site import Site
from zsarbench.results import reported

HOST = load_plugins()


def leaderboard(*words: object) -> Result:
    return CliRunner().invoke(
        cli, ["leaderboard", *map(str, words)], obj={"session": Session((), HOST)}, catch_exceptions=False
    )


def write(out: Path, page: Site, _: object) -> str:
    """Say what page would be written."""
    return f"page in {out}: repository '{page.repository}', space {page.space}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one result, beside which no figures are reported."""
    scores = sample_scores()
    results.write(sample_result(scores, "conse"), scores, tmp_path / "results")
    monkeypatch.setattr(reported, "read_all", lambda *_: [])
    monkeypatch.setattr(site, "write", write)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def test_the_tables_of_other_results_lie_beside_the_page(folder: Path, tmp_path: Path) -> None:
    done = leaderboard("build", "--results", folder, "--out", tmp_path / "site")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"page in {tmp_path / 'site'}: repository '', space False\n")
    assert "conse" in (tmp_path / "site" / "LEADERBOARD.md").read_text(encoding="utf-8")
    words = ("--space", "--repository", "https://github.com/someone/code", "--markdown", tmp_path / "tables.md")
    done = leaderboard("build", "--results", folder, "--out", tmp_path / "space", *words)
    assert f"page in {tmp_path / 'space'}: repository 'https://github.com/someone/code', space True\n" in done.stdout
    assert (tmp_path / "tables.md").exists()
    assert not (tmp_path / "space" / "LEADERBOARD.md").exists()


def test_those_of_a_checkout_lie_in_benchmarks(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "benchmarks" / "reported").mkdir(parents=True)
    folder.rename(tmp_path / "benchmarks" / "results")
    assert leaderboard("build", "--out", tmp_path / "site").exit_code == 0
    assert (tmp_path / "benchmarks" / "LEADERBOARD.md").exists()


def test_what_cannot_be_built_is_said_first(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--repository 'http://x' is not a valid address\. Try: --repository https:"):
        leaderboard("build", "--results", folder, "--out", tmp_path / "site", "--repository", "http://x")
    with pytest.raises(UsageError, match=r"folder of results '.*none' does not exist"):
        leaderboard("build", "--results", tmp_path / "none", "--out", tmp_path / "site")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="the leaderboard"):
        leaderboard("build", "--results", folder, "--out", tmp_path / "file")
    with pytest.raises(UsageError, match=r"--results '.*file' is a file\. Try: --results "):
        leaderboard("build", "--results", tmp_path / "file", "--out", tmp_path / "site")
    assert leaderboard("build", "--results", folder).exit_code == 2
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("out", ["results", "results/site", ".", "elsewhere/../results/../."])
def test_a_page_is_not_built_into_the_results_that_it_reads(folder: Path, tmp_path: Path, out: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=r"would mix copies of results with those in .*\. Try: --out site/"):
        leaderboard("build", "--results", folder, "--out", tmp_path / out)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_check_counts_and_names_problems(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "result_problems", lambda *_: [])
    stale = leaderboard("check", "--results", folder)
    assert stale.exit_code == 1
    assert stale.stdout == "1 result, 0 reported figures: 1 problem\n"
    assert stale.stderr.startswith("error: ")
    leaderboard("build", "--results", folder, "--out", tmp_path / "site", "--markdown", tmp_path / "LEADERBOARD.md")
    sound = leaderboard("check", "--results", folder)
    assert (sound.exit_code, sound.stdout) == (0, "1 result, 0 reported figures: 0 problems\n")
    monkeypatch.setattr(checks, "result_problems", lambda *_: ["one", "two"])
    wrong = leaderboard("check", "--results", folder, "--markdown", tmp_path / "LEADERBOARD.md")
    assert (wrong.exit_code, wrong.stderr) == (1, "error: one\nerror: two\n")
    assert wrong.stdout.endswith(": 2 problems\n")


def test_the_check_says_so_where_nothing_can_be_built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "result_problems", lambda *_: [])
    (folder / "broken.json").write_text("{", encoding="utf-8")
    done = leaderboard("check", "--results", folder)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "cannot be built from these results, so it is not checked" in done.stderr


def test_results_are_sealed_and_dropped_ones_counted(folder: Path) -> None:
    sums = folder / "SHA256SUMS"
    assert leaderboard("seal", "--results", folder).stdout == (
        f"{sums}: 1 results added, 0 dropped that no longer exist\n"
    )
    next(folder.rglob("*.json")).unlink()
    assert leaderboard("seal", "--results", folder).stdout == (
        f"{sums}: 0 results added, 1 dropped that no longer exist\n"
    )
