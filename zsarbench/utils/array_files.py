"""Reads arrays that numpy wrote from files of others, without unpickling, and never more than the file holds."""

from __future__ import annotations

import functools
import io
import math
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsarbench.utils.foreign import first_line, guarded, read_bytes

MAX_BYTES = 2 * 2**30
"""All arrays of a file together. Scores of 20,000 clips among 400 classes under ten training seeds have 0.3 GB."""
MAX_ARRAYS = 10_000
_LENGTHS = {(1, 0): "<H", (2, 0): "<I"}  # of an array's header by the format's version; 3.0 is of records alone
_MAX_HEADER = 10_000  # bytes, as numpy's own limit
_AHEAD = 2**16  # bytes of an entry that are read at first: the header, and with it most arrays
_PIECE = 2**20  # bytes of an entry that are decompressed at once after these
_KINDS = {"U": "text", "i": "whole numbers", "u": "counts", "f": "floats", "b": "true and false"}


@dataclass(frozen=True)
class ArrayForm:
    """What an array must be. kinds: letters of numpy's `dtype.kind`. ndim: its dimensions. dtype: the exact type."""

    ndim: int
    kinds: str
    dtype: Any = None

    def problem(self, header: Header) -> str:
        """Return how an array differs from it, "" where it does not."""
        if self.dtype is not None and header.dtype != self.dtype:
            return f"holds {header.dtype}, not {np.dtype(self.dtype)}"
        if header.dtype.kind not in self.kinds:
            return f"holds {header.dtype}, not {' or '.join(_KINDS[kind] for kind in self.kinds)}"
        return "" if len(header.shape) == self.ndim else f"has shape {header.shape}, not {self.ndim} dimensions"


class Header(NamedTuple):
    """What the head of an `.npy` file states, and where its values start."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran_order: bool
    offset: int

    @property
    def n_bytes(self) -> int:
        """The bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes]) -> Header:
    """Return the head of an `.npy` file; no value is read.

    Raises:
        ValueError: it is none, or one of objects, of records, or with sizes that no array has.
    """
    try:
        *magic, major, minor = file.read(8)
        if bytes(magic) != np.lib.format.MAGIC_PREFIX:
            raise ValueError(f"it begins with {bytes(magic)!r}")
        if (version := (major, minor)) not in _LENGTHS:
            raise ValueError(f"version {major}.{minor} of the format is not read")
        length = struct.calcsize(_LENGTHS[version])
        (size,) = struct.unpack(_LENGTHS[version], head := file.read(length))
        if size > _MAX_HEADER:
            raise ValueError(f"its header has {size:,} bytes")
        content = file.read(size)
    except Exception as error:
        raise ValueError(f"it has no header of an array: {first_line(error)}") from error
    return _parsed(version, head + content)


@functools.lru_cache(maxsize=1024)  # thousands of files of one kind state the same few shapes
def _parsed(version: tuple[int, int], content: bytes) -> Header:
    """Return the head of a version of the format whose bytes, from the length on, these are."""
    read: Any = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, fortran_order, dtype = read(io.BytesIO(content), max_header_size=_MAX_HEADER)
    except Exception as error:  # Python's tokenizer and parser read the header; they raise all kinds
        raise ValueError(f"it has no header of an array: {first_line(error)}") from error
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None:
        raise ValueError(f"it holds {dtype}, not plain values")
    if dtype.itemsize == 0:
        raise ValueError(f"it holds values of the type {dtype.str}, which have no bytes")
    if any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"its shape is {shape}")
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > 2**62:
        raise ValueError(f"its shape {shape!s:.60} is larger than an array can be")
    return Header(tuple(shape), dtype, bool(fortran_order), 8 + len(content))


