"""Clips that a list names and no video shows, a protocol over all of them, and `zsarbench score` on it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.results import RunResult

NAMES = ("archery", "biking", "bowling", "Brush Hair", "climbing", "diving", "fencing", "golf", "juggling", "kayaking",
         "Play Violin", "surfing")  # fmt: skip


def clips_of(n_per_class: int) -> dict[str, str]:
    """Return the class of each clip."""
    return {
        f"{name.replace(' ', '')}/{name[:3].strip()}{number}": name for name in NAMES for number in range(n_per_class)
    }


@dataclass(frozen=True)
class Place:
    """A folder with a list of clips and a protocol over all of them, `mine.toml`."""

    path: Path
    clips: Mapping[str, str]

    @classmethod
    def make(cls, path: Path, clips: Mapping[str, str]) -> Place:
        """Write list and protocol."""
        rows = [f"{clip}.mp4,{name},,,{clip}" for clip, name in clips.items()]
        (path / "clips.csv").write_text("\n".join(["clip,label,start,end,group", *rows]))
        place = cls(path, clips)
        place.add_protocol("mine", NAMES)
        return place

    def add_protocol(self, name: str, candidates: Sequence[str], more: str = "") -> None:
        """Write a protocol `NAME.toml` of one round over the clips of these classes."""
        n_clips = sum(label in candidates for label in self.clips.values())
        text = f"""
name = "mine/{name}"
version = 1
dataset = "folder"
setting = "zsl"
summary = "Mine."
source = "made for a test"
n_clips = {n_clips}
{more}
[[rounds]]
candidates = {list(candidates)}
"""
        (self.path / f"{name}.toml").write_text(text)

    def run(self, *words: str, plugins: Sequence[str] = ("--no-plugin", "encoders"), options: bool = True) -> str:
        """Return what a command prints on stdout; options: whether those of the data set are put at its end."""
        data = ["--data-root", f"folder={self.path}", "--set", f"dataset.annotations={self.path / 'clips.csv'}"]
        data = data if options else []
        done = CliRunner().invoke(cli, ["--quiet", *plugins, *words, *data], catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def score(self, file: str, *words: str, protocol: str = "mine") -> list[RunResult]:
        """Return the results of a file of the folder."""
        where = ["--protocol", str(self.path / f"{protocol}.toml"), "--out", str(self.path / "out")]
        content = json.loads(self.run("score", str(self.path / file), "--name", "M", *where, "--json", *words))
        return [results.from_json(one) for one in (content if isinstance(content, list) else [content])]

    def write(self, name: str, content: object) -> str:
        """Write a JSON file, or lines where the name says so, and return its name."""
        if name.endswith("l"):
            assert isinstance(content, list)
            (self.path / name).write_text("\n".join(json.dumps(row) for row in content), encoding="utf-8")
        else:
            (self.path / name).write_text(json.dumps(content), encoding="utf-8")
        return name


def findings(result: RunResult) -> dict[str, int]:
    """Return the counts of a result's account by kind."""
    return {kind: found["count"] for kind, found in result.method.record["account"]["findings"].items()}
