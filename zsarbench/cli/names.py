"""The type of options and arguments that name something registered: a shell completes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

from zsarbench.utils.targets import expanded

if TYPE_CHECKING:
    from zsarbench.plugins import Host


class RegisteredName(StringParamType):
    """A registered name of the given kinds, or of any kind where none is given; the registry validates it later.

    others: further accepted values, which are not registered names. files: whether a file path is accepted too.
    """

    def __init__(self, *kinds: str, others: tuple[str, ...] = (), files: bool = False) -> None:
        self.kinds = kinds
        self.others = others
        self.files = files

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, with `~` for the home folder where it may be that of a file."""
        text: str = super().convert(value, param, ctx)
        return str(expanded(text)) if self.files and text.startswith("~") else text

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names with this prefix, each with its summary; where none has it, a completion of file paths."""
        host: Host = ctx.obj["session"].host
        chosen = [entry for entry in host.registry if not self.kinds or entry.kind in self.kinds]
        words = [CompletionItem(word) for word in self.others]
        words += [CompletionItem(entry.name, help=entry.summary) for entry in chosen]
        begun = [word for word in words if word.value.startswith(incomplete)]
        return begun or ([CompletionItem(incomplete, type="file")] if self.files else [])


OF_OPTIONS = {
    "method": RegisteredName("method"),
    "visual": RegisteredName("visual"),
    "text": RegisteredName("text"),
    "negatives": RegisteredName("negatives"),
    "loss": RegisteredName("loss"),
    "executor": RegisteredName("executor"),
    "protocol": RegisteredName("protocol", files=True),
    "train_on": RegisteredName("dataset", others=("seen",)),
    "format_": RegisteredName("reporter"),
    "dataset": RegisteredName("dataset"),
}
"""The types of options by their names, which are alike in all verbs."""
