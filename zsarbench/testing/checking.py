"""What every conformance check builds on: the component under test, checks, and their outcomes."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.errors import NotGiven, UsageError, ZsarbenchError
from zsarbench.plugins import building, options
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.plugins.registry import Entry, Registry
from zsarbench.testing import toys
from zsarbench.testing.causes import CAUSES
from zsarbench.testing.randomness import global_states, other_randomness, restored_settings
from zsarbench.utils.time_limit import TimeIsUp, limited

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SECONDS = 300.0
"""How long a check may take: a sampler or a fit that never ends is a bug, and must not stop the other checks."""
GLOBAL_STATE = 20_260_101
"""Global random state that every check starts from: a component that draws from it gets the same verdict in each run.
Checks that compare with another state take another number."""


class ContractViolation(Exception):
    """A difference between what the contract demands and what a component does."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}, but {actual}")


class Unusable(ContractViolation):
    """A difference that every further check of the component would only repeat.

    cause: what is most often behind it, in place of the check's; "" for that of the check.
    """

    def __init__(self, expected: str, actual: str, cause: str = "") -> None:
        super().__init__(expected, actual)
        self.cause = cause


class Unavailable(Exception):
    """A reason why a component cannot be tried on this machine: weights, files or packages that are missing."""


def expect(holds: bool, expected: str, actual: str) -> None:
    """Raise `ContractViolation` unless the first argument is true."""
    if not holds:
        raise ContractViolation(expected, actual)


def expect_unchanged(before: Mapping[str, Any]) -> None:
    """Raise `ContractViolation` where the global states are no longer those that `global_states` returned before."""
    after = global_states()
    changed = [name for name, value in before.items() if after[name] != value]
    advice = "fork random states with zsarbench.utils.seeding.fork_rng, and put settings back"
    expect(not changed, "global states to stay as they were", f"it changed {', '.join(changed)}; {advice}")


@dataclass(frozen=True)
class Problem:
    """A bug in a component: whose, by which check, what was expected and what happened, and where the contract is.

    rule: what the check tries. cause: what is most often behind it; "" where that is not known.
    """

    kind: str
    name: str
    check: str
    message: str
    contract: str
    rule: str = ""
    cause: str = ""

    def __str__(self) -> str:
        about = f"{self.kind} '{self.name}', {self.check}: {self.message}."
        likely = f" Likely cause: {self.cause}." if self.cause else ""
        rule = f" The rule: {self.rule}" if self.rule else ""
        return f"{about}{rule}{likely} The contract: {self.contract}"


@dataclass(frozen=True)
class CheckOutcome:
    """The outcome of one check of one component: a problem, a reason why it could not be tried, or neither."""

    kind: str
    name: str
    check: str
    problem: Problem | None = None
    skipped: str | None = None


class ComponentUnderTest:
    """A component under test; what is expensive to build is built once.

    chosen: options in place of the constructor's defaults, for example to train less. shared: what several
    components share, as protocols do their data sets. device: where it is tried, as torch names it. unusable: why no
    further check is tried, "" where they are.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        load: Callable[[], Any],
        *,
        chosen: Mapping[str, Any] | None = None,
        entry: Entry | None = None,
        registry: Registry | None = None,
        shared: dict[Any, Any] | None = None,
        device: str = "cpu",
    ) -> None:
        self.kind = kind
        self.name = name
        self.entry = entry
        self.registry = registry
        self.chosen = dict(chosen or {})
        self.shared = {} if shared is None else shared
        self.device = device
        self.unusable = ""
        self._load = load
        self._kept: dict[Any, Any] = {}

    @property
    def target(self) -> Any:
        """The component's class.

        Raises:
            Unavailable: it needs a package that is not installed.
            Unusable: it cannot be imported.
        """
        return self.once("target", self._import)

    def _import(self) -> Any:
        try:
            return self._load()
        except ZsarbenchError as error:
            if self.entry is not None and self.entry.extra and isinstance(error.__cause__, ImportError):
                raise Unavailable(str(error)) from error
            cause = "the target in `zsarbench_register` is not the name of the class, or its module cannot be imported"
            raise Unusable("a target that can be imported", str(error), cause) from error

    @property
    def component(self) -> Any:
        """One instance, built on first use and shared by checks that do not change it."""
        return self.once("component", self.make)

    def make(self, **arguments: Any) -> Any:
        """Return a new instance, a part on the subject's device, where a run puts it too.

        Raises:
            Unavailable: what it is built from is not on this machine.
        """
        if options.takes(self.target, "text_encoder"):
            arguments["text_encoder"] = toys.ToyText()
        try:
            component = self.target(**self.chosen, **arguments)
        except NotGiven as error:
            raise Unavailable(str(error)) from error
        except UsageError as error:
            raise ContractViolation("options whose defaults build the component", f"the error is: {error}") from error
        except ZsarbenchError as error:
            raise Unavailable(str(error)) from error
        return building.move_to(component, self.device) if self.kind in PART_KINDS else component

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` returns, or raise what it raises, calling it only the first time."""
        if key not in self._kept:
            try:
                self._kept[key] = make()
            except (Unavailable, ContractViolation) as error:
                self._kept[key] = error
        if isinstance(self._kept[key], Unavailable | ContractViolation):
            raise self._kept[key]
        return self._kept[key]


