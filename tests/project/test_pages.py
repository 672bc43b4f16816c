"""What the pages show is run as it stands, in order, in an empty folder with the committed `benchmarks` in it.

Marks before a block say what it is: `<!-- file:NAME -->` a file that later blocks read, `<!-- run -->` commands or
Python that run, followed perhaps by `<!-- output -->` and what they print, `<!-- not run: WHY -->` what needs a
download, a cluster or hours: there `test_readme.py` looks whether commands, options and names exist.
`<!-- videos: PATH PATH -->` is replaced by synthetic videos.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from click.testing import CliRunner

from locations import ROOT
from zsarbench.cli.main import Session, cli
from zsarbench.plugins import load_plugins

PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")]
}
BLOCK = re.compile(r"(?P<mark>[^\n]*)\n *```(?P<language>\w+)\n(?P<body>.*?)\n *```", re.DOTALL)
OUTPUT = re.compile(r"\s*<!-- output -->\n```text\n(.*?)```", re.DOTALL)
RUN = "<!-- run -->"
RUNNING = sorted(page for page, text in PAGES.items() if RUN in text)


def make_videos(page: str) -> None:
    """Write the videos that a page is about: two seconds of one colour each."""
    for number, path in enumerate(re.findall(r"[^/]+?/\w+", "".join(re.findall(r"<!-- videos:(.*?)-->", page)))):
        place = Path("videos", f"{path.strip()}.mp4")
        place.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(place), "w") as file:
            stream: Any = file.add_stream("mpeg4", rate=8)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 37 * number, np.uint8), format="rgb24")
            for _ in range(16):
                file.mux(stream.encode(frame))
            file.mux(stream.encode())


def shown(text: str) -> list[str]:
    """Return the lines of an output without blanks at their ends and without what differs from run to run."""
    return [re.sub(r"-\d{8}T\d{6}Z", "-DATE", line.rstrip()) for line in text.strip().splitlines()]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_block_says_whether_it_runs(page: str) -> None:
    for block in BLOCK.finditer(PAGES[page]):
        known = r"<!-- (run|file:\S+|not run: \S.*) -->"
        if block["language"] != "text":
            assert re.fullmatch(known, block["mark"].strip()), f"no mark before: {block['body'].splitlines()[0]}"


@pytest.mark.parametrize("page", RUNNING)
def test_every_example_runs_and_prints_what_the_page_shows(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("benchmarks").symlink_to(ROOT / "benchmarks")
    make_videos(PAGES[page])
    session, names = Session((), load_plugins()), dict[str, Any]()
    for block in BLOCK.finditer(PAGES[page]):
        mark, body = block["mark"].strip(), block["body"]
        if mark.startswith("<!-- file:"):
            Path(mark.split(":")[1].split()[0]).write_text(body + "\n", encoding="utf-8")
        elif mark == RUN and block["language"] == "python":
            exec(body, names)
        elif mark == RUN:
            for command in body.replace("\\\n", " ").splitlines():
                program, *words = shlex.split(command, comments=True)
                assert program == "zsarbench"
                done = CliRunner().invoke(cli, ["--quiet", *words], obj={"session": session}, catch_exceptions=False)
                assert done.exit_code == 0, done.output
            if expected := OUTPUT.match(PAGES[page], block.end()):
                assert shown(f"{done.stdout.rstrip()}\n\n{done.stderr}") == shown(expected[1]), body
