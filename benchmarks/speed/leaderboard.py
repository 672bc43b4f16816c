"""Times the leaderboard of synthetic results: its build, its bytes, and what a browser needs for it.

The results are generated: each has predictions of 200 clips in 25 classes, and rounds and means that follow from
them (intervals are the mean ± 0.1). Half of them are on one protocol. The build reads, validates, computes and writes;
its CPU time counts all processes. The browser is Chromium, where it is installed; it opens the page from the disk. On a
busy machine every time grows, so a plain loop is timed next to it.

    python benchmarks/speed/leaderboard.py
    python benchmarks/speed/leaderboard.py --sizes 60 2000 20000
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zsarbench import results
from zsarbench.evaluation.measures import measure_round
from zsarbench.evaluation.scores import Block, RoundScores, Scores
from zsarbench.evaluation.summary import summarise
from zsarbench.reports.leaderboard import board, predictions, site
from zsarbench.results.record import spec_id
from zsarbench.utils.documents import json_text
from zsarbench.utils.processes import Processes

N_CLASSES, CLIPS_A_CLASS, N_PROTOCOLS, N_METHODS = 25, 8, 18, 200
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TIMED = """
  // Each look waits for an empty script, since the browser hands the page over once no script is left to load.
  const until = (ready) => new Promise((done) => {
    const look = () => {
      const empty = document.createElement("script");
      empty.src = "data:text/javascript,";
      empty.onload = () => (ready() ? done() : look());
      document.head.append(empty);
    };
    look();
  });
  const rows = () => document.querySelectorAll(".filters").length && document.querySelectorAll("tr.row").length;
  const status = () => document.querySelector(".filters output").textContent;
  const timed = async (act, ready) => {
    const start = performance.now();
    act();
    await until(ready);
    return performance.now() - start;
  };
  (async () => {
    await until(rows);
    const seen = { interactive: performance.now(), nodes: document.querySelectorAll("body *").length };
    const field = document.querySelector("[name=q]");
    const enter = (value) => () => { field.value = value; field.dispatchEvent(new Event("input", { bubbles: true })); };
    const all = status();
    seen.filter = await timed(enter("method-01"), () => status() !== all);
    seen.clear = await timed(enter(""), () => status() === all);
    const sorted = () => document.querySelector("th[aria-sort]");
    seen.sort = await timed(() => document.querySelectorAll("thead button")[1].click(), sorted);
    document.body.dataset.seen = JSON.stringify(seen);
  })();
