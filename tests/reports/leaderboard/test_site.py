"""The leaderboard as a folder: a small page, rows and details in scripts, the same bytes from the same results."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from locations import ROOT
from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import ZsarbenchError
from zsarbench.evaluation.scores import Block, RoundScores, Scores
from zsarbench.plugins.distributions import Distribution
from zsarbench.reports.leaderboard import board, build, links, predictions, preferences, site
from zsarbench.reports.leaderboard.evidence import drawn
from zsarbench.reports.leaderboard.preferences import Notice, Preferences
from zsarbench.reports.paired import p_text, paired
from zsarbench.results.reported import ReportedRow
from zsarbench.utils.processes import Processes

HOSTILE = "</td></script><script>alert('x')</script> \"&| `` \n# [a](javascript:alert(1)) *_"
PAPER = ("A Paper, arXiv:2003.01455", "Table 3", "IMG", "owner/repo 0123abc, t.png")


def figure(method: str, protocol: str, value: float, **changed: Any) -> ReportedRow:
    row = ReportedRow(method, protocol, "top1", value, "67 seen classes", *PAPER, averaging="not stated")
    return dataclasses.replace(row, **changed)


FIGURES = [
    figure("E2E", "toy/half", 0.452, std=0.021),
    figure("CLIP", "toy/all", 0.741),
    figure("ZSECOC", "toy/unplaced", 0.226, wording="50 random halves, not released"),
    figure("TSM", "another/all", 0.4),
]


def write_samples(folder: Path) -> list[Path]:
    strong, weak = sample_scores(n_rounds=3, skill=2.0), sample_scores(n_rounds=3, skill=1.0)
    earlier = {"created": "2026-02-01T10:00:00Z"}
    samples = [
        (sample_result(strong, train_on="none"), strong),
        (sample_result(strong, train_on="none", **earlier), strong),
        (sample_result(weak, "conse", objections=("saw A & B",)), weak),
        (sample_result(weak, "nearest-text", train_on="none"), weak),
    ]
    return [results.write(result, scores, folder) for result, scores in samples]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_samples(tmp_path / "results")
    return tmp_path / "results"


def site_of(folder: Path, figures: Sequence[ReportedRow] = FIGURES, **options: Any) -> site.Site:
    found, seen = predictions.read(folder, Processes())
    notices = options["preferences"].notices if "preferences" in options else ()
    backings = {name: item.backing for name, item in seen.items()}
    whole = board.build_board(list(found.values()), figures, notices=notices, backings=backings)
    return site.Site(board=whole, found=found, seen=seen, **options)


def files_of(whole: site.Site) -> dict[str, bytes]:
    return dict(site.files(whole, Processes()))


def arguments_of(script: bytes) -> list[Any]:
    """Return what a script hands to the page."""
    match = re.fullmatch(r"zsarbench\.\w+\((.*)\);\n", script.decode(), flags=re.DOTALL)
    assert match
    return list(json.loads(f"[{match[1]}]"))


def rows_of(script: bytes) -> list[dict[str, Any]]:
    """Return the rows of a protocol's script by the heading of their column."""
    _, table = arguments_of(script)
    heads = [heading for heading, _, _ in table["columns"]]
    found = []
    for group, cells, _, notes, identity, _, _, backing, *_ in table["rows"]:
        texts = [table["strings"][number] for number in cells]
        row = dict(zip(heads, texts, strict=True)) | {"group": table["groups"][group][1]}
        row |= {"backing": table["strings"][backing]}
        found.append(row | {"id": table["strings"][identity], "notes": [table["notes"][note] for note in notes]})
    return found


