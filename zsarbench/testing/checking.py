"""What every conformance check stands on: the component under test, checks, and what they find."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from zsarbench.errors import NotGiven, UsageError, ZsarbenchError
from zsarbench.plugins import building, options
from zsarbench.plugins.parts import PART_KINDS
from zsarbench.testing import toys

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from zsarbench.plugins.registry import Entry, Registry

SECONDS = 300.0
"""After this long a check has failed: a sampler or a fit that never ends is a bug, and must not stop the others."""


class Broken(Exception):
    """Says what a check expected and what came."""

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(f"expected {expected}, but {came}")


class NotHere(Exception):
    """Says why a component cannot be tried on this machine: weights, files or packages that are not there."""


class _TooLong(BaseException):
    """Ends a check; no `except Exception` of a component holds it up."""


def expect(holds: bool, expected: str, came: str) -> None:
    """Raise `Broken` unless the first argument is true."""
    if not holds:
        raise Broken(expected, came)


@dataclass(frozen=True)
class Problem:
    """A bug that a check found: whose, which check, what was expected and came, and where the contract is written."""

    kind: str
    name: str
    check: str
    message: str
    contract: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}', {self.check}: {self.message}. The contract: {self.contract}"


@dataclass(frozen=True)
class Outcome:
    """What one check made of one component: a problem, a reason why it could not be tried, or neither."""

    kind: str
    name: str
    check: str
    problem: Problem | None = None
    skipped: str | None = None


class Subject:
    """A component under test; what is expensive to build is built once.

    chosen: options in place of the constructor's defaults, for example to train less. shared: what subjects keep
    together, as protocols do their data sets. device: where it is tried, as torch names it.
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
        self._load = load
        self._kept: dict[Any, Any] = {}

    @property
    def target(self) -> Any:
        """The component's class.

        Raises:
            NotHere: it needs a package that is not installed.
            Broken: it cannot be imported.
        """
        return self.once("target", self._import)

    def _import(self) -> Any:
        try:
            return self._load()
        except ZsarbenchError as error:
            if self.entry is not None and self.entry.extra and isinstance(error.__cause__, ImportError):
                raise NotHere(str(error)) from error
            raise Broken("a target that can be imported", str(error)) from error

    @property
    def component(self) -> Any:
        """One instance, built when first asked for and shared by checks that do not change it."""
        return self.once("component", self.make)

    def make(self, **arguments: Any) -> Any:
        """Return a new instance, a part on the subject's device, where a run puts it too.

        Raises:
            NotHere: what it is made of is not on this machine.
        """
        if options.takes(self.target, "text_encoder"):
            arguments["text_encoder"] = toys.ToyText()
        try:
            made = self.target(**self.chosen, **arguments)
        except NotGiven as error:
            raise NotHere(str(error)) from error
        except UsageError as error:
            raise Broken("options whose defaults build the component", f"it said: {error}") from error
        except ZsarbenchError as error:
            raise NotHere(str(error)) from error
        return building.moved(made, self.device) if self.kind in PART_KINDS else made

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` returns, or raise what it raises, calling it only the first time."""
        if key not in self._kept:
            try:
                self._kept[key] = make()
            except (NotHere, Broken) as error:
                self._kept[key] = error
        if isinstance(self._kept[key], NotHere | Broken):
            raise self._kept[key]
        return self._kept[key]


@dataclass(frozen=True)
class Check:
    """One rule of a kind's contract; `run` raises where a component breaks it."""

    kind: str
    name: str
    contract: str
    run: Callable[[Subject], None]

    def outcome(self, subject: Subject, seconds: float = SECONDS) -> Outcome:
        """Try a component and return what came of it; whatever it raises is its problem, not the caller's."""
        about = (self.kind, subject.name, self.name)
        try:
            with limited(seconds):
                self.run(subject)
        except (NotHere, NotGiven) as error:
            return Outcome(*about, skipped=str(error))
        except Broken as error:
            return Outcome(*about, problem=Problem(*about, str(error), self.contract))
        except _TooLong:
            message = f"expected an end within {seconds:.0f} seconds, but it went on"
            return Outcome(*about, problem=Problem(*about, message, self.contract))
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}, line {place.lineno}"
            message = f"expected no error, but it raised {type(error).__name__}: {error} ({where})"
            return Outcome(*about, problem=Problem(*about, message, self.contract))
        return Outcome(*about)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End a block after so many seconds; unlimited outside the main thread and where there are no such signals."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:  # whoever had set a timer, as a test runner may, gets it back
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


# --- comparing --------------------------------------------------------------------------------------------------------


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors hold the same values in the same shape, NaN being equal to NaN."""
    return one.shape == other.shape and bool(((one == other) | (one.isnan() & other.isnan())).all())


def close(one: Tensor, other: Tensor) -> bool:
    """Return whether two score tensors agree up to the rounding of float32 sums."""
    import torch

    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-5, equal_nan=True)


def farthest(one: Tensor, other: Tensor) -> str:
    """Return in words how far two tensors are apart."""
    if one.shape != other.shape:
        return f"shapes are {tuple(one.shape)} and {tuple(other.shape)}"
    apart = (one - other).abs().nan_to_num(float("inf"))
    return f"values differ by up to {float(apart.max()) if apart.numel() else 0.0:.3g}"


def shape_of(value: Any) -> str:
    """Return what a value is in words: a tensor's shape and dtype, or a type."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')} came"
    return f"a {type(value).__name__} came"


def is_tensor(value: Any, shape: tuple[int, ...], dtype: torch.dtype | None = None) -> bool:
    """Return whether a value is a tensor of this shape, and of this dtype or any floating one."""
    import torch

    if not isinstance(value, torch.Tensor) or tuple(value.shape) != shape:
        return False
    return value.dtype == dtype if dtype is not None else value.is_floating_point()
