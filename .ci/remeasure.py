"""Measures the cheap committed rows anew, by the command that each states, and fails where one is no longer true.

python .ci/remeasure.py [RESULTS]    RESULTS: benchmarks/results unless given; the rows are in benchmarks/cheap.toml
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from zsarbench import results
from zsarbench.results import RunResult

ROOT = Path(__file__).parent.parent


def committed(folder: Path, protocol: str, method: str) -> RunResult | None:
    """Return the newest ranked result of a method on a protocol."""
    found = [results.read(path) for path in results.find(folder)]
    named = [result for result in found if (result.protocol.name, result.method.name) == (protocol, method)]
    whole = [result for result in named if result.limit is None and result.control == "none"]
    return max(whole, key=lambda result: (result.created, result.stem), default=None)


def measured_anew(result: RunResult, folder: Path) -> RunResult:
    """Run the command of a result with the zsarbench of this Python and return what it gives."""
    program = Path(sys.executable).with_name("zsarbench")
    words = shlex.split(result.command)[1:]
    subprocess.run([program, *words, "--out", folder], check=True, stdout=subprocess.DEVNULL)
    return max(map(results.read, results.find(folder)), key=lambda result: result.created)


def differences(old: RunResult, new: RunResult, tolerance: float) -> list[str]:
    """Return in what a result measured anew differs from the committed one; [] where it does not."""
    if new.spec_id != old.spec_id:
        return [f"the command now means spec {new.spec_id}, not {old.spec_id}"]
    pairs = [(name, old.summary[name].mean, new.summary[name].mean) for name in sorted(old.summary)]
    return [f"{name} is {now:.4f}, not {then:.4f}" for name, then, now in pairs if abs(now - then) > tolerance]


def main(arguments: Sequence[str]) -> int:
    """Measure and compare; return the exit code."""
    folder = Path(arguments[0]) if arguments else ROOT / "benchmarks" / "results"
    content = tomllib.loads((ROOT / "benchmarks" / "cheap.toml").read_text(encoding="utf-8"))
    failed = False
    for row in content["rows"]:
        where = f"{row['method']} on {row['protocol']}"
        old = committed(folder, **row)
        if old is None:
            found = [f"there is no committed result. Try: zsarbench run --method {row['method']} --out {folder}"]
        else:
            with tempfile.TemporaryDirectory() as place:
                found = differences(old, measured_anew(old, Path(place)), content["tolerance"])
        print(f"{where}: {'; '.join(found) or 'as committed'}", flush=True)
        failed = failed or bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