class Elements(HTMLParser):
    """Collects (tag, attributes) of all elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


# --- the files --------------------------------------------------------------------------------------------------------


def test_the_same_results_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "deep"
    shutil.copytree(folder, other)
    assert files_of(site_of(folder)) == files_of(site_of(other))


def test_rows_stand_in_scripts_and_what_opens_below_them_in_scripts_of_their_own(folder: Path) -> None:
    files = files_of(site_of(folder))
    rows = rows_of(files["data/toy-half.js"])
    assert [(row["method"], row["group"].split(" · ")[0]) for row in rows] == [
        ("cezsar", "measured"), ("nearest-text", "measured"), ("conse", "measured"), ("E2E", "reported"),
    ]  # fmt: skip
    assert rows[0]["top-1/video"].startswith("75.") or float(rows[0]["top-1/video"].split()[0]) > 50
    for row in rows[:3]:
        identity, details, _ = arguments_of(files[f"data/toy-half/{row['id']}.js"])
        assert identity == row["id"]
        assert details["command"] == f"zsarbench run --method {row['method']} --protocol toy/half"
        stored = json.loads(files[details["file"]])
        assert stored["method"]["name"] == row["method"]
        assert hashlib.sha256(files[details["predictions"]]).hexdigest() == stored["predictions"]["sha256"]
        assert len(details["rounds"]["rows"]) == 3
    assert rows[3]["notes"][0][1][0] == ["arXiv:2003.01455", "https://arxiv.org/abs/2003.01455"]
    assert rows_of(files["data/toy-unplaced.js"])[0]["protocol, in the source's words"] == FIGURES[2].wording


def test_whose_code_was_measured_stands_with_the_commit(tmp_path: Path) -> None:
    scores = sample_scores(n_rounds=3, skill=2.0)
    code = Distribution("my-plugin", "1.2", ("mine", "more"), "0123456789abcdef" * 2, True)
    results.write(sample_result(scores, distributions=(code,)), scores, tmp_path)
    files = files_of(site_of(tmp_path))
    _, details, _ = arguments_of(files[f"data/toy-half/{rows_of(files['data/toy-half.js'])[0]['id']}.js"])
    assert details["distributions"] == [["mine, more", "my-plugin 1.2 (commit 0123456789ab with changes)"]]


def test_the_history_of_a_request_is_all_its_results_oldest_first(folder: Path) -> None:
    files = files_of(site_of(folder))
    row = rows_of(files["data/toy-half.js"])[0]
    _, details, _ = arguments_of(files[f"data/toy-half/{row['id']}.js"])
    assert [version[0] for version in details["history"]] == ["2026-02-01", "2026-03-01"]


def test_what_predictions_show_adds_up_to_the_figures(folder: Path) -> None:
    files = files_of(site_of(folder))
    path = next(folder.rglob("conse-*.json"))
    result = results.read(path)
    _, _, evidence = arguments_of(files[f"data/toy-half/{result.stem}.js"])
    right, scored = np.array(evidence["right"]), np.array(evidence["scored"])
    of_rounds = right.sum(axis=1) / scored.sum(axis=1)
    assert of_rounds == pytest.approx([item.metrics["top1_per_video"] for item in result.rounds], abs=1e-4)
    confused = sum(count for _, _, count in evidence["confusions"])
    assert confused == pytest.approx((scored - right).sum(), abs=0.5)
    assert evidence["unpaired"] == ""
    assert all(share > 0.5 for *_, share in evidence["wrong"])
    n = len(evidence["kept"])
    assert f"data/draws-{n}.js" in files
    assert all(sum(int(digit, 36) for digit in row) == n for row in drawn(n))


def test_ties_count_as_accuracies_break_them() -> None:
    labels = np.repeat(np.arange(12), 4).astype(np.int32)
    everything = np.arange(48, dtype=np.int32), np.arange(12, dtype=np.int32)
    block = Block(*everything, np.zeros((48, 12), dtype=np.float32))
    round_scores = RoundScores(block=0, clips=everything[0], classes=everything[1], seen=np.zeros(12, dtype=bool))
    scores = Scores(
        clip_ids=np.array([f"c{n:02}" for n in range(48)]), groups=np.array(["g"] * 48),
        class_names=np.array([f"Class{n}" for n in range(12)]), labels=labels, blocks=(block,), rounds=(round_scores,),
    )  # fmt: skip
    from zsarbench.reports.leaderboard.evidence import evidence_of

    evidence = evidence_of(sample_result(scores, "chance"), scores)
    assert np.array(evidence["right"]).sum() == pytest.approx(4, abs=0.01)
    assert evidence["confusions"] == []  # each pair of classes holds a third of a clip


def test_a_result_without_predictions_says_so(folder: Path) -> None:
    for path in folder.rglob("*.npz"):
        path.unlink()
    files = files_of(site_of(folder))
    row = rows_of(files["data/toy-half.js"])[0]
    _, details, evidence = arguments_of(files[f"data/toy-half/{row['id']}.js"])
    assert evidence is None
    assert (row["rank"], row["backing"], details["predictions"]) == ("–", "stated", "")
    assert not [name for name in files if "draws" in name]


def test_downloads_hold_the_table_and_every_round(folder: Path) -> None:
    files = files_of(site_of(folder))
    assert {row["method"] for row in json.loads(files["downloads/toy-half.json"])["rows"]} >= {"cezsar", "E2E"}
    assert rb"\toprule" in files["downloads/toy-half.tex"]
    rounds = list(csv.DictReader(files["downloads/toy-half-rounds.csv"].decode().splitlines()))
    assert len(rounds) == 9
    result = results.read(next(folder.rglob("conse-*.json")))
    own = [row for row in rounds if row["method"] == "conse"]
    assert [float(row["top1_per_video"]) for row in own] == [i.metrics["top1_per_video"] for i in result.rounds]


def test_the_overview_holds_the_best_row_of_each_method(folder: Path) -> None:
    (overview,) = arguments_of(files_of(site_of(folder))["data/overview.js"])
    by_method = dict(overview["methods"])
    names = [name for name, _, _ in overview["protocols"]]
    assert overview["protocols"][0] == ["another/all", "another", "top-1"]
    assert names == ["another/all", "toy/half", "toy/all"]
    assert [(names[place], value, kind) for place, value, kind, _ in by_method["CLIP"]] == [
        ("toy/all", "74.1", "reported")
    ]
    assert by_method["cezsar"][0][2] == "measured"


def test_a_row_that_is_not_ranked_stands_for_its_method_only_where_none_is(folder: Path) -> None:
    strong = sample_scores(n_rounds=3, skill=4.0)
    for method in ("cezsar", "limited"):  # as a run of a few clips, or a control, may have the highest figure
        results.write(sample_result(strong, method, objections=("few clips",)), strong, folder)
    (overview,) = arguments_of(files_of(site_of(folder))["data/overview.js"])
    by_method = dict(overview["methods"])
    ranked = [one for one in map(results.read, folder.rglob("cezsar-*.json")) if not one.objections]
    best = max(ranked, key=lambda one: one.created)
    [[_, value, kind, identity]] = by_method["cezsar"]
    assert (value.split()[0], kind, identity) == (
        f"{100 * best.summary['top1_per_video'].mean:.1f}", "measured", best.stem,
    )  # fmt: skip
    assert by_method["limited"][0][2] == "not ranked"


def test_results_keep_apart_and_have_safe_names_whatever_their_files_are_called(folder: Path) -> None:
    first, second = (next(folder.rglob(f"{method}-*.json")) for method in ("conse", "nearest-text"))
    for number, path in enumerate((first, second)):
        place = folder / f"run {number}"
        place.mkdir()
        path.with_suffix(".npz").rename(place / path.with_suffix(".npz").name)
        path.rename(place / "my result #1.json")
    copy = folder / "copy"
    shutil.copytree(folder / "run 0", copy)
    whole = site_of(folder)
    files = files_of(whole)
    assert all(re.fullmatch(r"[\w./-]+", name) for name in files)
    for place in ("run 0", "run 1"):
        path = folder / place / "my result #1.json"
        assert files[f"results/toy-half/{results.read(path).stem}.json"] == path.read_bytes()
    assert whole.board.n_results == 4
    _, table = arguments_of(files["data/toy-half.js"])
    assert len(table["leftOut"]) == 1


def test_preferences_decide_the_order_and_rows_without_figures(folder: Path) -> None:
    notice = Notice("MINE", ("toy/half",), "figures not verified")
    wanted = Preferences(first=("toy",), last=("another",), notices=(notice,))
    whole = site_of(folder, preferences=wanted)
    assert [item.grid.name for item in whole.protocols()] == ["toy/half", "toy/all", "toy/unplaced", "another/all"]
    rows = rows_of(files_of(whole)["data/toy-half.js"])
    assert rows[-1]["method"] == "MINE"
    assert (rows[-1]["top-1/video"], rows[-1]["notes"]) == ("not verified", [[notice.text, []]])
    (overview,) = arguments_of(files_of(whole)["data/overview.js"])
    assert dict(overview["methods"])["MINE"] == [[0, "not verified", "reported", ""]]
    assert "figures not verified" in build.markdown(whole.board)


def test_the_preferences_of_the_package_are_sound() -> None:
    read = preferences.read()
    assert read.first[:2] == ("ucf101", "kinetics400")
    assert all((ROOT / "benchmarks/protocols" / f"{name.replace('/', '-')}.toml").is_file()
               for notice in read.notices for name in notice.protocols)  # fmt: skip


def test_malformed_preferences_are_named(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text('first = "ucf101"\nsecond = []\n', encoding="utf-8")
    with pytest.raises(ZsarbenchError, match=r"file of preferences .*board.toml is not valid"):
        preferences.read(tmp_path / "board.toml")


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("Romera-Paredes and Torr, ICML 2015", []),
        ("a README, arXiv:2108.02833", ["https://arxiv.org/abs/2108.02833"]),
        ("written after the release a/b-c (MIT)", ["https://github.com/a/b-c"]),
        ("lists: a/b 0123abc, ZSL.txt", ["https://github.com/a/b/blob/0123abc/ZSL.txt"]),
        ("naver-ai/tc-clip, README.md", ["https://github.com/naver-ai/tc-clip"]),
        ("0/101 of classes, and/or more", []),
        ("paperswithcode.com/paper/x-y", ["https://paperswithcode.com/paper/x-y"]),
        ("https://example.org/a/b", ["https://example.org/a/b"]),
        ("javascript:alert(1) <a href=http://x>", []),
    ],
)
def test_citations_become_links(text: str, addresses: list[str]) -> None:
    assert [link.address for link in links.links_in(text)] == addresses


def test_protocols_whose_names_make_one_file_name_keep_apart(folder: Path) -> None:
    names = ("toy/a b", "toy/a-b", "toy/a/b")
    files = files_of(site_of(folder, [figure("A", name, 0.1) for name in names]))
    slugs = ("toy-a-b", "toy-a-b-2", "toy-a-b-3")
    assert [arguments_of(files[f"data/{slug}.js"])[0] for slug in slugs] == list(names)


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_loads_nothing_from_elsewhere_and_is_semantic(folder: Path) -> None:
    html = files_of(site_of(folder))["index.html"].decode()
    page = Elements(html)
    assert not [attributes for _, attributes in page.elements if "src" in attributes]
    assert [attributes["href"] for attributes in page.of("link")] == ["data:,"]
    assert {(attributes["href"] or "")[:1] for attributes in page.of("a")} == {"#", "d"}
    assert "@import" not in html
    assert "url(" not in html
    assert "innerHTML" not in html
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(page.of("table")) == len(page.of("caption")) == 1
    assert all(attributes.get("scope") for attributes in page.of("th"))
    assert page.of("html")[0]["lang"] == "en"
    assert page.of("main")
    (policy,) = [item for item in page.of("meta") if item.get("http-equiv")]
    assert "default-src 'none'" in (policy["content"] or "")
    assert "unsafe" not in (policy["content"] or "")


def test_the_page_stays_small_whatever_the_number_of_rows(folder: Path) -> None:
    few = files_of(site_of(folder, [figure(f"method {n}", "another/all", 0.5) for n in range(60)]))
    many = files_of(site_of(folder, [figure(f"method {n}", "another/all", 0.5) for n in range(600)]))
    assert len(many["index.html"]) - len(few["index.html"]) < 100
    assert many["index.html"].count(b'<tr class="row">') == build.PLAIN_ROWS


def hostile_folder(folder: Path) -> Path:
    scores = sample_scores()
    result = sample_result(
        scores, HOSTILE, parts={"visual": HOSTILE, "text": "minilm-l6"}, objections=(HOSTILE,),
        command=f"zsarbench run --method {HOSTILE}", train_on=HOSTILE,
    )  # fmt: skip
    named = dataclasses.replace(result.protocol, name=f"toy/{HOSTILE}", summary=HOSTILE)
    results.write(dataclasses.replace(result, protocol=named), scores, folder)
    return folder


def test_what_results_bring_ends_no_script(tmp_path: Path) -> None:
    files = files_of(site_of(hostile_folder(tmp_path), [figure(HOSTILE, "toy/all", 0.4, paper=HOSTILE)]))
    scripts = [content for name, content in files.items() if name.endswith(".js")]
    assert sum(b"alert" in content for content in scripts) > 3
    for content in scripts:
        assert b"<" not in content
        arguments_of(content)
    page = Elements(files["index.html"].decode())
    assert len(page.of("script")) == 1
    assert all(re.fullmatch(r"[\w./-]+", name) for name in files)


# --- the command ------------------------------------------------------------------------------------------------------


def build_site(out: Path, folder: Path, *words: str) -> Any:
    arguments = ["leaderboard", "build", "--out", str(out), "--results", str(folder), *words]
    return CliRunner().invoke(cli, arguments, obj={})


def test_a_build_drops_what_an_earlier_one_wrote_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    out, outside = tmp_path / "site", tmp_path / "outside.js"
    own = [
        out / name for name in ("data/mine.js", "data/toy-half/mine.js", "results/mine.json", "mine.js", "README.md")
    ]
    for path in (*own, outside):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    (out / "files.txt").write_text("data/../../outside.js\ndata/../mine.js\nmine.js\nREADME.md\n", encoding="utf-8")
    assert build_site(out, folder).exit_code == 0
    gone = [path for path in out.rglob("*conse-*") if path.is_file()]
    assert [path.relative_to(out).parts[0] for path in sorted(gone)] == ["data", "results", "results"]
    for path in folder.rglob("conse-*"):
        path.unlink()
    before = {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    assert build_site(out, folder).exit_code == 0
    after = {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    assert before - after == {path.relative_to(out) for path in gone}
    assert all(path.read_text(encoding="utf-8") == "x" for path in (*own, outside))


class Interrupted(Processes):
    """Processes that are interrupted before they give anything back."""

    def map(self, *_: object) -> Iterator[Any]:
        """Raise when the first result is requested."""
        raise KeyboardInterrupt
        yield


@pytest.mark.parametrize("torn", ["", "data/toy-half"])
def test_what_an_interrupted_build_wrote_the_next_one_drops_too(folder: Path, tmp_path: Path, torn: str) -> None:
    def files_in(place: Path) -> list[str]:
        return sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())

    out, whole = tmp_path / "site", site_of(folder)
    out.mkdir()
    (out / "files.txt").write_text("data/gone.js\n", encoding="utf-8")
    (out / "data").mkdir()
    (out / "data/gone.js").touch()
    with pytest.raises(KeyboardInterrupt):
        site.write(out, whole, Interrupted())
    assert any("conse-" in name for name in files_in(out))
    with (out / "files.txt").open("a", encoding="utf-8") as listing:
        listing.write(torn)  # as where the power fails
    for path in folder.rglob("conse-*"):
        path.unlink()
    written(site_of(folder), out)
    written(site_of(folder), tmp_path / "fresh")
    assert files_in(out) == files_in(tmp_path / "fresh")
    assert (out / "files.txt").read_bytes() == (tmp_path / "fresh/files.txt").read_bytes()


def test_several_processes_write_the_same_bytes_as_one(folder: Path, tmp_path: Path) -> None:
    with Processes(many=1) as processes:
        found, seen = predictions.read(folder, processes)
        whole = board.build_board(
            list(found.values()), FIGURES, backings={key: one.backing for key, one in seen.items()}
        )
        page = site.write(tmp_path, site.Site(board=whole, found=found, seen=seen), processes)
    by_one = files_of(site_of(folder))
    assert {name: (page.parent / name).read_bytes() for name in by_one} == by_one


def test_results_that_are_not_valid_are_named_whoever_reads_them(folder: Path, tmp_path: Path) -> None:
    broken = [tmp_path / f"{name}.json" for name in "ab"]
    for path in broken:
        path.write_text("{")
    shutil.copy(next(folder.rglob("*.json")), tmp_path / "sound.json")
    with Processes(many=1) as processes, pytest.raises(ZsarbenchError) as caught:
        predictions.read(tmp_path, processes)
    first, second = str(caught.value).splitlines()
    assert str(broken[0]) in first
    assert str(broken[1]) in second


def test_a_space_and_links_to_the_code_are_options(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    done = build_site(out, folder, "--space", "--repository", "https://github.com/owner/name")
    assert done.exit_code == 0, done.output
    assert "sdk: static" in (out / "README.md").read_text(encoding="utf-8").split("---")[1]
    assert "https://github.com/owner/name/blob/main/CONTRIBUTING.md" in (out / "index.html").read_text(encoding="utf-8")
    wrong = build_site(out, folder, "--repository", "javascript:alert(1)")
    assert "--repository 'javascript:alert(1)' is not a valid address" in str(wrong.exception)


# --- in a browser -----------------------------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browser(test: Any) -> Any:
    """Mark a test that opens the page in Chromium."""
    return pytest.mark.once(pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")(test))


def opened(address: str, profile: Path, *options: str) -> tuple[str, list[str]]:
    """Return the DOM of a page after its scripts ran, and what the console says."""
    words = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
        f"--user-data-dir={profile}", "--enable-logging=stderr", "--v=0", "--virtual-time-budget=20000", "--dump-dom",
        *options, address,
    ]  # fmt: skip
    assert CHROMIUM is not None
    done = subprocess.run([CHROMIUM, *words], capture_output=True, text=True, timeout=300, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def written(whole: site.Site, folder: Path) -> Path:
    return site.write(folder, whole, Processes())


def without_policy(html: str) -> str:
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)


def driven(page: Path, profile: Path, script: str) -> Any:
    """Return what a further script gathers in `seen`; the policy, which would not let it in, is taken off."""
    html = without_policy(page.read_text(encoding="utf-8"))
    frame = """
      const wait = () => new Promise((done) => setTimeout(done, 300));
      const all = (selector) => [...document.querySelectorAll(selector)];
      const click = async (target) => { target.click(); await wait(); };
      const enter = async (field, value) => {
        field.value = value; field.dispatchEvent(new Event("input", { bubbles: true })); await wait();
      };
      const methods = () => all("#tables tr.row > th").map((cell) => cell.querySelector(".name").textContent);
      const seen = [];
    """
    run = f"(async () => {{ {frame} await wait(); {script} document.body.dataset.seen = JSON.stringify(seen); }})();"
    page.write_text(html.replace("</body>", f"<script>{run}</script></body>"), encoding="utf-8")
    dom, console = opened(page.as_uri(), profile)
    assert console == []
    return json.loads(Elements(dom).of("body")[0]["data-seen"] or "null")


@browser
def test_the_page_opens_from_a_file_without_console_errors(folder: Path, tmp_path: Path) -> None:
    page = written(site_of(folder, preferences=Preferences(first=("toy",))), tmp_path / "site")
    identity = results.read(next(folder.rglob("conse-*.json"))).stem
    addresses = {"row": f"#p=toy%2Fhalf&row={identity}", "overview": "#view=overview"}
    opens = {name: opened(page.as_uri() + address, tmp_path / name) for name, address in addresses.items()}
    assert [console for _, console in opens.values()] == [[], []]
    row, overview = (re.sub(r"<script>.*?</script>", "", dom, flags=re.DOTALL) for dom, _ in opens.values())
    assert "cannot be shown" not in row + overview
    assert "Accuracy of the" in row
    assert "zsarbench run --method conse" in row
    assert "3 methods on" not in overview
    assert "6 methods on 3 protocols" in overview


@browser
def test_hostile_names_run_nothing_and_the_policy_stands_behind(tmp_path: Path) -> None:
    page = written(site_of(hostile_folder(tmp_path / "results"), []), tmp_path / "site")
    dom, console = opened(page.as_uri(), tmp_path / "profile")
    assert console == []
    assert "4 of" not in dom
    html = page.read_text(encoding="utf-8")
    page.write_text(html.replace("</body>", "<script>document.title = 'stranger'</script></body>"), encoding="utf-8")
    dom, console = opened(page.as_uri(), tmp_path / "profile2")
    assert "<title>stranger" not in dom
    assert any("Content Security Policy" in line for line in console)


@browser
def test_rows_are_sorted_filtered_and_searched_and_the_address_says_so(folder: Path, tmp_path: Path) -> None:
    page = written(site_of(folder, preferences=Preferences(first=("toy",))), tmp_path / "site")
    seen = driven(page, tmp_path / "profile", """
      seen.push(methods());
      const head = (name) => all("#tables thead button").find((button) => button.textContent === name);
      await click(head("method")); await click(head("method"));
      seen.push(methods(), head("method").closest("th").getAttribute("aria-sort"));
      await click(document.querySelector("[name=across]"));
      seen.push(methods(), new URLSearchParams(location.hash.slice(1)).get("sort"));
      await enter(document.querySelector("[name=kind]"), "measured");
      await enter(document.querySelector("[name=q]"), "captions text");
      seen.push(methods(), document.querySelector(".filters output").textContent);
      await enter(document.querySelector("[name=q]"), "clip");
      seen.push(document.querySelector(".hint").textContent.includes("toy/all (1)"), methods());
      await click(document.querySelector(".hint button"));
      seen.push(methods(), location.hash.includes("kind"), document.querySelector("button.more").offsetParent === null);
      await click(document.querySelector("button.mark"));
      seen.push(document.activeElement.tagName, document.querySelector(".notes a").textContent);
    """)  # fmt: skip
    assert seen == [
        ["cezsar", "nearest-text", "conse", "E2E"],
        ["nearest-text", "cezsar", "conse", "E2E"], "descending",
        ["nearest-text", "E2E", "conse", "cezsar"], "method:desc",
        ["nearest-text", "conse", "cezsar"], "3 of 4 rows",
        True, [],
        ["nearest-text", "E2E", "conse", "cezsar"], False, True,
        "LI", "arXiv:2003.01455",
    ]  # fmt: skip


@browser
def test_a_pair_has_the_numbers_of_the_command(folder: Path, tmp_path: Path) -> None:
    page = written(site_of(folder, preferences=Preferences(first=("toy",))), tmp_path / "site")
    text = driven(page, tmp_path / "profile", """
      const [first, second] = all("[data-pick]");
      await click(first); await click(second); await wait();
      seen.push(document.querySelector("#pair").textContent, all("#pair tbody tr").length);
    """)  # fmt: skip
    newest = [
        path for path in results.find(folder)
        if results.read(path).created.startswith("2026-03") and "conse" not in path.name
    ]  # fmt: skip
    base = next(path for path in newest if "nearest-text" in path.name)
    row = paired(newest, against=base).iloc[0]
    signed = [f"{100 * value:+.1f}".replace("-", "−") for value in (row["difference"], row["low"], row["high"])]
    assert f"{signed[0]} points of top-1/video" in text[0]
    assert f"[{signed[1]}, {signed[2]}]" in text[0]
    assert f"p of a paired test over classes{p_text(row['p'])}" in text[0]
    assert text[1] == 10  # classes in the rounds


WIDTHS = (390, 768, 1280)
RULES = """
  addEventListener("load", async () => {
    await new Promise((done) => setTimeout(done, 1000)); // what the address says is drawn
    const found = await axe.run();
    const broken = found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    parent.postMessage([innerWidth, dark, found.passes.length > 10, broken], "*");
  });
