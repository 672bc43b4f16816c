"""Names the plugin in whatever its code raises, and checks what it returns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.errors import ZsarbenchError
from zsarbench.plugins.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

MAX_WHOLE = 2**63 - 1  # what tables hold


def in_words(error: BaseException) -> str:
    """Return what was raised, in one line.

    >>> in_words(ValueError("no room")), in_words(SystemExit(3))
    ('ValueError: no room', 'it tried to end the program (SystemExit: 3)')
    """
    if isinstance(error, SystemExit):
        return f"it tried to end the program (SystemExit: {error.code})"
    try:
        text = " ".join(str(error).split())
    except Exception:  # an exception of a plugin's own, which cannot be printed
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@contextmanager
def named(registry: Registry) -> Iterator[None]:
    """Turn what code of a plugin raises inside into an error that names the plugin; `SystemExit` and the like too.

    Errors for users and Ctrl-C pass, and so does what no plugin had part in: that is a bug of the host.

    Raises:
        ZsarbenchError: code of a plugin raised something else.
    """
    try:
        yield
    except (ZsarbenchError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if (worded := plugin_error(error, registry)) is None:
            raise
        raise worded from error


def plugin_error(error: BaseException, registry: Registry) -> ZsarbenchError | None:
    """Return an error for users that names the plugin whose code raised another one; None where none did."""
    if (found := failed_in(error, registry)) is None:
        return None
    plugin, place = found
    worded = ZsarbenchError(
        f"plugin '{plugin}' failed in {place}: {in_words(error)}. Try: zsarbench --debug …, for the traceback"
    )
    worded.__cause__ = error
    return worded


def failed_in(error: BaseException, registry: Registry) -> tuple[str, str] | None:
    """Return in which plugin an error was raised and which of its functions had been called; None: in none.

    It may have been raised further in, in a library or a tool of the host that the plugin calls.
    """
    plugins = {entry.target.partition(":")[0].partition(".")[0]: entry.plugin for entry in registry}
    own = __name__.partition(".")[0]
    found: tuple[str, str] | None = None
    before = own
    trace = error.__traceback__
    while trace is not None:
        top = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if top in plugins and top != own and top != before:
            code = trace.tb_frame.f_code
            found = plugins[top], f"{code.co_qualname} ({Path(code.co_filename).name}, line {trace.tb_lineno})"
        if top in plugins or top == own:
            before = top
        trace = trace.tb_next
    return found


# --- what plugins return ----------------------------------------------------------------------------------------------


def checked_tensor(value: Any, who: str, what: str, shape: tuple[int, ...], *, nan: bool = False) -> Tensor:
    """Return a tensor that code of a plugin returned as float32 on the CPU, once it is what it must be.

    who: named in messages, such as "method 'x' of plugin 'y'". what: such as "scores". nan: whether NaN may be in it.

    Raises:
        ZsarbenchError: it is not a dense tensor of floats with values, has another shape, or values that are not finite
            numbers of float32.
    """
    import torch

    check_tensor(value, who, what, shape)
    kept: Tensor = value.detach().to("cpu", torch.float32)
    wrong = kept.isinf() if nan else ~kept.isfinite()
    if wrong.any():
        first = value.detach()[tuple(wrong.nonzero()[0])].item()
        raise ZsarbenchError(
            f"{who} returned {what} of which {int(wrong.sum()):,} of {wrong.numel():,} are not finite numbers of "
            f"float32, e.g. {first}" + ("; NaN is for clips that have no scores" if nan else "")
        )
    return kept


def check_tensor(value: Any, who: str, what: str, shape: tuple[int, ...]) -> None:
    """Check that what code of a plugin returned is a tensor of this shape; its values are not checked.

    Raises:
        ZsarbenchError: it is not a dense tensor of floats with values, or has another shape.
    """
    import torch

    needed = f"a dense torch.Tensor of floats {shape} is needed"
    if not isinstance(value, torch.Tensor):
        kind = type(value)
        raise ZsarbenchError(f"{who} returned {what} as {kind.__module__}.{kind.__qualname__}; {needed}")
    if tuple(value.shape) != shape:
        raise ZsarbenchError(f"{who} returned {what} {tuple(value.shape)}, not {shape}")
    if value.layout != torch.strided or value.is_meta or not value.dtype.is_floating_point:
        state = "on the device meta, without values" if value.is_meta else f"as {value.dtype}, {value.layout}"
        raise ZsarbenchError(f"{who} returned {what} {state}; {needed}")


def checked_columns(added: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the columns that a hook added to a result's row, and what is wrong with others, which are left out.

    A value is a text, a finite number, true or false, or None.
    """
    if added is None:
        return {}, []
    if not isinstance(added, Mapping):
        return {}, [f"it returned {type(added).__name__}, not a dict of columns"]
    columns, problems = {}, []
    for name, value in list(added.items()):
        number = value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 else value
        if not isinstance(name, str) or not name.strip():
            problems.append(f"the column {name!r:.60} has no name that is a text")
        elif not _is_cell(number):
            problems.append(f"the column '{name:.60}' holds {value!r:.60}, which is neither text nor a finite number")
        else:
            columns[name] = number
    return columns, problems


def _is_cell(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) <= MAX_WHOLE
    return value is None or isinstance(value, str) or (isinstance(value, float) and math.isfinite(value))


def checked_texts(texts: Any) -> tuple[list[str], list[str]]:
    """Return the texts that a hook returned, and what is wrong with the others."""
    if texts is None:
        return [], []
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        return [], [f"it returned {type(texts).__name__}, not a list of texts"]
    listed = list(texts)
    others = [text for text in listed if not isinstance(text, str)]
    return [text for text in listed if isinstance(text, str)], [f"{other!r:.60} is not text" for other in others]