@dataclass(frozen=True)
class Check:
    """One rule of a kind's contract; `run` raises where a component breaks it."""

    kind: str
    name: str
    contract: str
    run: Callable[[ComponentUnderTest], None]

    def outcome(self, subject: ComponentUnderTest, seconds: float = SECONDS) -> CheckOutcome:
        """Try a component and return the outcome; whatever it raises is its problem, not the caller's."""
        about = (self.kind, subject.name, self.name)
        if subject.unusable:
            return CheckOutcome(*about, skipped=subject.unusable)
        try:
            with limited(seconds), restored_settings(), other_randomness(GLOBAL_STATE):
                self.run(subject)
        except (Unavailable, NotGiven) as error:
            return CheckOutcome(*about, skipped=str(error))
        except Unusable as error:
            subject.unusable = f"{self.name} found what stops all further checks"
            return CheckOutcome(*about, problem=self._problem(subject, str(error), error.cause))
        except ContractViolation as error:
            return CheckOutcome(*about, problem=self._problem(subject, str(error)))
        except TimeIsUp:
            message = f"expected an end within {seconds:.0f} seconds, but it was still running"
            return CheckOutcome(*about, problem=self._problem(subject, message))
        except (Exception, SystemExit) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}, line {place.lineno}"
            message = f"expected no error, but it raised {type(error).__name__}: {error} ({where})"
            return CheckOutcome(*about, problem=self._problem(subject, message))
        return CheckOutcome(*about)

    def _problem(self, subject: ComponentUnderTest, message: str, cause: str = "") -> Problem:
        rule = " ".join((self.run.__doc__ or "").split("\n\n")[0].split())
        cause = cause or CAUSES.get((self.kind, self.name)) or CAUSES.get(("", self.name), "")
        return Problem(self.kind, subject.name, self.name, message, self.contract, rule, cause)


# --- comparing --------------------------------------------------------------------------------------------------------


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors hold the same values in the same shape, NaN being equal to NaN."""
    return one.shape == other.shape and bool(((one == other) | (one.isnan() & other.isnan())).all())


def close(one: Tensor, other: Tensor) -> bool:
    """Return whether two score tensors agree up to the rounding of float32 sums."""
    import torch

    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)


def farthest(one: Tensor, other: Tensor) -> str:
    """Return in words how much two tensors differ."""
    if one.shape != other.shape:
        return f"shapes are {tuple(one.shape)} and {tuple(other.shape)}"
    apart = (one - other).abs().nan_to_num(float("inf"))
    return f"values differ by up to {float(apart.max()) if apart.numel() else 0.0:.3g}"


def shape_of(value: Any) -> str:
    """Return in words what a component returned: a tensor's shape and dtype, or a type."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')} was returned"
    return f"a {type(value).__name__} was returned"


def is_tensor(value: Any, shape: tuple[int, ...], dtype: torch.dtype | None = None) -> bool:
    """Return whether a value is a tensor of this shape, and of this dtype or any floating one."""
    import torch

    if not isinstance(value, torch.Tensor) or tuple(value.shape) != shape:
        return False
    return value.dtype == dtype if dtype is not None else value.is_floating_point()
