"""Which pages the documentation has, and where their links lead.

A page of `docs/` is one of the site under the same path; OUTSIDE are pages that stand elsewhere in the tree. Pages link
to files of the tree, so that they also lead somewhere where the tree is read; `on_site` and `absolute` turn such links
into those of the site and those of the repository.

`python .ci/pages.py https://github.com/OWNER/NAME README.md` writes a page with absolute links, as PyPI shows it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
OUTSIDE = {
    "plugins/zsarbench_ray/README.md": "how-to/ray.md",
    "plugins/zsarbench_cezsar/README.md": "how-to/cezsar.md",
    "CONTRIBUTING.md": "how-to/contributing.md",
    "CHANGELOG.md": "reference/changelog.md",
    "ARCHITECTURE.md": "explanation/architecture.md",
    "plugins/zsarbench_methods/README.md": "explanation/methods.md",
    "benchmarks/statistics/intervals.md": "explanation/intervals.md",
    "benchmarks/statistics/boards.md": "explanation/ranks.md",
    "benchmarks/contamination_curve.md": "explanation/contamination-curve.md",
    "benchmarks/speed/README.md": "explanation/speed.md",
    "benchmarks/LEADERBOARD.md": "leaderboard.md",
    "README.md": "index.md",
}
"""Pages of the tree outside `docs/`, and their paths in the site."""
LINK = re.compile(r"(?<!\!)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<to>[^()\s]+)\)")
FOOTNOTE = re.compile(r"(?<![\[\\])\[(\d+)\](?=[ |]|$)", re.MULTILINE)


def on_site(text: str, source: str, target: str, repository: str = "") -> str:
    """Return a page with links of the site: to other pages of it, and of what has none there to the repository.

    source: the page's path in the tree. target: its path in the site. repository: an address; without it, a link that
    leaves the site is its text alone.
    """

    def to(path: str, anchor: str) -> str | None:
        page = OUTSIDE.get(path, path.removeprefix("docs/") if path.startswith("docs/") else "")
        if page:
            return os.path.relpath(page, PurePosixPath(target).parent).replace(os.sep, "/") + anchor
        return in_repository(repository, path, anchor) if repository else None

    return _with_links(text, source, to)


def absolute(text: str, source: str, repository: str) -> str:
    """Return a page whose links lead to the repository, as where it stands by itself (on PyPI)."""
    return _with_links(text, source, lambda path, anchor: in_repository(repository, path, anchor))


def in_repository(repository: str, path: str, anchor: str = "") -> str:
    """Return the address of a file or folder."""
    kind = "tree" if (ROOT / path).is_dir() else "blob"
    return f"{repository.rstrip('/')}/{kind}/main/{path}{anchor}"


def _with_links(text: str, source: str, to: Callable[[str, str], str | None]) -> str:
    """Return a page with each link to a file of the tree led elsewhere; None leaves its text alone."""

    def link(found: re.Match[str]) -> str:
        path, mark, anchor = found["to"].partition("#")
        if not path or ":" in path:
            return found[0]
        place = os.path.normpath(PurePosixPath(source).parent / path).replace(os.sep, "/")
        if not (ROOT / place).exists():
            return found[0]  # a page that is generated with the site
        led = to(place, mark + anchor)
        return found["text"] if led is None else f"[{found['text']}]({led})"

    text = FOOTNOTE.sub(r"\\[\1]", text)  # `[1] [2]` would be a link to what `[2]` defines
    blocks = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(block if block.startswith("```") else LINK.sub(link, block) for block in blocks)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        place = ROOT / name
        place.write_text(absolute(place.read_text(encoding="utf-8"), name, sys.argv[1]), encoding="utf-8")
