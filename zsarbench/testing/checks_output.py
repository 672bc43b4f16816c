"""Checks of reporters and executors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import fields
from io import StringIO
from typing import Any

from zsarbench.interfaces import ClipSource, Shard, ShardReport, Table
from zsarbench.testing import checks_constructors, toys
from zsarbench.testing.checking import Check, ComponentUnderTest, expect

REPORTER = "zsarbench.interfaces.Reporter.render"
EXECUTOR = "zsarbench.interfaces.Executor.map"


class ToyTask:
    """An extraction task that reads nothing: every other clip of a shard fails."""

    threads = 1

    def run(self, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        """Report each shard."""
        for shard in shards:
            ids = tuple(clip.clip_id for clip in shard.clips)
            failures = dict.fromkeys(ids[1::2], "it is a toy")
            yield ShardReport(shard.index, f"shard{shard.index}", ids[::2], failures, {"decode": 0.0})


def renders_text(subject: ComponentUnderTest) -> None:
    """`render` gives the same text each time, with every method in it, prints nothing and leaves the table alone."""
    table = toys.table()
    with redirect_stdout(StringIO()) as printed:
        text = subject.component.render(table)
    expect(not printed.getvalue(), "nothing on stdout, which is the caller's", f"it printed {printed.getvalue()!r:.40}")
    expect(isinstance(text, str) and text.strip() != "", "text", f"it is a {type(text).__name__}")
    lost = [name for name in table.frame["method"] if name not in text.replace("\\", "")]
    expect(not lost, "every method of the table in the text", f"{', '.join(lost)} is missing")
    for again in (subject.make().render(toys.table()), subject.component.render(toys.table())):
        expect(text == again, "the same text for the same table", "it differs")
    expect(_same(table, toys.table()), "the table to stay as it was", "it was changed")


def _same(one: Table, other: Table) -> bool:
    return one.frame.equals(other.frame) and list(one.frame) == list(other.frame) and _about(one) == _about(other)


def _about(table: Table) -> dict[str, Any]:
    return {field.name: getattr(table, field.name) for field in fields(table) if field.name != "frame"}


def shows_the_figures(subject: ComponentUnderTest) -> None:
    """The metric that ranks is shown, whichever it is, for each row and beside it; rows stay in their order."""
    text = subject.component.render(toys.table())
    changed = toys.table()
    changed.frame[changed.rank_by] = changed.frame[changed.rank_by] / 2
    expect(subject.make().render(changed) != text, f"a text that shows {changed.rank_by}", "halved, it gives the same")
    plain = text.replace("\\", "")
    places = [plain.find(name) for name in toys.table().frame["method"]]
    expect(places == sorted(places), "rows in the order of the table, best first", "they are in another order")
    for metric, setting in (("top1_per_video", "zsl"), ("harmonic_mean", "gzsl")):
        own = _parts(subject.make().render(toys.table(metric, setting)))
        for number, name in enumerate(toys.table().frame["method"]):
            table = toys.table(metric, setting)
            values = table.frame[metric]
            table.frame[metric] = [value + 0.04 * (row == number) for row, value in enumerate(values)]
            actual = f"with another one of {name}, ranked by {metric}, it stays the same there"
            others = _parts(subject.make().render(table))
            expect(others[number] != own[number], f"{metric} of a row beside its method", actual)


def _parts(text: str) -> list[str]:
    """Return what stands around each method of the toy table, from the name before it to the one after it."""
    plain, names = text.replace("\\", ""), list(toys.table().frame["method"])
    ends = [0, *(plain.find(name) for name in names), len(plain)]
    return [
        plain[ends[number] + (len(names[number - 1]) if number else 0) : ends[number + 2]]
        for number in range(len(names))
    ]


def reports_every_shard(subject: ComponentUnderTest) -> None:
    """`map` yields one report for every shard, in any order, and none without shards."""
    shards = [
        Shard(number, tuple(ClipSource(f"clip-{number}-{clip}") for clip in range(number + 1))) for number in range(4)
    ]
    expected = list(ToyTask().run(shards))
    reports = sorted(subject.component.map(ToyTask(), shards), key=lambda report: report.index)
    expect(
        reports == expected,
        "the task's report of every shard, once",
        f"the reports are of {[one.index for one in reports]}",
    )
    none = list(subject.make().map(ToyTask(), []))
    expect(none == [], "no report without a shard", f"there are {len(none)}")


def reporter_checks() -> tuple[Check, ...]:
    """Return the checks of reporters."""
    return (
        *checks_constructors.checks("reporter"),
        Check("reporter", "renders-text", REPORTER, renders_text),
        Check("reporter", "shows-the-figures", REPORTER, shows_the_figures),
    )


def executor_checks() -> tuple[Check, ...]:
    """Return the checks of executors."""
    return (
        *checks_constructors.checks("executor"),
        Check("executor", "reports-every-shard", EXECUTOR, reports_every_shard),
    )