"""
FRAMES = """
  <!DOCTYPE html><title>One view after the other, at one width after the other</title><body><script type="module">
    const seen = [];
    for (const [width, address] of CASES) {
      const frame = Object.assign(document.createElement("iframe"), { width, height: 900, src: address });
      const message = new Promise((done) => addEventListener("message", done, { once: true }));
      document.body.replaceChildren(frame);
      seen.push((await message).data);
    }
    document.body.dataset.seen = JSON.stringify(seen);
  </script></body>
"""


@browser
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_bars_a_reader_by_the_rules_of_axe(folder: Path, tmp_path: Path, theme: str) -> None:
    page = written(site_of(folder, preferences=Preferences(first=("toy",))), tmp_path / "site")
    rows = [results.read(path).stem for path in sorted(folder.rglob("*.json"))]
    views = [
        "",
        f"p=toy%2Fhalf&row={rows[0]}",
        f"p=toy%2Fhalf&pair={rows[0]},{rows[-1]}",
        "view=overview",
        "view=submit",
    ]
    shutil.copy(str(files("axe_core_python") / "axe.min.js"), page.parent / "axe.js")
    html = without_policy(page.read_text(encoding="utf-8"))
    page.write_text(html.replace("</body>", f'<script src="axe.js"></script><script>{RULES}</script></body>'), "utf-8")
    cases = [(width, f"{page.as_uri()}#{view}") for width in WIDTHS for view in views]
    frames = tmp_path / "frames.html"
    frames.write_text(FRAMES.replace("CASES", json.dumps(cases)), encoding="utf-8")
    scheme = f"--blink-settings=preferredColorScheme={['dark', 'light'].index(theme)}"
    dom, console = opened(frames.as_uri(), tmp_path / "profile", scheme, "--window-size=1400,1000")
    assert console == []
    seen = json.loads(Elements(dom).of("body")[0]["data-seen"] or "null")
    assert seen == [[width, theme == "dark", True, []] for width in WIDTHS for _ in views]


@browser
def test_an_address_with_a_row_opens_it_and_scrolls_to_it_and_paper_has_every_row(tmp_path: Path) -> None:
    scores = sample_scores()
    for number in range(90):
        results.write(sample_result(scores, f"m{number:02}", created=f"2026-03-01T10:00:{number % 60:02}Z"), scores,
                      tmp_path / "results")  # fmt: skip
    page = written(site_of(tmp_path / "results", []), tmp_path / "site")
    ids = [row["id"] for row in rows_of((page.parent / "data/toy-half.js").read_bytes())]
    seen = driven(page, tmp_path / "profile", f"""
      const go = async (address) => {{ location.hash = address; await wait(); await wait(); }};
      const about = () => all("tr.below").map((below) => {{
        const row = below.previousSibling, {{ top, bottom }} = row.getBoundingClientRect();
        return [row.dataset.row, top >= 0 && bottom <= innerHeight, row.querySelector(".open").ariaExpanded];
      }});
      for (const id of {json.dumps([ids[85], ids[3], ids[88]])}) {{
        await go(`p=toy%2Fhalf&row=${{id}}`);
        seen.push(about());
      }}
      await go("view=overview");
      await go("p=toy%2Fhalf&row={ids[70]}");
      seen.push(about());
      scrollTo(0, 0);
      await go("p=toy%2Fhalf&row={ids[70]}&pair={ids[70]}");
      seen.push(scrollY);
      await go("view=overview");
      await go("p=toy%2Fhalf");
      seen.push(methods().length < 90);
      dispatchEvent(new Event("beforeprint"));
      seen.push(methods().length, document.querySelector("button.more").hidden);
      seen.push(all("#reading, #submit").map((section) => section.hidden));
    """)  # fmt: skip
    assert seen == [*([[ids[place], True, "true"]] for place in (85, 3, 88, 70)), 0, True, 90, True, [True, True]]


def test_a_reader_without_scripts_has_rows_explanations_and_files(folder: Path) -> None:
    html = files_of(site_of(folder))["index.html"].decode()
    assert all("hidden" not in section for section in Elements(html).of("section"))
    linked = {str(link.get("href")) for link in Elements(html).of("a")}
    assert {"downloads/toy-half.csv", "downloads/toy-half.json"} <= linked


@browser
def test_a_number_halfway_between_two_is_on_the_page_what_it_is_in_the_terminal(tmp_path: Path) -> None:
    """3 of 48 clips are 6.25 %, which Python shows as 6.2 and browsers as 6.3."""
    scores = sample_scores(skill=4.0)
    block = scores.blocks[0]
    right = np.flatnonzero(block.scores.argmax(axis=1) == scores.labels)[:3]
    less = block.scores.copy()
    less[right, scores.labels[right]] = -9.0
    worse = dataclasses.replace(scores, blocks=(dataclasses.replace(block, scores=less),))
    paths = [results.write(sample_result(one, name), one, tmp_path / "results")
             for name, one in (("better", scores), ("worse", worse))]  # fmt: skip
    assert f"{100 * paired(paths, against=paths[1]).iloc[0]['difference']:+.1f}" == "+6.2"
    page = written(site_of(tmp_path / "results", []), tmp_path / "site")
    seen = driven(page, tmp_path / "profile", """
      const [first, second] = all("[data-pick]");
      await click(first); await click(second); await wait();
      seen.push(document.querySelector("#pair .verdict").textContent);
      seen.push(document.querySelector("#pair dd").textContent);
    """)  # fmt: skip
    assert "better is 6.2 points above worse" in seen[0]
    assert seen[1] == "+6.2 points of top-1/video"


@browser
def test_a_verdict_claims_no_difference_that_the_paired_test_does_not_find(tmp_path: Path) -> None:
    """The interval of these two excludes zero, and their p is above 0.05: ranks do not separate them either."""
    names = ("nearest-text-bc6d6746-20261127T113020Z", "zsarcap-550c3362-20261127T113003Z",
             "nearest-text-3ae7cee4-20261127T112847Z", "zsarcap-c07a89ba-20261127T115842Z")  # fmt: skip
    (tmp_path / "results").mkdir()
    for file in (file for name in names for file in (ROOT / "benchmarks/results/ucf101-all").glob(f"{name}.*")):
        shutil.copy(file, tmp_path / "results")
    base = next((tmp_path / "results").glob(f"{names[3]}.json"))
    frame = paired(sorted((tmp_path / "results").glob("*.json")), against=base)
    [(_, row)] = [item for item in frame.iterrows() if item[1]["low"] > 0 and item[1]["p"] > 0.05]
    page = written(site_of(tmp_path / "results", []), tmp_path / "site")
    seen = driven(page, tmp_path / "profile", f"""
      location.hash = "pair={row["id"]},{base.stem}"; await wait(); await wait(); await wait();
      seen.push(document.querySelector("#pair .verdict").textContent);
    """)  # fmt: skip
    assert seen[0].endswith(f"but the paired test does not (p {row['p']:.3f}): the difference is not sure.")


@browser
def test_an_address_that_requests_what_is_not_there_is_answered(folder: Path, tmp_path: Path) -> None:
    page = written(site_of(folder, preferences=Preferences(first=("toy",))), tmp_path / "site")
    seen = driven(page, tmp_path / "profile", """
      const hints = () => all(".hint p").map((line) => line.textContent);
      const go = async (address) => { location.hash = address; await wait(); };
      await go("p=toy%2Fhalves");
      seen.push(hints(), methods().length);
      await go("p=toy%2Fhalf");
      seen.push(hints());
      await go("p=toy%2Fhalf&row=cezsar-0");
      seen.push(hints());
      const [first, second] = all("[data-pick]").map((box) => box.dataset.pick);
      await go(`p=toy%2Fhalf&pair=${first},cezsar-0`);
      seen.push(document.querySelector("#pair").textContent);
      await go(`p=toy%2Fhalf&pair=cezsar-0,cezsar-1`);
      seen.push(document.querySelector("#pair").textContent);
      await go(`p=toy%2Fhalf&pair=${first},${first}`);
      seen.push(document.querySelector("#pair").textContent.includes("Pick a second row"));
      await go(`p=toy%2Fhalf&pair=cezsar-0,${first},${second}`); await wait();
      seen.push(document.querySelectorAll("#pair tbody tr").length);
      await go("view=nothing");
      seen.push(document.querySelector("#protocols").hidden, methods().length);
    """)  # fmt: skip
    lost = "The table of toy/half has no row “cezsar-{}”, which is to be compared. Clear"
    assert seen == [
        ["This page has no protocol “toy/halves”; it shows toy/half."], 4,
        [],
        ["The table of toy/half has no row “cezsar-0”; a newer result may have replaced it."],
        lost.format(0), lost.format(0),
        True, 10,
        False, 4,
    ]  # fmt: skip
