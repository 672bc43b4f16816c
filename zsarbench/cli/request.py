"""Command-line options of the verbs that run something, derived from the fields of their requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.harness.spec import Execution, RequestOption, RunRequest, options_of

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
MEASURED, MACHINE = "What is measured", "How, on this machine"
_LOCAL = {item.name for item in fields(Execution)}


class SectionOption(click.Option):
    """An option that stands in a section of its own in the help."""

    section = "Options"


class MeasuredOption(SectionOption):
    """An option that decides what the scores are."""

    section = MEASURED


class MachineOption(SectionOption):
    """An option of this machine, which decides no score."""

    section = MACHINE


class SectionedCommand(click.Command):
    """A command whose help lists its options by section: what decides the scores, and what is of this machine."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each kind of option, those of no kind last."""
        sections: dict[str, list[tuple[str, str]]] = {MEASURED: [], MACHINE: [], SectionOption.section: []}
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                sections[getattr(parameter, "section", SectionOption.section)].append(record)
        for name, records in sections.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


def with_options_of(request: type, *, without: tuple[str, ...] = ("method",)) -> Decorator:
    """Return a decorator that gives a command the options of a request, in the order of its fields.

    without: fields that the command declares itself.
    """
    chosen = [option for option in options_of(request) if option.name not in without]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(chosen):
            command = _click_option(option, option.default)(command)
        return command

    return decorate


def option_of(name: str, request: type = RunRequest, *, default: Any = ...) -> Decorator:
    """Return a decorator that gives a command one option of a request, with another default where one is named."""
    [option] = [option for option in options_of(request) if option.name == name]
    return _click_option(option, option.default if default is ... else default)


def _click_option(option: RequestOption, default: Any) -> Decorator:
    kind = MachineOption if option.name in _LOCAL else MeasuredOption
    about: dict[str, Any] = {"help": option.help, "cls": kind}
    if option.type is bool:
        flags = f"{option.flag}/{option.off}" if option.off else option.flag
        return click.option(flags, option.name, is_flag=True, default=default, **about)
    if option.multiple:
        return click.option(option.flag, option.name, multiple=True, metavar=option.metavar, **about)
    if not option.required:  # to newer versions of click a default of None is a value, which nobody has to give
        about["default"] = default
    return click.option(
        option.flag,
        option.name,
        type=OF_OPTIONS.get(option.name, option.type),
        required=option.required,
        show_default=default is not None,
        metavar=option.metavar or "|".join(option.choices) or None,
        **about,
    )


train_on_option = option_of("train_on")


def class_text_option(default: str | None = None) -> Decorator:
    """Return the option for what describes a class."""
    return option_of("class_text", default=default)
