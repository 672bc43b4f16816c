"""Repeats the cheap committed rows by the command that each states, and fails where one is no longer true.

python .ci/remeasure.py [RESULTS]    RESULTS: benchmarks/results unless given; the rows are in benchmarks/cheap.toml
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zsarbench import results
from zsarbench.harness import runs
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import RunRequest
from zsarbench.plugins import load_plugins
from zsarbench.reports.backing import remeasured_row
from zsarbench.results import RunResult
from zsarbench.utils.progress import LogProgress

ROOT = Path(__file__).parent.parent


def differences(old: RunResult, new: RunResult, tolerance: float) -> list[str]:
    """Return in what a repeated result differs from the committed one; [] where it does not."""
    if new.spec_id != old.spec_id:
        return [f"the command now means spec {new.spec_id}, not {old.spec_id}"]
    pairs = [(name, old.summary[name].mean, new.summary[name].mean) for name in sorted(old.summary)]
    return [f"{name} is {now:.4f}, not {then:.4f}" for name, then, now in pairs if abs(now - then) > tolerance]


def main(arguments: Sequence[str]) -> int:
    """Measure and compare; return the exit code."""
    folder = Path(arguments[0]) if arguments else ROOT / "benchmarks" / "results"
    content = tomllib.loads((ROOT / "benchmarks" / "cheap.toml").read_text(encoding="utf-8"))
    all_results, host, failed = [results.read(path) for path in results.find(folder)], load_plugins(), False
    for row in content["rows"]:
        old = remeasured_row(all_results, **row)
        if old is None:
            problems = [f"no result is committed. Try: zsarbench run --method {row['method']} --out {folder}"]
        else:
            with tempfile.TemporaryDirectory() as out:
                request = replace(RunRequest.from_command(old.command), out=out, refit=True)
                new, _ = runs.run(resolve_run(request, host), host, LogProgress())
            problems = differences(old, new, content["tolerance"])
        print(f"{row['method']} on {row['protocol']}: {'; '.join(problems) or 'as committed'}", flush=True)
        failed = failed or bool(problems)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
