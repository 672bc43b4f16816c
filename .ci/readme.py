"""Writes the README's tables from the committed results; with --check, fails where they are stale.

python .ci/readme.py            rewrite the blocks between <!-- table:FOLDER --> and <!-- /table -->
python .ci/readme.py --check    exit 1 where a block is not what the results give
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from zsarbench import reported, results, tables
from zsarbench.reporters import Rich

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- table:(?P<folders>[\w. -]+) -->\n).*?(<!-- /table -->)", re.DOTALL)
WIDTH = 100  # columns of a README's code block that need no scrolling


def rendered(folders: str) -> str:
    """Return the tables of the results in these folders of benchmarks/results."""
    texts = []
    for folder in folders.split():
        found = [results.read(path) for path in results.find(ROOT / "benchmarks" / "results" / folder)]
        table = tables.build(found, reported.read_all(ROOT / "benchmarks" / "reported"))
        text = Rich(width=WIDTH).render(table.frame, title=table.title)
        texts.append("\n".join(line.rstrip() for line in text.rstrip().splitlines()))
    return "```text\n" + "\n\n".join(texts) + "\n```\n"


def main() -> None:
    """Rewrite or check the README."""
    path = ROOT / "README.md"
    old = path.read_text(encoding="utf-8")
    new = BLOCK.sub(lambda found: found[1] + rendered(found["folders"]) + found[3], old)
    if "--check" in sys.argv:
        sys.exit(None if new == old else "README.md is stale; run: python .ci/readme.py")
    path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
