"""The options of this plugin's methods: which values they may take, and those that one stage reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from zsarbench.errors import UsageError
from zsarbench.plugins.options import options_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Stage = TypeVar("Stage", bound="DataclassInstance")

AT_LEAST_ONE = (
    "d_model", "joint_dim", "n_heads", "feedforward", "max_steps",
    "batch_size", "max_epochs", "patience", "n_negatives", "n_windows", "objects_per_window", "objects_per_clip",
)  # fmt: skip
SHARES = ("dropout", "validation_fraction")  # of a whole that may not be taken whole


def check(method: Any, name: str) -> None:
    """Raise where options of a method contradict each other or themselves; those that it does not have are left out.

    Raises:
        UsageError: it names all that is wrong, and the defaults.
    """
    options = options_of(type(method))
    wrong = list(_wrong({option: getattr(method, option) for option in options}))
    if wrong:
        defaults = {option: options[option].default for named, _ in wrong for option in named}
        hint = " ".join(f"--set method.{option}={_typed(default)}" for option, default in defaults.items())
        raise UsageError(f"method '{name}': " + "; ".join(why for _, why in wrong) + f". Try: {hint}")


def options_for(stage: type[Stage], method: Any, **changed: Any) -> Stage:
    """Return the options of a stage, a data class, taken from a method's options of the same names.

    changed: values that replace the method's.
    """
    own = {field.name: getattr(method, field.name) for field in fields(stage)}
    return stage(**{**own, **changed})


def _wrong(values: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield options that cannot be, and why."""
    if values.get("d_model", 0) % max(1, values.get("n_heads", 1)):
        yield ("d_model", "n_heads"), f"d_model={values['d_model']} is not a multiple of n_heads={values['n_heads']}"
    least = dict.fromkeys(AT_LEAST_ONE, 1) | {"neighbours": 1, "prototypes": 1, "object_sentences": 0}
    for option, value in values.items():
        if option in least and value is not None and value < least[option]:
            yield (option,), f"{option}={value} is below {least[option]}"
        elif option in SHARES and not 0 <= value < 1:
            yield (option,), f"{option}={value} is not in [0, 1)"
        elif option == "visual_weight" and not 0 <= value <= 1:
            yield (option,), f"{option}={value} is not in [0, 1]"
        elif option in ("window_seconds", "learning_rate") and not value > 0:
            yield (option,), f"{option}={value} is not above 0"
        elif option == "weight_decay" and not value >= 0:
            yield (option,), f"{option}={value} is below 0"
        elif option == "betas" and not all(0 <= beta < 1 for beta in value):
            yield (option,), f"{option}={_typed(value)} are not both in [0, 1)"


def _typed(value: Any) -> str:
    """Return a value as it is typed on the command line."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else "none" if value is None else str(value)
