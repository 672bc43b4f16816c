"""Writes the JSON Schemas of result, protocol and reported files into `benchmarks/schemas/`: `python .ci/schemas.py`.

A test compares the files with what this writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zsarbench import protocols, results
from zsarbench.results import reported

FOLDER = Path(__file__).parent.parent / "benchmarks" / "schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schemas by the name of their file."""
    return {
        "result.schema.json": results.schema(),
        "protocol.schema.json": protocols.schema(),
        "reported.schema.json": reported.schema(),
    }


def text_of(schema: dict[str, Any]) -> str:
    """Return the text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        (FOLDER / name).write_text(text_of(schema), encoding="utf-8")
        print(FOLDER / name)
