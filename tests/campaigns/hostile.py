"""Plugins that exit, print, raise and return nonsense, and texts that act: the command line names them and goes on.

python tests/campaigns/hostile.py --seed 0 --trials 400

Each trial installs a plugin in a folder of its own and runs a command in a fork of this process. It fails where stdout
is not what the command promises, a traceback is printed, the plugin is not named, or control characters get through.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import common
from common import Campaign

NAME, MODULE = "hostile-plugin", "hostile_plugin"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ACTS = {
    "exit 0": "import sys; sys.exit(0)",
    "exit 3": "import sys; sys.exit(3)",
    "exit text": "raise SystemExit('bye')",
    "own exception": "raise type('Odd', (BaseException,), {})('odd')",
    "generator exit": "raise GeneratorExit",
    "error": "raise ValueError('no\\x1b[31m\\n\\nroom')",
    "error without text": "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()",
    "assertion": "assert False",
    "recursion": "f = lambda: f()\nf()",
    "memory": "raise MemoryError",
    "stop": "raise StopIteration",
    "missing": "import a_package_that_is_not_there",
    "print": "print('printed {')",
    "write": "import os; os.write(1, b'written {\\n')",
    "child": "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1)'])",
    "log": "import logging; logging.getLogger('zsarbench').error('logged \\x1b]0;x\\x07')",
}
HARMLESS = ("print", "write", "child", "log")
VALUES = (
    "None", "5", "'text\\x1b[2J'", "b'bytes'", "[1, 2]", "[{}]", "(i for i in 'ab')", "(1 / 0 for i in 'ab')", "{1: 2}",
    "{None: 'x'}", "{'': 1}", "{'a': []}", "{'a': object()}", "{'a': float('nan')}", "{'a': float('inf')}",
    "{'a': 10**400}", "{'a': '\\ud800'}", "{'a\\x1b\\n|': '=1+1\\x9b'}", "{'method': 'x', '#': 1, 'scored': 2}",
    "{'x': 1, 'x_std': 2, 'x_chance': 3}", "{'a': b'x'}", "lambda: 1", "object()", "{'a': {}}", "float('nan')", "...",
)  # fmt: skip
SCORES = (
    "None", "5", "'text'", "[[0.0] * len(classes)] * len(clips)", "torch.zeros(2, 2)", "torch.zeros(0)",
    "torch.zeros(len(clips), len(classes), dtype=torch.int64)", "torch.zeros(len(clips), len(classes)).numpy()",
    "torch.zeros(len(clips), len(classes), dtype=torch.complex64)", "torch.zeros(len(clips), len(classes)).to_sparse()",
    "torch.zeros(len(clips), len(classes), device='meta')", "torch.full((len(clips), len(classes)), float('inf'))",
    "torch.full((len(clips), len(classes)), -float('inf'))", "torch.full((len(clips), len(classes)), 1e300).double()",
    "torch.full((len(clips), len(classes)), 1e300, dtype=torch.float64)", "iter(())",
)  # fmt: skip
SOUND = ("torch.zeros(len(clips), len(classes))", "torch.full((len(clips), len(classes)), float('nan'))",
         "torch.zeros(len(clips), len(classes), requires_grad=True) * 2")  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """A plugin's source, the command it is tried with, and what must come of it.

    fails: whether the command must end with exit code 1; None: either. named: whether stderr must name the plugin.
    """

    source: str
    words: tuple[str, ...]
    fails: bool | None = False
    named: bool = True


def indented(code: str, by: int) -> str:
    return "\n".join(" " * by + line for line in code.splitlines())


def hook(name: str, arguments: str, code: str) -> str:
    return f"from zsarbench import hookimpl\n@hookimpl\ndef {name}({arguments}):\n{indented(code, 4)}\n"


def method(init: str = "pass", fit: str = "pass", score: str = SOUND[0]) -> str:
    """Return a plugin with one method; score: an expression, or lines."""
    body = score if "\n" in score or score in ACTS.values() else f"return {score}"
    register = 'registry.add("method", "hostile", "hostile_plugin:Hostile", summary="s", source="s", trained_on=())'
    return hook("zsarbench_register", "registry", register) + (
        f"import torch\nclass Hostile:\n    learns_from = 'nothing'\n    class_independent = False\n"
        f"    def __init__(self):\n{indented(init, 8)}\n    def fit(self, train, context):\n{indented(fit, 8)}\n"
        f"    def score(self, clips, classes, context):\n{indented(body, 8)}\n        return {SOUND[0]}\n"
    )


LIST = ("list", "--json")
COMPARE = ("compare", "RESULTS", "--format", "json")
FEW = ("--set", "dataset.clips_per_class=1", "--json", "--out", "OUT")
RUN = ("run", "--method", "hostile", *FEW)


def at_import(rng: random.Random) -> Trial:
    act = rng.choice(list(ACTS))
    words = rng.choice((LIST, ("data", "list", "--json"), COMPARE, ("show", "chance", "--json")))
    source = ACTS[act] + "\n" + hook("zsarbench_register", "registry", "pass")
    return Trial(source, words, named=act not in HARMLESS)


def in_hook(rng: random.Random) -> Trial:
    name, arguments = rng.choice((("zsarbench_register", "registry"), ("zsarbench_add_columns", "result")))
    act = rng.choice(list(ACTS))
    return Trial(hook(name, arguments, ACTS[act]), COMPARE, named=act not in HARMLESS)


def columns(rng: random.Random) -> Trial:
    value = rng.choice(VALUES)
    words = ("compare", "RESULTS", "--format", rng.choice(("json", "table", "markdown", "latex", "csv")))
    return Trial(hook("zsarbench_add_columns", "result", f"return {value}"), words, named=False)


def observer(rng: random.Random) -> Trial:
    act = rng.choice(list(ACTS))
    kind = rng.randrange(3)
    if kind == 0:
        source, named = hook("zsarbench_run_finished", "result, path", ACTS[act]), act not in HARMLESS
    elif kind == 1:
        source, named = hook("zsarbench_check_run", "spec", ACTS[act]), act not in HARMLESS
    else:
        source, named = hook("zsarbench_check_run", "spec", f"return {rng.choice(VALUES)}"), False
    return Trial(source, ("run", "--method", "chance", *FEW), named=named)


def in_method(rng: random.Random) -> Trial:
    act = rng.choice(list(ACTS))
    place = rng.choice(("init", "fit", "score"))
    source = method(**{place: ACTS[act]})
    return Trial(source, RUN, fails=act not in HARMLESS, named=act not in HARMLESS)


def returned(rng: random.Random) -> Trial:
    sound = rng.random() < 0.2
    return Trial(method(score=rng.choice(SOUND if sound else SCORES)), RUN, fails=not sound, named=not sound)


def in_entry(rng: random.Random) -> Trial:
    """The target of an entry does it when it is imported; or the entry itself is nonsense."""
    act = rng.choice(list(ACTS))
    fields = {
        "kind": "'method'",
        "name": "'hostile'",
        "target": "'hostile_target:X'",
        "summary": "'s'",
        "source": "'s'",
    }
    if rng.random() < 0.5:
        fields[rng.choice(list(fields))] = rng.choice(VALUES)
        words: tuple[str, ...] = LIST
        act = "print"
    else:
        words = ("show", "hostile", "--json")
    given = f"{fields['kind']}, {fields['name']}, {fields['target']}, summary={fields['summary']}"
    source = hook("zsarbench_register", "registry", f"registry.add({given})")
    return Trial(source + f"\n# target\n{ACTS[act]}\nclass X: pass", words, fails=None, named=False)


def texts(rng: random.Random) -> Trial:
    """Names of others in results, errors and plugins."""
    payload = rng.choice(("\x1b[2J", "\x9b31m", "\x1b]8;;http://h\x07", "a\u202eb", "\x7f\x08", "a\nb\r"))
    words = rng.choice(
        (
            ("show", f"x{payload}"), ("protocol", "show", f"x{payload}"), ("run", "--method", payload),
            ("list", payload),
            (f"verb{payload}",), ("compare", f"x{payload}.json"), ("compare", "HOSTILE", "--format", "FORMAT"),
            ("leaderboard", "check", "--results", "HOSTILE"),
            ("leaderboard", "build", "--results", "HOSTILE", "--out", "OUT"),
        )
    )  # fmt: skip
    words = tuple(
        rng.choice(("table", "markdown", "csv", "latex", "json")) if word == "FORMAT" else word for word in words
    )
    return Trial(hook("zsarbench_register", "registry", "pass"), words, fails=None, named=False)


KINDS: dict[str, Callable[[random.Random], Trial]] = {
    "import": at_import, "hook": in_hook, "columns": columns, "observer": observer, "method": in_method,
    "returned": returned, "entry": in_entry, "texts": texts,
}  # fmt: skip


def written(trial: Trial, folder: Path) -> None:
    """Install the plugin of a trial in a folder."""
    source, _, target = trial.source.partition("\n# target\n")
    (folder / "hostile_plugin.py").write_text(source, encoding="utf-8", errors="surrogatepass")
    if target:
        (folder / "hostile_target.py").write_text(target, encoding="utf-8")
    about = folder / "hostile_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[zsarbench]\n{NAME} = hostile_plugin\n")


def run_forked(words: list[str], folder: Path) -> tuple[int, str, str]:
    """Run a command line in a fork with the folder's plugin, and return its exit code, stdout and stderr."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:  # never returns
        code = 70
        try:
            for number, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT), number)
            sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
            sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
            sys.path.insert(0, str(folder))
            os.chdir(folder)
            from zsarbench.cli.main import main

            main(words)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    try:
        _, status = os.waitpid(child, 0)
    except BaseException:
        os.kill(child, 9)
        os.waitpid(child, 0)
        raise
    shown = [(folder / name).read_text(encoding="utf-8", errors="replace") for name in ("stdout", "stderr")]
    return os.waitstatus_to_exitcode(status), shown[0], shown[1]


