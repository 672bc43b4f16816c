"""Writes the tables of the documentation from the committed results; with --check, fails where they are stale.

python .ci/readme.py            rewrite the blocks between <!-- table:PATH --> and <!-- /table -->
python .ci/readme.py --check    exit 1 where a block is not what the results give

PATH is below benchmarks/: a folder of results, or the beginning of the names of some (`results/x/cezsar-`). A block
that begins with `differences:` in place of `table:` holds the paired differences to the result after `against`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from zsarbench import reported, results, tables
from zsarbench.cli.common import differences
from zsarbench.reporters import Rich

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "plugins/zsarbench_cezsar/README.md")
BLOCK = re.compile(
    r"(<!-- (?P<kind>table|differences):(?P<path>[\w./-]+)(?: against (?P<base>[\w./-]+))? -->\n)"
    r".*?(<!-- /(?P=kind) -->)",
    re.DOTALL,
)
WIDTH = 100  # columns of a code block that need no scrolling


def files(path: str) -> list[Path]:
    """Return the result files that a path of a block means."""
    place = ROOT / "benchmarks" / path
    found = results.find(place) if place.is_dir() else sorted(place.parent.glob(f"{place.name}*.json"))
    if not found:
        sys.exit(f"no result is benchmarks/{path}")
    return found


def rendered(block: re.Match[str]) -> str:
    """Return what stands between the marks of a block."""
    if block["kind"] == "differences":
        text = differences(files(block["path"]), against=files(block["base"])[0])
    else:
        found = [results.read(path) for path in files(block["path"])]
        table = tables.build(found, reported.read_all(ROOT / "benchmarks" / "reported"))
        text = Rich(width=WIDTH).render(table.frame, title=table.title)
    return "```text\n" + "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n```\n"


def main() -> None:
    """Rewrite or check every page."""
    stale = []
    for page in PAGES:
        path = ROOT / page
        old = path.read_text(encoding="utf-8")
        new = BLOCK.sub(lambda block: block[1] + rendered(block) + block[5], old)
        if new != old:
            stale.append(page)
        if "--check" not in sys.argv:
            path.write_text(new, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(stale)}; run: python .ci/readme.py")


if __name__ == "__main__":
    main()
