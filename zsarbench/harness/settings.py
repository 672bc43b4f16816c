"""What users type as PART.OPTION=VALUE and DATASET=DIR, parsed, and the collector of a request's mistakes."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from zsarbench.data import class_texts
from zsarbench.data.captions import Captions
from zsarbench.errors import NotApplicable, UsageErrors, ZsarbenchError, unknown
from zsarbench.harness.spec import ExtractionRequest, RunRequest, options_of
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.utils.foreign import MAX_WHOLE
from zsarbench.utils.targets import expanded

if TYPE_CHECKING:
    from zsarbench.plugins.registry import Registry

P = ParamSpec("P")
T = TypeVar("T")
SETTABLE = ("method", "dataset", "train_dataset", *PART_KINDS, "executor")
"""Parts that `--set` knows."""
_KINDS = {int: "a whole number", bool: "true or false", str: "text"}


@dataclass
class Problems:
    """Collects what is wrong with a request, so that the user reads all of it at once.

    not_applicable: why the request, though it has no mistake, asks for what a protocol does not offer.
    """

    mistakes: list[str] = field(default_factory=list)
    not_applicable: list[str] = field(default_factory=list)

    def add(self, *mistakes: str) -> None:
        """Note mistakes."""
        self.mistakes += mistakes

    def catch(self, action: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | None:
        """Return what a function returns; where it raises an error for users, note that and return None."""
        try:
            return action(*arguments, **named)
        except ZsarbenchError as error:
            self.add(*(error.problems if isinstance(error, UsageErrors) else (str(error),)))
            return None

    def raise_all(self) -> None:
        """Raise what was noted, if anything was.

        Raises:
            UsageErrors: there are mistakes.
            NotApplicable: there are none, but the request is not applicable.
        """
        if self.mistakes:
            raise UsageErrors(dict.fromkeys([*self.mistakes, *self.not_applicable]))
        if self.not_applicable:
            raise NotApplicable(self.not_applicable)


@dataclass(frozen=True)
class Settings:
    """The values of `--set`, as typed, by part and option."""

    by_part: Mapping[str, Mapping[str, str]]

    @classmethod
    def parse(cls, texts: Iterable[str], problems: Problems, known: Collection[str] = SETTABLE) -> Settings:
        """Return the settings of "PART.OPTION=VALUE" strings; those of another form or part are noted as mistakes."""
        by_part: dict[str, dict[str, str]] = {}
        for text in texts:
            path, equals, value = text.partition("=")
            part, dot, option = path.partition(".")
            if not (equals and dot and part and option):
                problems.add(f"--set {text} is not of the form PART.OPTION=VALUE, e.g. --set loss.margin=0.5")
            elif part not in known:
                problems.add(unknown("part in --set", part, known))
            else:
                by_part.setdefault(part, {})[option] = value
        return cls(by_part)

    def of(self, part: str) -> Mapping[str, str]:
        """Return the values for a part by option."""
        return self.by_part.get(part, {})


def parse_captions(texts: Iterable[str], registry: Registry, problems: Problems) -> dict[str, Captions]:
    """Return the captions of "DATASET=FILE" strings by data set; what cannot be read is noted as a mistake."""
    found: dict[str, Captions] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals:
            problems.add(f"--captions {text} is not of the form DATASET=FILE, e.g. --captions folder=captions.csv")
        elif name in found:
            problems.add(f"--captions names data set '{name}' twice; put all its captions in one file")
        elif problems.catch(registry.get, "dataset", name) is not None:
            captions = problems.catch(Captions, expanded(file))
            if captions is not None:
                found[name] = captions
    return found


def parse_data_root(texts: Iterable[str], registry: Registry, problems: Problems) -> dict[str, str]:
    """Return the absolute folders of "DATASET=DIR" strings by data set; what does not exist is noted as a mistake."""
    folders = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            example = next(iter(registry.names("dataset")), "DATASET")
            problems.add(f"--data-root {text} is not of the form DATASET=DIR, e.g. {example}=/data/{example}")
        elif problems.catch(registry.get, "dataset", name) is not None:
            path = expanded(folder)
            if not os.path.isdir(path):
                problems.add(f"--data-root {name}: folder '{folder}' does not exist")
            folders[name] = str(path.absolute())
    return folders


# --- values of options ------------------------------------------------------------------------------------------------


def check_types(request: RunRequest | ExtractionRequest, problems: Problems) -> None:
    """Note values of a type that their option does not take; nothing can be looked up by those."""
    for option in options_of(type(request)):
        value = getattr(request, option.name)
        if value is None and option.default is None and not option.required:
            continue
        if option.multiple and not isinstance(value, list | tuple):
            problems.add(f"{option.flag} is {value!r}; it takes a list of texts")
        elif any(type(one) is not option.type for one in (value if option.multiple else [value])):
            problems.add(f"{option.flag} is {value!r}; it takes {_KINDS[option.type]}")


def check_values(request: RunRequest | ExtractionRequest, problems: Problems) -> None:
    """Note values that an option does not take, of those that have its type."""
    for option in options_of(type(request)):
        value = getattr(request, option.name)
        if value is None:
            continue
        if option.choices and value not in option.choices:
            problems.add(unknown(option.name, value, option.choices))
        elif option.minimum is not None and value < option.minimum:
            problems.add(f"{option.flag} is {value}; it is at least {option.minimum}")
        elif option.type is int and value > MAX_WHOLE // 2:  # the last seed, a sum of two, is a number of the result
            problems.add(f"{option.flag} is {value}; it is at most {MAX_WHOLE // 2}")
    if isinstance(request, RunRequest) and request.class_text is not None:
        problems.catch(class_texts.parse, request.class_text)