def one(trial: Trial, results: dict[str, Path]) -> str:
    """Carry out a trial and return "handled", or what is wrong."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        written(trial, folder)
        places = {**results, "OUT": folder / "out"}
        code, out, err = run_forked([str(places.get(word, word)) for word in trial.words], folder)
    problems = []
    if "Traceback" in err or code == 70:
        problems.append("a traceback")
    if trial.fails is not None and code != (1 if trial.fails else 0):
        problems.append(f"exit code {code}")
    if code not in (0, 1, 2):
        problems.append(f"exit code {code}")
    if trial.named and NAME not in err and MODULE not in err:
        problems.append("the plugin is not named")
    if CONTROL.search(out) or CONTROL.search(err):
        problems.append("control characters")
    if "json" in " ".join(trial.words) and "HOSTILE" not in trial.words and not (code and not out):
        try:
            json.loads(out)
        except ValueError:
            problems.append("stdout is not JSON")
    if problems:
        raise AssertionError(f"{', '.join(problems)}\n{trial}\n--- stdout\n{out[:600]}\n--- stderr\n{err[-1500:]}")
    return "handled"


def samples(folder: Path) -> dict[str, Path]:
    """Return folders of results: of sound ones, and of ones whose texts are hostile."""
    import dataclasses

    from samples import sample_result, sample_scores
    from zsarbench import results

    scores = sample_scores()
    for name in ("chance", "other"):
        results.write(sample_result(scores, name), scores, folder / "sound")
    bad = "x\x1b[2J\x9b1m\u202e\n=1|<b>[a](javascript:x)"
    result = sample_result(scores, bad, command=bad, objections=(bad,), train_on=bad)
    result = dataclasses.replace(result, protocol=dataclasses.replace(result.protocol, summary=bad, source=bad))
    results.write(result, scores, folder / "hostile")
    return {"RESULTS": folder / "sound", "HOSTILE": folder / "hostile"}


def run(campaign: Campaign, folder: Path, trials: int, *, first: int = 0, only: list[str] | None = None) -> Campaign:
    """Carry out so many trials in all, or of each kind that is named."""
    import pandas  # noqa: F401  imported once, before the forks
    import torch

    import zsarbench.harness.runs
    import zsarbench.reports.leaderboard.check
    import zsarbench.reports.paired  # noqa: F401

    torch.set_num_threads(1)
    os.environ["ZSARBENCH_CACHE"] = str(folder / "cache")
    cases = samples(folder)
    for kind, draw in KINDS.items():
        if only and kind not in only:
            continue
        for number in range(first, first + (trials if only else max(1, trials // len(KINDS)))):
            trial = draw(campaign.rng(kind, number))
            campaign.trial(kind, number, lambda: one(trial, cases), seconds=120)  # noqa: B023
    return campaign


def main() -> int:
    given = common.arguments(list(KINDS), 400)
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign("hostile", given.seed)
        return run(campaign, Path(folder), given.trials, first=given.first, only=given.only).finish()


if __name__ == "__main__":
    sys.exit(main())
