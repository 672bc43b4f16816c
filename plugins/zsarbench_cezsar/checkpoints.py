"""Checkpoints of a fit: tensors in safetensors files, the rest in one small JSON that names them.

The JSON is replaced last, so it always names files that are whole, whatever was killed on the way.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import Fingerprinted
from zsarbench.utils.atomic import atomic_path, write_atomic

_log = logging.getLogger(__name__)
STATE = "checkpoint.json"
SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """What a folder holds: `state` in JSON types, and the files of the last epoch and of the best weights."""

    folder: Path
    state: Mapping[str, Any]

    def tensors(self, role: str) -> dict[str, Tensor]:
        """Read the tensors of "last" or "best".

        Raises:
            ZsarbenchError: the file is missing or damaged.
        """
        path = self.folder / self.state["files"][role]
        try:
            return load_file(path)
        except (OSError, safetensors.SafetensorError) as error:
            raise ZsarbenchError(
                f"checkpoint '{path}' cannot be read: {error}. Delete the folder, or run without --resume"
            ) from error


def read(folder: Path, identity: str) -> Checkpoint | None:
    """Return the checkpoint of a folder, or None where it has none of this identity.

    identity: digest of all that decides the fit; a checkpoint of another one is ignored, and the log says so.
    """
    try:
        checkpoint = stored(folder)
    except ZsarbenchError as error:
        _log.warning("%s; it is ignored, training starts from the beginning", error)
        return None
    if checkpoint is not None and checkpoint.state["identity"] != identity:
        _log.warning(
            "checkpoint %s is of other settings or data and is ignored; training starts from the beginning",
            folder / STATE,
        )
        return None
    return checkpoint


def stored(folder: Path) -> Checkpoint | None:
    """Return the checkpoint of a folder, of any identity, or None where it has none.

    Raises:
        ZsarbenchError: it cannot be read, or is of another version.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        known = state["schema"] == SCHEMA and {"identity", "files"} <= state.keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ZsarbenchError(f"checkpoint {path} is not readable") from error
    if not known:
        raise ZsarbenchError(f"checkpoint {path} is not of version {SCHEMA}")
    return Checkpoint(folder, state)


def write(
    folder: Path, tensors: Mapping[str, Mapping[str, Tensor]], files: Mapping[str, str], state: Mapping[str, Any]
) -> None:
    """Write the given tensors by role and then the state; files that the state names no longer are deleted.

    files: file names by role; a role without tensors keeps the file it has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for role, values in tensors.items():
        whole = {name: value.detach().cpu().contiguous() for name, value in values.items()}
        with atomic_path(folder / files[role]) as temporary:
            save_file(whole, temporary)
    text = json.dumps({"schema": SCHEMA, "files": dict(files), **state}, sort_keys=True, indent=1)
    write_atomic(folder / STATE, text.encode())
    for path in folder.iterdir():
        if path.suffix in (".safetensors", ".tmp") and path.name not in files.values():
            path.unlink()


def pack(modules: nn.Module, optimizer: Optimizer, order: torch.Generator, device: torch.device) -> dict[str, Tensor]:
    """Return all that the next epoch depends on: weights, the optimizer's moments, random states."""
    tensors = {f"module/{name}": value for name, value in modules.state_dict().items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{name}": value for name, value in moments.items()}
    tensors["random/order"] = order.get_state()
    tensors["random/cpu"] = torch.random.get_rng_state()
    if device.type == "cuda":
        tensors["random/cuda"] = torch.cuda.get_rng_state(device)
    return tensors


def unpack(
    tensors: Mapping[str, Tensor],
    modules: nn.Module,
    optimizer: Optimizer,
    order: torch.Generator,
    device: torch.device,
) -> None:
    """Put back what `pack` returned, torch's global random state included."""
    modules.load_state_dict(_under("module/", tensors))
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in _under("optimizer/", tensors).items():
        number, _, name = key.partition("/")
        moments.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    order.set_state(tensors["random/order"])
    torch.random.set_rng_state(tensors["random/cpu"])
    if "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"], device)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def identity(decides: Mapping[str, Any]) -> str:
    """Return a digest of what decides a fit, in JSON types."""
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def digest(values: Tensor) -> str:
    """Return a digest of a tensor's numbers."""
    return hashlib.sha256(values.contiguous().numpy().data).hexdigest()


def described(part: Any) -> list[Any]:
    """Return the class name of a part, its plain attributes and its fingerprint, in JSON types.

    Not the module of the class: a file that moves leaves every stored fit valid. Two parts of one class name are
    distinguished by the harness, which names the checkpoint folder by the parts' registered names and options.
    """
    plain = {
        name: value
        for name, value in getattr(part, "__dict__", {}).items()
        # whether a module trains or evaluates just now is not a property of it
        if _is_plain(value) and not name.startswith("_") and name != "training"
    }
    return [type(part).__qualname__, plain, dict(part.fingerprint) if isinstance(part, Fingerprinted) else {}]


def _is_plain(value: Any) -> bool:
    """Return whether a value is of a type that an option may have."""
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return isinstance(value, (str, int, float, bool, type(None)))