"""


def made_scores(number: int) -> Scores:
    """Return synthetic scores of one round; a higher number is not better informed."""
    rng = np.random.default_rng(number)
    labels = np.repeat(np.arange(N_CLASSES), CLIPS_A_CLASS).astype(np.int32)
    matrix = rng.normal(size=(len(labels), N_CLASSES)).astype(np.float32)
    matrix[np.arange(len(labels)), labels] += rng.uniform(0.5, 2.5)
    clips, classes = np.arange(len(labels), dtype=np.int32), np.arange(N_CLASSES, dtype=np.int32)
    whole = RoundScores(block=0, clips=clips, classes=classes, seen=np.zeros(N_CLASSES, dtype=np.bool_))
    return Scores(
        clip_ids=np.array([f"clip{clip:03}" for clip in clips]),
        groups=np.array([f"g{clip % 4}" for clip in clips]),
        class_names=np.array([f"Class{label:02}" for label in classes]),
        labels=labels,
        blocks=(Block(clips, classes, matrix),),
        rounds=(whole,),
    )


def template() -> tuple[dict[str, Any], results.RunResult]:
    """Return a committed result of one round, whose record the synthetic ones share."""
    place = Path(__file__).parents[1] / "results" / "sketch-compositional"
    result = results.read(next(place.glob("conse-*.json")))
    return result.to_json(), result


def write_results(folder: Path, n: int) -> None:
    """Write n synthetic results with their predictions."""
    record, result = template()
    candidates = results.names_sha256([f"Class{label:02}" for label in range(N_CLASSES)])
    for number in range(n):
        scores = made_scores(number)
        measured = measure_round(scores, 0, "zsl", "all")
        one = dataclasses.replace(
            result.rounds[0], candidates_sha256=candidates, duplicate_of=None, **measured._asdict()
        )
        summary = {
            name: dataclasses.replace(item, ci95=(max(0.0, item.mean - 0.1), min(1.0, item.mean + 0.1)))
            for name, item in summarise([one]).items()
        }
        protocol = f"made/p{0 if number % 2 == 0 else number // 2 % N_PROTOCOLS:02}"
        method = f"method-{number % N_METHODS:03}"
        spec = record["spec"] | {"protocol": protocol, "method": {"name": method, "options": {"n": number}}}
        own = record | {
            "method": record["method"] | {"name": method, "options": {"n": number}},
            "protocol": record["protocol"] | {"name": protocol},
            "rounds": [dataclasses.asdict(one)],
            "summary": {name: dataclasses.asdict(item) for name, item in summary.items()},
            "seed": one.seed,
            "seeds": [one.seed],
            "failures": [],
            "contamination": None,
            "coverage": None,
            "spec": spec,
            "spec_id": spec_id(spec),
            "command": f"zsarbench run --method {method} --protocol {protocol} --set method.n={number}",
        }
        place = folder / protocol.replace("/", "-")
        place.mkdir(parents=True, exist_ok=True)
        content = scores.to_bytes()
        file = f"{method}-{own['spec_id']}-{number}.npz"
        own["predictions"] = {"file": file, "sha256": hashlib.sha256(content).hexdigest()}
        (place / file).write_bytes(content)
        (place / file).with_suffix(".json").write_text(json_text(own) + "\n", encoding="utf-8")


def in_browser(page: Path, profile: Path) -> dict[str, float]:
    """Return milliseconds to interactive, of a filter, of clearing it and of a sort, and the nodes of the page."""
    assert CHROMIUM is not None
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    timed = page.with_name("timed.html")
    timed.write_text(html.replace("</body>", f"<script>{TIMED}</script></body>"), encoding="utf-8")
    words = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={profile}",
        "--timeout=15000",
        "--dump-dom",
    ]
    done = subprocess.run([CHROMIUM, *words, timed.as_uri()], capture_output=True, text=True, timeout=300, check=True)
    timed.unlink()
    seen = re.search(r'data-seen="([^"]*)"', done.stdout)
    found: dict[str, float] = json.loads(seen[1].replace("&quot;", '"')) if seen else {}
    return found


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def plain_loop() -> float:
    """Return the seconds of ten million steps of a loop, by which machines and their load compare."""
    start = time.perf_counter()
    for _ in range(10_000_000):
        pass
    return time.perf_counter() - start


def measure(n: int, folder: Path, *, browser: bool) -> bool:
    """Build and open the leaderboard of n synthetic results, print the costs, and return whether all goals are met."""
    write_results(folder / "results", n)
    loop, wall, cpu = plain_loop(), time.perf_counter(), cpu_seconds()
    with Processes() as processes:
        found, seen = predictions.read(folder / "results", processes)
        backings = {name: item.backing for name, item in seen.items()}
        whole = board.build_board(list(found.values()), [], backings=backings)
        page = site.write(folder / "site", site.Site(board=whole, found=found, seen=seen), processes)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    first = sum(path.stat().st_size for path in (page, page.parent / "data" / "made-p00.js"))
    print(
        f"{n:,} results: built in {wall:.1f} s, {cpu:.1f} s of CPU; first view {first / 1e3:,.0f} kB; "
        f"a loop of ten million steps took {loop:.2f} s"
    )
    large = n > 2000
    met = wall < (60 if large else 5) and (large or first < 500_000)
    if browser:
        times = in_browser(page, folder / "profile")
        print("  in milliseconds: " + ", ".join(f"{what} {value:,.0f}" for what, value in times.items()))
        met &= times["interactive"] < (2000 if large else 1000)
    return met


def main(arguments: Sequence[str] | None = None) -> int:
    """Print two lines for each size; return 0, or 1 where a size misses its goals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[60, 2000])
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args(arguments)
    met = []
    for n in options.sizes:
        with tempfile.TemporaryDirectory() as name:
            met.append(measure(n, Path(name), browser=CHROMIUM is not None and not options.no_browser))
    return int(not all(met))


if __name__ == "__main__":
    raise SystemExit(main())
