"""Checkpoints of a fit: tensors in safetensors files, the rest in one small JSON that names them.

The JSON is replaced last, so it always names files that are whole, whatever was killed on the way. It holds the sha256
of each of them and of itself, so what was damaged later is not used.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import ClipFeatures, Digested, Fingerprinted
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.targets import CACHE, unwritable

_log = logging.getLogger(__name__)
STATE = "checkpoint.json"
SCHEMA = 2


@dataclass(frozen=True)
class Checkpoint:
    """What a folder holds: `state` in JSON types, and the files of the last epoch and of the best weights."""

    folder: Path
    state: Mapping[str, Any]
    _read: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    @property
    def files(self) -> Mapping[str, str]:
        """The file name of each role."""
        return {role: name for role, (name, _) in self.state["files"].items()}

    def tensors(self, role: str) -> dict[str, Tensor]:
        """Read the tensors of "last" or "best".

        Raises:
            ZsarbenchError: the file is missing, or is not the one that was written.
        """
        if role not in self._read:
            name, sha256 = self.state["files"][role]
            path = self.folder / name
            try:
                content = path.read_bytes()
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise ZsarbenchError(f"checkpoint '{path}' is damaged: it is not the file that was written")
                self._read[role] = safetensors.torch.load(content)
            except (OSError, ValueError, safetensors.SafetensorError) as error:
                raise ZsarbenchError(f"checkpoint '{path}' cannot be read: {error}") from error
        return self._read[role]


def read(folder: Path, identity: str) -> Checkpoint | None:
    """Return the checkpoint of a folder with its tensors, or None where it has none that is sound and of this identity.

    identity: digest of all that decides the fit; a checkpoint of another one is left aside, and the log says so.
    """
    try:
        checkpoint = stored(folder)
        if checkpoint is not None and checkpoint.state["identity"] == identity:
            for role in checkpoint.files:
                checkpoint.tensors(role)
    except ZsarbenchError as error:
        _log.warning("%s; it is ignored, and training starts from the beginning", error)
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
        ZsarbenchError: it cannot be read, is damaged, or is of another version.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ZsarbenchError(f"checkpoint {path} is not readable") from error
    if not isinstance(state, dict) or not isinstance(state.get("schema"), int):
        raise ZsarbenchError(f"{path} is not a checkpoint")
    if state["schema"] != SCHEMA:
        raise ZsarbenchError(f"checkpoint {path} is not of version {SCHEMA}")
    if state.pop("sha256", None) != identity(state):
        raise ZsarbenchError(f"checkpoint {path} is damaged: it is not as it was written")
    if not ({"identity", "files"} <= state.keys() and _are_files(state["files"])):
        raise ZsarbenchError(f"{path} is not a checkpoint: it does not name its files")
    return Checkpoint(folder, state)


def _are_files(files: Any) -> bool:
    """Return whether these are roles with a plain file name and a sha256 each; a path could leave the folder."""
    return isinstance(files, dict) and all(
        isinstance(entry, list)
        and len(entry) == 2
        and all(isinstance(text, str) for text in entry)
        and entry[0] == Path(entry[0]).name != ""
        for entry in files.values()
    )


def write(
    folder: Path, tensors: Mapping[str, Mapping[str, Tensor]], files: Mapping[str, str], state: Mapping[str, Any]
) -> None:
    """Write the given tensors by role and then the state; files that the state names no longer are deleted.

    files: file names by role; a role without tensors keeps the file it has.

    Raises:
        ZsarbenchError: the folder cannot be written.
    """
    try:
        entries: dict[str, list[str]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for role, name in files.items():
            if role in tensors:
                whole = {key: value.detach().cpu().contiguous() for key, value in tensors[role].items()}
                saved = safetensors.torch.save(whole)
                write_atomic(folder / name, saved)
                entries[role] = [name, hashlib.sha256(saved).hexdigest()]
            else:
                entries[role] = [name, _sha256_of(folder, name)]
        content: dict[str, Any] = {"schema": SCHEMA, "files": entries, **state}
        content["sha256"] = identity(content)
        write_atomic(folder / STATE, json.dumps(content, sort_keys=True, indent=1).encode())
        for path in folder.iterdir():
            if path.suffix in (".safetensors", ".tmp") and path.name not in files.values():
                path.unlink()
    except OSError as error:
        raise unwritable(folder, "checkpoints", error, CACHE) from error


def _sha256_of(folder: Path, name: str) -> str:
    """Return the sha256 that a file had when it was written, as the state of before has it."""
    before = stored(folder)
    written = {} if before is None else dict(before.state["files"].values())
    return str(written.get(name, ""))


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


def clips(features: ClipFeatures) -> list[Any]:
    """Return the ids of clips and what distinguishes their features, in JSON types."""
    content = features.content_digest if isinstance(features, Digested) else ""
    return [features.ids, features.dim, features.max_steps, content]


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
