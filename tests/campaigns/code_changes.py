"""Changes one place of the code at a time and counts which changes the tests of that folder notice.

A change is one of: a comparison turned, an arithmetic operator exchanged, `and` for `or`, a condition negated, a number
or truth value altered. Places are drawn by the seed over the host and CEZSAR. All tests run once under coverage, in a
copy of the tree; then each change is tried by the tests of its folder that run the changed line, and what they do not
notice by tests of other folders. "failed" is noticed in its folder, "elsewhere" in another, "nowhere" in none: some of
that changes nothing that can be seen, the rest lacks a test.

    pip install pytest-cov
    python tests/campaigns/code_changes.py --n 500 --out changes.jsonl     # hours on two cores; repeat to continue
    python tests/campaigns/code_changes.py --n 20 --only zsarbench/evaluation

Exit code 1 where something was noticed nowhere.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import contextlib
import copy
import importlib
import json
import os
import py_compile
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("zsarbench", "plugins/zsarbench_cezsar")
COPIED = ("zsarbench", "plugins", "tests", "benchmarks", "docs", ".ci", "pyproject.toml", "setup.cfg", "README.md")
UNNOTICED = ("survived", "not run")  # by the tests of its folder; others are still to be tried
ELSEWHERE = 80  # tests of other folders that are tried, drawn by chance where more run the line
A_TEST, ALL = 150, 1800  # seconds: what takes longer hangs; the longest test takes 40, the largest folder 150
LARGEST = "test_first_party.py"  # the kit over every component: it shows bugs of these, and takes minutes
PRELOADED = ("av", "hypothesis", "pandas", "pydantic", "rich", "sentence_transformers", "timm", "torch", "xdist")

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
    own = sorted(folder.rglob(f"test_{module.stem}*.py"))
    rest = [file for file in sorted(folder.rglob("test_*.py")) if file not in own and file.name != LARGEST]
    return [file.relative_to(ROOT).as_posix() for file in (*own, *rest)]


def drawn(n: int, seed: int, only: str) -> list[Change]:
    """Return n changes by the seed, of files whose path begins with `only`."""
    files = sorted(file for folder in CODE for file in (ROOT / folder).rglob("*.py"))
    every = [change for file in files if str(file.relative_to(ROOT)).startswith(only) for change in changes(file)]
    return random.Random(seed).sample(every, min(n, len(every)))


class Covered:
    """Which tests run which lines: they run once, under coverage, and what they ran and which failed is kept."""

    def __init__(self, tree: Path, jobs: int, kept: Path) -> None:
        from coverage import CoverageData

        self.kept = kept
        if not kept.exists():
            self._record(tree, jobs)
        self.data = CoverageData(str(kept))
        self.data.read()
        self.failing = kept.with_suffix(".failing").read_text(encoding="utf-8").split()

    def _record(self, tree: Path, jobs: int) -> None:
        sources = [f"--cov={tree / folder}" for folder in CODE]
        options = ["-q", "--no-header", "-p", "no:cacheprovider", "--numprocesses", str(jobs), "--dist", "loadfile"]
        command = [sys.executable, "-m", "pytest", *options, *sources, "--cov-context=test", "--cov-report="]
        done = subprocess.run(command, cwd=tree, env=environment(tree), capture_output=True, text=True)
        if done.returncode > 1 or not (tree / ".coverage").exists():
            raise SystemExit(f"the tests did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        failing = [line.split()[1].partition("[")[0] for line in done.stdout.splitlines() if line.startswith("FAILED ")]
        self.kept.with_suffix(".failing").write_text("\n".join(failing), encoding="utf-8")
        shutil.move(tree / ".coverage", self.kept)

    def tests(self, change: Change, *, elsewhere: bool = False) -> list[str]:
        """Return the tests of its folder that run the changed line, but for those that fail without a change.

        What runs at import, as constants do, is tried by the files of tests of the module's own name. elsewhere: tests
        of other folders.
        """
        files = tests_of(change.path)
        place = {file: number for number, file in enumerate(files)}
        measured = (name for name in self.data.measured_files() if name.endswith(f"/{change.path}"))
        contexts = {text for name in measured for text in self.data.contexts_by_lineno(name).get(change.line, [])}
        functions = {text.partition("|")[0].partition("[")[0] for text in contexts}  # with all their cases
        running = functions - {"", *self.failing}
        if elsewhere:
            other = sorted(test for test in running if test.partition("::")[0] not in place and LARGEST not in test)
            return random.Random(0).sample(other, min(len(other), ELSEWHERE))
        own = [test for test in running if test.partition("::")[0] in place]
        chosen = sorted(own, key=lambda test: (place[test.partition("::")[0]], test))
        if "" in contexts:
            chosen += [file for file in files if Path(file).name.startswith(f"test_{Path(change.path).stem}")]
        return chosen


def environment(tree: Path) -> dict[str, str]:
    """Return the variables of a process whose code is that of a tree."""
    paths = [str(tree), str(tree / "plugins"), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}


def copied(tree: Path) -> Path:
    """Copy into a folder what tests need, and return it; what is compiled there counts while the source is the same."""
    for item in COPIED:
        place = ROOT / item
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(place, tree / item, ignore=ignore) if place.is_dir() else shutil.copy(place, tree / item)
    for folder in CODE:
        compileall.compile_dir(tree / folder, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    return tree


class Attempt:
    """A change that tests are tried on: a forked process, which has what they import from elsewhere already."""

    def __init__(self, tree: Path, change: Change, tests: Sequence[str], *, elsewhere: bool) -> None:
        self.tree, self.change, self.elsewhere, self.end = tree, change, elsewhere, time.monotonic() + ALL
        self.text = (tree / change.path).read_text(encoding="utf-8")
        (tree / change.path).write_text(applied(change, self.text), encoding="utf-8")
        if (process := os.fork()) == 0:
            try:
                self._run(tests)
            finally:
                os._exit(70)
        self.process = process

    def _run(self, tests: Sequence[str]) -> None:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        os.chdir(self.tree)
        os.environ |= environment(self.tree)
        sys.path[:0] = [str(self.tree), str(self.tree / "plugins")]
        sys.dont_write_bytecode = True
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:pytest_cov", f"--timeout={A_TEST}"]
        options += ["--basetemp", str(self.tree / "temporary")]
        os._exit(int(pytest.main([*options, *tests])))

    def outcome(self) -> str:
        """Return "failed", "hung" or "survived" once the tests ended, "" before."""
        ended, status = os.waitpid(self.process, os.WNOHANG)
        late = time.monotonic() > self.end
        if not ended and not late:
            return ""
        with contextlib.suppress(ProcessLookupError):  # whatever the tests started ends with them
            os.killpg(self.process, signal.SIGKILL)
        if not ended:
            os.waitpid(self.process, 0)
        (self.tree / self.change.path).write_text(self.text, encoding="utf-8")
        if not ended:
            return "hung"
        return "failed" if status else "survived"


def tried(wanted: Sequence[Change], out: Path, jobs: int = 1) -> Iterator[tuple[Change, str]]:
    """Yield each change with its outcome, writing it to a file of lines, where earlier ones are read from."""
    known = {}
    if out.exists():
        for line in out.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            known[Change(**item["change"])] = item["outcome"]
    yield from ((change, known[change]) for change in wanted if known.get(change, UNNOTICED[0]) not in UNNOTICED)
    waiting = [(change, False) for change in wanted if change not in known]
    waiting += [(change, True) for change in wanted if known.get(change) in UNNOTICED]
    if not waiting:
        return
    with tempfile.TemporaryDirectory() as name, out.open("a", encoding="utf-8") as lines:
        trees = [copied(Path(name, str(number))) for number in range(jobs)]
        covered = Covered(trees[0], jobs, out.with_suffix(".coverage"))
        for library in PRELOADED:
            with contextlib.suppress(ImportError):
                importlib.import_module(library)
        running, ended = list[Attempt](), list[tuple[Change, bool, str]]()
        while waiting or running:
            for tree in [tree for tree in trees if tree not in {attempt.tree for attempt in running}][: len(waiting)]:
                change, elsewhere = waiting.pop(0)
                if tests := covered.tests(change, elsewhere=elsewhere):
                    running.append(Attempt(tree, change, tests, elsewhere=elsewhere))
                else:
                    ended.append((change, elsewhere, "not run"))
            time.sleep(0.05)
            for attempt in tuple(running):
                if outcome := attempt.outcome():
                    running.remove(attempt)
                    ended.append((attempt.change, attempt.elsewhere, outcome))
            for change, elsewhere, outcome in ended:
                result = outcome if not elsewhere else "nowhere" if outcome in UNNOTICED else "elsewhere"
                lines.write(json.dumps({"change": asdict(change), "outcome": result}) + "\n")
                lines.flush()
                if result in UNNOTICED:
                    waiting.append((change, True))
                else:
                    yield change, result
            ended.clear()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="changes that are tried at the same time")
    parser.add_argument("--only", default="", help="files whose path begins with this")
    parser.add_argument(
        "--out", type=Path, default=Path("changes.jsonl"), help="outcomes, continued; of other code, others"
    )
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    for change, outcome in tried(drawn(options.n, options.seed, options.only), options.out, options.jobs):
        counts[outcome] += 1
        print(f"{outcome:9} {change.path}:{change.line}  {change.before}  ->  {change.after}", flush=True)
    print(", ".join(f"{outcome}: {count}" for outcome, count in counts.most_common()))
    return 1 if counts["nowhere"] else 0


if __name__ == "__main__":
    sys.exit(main())
