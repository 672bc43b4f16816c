"""What a whole process shares and no plugin may change by being loaded: folder, path, signals, defaults of torch."""

from __future__ import annotations

import operator
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return ""


def _restore_folder(kept: str) -> None:
    if kept:
        os.chdir(kept)


def _path() -> list[str]:
    return list(sys.path)


def _restore_path(kept: list[str]) -> None:
    """Put back what is missing; what a plugin added stays, at the end."""
    sys.path[:] = [*kept, *(one for one in sys.path if one not in kept)]


def _handlers() -> list[Any]:
    return [signal.getsignal(one) for one in _SIGNALS]


def _restore_handlers(kept: list[Any]) -> None:
    if threading.current_thread() is threading.main_thread():
        for one, handler in zip(_SIGNALS, kept, strict=True):
            signal.signal(one, handler)


def _torch() -> dict[str, Any]:
    """Return torch's defaults; those that it comes with before it is imported."""
    torch: Any = sys.modules.get("torch")
    if not hasattr(torch, "get_default_device"):
        return {"dtype": "torch.float32", "device": "cpu", "gradients": True}
    return {
        "dtype": str(torch.get_default_dtype()),
        "device": str(torch.get_default_device()),
        "gradients": torch.is_grad_enabled(),
    }


def _restore_torch(kept: dict[str, Any]) -> None:
    torch: Any = sys.modules["torch"]
    torch.set_default_dtype(getattr(torch, kept["dtype"].removeprefix("torch.")))
    torch.set_default_device(None if kept["device"] == "cpu" else kept["device"])
    torch.set_grad_enabled(kept["gradients"])


class _Shared(NamedTuple):
    """How a shared state is read and restored; holds: whether a state read before (the second) still stands in one."""

    read: Callable[[], Any]
    restore: Callable[[Any], None]
    holds: Callable[[Any, Any], bool] = operator.eq


_SHARED = {
    "the current folder": _Shared(_folder, _restore_folder),
    "sys.path": _Shared(_path, _restore_path, lambda now, kept: set(now) >= set(kept)),  # paths may be added
    "what signals do": _Shared(_handlers, _restore_handlers),
    "the recursion limit": _Shared(sys.getrecursionlimit, sys.setrecursionlimit),
    "torch's default dtype, device or gradients": _Shared(_torch, _restore_torch),
}


@contextmanager
def put_back(changed: list[str]) -> Iterator[None]:
    """Put back what a block changes of what all share, and add the names of it to a list."""
    kept = {name: shared.read() for name, shared in _SHARED.items()}
    try:
        yield
    finally:
        for name, shared in _SHARED.items():
            if not shared.holds(shared.read(), kept[name]):
                shared.restore(kept[name])
                changed.append(name)
