"""A file of rows: methods with the arguments of their runs, each to be measured under every protocol of the file.

protocols = ["ucf101/truze-v1", "ucf101/all"]

[[rows]]
methods = ["nearest-text", "zsarcap"]     # and any further argument of a run, as in `zsarbench.run`
visual = "captions"
seeds = 3
label = "on captions"                     # optional: set after the method's name
[rows.not_on]                             # optional: why it is not measured there, or "everywhere"
"ucf101/all" = "reason"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.errors import UsageError, UsageErrors, unknown
from zsarbench.harness import sweep
from zsarbench.harness.spec import RunRequest, request
from zsarbench.harness.sweep import Cell
from zsarbench.utils.documents import read_toml

if TYPE_CHECKING:
    from zsarbench.plugins import Host

_OF_ALL = {"protocol": 'protocols = ["NAME"] at the top of the file', "out": "--out FOLDER"}  # arguments of every run
_FIELDS = ("methods", "label", "not_on")  # of a row, besides the arguments of its runs


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method with the arguments of its run; not_on: reasons by protocol why it is not measured there."""

    label: str
    arguments: Mapping[str, Any]
    not_on: Mapping[str, str]

    def request(self, protocol: str, arguments: Mapping[str, Any]) -> RunRequest:
        """Return the request under a protocol; `arguments` replace the row's, and `settings` add to them."""
        settings = [*self.arguments.get("settings", ()), *arguments.get("settings", ())]
        return request(**{**self.arguments, **arguments, "settings": settings, "protocol": protocol})


@dataclass(frozen=True)
class RowsFile:
    """The rows and protocols of a file, in its order."""

    rows: tuple[Row, ...]
    protocols: tuple[str, ...]

    def cells(self, host: Host, protocols: Sequence[str] = (), **arguments: Any) -> list[Cell]:
        """Return every row under every protocol.

        protocols: in place of the file's. arguments: of every run, in place of the rows'.

        Raises:
            UsageErrors: the mistakes of all rows.
        """
        self._check_not_on({*protocols, *self.protocols, *host.registry.names("protocol")})
        cells = [
            Cell(
                label=row.label,
                title=f"{row.label} on {protocol}",
                request=row.request(protocol, arguments),
                reason=row.not_on.get(protocol) or row.not_on.get("everywhere", ""),
            )
            for row in self.rows
            for protocol in protocols or self.protocols
        ]
        return sweep.resolved(cells, host)

    def _check_not_on(self, protocols: Collection[str]) -> None:
        """Check that reasons stand by names of protocols: a misspelt one would be measured after all."""
        known = ("everywhere", *sorted(protocols))
        problems = [
            f"row '{row.label}': {unknown('protocol in not_on', name, known)}"
            for row in self.rows
            for name in row.not_on
            if name not in known
        ]
        if problems:
            raise UsageErrors(dict.fromkeys(problems))


def read(path: Path) -> RowsFile:
    """Return the rows of a TOML file.

    Raises:
        ZsarbenchError: it does not exist, is not valid TOML, or a field is missing, unknown or of the wrong type.
    """
    content = read_toml(path, "file of rows")
    problems = [
        unknown("field", name, ("protocols", "rows")) for name in sorted(content.keys() - {"protocols", "rows"})
    ]
    if not _is_names(content.get("protocols")):
        problems.append('protocols is not a list of names. Try: protocols = ["NAME", "NAME"]')
    tables = content.get("rows")
    if not (isinstance(tables, list) and tables and all(isinstance(table, dict) for table in tables)):
        problems.append('it has no rows. Try: [[rows]] with methods = ["chance"]')
        tables = []
    rows: list[Row] = []
    for number, table in enumerate(tables, start=1):
        parsed, mistakes = _rows(table)
        rows += parsed
        problems += [f"row {number}: {mistake}" for mistake in mistakes]
    labels = [row.label for row in rows]
    problems += [
        f"'{label}' is the label of two rows. Try: label = \"…\" in one of them"
        for label, n in Counter(labels).items()
        if n > 1
    ]
    if problems:
        raise UsageErrors(dict.fromkeys(f"{path}: {problem}" for problem in problems))
    return RowsFile(tuple(rows), tuple(content["protocols"]))


def _rows(table: Mapping[str, Any]) -> tuple[list[Row], list[str]]:
    """Return the rows of one table, one for each of its methods, and what is wrong with it."""
    if not _is_names(table.get("methods")):
        return [], ['methods is not a list of names. Try: methods = ["chance"]']
    not_on = table.get("not_on", {})
    if not isinstance(not_on, dict) or not all(isinstance(reason, str) for reason in not_on.values()):
        return [], ['not_on is not a table of reasons by protocol. Try: [rows.not_on] with everywhere = "reason"']
    label = table.get("label", "as usual")
    if not isinstance(label, str) or not label.strip() or not label.isprintable():
        return [], ['label is not a text of one line. Try: label = "on captions"']
    for name, instead in _OF_ALL.items():
        if name in table:
            return [], [f"{name} is not a row's own. Try: {instead}"]
    if not isinstance(table.get("settings", []), list):
        return [], ['settings is not a list of texts. Try: settings = ["loss.margin=1"]']
    arguments = {name: value for name, value in table.items() if name not in _FIELDS}
    rows = []
    for method in table["methods"]:
        label = f"{method} {table['label']}" if "label" in table else method
        rows.append(Row(label=label, arguments={"method": method, **arguments}, not_on=not_on))
    try:
        rows[0].request("", {})
    except UsageError as error:
        return rows, [str(error)]
    return rows, []


def _is_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)
