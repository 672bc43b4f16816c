"""Checkpoints of a fit: tensors in safetensors files, the rest in one small JSON that names them.

The JSON is replaced last, so it always names files that are whole, whatever was killed on the way.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file, save_file
from torch import Tensor

from zsarbench.errors import ZsarbenchError

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
    """Return the checkpoint of a folder, or None where there is none of this identity.

    identity: digest of all that decides the fit; a checkpoint of another one is left aside, and the log says so.
    """
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        same = state["schema"] == SCHEMA and state["identity"] == identity
    except (ValueError, KeyError, TypeError):
        _log.warning("checkpoint %s is not readable and is left aside; training starts anew", path)
        return None
    if not same:
        _log.warning("checkpoint %s is of other settings or data and is left aside; training starts anew", path)
        return None
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
        _replace(folder / files[role], lambda path, whole=whole: save_file(whole, path))
    text = json.dumps({"schema": SCHEMA, "files": dict(files), **state}, sort_keys=True, indent=1)
    _replace(folder / STATE, lambda path: path.write_text(text, encoding="utf-8"))
    for path in folder.iterdir():
        if path.suffix in (".safetensors", ".tmp") and path.name not in files.values():
            path.unlink()


def _replace(path: Path, fill: Callable[[Path], object]) -> None:
    """Write a file beside its place, push it to the disk, and put it there in one step."""
    temporary = path.with_name(path.name + ".tmp")
    fill(temporary)
    for handle in (temporary, path.parent):
        if handle == path.parent:
            os.replace(temporary, path)
        descriptor = os.open(handle, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
