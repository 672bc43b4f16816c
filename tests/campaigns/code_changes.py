"""Changes one place of the code at a time and counts which changes the tests of that folder notice.

A change is one of: a comparison turned, an arithmetic operator exchanged, `and` for `or`, a condition negated, a number
or truth value altered. Places are drawn by the seed over the host and CEZSAR. Each is tried in a copy of the tree, by
the tests of the same folder, those of the module's own name first. What survives is printed: some of it changes
nothing that can be seen, the rest lacks a test.

    python tests/campaigns/code_changes.py --n 500 --out changes.jsonl     # hours on two cores; repeat to continue
    python tests/campaigns/code_changes.py --n 20 --only zsarbench/evaluation

Exit code 1 where something survived.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("zsarbench", "plugins/zsarbench_cezsar")
COPIED = ("zsarbench", "plugins", "tests", "benchmarks", "docs", ".ci", "pyproject.toml", "setup.cfg", "README.md")
MIN_SECONDS, FACTOR = 60.0, 4.0  # a changed program that takes longer than the factor times its usual time hangs

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
EXCHANGED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mod,
    ast.Mod: ast.FloorDiv,
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One place of a file, the code that stands there and the one that is put in its place."""

    path: str
    line: int
    column: int
    before: str
    after: str


def changes(path: Path) -> Iterator[Change]:
    """Yield every change of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for parent in ast.walk(tree):
        for node in ast.iter_child_nodes(parent):
            node._parent = parent  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and not _is_of_types(node) and (changed := _changed(node)) is not None:
            yield Change(
                path.relative_to(ROOT).as_posix(), node.lineno, node.col_offset, ast.unparse(node), ast.unparse(changed)
            )


def _is_of_types(node: ast.AST) -> bool:
    """Return whether a node belongs to an annotation or a formatted text, which decide nothing."""
    inner: ast.AST = node
    while (parent := getattr(inner, "_parent", None)) is not None:
        annotations = (getattr(parent, "annotation", None), getattr(parent, "returns", None))
        if inner in annotations or isinstance(parent, ast.JoinedStr | ast.FormattedValue):
            return True
        inner = parent
    return False


def _changed(node: ast.expr) -> ast.expr | None:
    changed = copy.copy(node)
    parent = getattr(node, "_parent", None)
    if isinstance(changed, ast.Compare) and type(changed.ops[0]) in TURNED:
        changed.ops = [TURNED[type(changed.ops[0])](), *changed.ops[1:]]
    elif (
        isinstance(changed, ast.BinOp) and type(changed.op) in EXCHANGED and not isinstance(changed.left, ast.Constant)
    ):
        changed.op = EXCHANGED[type(changed.op)]()
    elif isinstance(changed, ast.BoolOp):
        changed.op = ast.Or() if isinstance(changed.op, ast.And) else ast.And()
    elif isinstance(changed, ast.Constant) and isinstance(changed.value, bool):
        changed.value = not changed.value
    elif isinstance(changed, ast.Constant) and isinstance(changed.value, int | float):
        changed.value = changed.value + 1
    elif isinstance(parent, ast.If | ast.IfExp | ast.While) and parent.test is node:
        return ast.UnaryOp(ast.Not(), node)
    else:
        return None
    return changed


def applied(change: Change, text: str) -> str:
    """Return the source with a change; everything else stays as it is, lines included."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        at = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
        if isinstance(node, ast.expr) and at == (change.line, change.column) and ast.unparse(node) == change.before:
            lines = text.encode().split(b"\n")
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            head = lines[node.lineno - 1][: node.col_offset]
            tail = lines[node.end_lineno - 1][node.end_col_offset :]
            line = head + b"(" + change.after.encode() + b")" + tail
            empty = [b""] * (node.end_lineno - node.lineno)
            return b"\n".join([*lines[: node.lineno - 1], line, *empty, *lines[node.end_lineno :]]).decode()
    raise AssertionError(f"{change} does not exist")


def tests_of(path: str) -> list[str]:
    """Return the files of tests that a change of a file is tried by: of its own name first, then of its folder."""
    module = Path(path)
    folder = ROOT / "tests" / module.relative_to("zsarbench").parent if module.parts[0] == "zsarbench" else None
    folder = folder or ROOT / "tests" / "first_party" / "cezsar"
    while not any(folder.rglob("test_*.py")):
        folder = folder.parent
    own = [file for file in folder.rglob(f"test_{module.stem}*.py") if "conformance" not in file.parts]
    rest = [file for file in sorted(folder.rglob("test_*.py")) if file not in own and "conformance" not in file.parts]
    return [file.relative_to(ROOT).as_posix() for file in (*own, *rest)]


def noticed(tree: Path, files: Sequence[str], seconds: float) -> str:
    """Run the tests in a tree; return "failed", "hung" or "" where all passed."""
    paths = [str(tree), str(tree / "plugins"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *files]
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return "hung"
    return "failed" if done.returncode else ""


def drawn(n: int, seed: int, only: str) -> list[Change]:
    """Return n changes by the seed, of files whose path begins with `only`."""
    files = sorted(file for folder in CODE for file in (ROOT / folder).rglob("*.py"))
    every = [change for file in files if str(file.relative_to(ROOT)).startswith(only) for change in changes(file)]
    return random.Random(seed).sample(every, min(n, len(every)))


def tried(wanted: Sequence[Change], out: Path) -> Iterator[tuple[Change, str]]:
    """Yield each change with its outcome, writing it to a file of lines, where earlier ones are read from."""
    known = {}
    if out.exists():
        for line in out.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            known[Change(**item["change"])] = item["outcome"]
    usual: dict[tuple[str, ...], float] = {}
    with tempfile.TemporaryDirectory() as name, out.open("a", encoding="utf-8") as lines:
        tree = Path(name)
        for item in COPIED:
            place = ROOT / item
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(place, tree / item, ignore=ignore) if place.is_dir() else shutil.copy(place, tree / item)
        for change in wanted:
            if change not in known:
                files = tuple(tests_of(change.path))
                if files not in usual:
                    start = time.perf_counter()
                    usual[files] = float("nan") if noticed(tree, files, 1800) else time.perf_counter() - start
                known[change] = _outcome(tree, change, files, usual[files])
                lines.write(json.dumps({"change": asdict(change), "outcome": known[change]}) + "\n")
                lines.flush()
            yield change, known[change]


def _outcome(tree: Path, change: Change, files: Sequence[str], usual: float) -> str:
    if math.isnan(usual):
        return "tests fail without it"
    place = tree / change.path
    text = place.read_text(encoding="utf-8")
    try:
        place.write_text(applied(change, text), encoding="utf-8")
        return noticed(tree, files, MIN_SECONDS + FACTOR * usual) or "survived"
    finally:
        place.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="files whose path begins with this")
    parser.add_argument("--out", type=Path, default=Path("changes.jsonl"), help="outcomes; those in it are kept")
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    for change, outcome in tried(drawn(options.n, options.seed, options.only), options.out):
        counts[outcome] += 1
        print(f"{outcome:8} {change.path}:{change.line}  {change.before}  ->  {change.after}", flush=True)
    print(", ".join(f"{outcome}: {count}" for outcome, count in counts.most_common()))
    return 1 if counts["survived"] else 0


if __name__ == "__main__":
    sys.exit(main())
