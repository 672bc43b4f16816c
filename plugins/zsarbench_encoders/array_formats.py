"""Arrays in the files that people keep features in: `.npy`, `.npz`, `.mat`, `.pt`, `.safetensors` and HDF5.

A file is opened without reading values: its arrays with their shapes and types are known, and checked against its size
where the format allows that. Nothing is unpickled but tensors by torch's own restricted reader, and nothing outside of
the file is followed.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zsarbench.errors import UsageError
from zsarbench.utils.array_files import MAX_ARRAYS, MAX_BYTES, map_array, read_header

from .mat_files import MatFile

ENDINGS = (".npy", ".npz", ".mat", ".pt", ".pth", ".safetensors", ".h5", ".hdf5")
CONTAINERS = tuple(ending for ending in ENDINGS if ending != ".npy")
HDF5 = b"\x89HDF\r\n\x1a\n"
USER_BLOCK = 512  # bytes of MATLAB's before the HDF5 in a file of -v7.3
_ZIP_STORED = zipfile.ZIP_STORED

Read: TypeAlias = Callable[[], NDArray[Any]]


@dataclass(frozen=True)
class Stored:
    """An array in a file. dtype: the name of its type, or what else it is; read: returns its values."""

    shape: tuple[int, ...]
    dtype: str
    read: Read


def open_arrays(path: Path) -> Mapping[str, Stored]:
    """Return the arrays of a file by name; that of an `.npy` file is called "".

    Raises:
        ValueError: it is not what its ending says, or is damaged; the message is a clause about the file.
        UsageError: what reads it is not installed.
        OSError: it cannot be read.
    """
    ending = path.suffix.lower()
    try:
        arrays = _READERS[".h5" if ending == ".mat" and _is_hdf5(path) else ending](path)
    except (ValueError, OSError, UsageError):
        raise
    except Exception as error:  # libraries raise what they come upon in damaged bytes
        raise ValueError(f"it is not a valid {ending} file: {_first(error)}") from error
    if len(arrays) > MAX_ARRAYS * 100:
        raise ValueError(f"it holds {len(arrays):,} arrays, more than are read")
    return arrays


def _npy(path: Path) -> dict[str, Stored]:
    with path.open("rb") as file:
        header = read_header(file)
        size = file.seek(0, io.SEEK_END)
    if header.offset + header.n_bytes != size:
        raise ValueError(f"it has {size:,} bytes, but states an array of {header.n_bytes:,}")
    return {"": Stored(header.shape, header.dtype.name, lambda: map_array(path))}


def _npz(path: Path) -> dict[str, Stored]:
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for entry in _entries(archive):
            if not entry.filename.endswith(".npy"):
                raise ValueError(f"its entry '{entry.filename:.40}' is not an array")
            with archive.open(entry) as file:
                header = read_header(file)
            if header.offset + header.n_bytes != entry.file_size:
                raise ValueError(
                    f"its array '{entry.filename:.40}' states {header.n_bytes:,} bytes, but has "
                    f"{entry.file_size - header.offset:,}"
                )
            name = entry.filename.removesuffix(".npy")
            arrays[name] = Stored(header.shape, header.dtype.name, _of_npz(path, entry.filename))
    return arrays


def _of_npz(path: Path, entry: str) -> Read:
    def read() -> NDArray[Any]:
        with zipfile.ZipFile(path) as archive:
            content = archive.read(entry)  # as long as stated: its checksum is compared
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        return array

    return read


def _entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len({entry.filename for entry in entries}) < len(entries):
        raise ValueError("it holds an entry twice")
    for entry in entries:
        if entry.compress_type not in (_ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
            raise ValueError(f"its entry '{entry.filename:.40}' is encrypted, or compressed by an unknown method")
        if entry.file_size > MAX_BYTES:
            raise ValueError(f"its entry '{entry.filename:.40}' has {entry.file_size:,} bytes, more than are read")
    return entries


def _mat(path: Path) -> dict[str, Stored]:
    file = MatFile(path)

    def reader(name: str) -> Read:
        return lambda: file.read(name)

    return {name: Stored(one.shape, one.kind, reader(name)) for name, one in file.variables.items()}


def _safetensors(path: Path) -> dict[str, Stored]:
    from safetensors import safe_open

    names = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}

    def reader(name: str) -> Read:
        def read() -> NDArray[Any]:
            with safe_open(path, framework="pt") as file:
                return _as_numpy(file.get_tensor(name))

        return read

    arrays = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 - it is not a mapping
            part = file.get_slice(name)
            dtype = part.get_dtype()
            arrays[name] = Stored(tuple(part.get_shape()), names.get(dtype, dtype), reader(name))
    return arrays


def _torch(path: Path) -> dict[str, Stored]:
    """Return the tensor of a file (called ""), or those of its mapping, of any depth: "a/b" of {"a": {"b": …}}."""
    import torch

    if not zipfile.is_zipfile(path):
        raise ValueError("it is not a file of torch.save since PyTorch 1.6; load it and save it again")
    with zipfile.ZipFile(path) as archive:
        if any(entry.compress_type != _ZIP_STORED for entry in _entries(archive)):
            raise ValueError("its entries are compressed, which torch.save does not do")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise ValueError(
            f"torch's reader of plain tensors refuses it: {_first(error)}; save tensors alone, or a dict of them"
        ) from error
    arrays: dict[str, Stored] = {}
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, torch.Tensor):
            if value.layout != torch.strided or value.numel() * value.element_size() > value.untyped_storage().nbytes():
                raise ValueError(f"its tensor '{name:.40}' is sparse, or repeats its values")
            arrays[name] = Stored(
                tuple(value.shape), str(value.dtype).removeprefix("torch."), partial(_as_numpy, value)
            )
        elif isinstance(value, Mapping):
            waiting += [(f"{name}/{key}" if name else str(key), item) for key, item in value.items()]
    return arrays


def _as_numpy(tensor: Any) -> NDArray[Any]:
    import torch

    plain = tensor.detach()
    array: NDArray[Any] = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    return array


def _hdf5(path: Path) -> dict[str, Stored]:
    """Return the datasets of a file by their path in it. MATLAB's are turned round: its first dimension is last."""
    try:
        import h5py
    except ImportError as error:
        raise UsageError(f"{path.name} is HDF5, which h5py reads. Try: pip install 'zsarbench[hdf5]'") from error

    of_matlab = path.suffix.lower() == ".mat"
    arrays: dict[str, Stored] = {}

    def reader(name: str) -> Read:
        def read() -> NDArray[Any]:
            with h5py.File(path, "r", locking=False) as file:
                values: NDArray[Any] = file[name][()]
            return values.T if of_matlab else values

        return read

    with h5py.File(path, "r", locking=False) as file:
        waiting = [("", file)]
        while waiting:
            prefix, group = waiting.pop()
            for key in group:
                name = f"{prefix}/{key}" if prefix else key
                if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                    raise ValueError(f"its entry '{name:.40}' is a link to elsewhere, which is not followed")
                item = group[key]
                if isinstance(item, h5py.Group):
                    if len(waiting) + len(arrays) > MAX_ARRAYS * 100 or name.count("/") > 50:
                        raise ValueError("its groups are nested too deeply, or too many")
                    if not (of_matlab and key.startswith("#")):  # internal data of MATLAB
                        waiting.append((name, item))
                elif isinstance(item, h5py.Dataset):
                    arrays[name] = _of_hdf5(item, name, reader(name), of_matlab)
    return arrays


def _of_hdf5(item: Any, name: str, read: Read, of_matlab: bool) -> Stored:
    if item.external or item.is_virtual:
        raise ValueError(f"its entry '{name:.40}' keeps its values in another file, which is not read")
    if item.shape is None:
        return Stored((), "nothing", read)
    if math.prod(item.shape) * item.dtype.itemsize > MAX_BYTES:
        raise ValueError(f"its entry '{name:.40}' states a shape of {item.shape}, more than is read")
    return Stored(tuple(item.shape[::-1] if of_matlab else item.shape), item.dtype.name, read)


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(USER_BLOCK + len(HDF5))
    return head.startswith(HDF5) or head[USER_BLOCK:] == HDF5


def _first(error: BaseException) -> str:
    """Return the first sentence that an error says, or its type."""
    text = " ".join(str(error).split())
    return text.partition(". ")[0][:120].rstrip(".") or type(error).__name__


_READERS: Mapping[str, Callable[[Path], dict[str, Stored]]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".mat": _mat,
    ".pt": _torch,
    ".pth": _torch,
    ".safetensors": _safetensors,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
}
