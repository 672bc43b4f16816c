"""Runs the examples of pages, and writes what they print into them.

python .ci/examples.py          rewrite the outputs of the pages

A page holds the files of its examples (<!-- file:NAME --> before a block) or names the page that does
(<!-- as in: PAGE -->), commands (<!-- run -->) and what each prints (<!-- output -->), first on stdout, then on stderr.
A test compares them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from click.testing import CliRunner

from zsarbench.cli.main import cli

ROOT = Path(__file__).parent.parent
PAGES = (
    "docs/tutorials/predictions.md",
    "docs/how-to/answers-in-words.md",
    "docs/how-to/other-benchmarks.md",
)
AS_IN = re.compile(r"<!-- as in: (\S+) -->")
FILE = re.compile(r"<!-- file:(\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
RUN = re.compile(
    r"(<!-- run -->\n```bash\nzsarbench (?P<command>.*?)\n```\n\n<!-- output -->\n```text\n).*?```", re.DOTALL
)
WIDTH = "100"  # columns, as of the tables of other pages


def rendered(page: str) -> str:
    """Return a page with the outputs of its examples as they are now.

    Raises:
        RuntimeError: an example fails.
    """
    with _in_folder() as folder:
        others = [(ROOT / other).read_text(encoding="utf-8") for other in AS_IN.findall(page)]
        for name, content in FILE.findall("".join([*others, page])):
            (folder / name).write_text(content, encoding="utf-8")
        return RUN.sub(lambda match: f"{match[1]}{_output(match['command'])}\n```", page)


def _output(command: str) -> str:
    done = CliRunner().invoke(cli, ["--quiet", *shlex.split(command)], env={"COLUMNS": WIDTH}, catch_exceptions=False)
    if done.exit_code:
        raise RuntimeError(f"zsarbench {command}: {done.output}")
    lines = f"{done.stdout.rstrip()}\n\n{done.stderr}".strip().splitlines()
    return "\n".join(re.sub(r"-\d{8}T\d{6}Z", "-DATE", line.rstrip()) for line in lines)


@contextlib.contextmanager
def _in_folder() -> Iterator[Path]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


if __name__ == "__main__":
    for path in (ROOT / page for page in PAGES):
        path.write_text(rendered(path.read_text(encoding="utf-8")), encoding="utf-8")
