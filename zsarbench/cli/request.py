"""Command-line options of the verbs that run something, derived from the fields of their requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from zsarbench.cli.names import OF_OPTIONS
from zsarbench.harness.spec import RequestOption, RunRequest, options_of

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


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
    about: dict[str, Any] = {"help": option.help}
    if option.type is bool:
        return click.option(option.flag, option.name, is_flag=True, **about)
    if option.multiple:
        return click.option(option.flag, option.name, multiple=True, metavar=option.metavar, **about)
    return click.option(
        option.flag,
        option.name,
        type=OF_OPTIONS.get(option.name, option.type),
        default=default,
        required=option.required,
        show_default=default is not None,
        metavar=option.metavar,
        **about,
    )


train_on_option = option_of("train_on")


def class_text_option(default: str | None = None) -> Decorator:
    """Return the option for what describes a class."""
    return option_of("class_text", default=default)
