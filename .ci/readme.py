"""Writes what the documentation has from elsewhere; with --check, fails where it is stale.

python .ci/readme.py            rewrite the links to code, and the blocks from <!-- table:PATH --> to <!-- /table -->
python .ci/readme.py --check    exit 1 where a block is not what the committed results give, or a link misses its line

PATH is below benchmarks/: a folder of results, or the beginning of the names of some (`results/x/cezsar-`). A block
that begins with `differences:` in place of `table:` holds the paired differences to the result after `against`.

Links to code stand in the rows of a plugin's tables: a name such as `scoring.nearest`, of a module next to the page, or
`zsarbench.data.video.frames.read_steps`, of any package here, becomes a link to the line of its definition.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path

from zsarbench import results
from zsarbench.reports import table
from zsarbench.reports.backing import backings_of
from zsarbench.reports.formats import Rich
from zsarbench.reports.paired import describe_differences
from zsarbench.results import reported

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/tutorials/predictions.md", "docs/how-to/ucf101.md", "plugins/zsarbench_cezsar/README.md")
BLOCK = re.compile(
    r"(<!-- (?P<kind>table|differences):(?P<path>[\w./-]+)(?: against (?P<base>[\w./-]+))? -->\n)"
    r".*?(<!-- /(?P=kind) -->)",
    re.DOTALL,
)
NAME = re.compile(r"\[?`(?P<name>\w+(?:\.\w+)+)`\]?(?:\([^()\s]+#L\d+\))?")
WIDTH = 100  # columns of a code block that need no scrolling


def files(path: str) -> list[Path]:
    """Return the result files that a path of a block means."""
    place = ROOT / "benchmarks" / path
    paths = results.find(place) if place.is_dir() else sorted(place.parent.glob(f"{place.name}*.json"))
    if not paths:
        sys.exit(f"no result is benchmarks/{path}")
    return paths


def rendered(block: re.Match[str]) -> str:
    """Return what stands between the marks of a block."""
    if block["kind"] == "differences":
        text = describe_differences(files(block["path"]), against=files(block["base"])[0])
    else:
        measured = {path: results.read(path) for path in files(block["path"])}
        of_papers = reported.read_all(ROOT / "benchmarks" / "reported")
        built = table.build(list(measured.values()), of_papers, backings=backings_of(measured))
        text = Rich(width=WIDTH).render(built)
    return "```text\n" + "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n```\n"


def linked(page: Path, text: str) -> str:
    """Return a page with the names of code in the rows of its tables linked to the lines of their definitions."""

    def link(name: re.Match[str]) -> str:
        place = definition(name["name"], page.parent)
        if place is None:
            return name[0]
        return f"[`{name['name']}`]({Path(os.path.relpath(place[0], page.parent)).as_posix()}#L{place[1]})"

    lines = text.splitlines(keepends=True)
    return "".join(NAME.sub(link, line) if line.startswith("| ") else line for line in lines)


def definition(name: str, folder_of_page: Path) -> tuple[Path, int] | None:
    """Return file and line where something is defined; None where the name begins with no module."""
    words = name.split(".")
    places = [
        ((folder / Path(*words[:n])).with_suffix(".py"), words[n:])
        for folder in (folder_of_page, ROOT, ROOT / "plugins")
        for n in range(1, len(words))
    ]
    for file, attributes in places:
        if file.is_file():
            body, line = ast.parse(file.read_text(encoding="utf-8")).body, 0
            for attribute in attributes:
                node = next((node for node in body if attribute in defined(node)), None)
                if node is None:
                    sys.exit(f"`{name}` is named, and {file.relative_to(ROOT)} defines no {attribute}")
                body, line = getattr(node, "body", []), node.lineno
            return file, line
    return None


def defined(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def main() -> None:
    """Rewrite or check every page."""
    stale = []
    for page in PAGES:
        path = ROOT / page
        old = path.read_text(encoding="utf-8")
        new = BLOCK.sub(lambda block: block[1] + rendered(block) + block[5], old)
        if path.parent != ROOT:
            new = linked(path, new)
        if new != old:
            stale.append(page)
        if "--check" not in sys.argv:
            path.write_text(new, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(stale)}; run: python .ci/readme.py")


if __name__ == "__main__":
    main()
