"""What the pages show is run as it stands, in order.

A mark before each block says what becomes of it:

- `<!-- file:NAME -->`: a file that later blocks read.
- `<!-- run -->`: commands of zsarbench that run in every run of the tests, in an empty folder with the committed
  `benchmarks` in it; `<!-- output -->` may follow, with what they print.
- `<!-- run realdata -->`: the same, where ZSARBENCH_MIRROR holds the files that the page's mark `realdata` names.
- `<!-- run apart: WHY -->`: commands that take minutes, download or install. `pytest -m apart` on this file gives all
  blocks of such a page to one bash, in a copy of the repository, as the workflow `documentation` does every week.
- `<!-- not run: WHY -->`: what needs weights of a hub, videos or a day. `test_readme.py` looks whether its commands,
  options and names exist, as it does for all blocks.

README.md has three of its own: `run` installs, so that it runs apart; `tests` is what `.ci/run` runs, and
`plugin` what `tests/cli/test_plugin.py` installs.

Marks that stand anywhere say what a reader of the page has:

- `<!-- videos: PATH PATH -->`: small videos, `videos/PATH.mp4`.
- `<!-- as in: PAGE -->`: the videos and files of another page.
- `<!-- realdata: NAME = OWNER/REPOSITORY/COMMIT/PATH -->`: a file of a public repository.
- `<!-- made: NAME NAME -->`: what `tests/helpers/stand_ins.py` makes.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import reader
import stand_ins
from click.testing import CliRunner

from locations import ROOT
from zsarbench.cli.main import Session, cli
from zsarbench.plugins import load_plugins

FOUND = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")]
PAGES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in FOUND}
BLOCK = re.compile(r"(?P<mark>[^\n]*)\n *```(?P<language>\w+)\n(?P<body>.*?)\n *```", re.DOTALL)
OUTPUT = re.compile(r"\s*<!-- output -->\n```text\n(.*?)```", re.DOTALL)
FILE, RUN, REALDATA, APART, NOT = "file", "run", "run realdata", "run apart", "not run"
OF_README = {"README.md": ("tests", "plugin")}


class Block(NamedTuple):
    """A block of a page; mark: the mark before it up to a colon, detail: what follows that."""

    mark: str
    detail: str
    body: str
    output: str | None


def blocks(page: str) -> Iterator[Block]:
    """Yield the blocks of a page, but for what commands print."""
    for found in BLOCK.finditer(PAGES[page]):
        if found["language"] != "text" or "<!-- file:" in found["mark"]:
            mark, _, detail = found["mark"].strip().removeprefix("<!-- ").removesuffix(" -->").partition(":")
            output = OUTPUT.match(PAGES[page], found.end())
            yield Block(mark, detail.strip(), found["body"], output and output[1])


def with_mark(mark: str, *, but: Collection[str] = ()) -> list[str]:
    """Return the pages that have a block with this mark."""
    return sorted(page for page in PAGES if page not in but and any(block.mark == mark for block in blocks(page)))


def said(page: str, mark: str) -> list[str]:
    """Return what the marks of this name on a page say."""
    return re.findall(rf"^<!-- {mark}: (.*) -->$", PAGES[page], re.MULTILINE)


@contextlib.contextmanager
def what_a_reader_has(page: str, *, realdata: bool) -> Iterator[stand_ins.Variables]:
    """Make what the page's marks say in the working folder, and yield variables of the environment."""
    for other in said(page, "as in"):
        for block in blocks(other):
            if block.mark == FILE:
                Path(block.detail).write_text(block.body + "\n", encoding="utf-8")
    for source in [page, *said(page, "as in")]:
        stand_ins.write_videos("".join(said(source, "videos")))
    for named in said(page, "realdata") if realdata else ():
        stand_ins.fetch(*named.split(" = "))
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(stand_ins.MADE[name]()) for names in said(page, "made") for name in names.split()]
        yield {name: value for variables in made for name, value in variables.items()}


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_block_says_whether_it_runs(page: str) -> None:
    for block in blocks(page):
        known = block.mark in (RUN, REALDATA, *OF_README.get(page, ())) and not block.detail
        assert known or (block.mark in (FILE, APART, NOT) and block.detail), f"no mark before: {block.body}"


def run_here(page: str, marks: Collection[str]) -> None:
    """Run the page's commands with these marks in this process, and compare what they print."""
    session = Session((), load_plugins())
    for block in blocks(page):
        if block.mark == FILE:
            Path(block.detail).write_text(block.body + "\n", encoding="utf-8")
        elif block.mark in marks:
            for command in block.body.replace("\\\n", " ").splitlines():
                program, *words = shlex.split(command, comments=True)
                assert program == "zsarbench"
                done = CliRunner().invoke(cli, ["--quiet", *words], obj={"session": session}, catch_exceptions=False)
                assert done.exit_code == 0, done.output
            if block.output is not None:
                assert shown(f"{done.stdout.rstrip()}\n\n{done.stderr}") == shown(block.output), block.body


def shown(text: str) -> list[str]:
    """Return the lines of an output without blanks at their ends and without what differs from run to run."""
    return [re.sub(r"-\d{8}T\d{6}Z", "-DATE", line.rstrip()) for line in text.strip().splitlines()]


@pytest.fixture
def _among_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder with the committed `benchmarks` in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("benchmarks").symlink_to(ROOT / "benchmarks")


@pytest.mark.usefixtures("_among_benchmarks")
@pytest.mark.parametrize("page", with_mark(RUN, but=OF_README))
def test_every_example_runs_and_prints_what_the_page_shows(page: str) -> None:
    with what_a_reader_has(page, realdata=False):
        run_here(page, {RUN})


@pytest.mark.realdata
@pytest.mark.usefixtures("mirror", "_among_benchmarks")
@pytest.mark.parametrize("page", with_mark(REALDATA))
def test_examples_of_public_files_run(page: str) -> None:
    with what_a_reader_has(page, realdata=True):
        run_here(page, {REALDATA})


@pytest.fixture(scope="module")
def one_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the cache of all pages that run apart: clips are drawn once, and files fetched once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def programs(tmp_path: Path, one_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a copy of the repository; the folder of programs of an environment. What is installed goes: gigabytes."""
    reader.clone(tmp_path / "clone")
    monkeypatch.chdir(tmp_path / "clone")
    monkeypatch.setenv("ZSARBENCH_CACHE", str(one_cache))
    yield reader.environment(tmp_path / "environment")
    shutil.rmtree(tmp_path)


def script(page: str) -> str:
    """Return what bash runs of a page: its files and commands, in order."""
    parts = {FILE: "cat > {0.detail} <<'END OF FILE'\n{0.body}\nEND OF FILE"}
    parts |= dict.fromkeys((RUN, REALDATA, APART), "{0.body}")
    return "\n".join(parts[block.mark].format(block) for block in blocks(page) if block.mark in parts)


@pytest.mark.apart
@pytest.mark.parametrize("page", sorted({"README.md", *with_mark(APART)}))
def test_a_page_runs_from_its_first_to_its_last_block(page: str, programs: Path) -> None:
    with what_a_reader_has(page, realdata=True) as variables:
        assert reader.types(script(page), programs, dict(variables)) == 0
