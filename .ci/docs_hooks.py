"""What `mkdocs build` calls: adds the generated pages, and those outside `docs/`."""

from __future__ import annotations

import os
from typing import Any

import pages
import reference
from mkdocs.structure.files import File

REPOSITORY = os.environ.get("ZSARBENCH_REPOSITORY", "")
"""The address that links to code lead to."""


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are not in `docs/`."""
    for source, target in pages.OUTSIDE.items():
        text = (pages.ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, target, content=pages.on_site(text, source, target, REPOSITORY)))
    for target, text in reference.pages().items():
        files.append(File.generated(config, target, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return a page of `docs/` with the links of the site."""
    target = page.file.src_uri
    if page.file.generated_by is not None:
        return markdown
    return pages.on_site(markdown, f"docs/{target}", target, REPOSITORY)