def map_array(path: Path) -> NDArray[Any]:
    """Return the array of an `.npy` file as the file has it, read where it is used; one that is cut short is refused.

    Raises:
        ValueError: it is not such a file, or does not have the number of bytes that its header states.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        header = read_header(file)
        size = file.seek(0, io.SEEK_END)
    if header.offset + header.n_bytes != size:
        raise ValueError(f"it has {size:,} bytes, but states an array of {header.n_bytes:,}")
    if not header.n_bytes:
        return np.zeros(header.shape, header.dtype)
    order: Any = "F" if header.fortran_order else "C"
    return np.memmap(path, header.dtype, "r", header.offset, header.shape, order)


def read_arrays(path: Path, what: str, form_of: Mapping[str, ArrayForm] | None = None) -> dict[str, NDArray[Any]]:
    """Return the arrays of an `.npz` file by name; see `arrays_of`.

    Raises:
        ZsarbenchError: the file does not exist or is damaged, or an array is not what it must be.
    """
    return arrays_of(read_bytes(path, what, MAX_BYTES), path, what, form_of)


def arrays_of(
    content: bytes, path: Path, what: str, form_of: Mapping[str, ArrayForm] | None = None
) -> dict[str, NDArray[Any]]:
    """Return the arrays of the bytes of an `.npz` file by name.

    The sizes of all entries are compared with `MAX_BYTES` before any is read, and each header with the size of its
    entry before its values are. Texts hold characters alone, no halves of surrogate pairs.

    path: of the file, for messages. form_of: what each array must be, by its name without digits (`block12_scores` by
        `block_scores`); others are refused. None: anything goes.

    Raises:
        ZsarbenchError: the file is damaged, or an array is not what it must be.
    """
    with guarded(what, path), zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        _check_entries(entries)
        arrays = {}
        for entry in entries:
            name = entry.filename.removesuffix(".npy")
            with archive.open(entry) as file:
                start = file.read(_AHEAD)
                header = read_header(io.BytesIO(start))
                _check_array(name, entry.file_size, header, form_of)
                arrays[name] = _array(name, start[header.offset :], file, header)
        return arrays


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > MAX_ARRAYS or len(set(names)) < len(names):
        raise ValueError(f"it holds {len(names):,} entries, {len(set(names)):,} of them with names of their own")
    for entry in entries:
        if not entry.filename.endswith(".npy"):
            raise ValueError(f"its entry '{entry.filename:.40}' is not an array")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
            raise ValueError(f"its entry '{entry.filename:.40}' is encrypted, or compressed by an unknown method")
    if (size := sum(entry.file_size for entry in entries)) > MAX_BYTES:
        raise ValueError(f"its arrays have {size:,} bytes; more than {MAX_BYTES:,} are not read")


def _check_array(name: str, size: int, header: Header, form_of: Mapping[str, ArrayForm] | None) -> None:
    if header.offset + header.n_bytes != size:
        raise ValueError(f"array '{name:.40}' states {header.n_bytes:,} bytes, but its entry has {size:,}")
    if not header.dtype.isnative:
        raise ValueError(f"array '{name:.40}' holds values of the type {header.dtype.str}, which is not read")
    if form_of is None:
        return
    form = form_of.get(_without_digits(name))
    if form is None:
        raise ValueError(f"it holds the array '{name:.40}', which this kind of file does not have")
    if problem := form.problem(header):
        raise ValueError(f"array '{name:.40}' {problem}")


@functools.lru_cache(maxsize=1024)
def _without_digits(name: str) -> str:
    return "".join(char for char in name if not char.isdigit())


def _array(name: str, start: bytes, file: IO[bytes], header: Header) -> NDArray[Any]:
    """Return the values after a header, of which the first were read already, the others follow in the file."""
    values = np.empty(header.n_bytes, dtype=np.uint8)
    values.data[: len(start)] = start
    done = len(start)
    while done < len(values):
        if not (read := file.read(min(_PIECE, len(values) - done))):
            raise ValueError(f"array '{name:.40}' is cut short")
        values.data[done : done + len(read)] = read
        done += len(read)
    if file.read(1):  # the end of an entry is where its checksum is compared
        raise ValueError(f"array '{name:.40}' is longer than stated")
    array = values.view(header.dtype).reshape(header.shape, order="F" if header.fortran_order else "C")
    if header.dtype.kind == "U":
        codes = values.view(np.uint32)
        highest = codes.max(initial=0)
        if highest > 0x10FFFF or (highest >= 0xD800 and ((codes >= 0xD800) & (codes <= 0xDFFF)).any()):
            raise ValueError(f"array '{name:.40}' holds values that are not text")
    return array
