"""Reads plain matrices of MATLAB's files of level 5 (`save` without -v7.3), and never more than a file states.

Source: "MAT-File Format", The MathWorks. Files of -v7.3 are HDF5: see `array_formats`.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zsarbench.utils.array_files import MAX_BYTES

HEADER_BYTES = 128
MAX_VARIABLES = 100_000
HEAD_BYTES = 4096  # of a variable: more than its flags, dimensions and name take
_MATRIX, _COMPRESSED = 14, 15  # types of elements
_CLASSES = {6: "float64", 7: "float32", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32",
            14: "int64", 15: "uint64"}  # fmt: skip
_OTHERS = {1: "a cell array", 2: "a structure", 3: "an object", 4: "text", 5: "a sparse matrix"}
_VALUES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_COMPLEX = 0x0800


@dataclass(frozen=True)
class Variable:
    """A variable of a file: what it holds, and where. kind: a dtype's name, or what else it is."""

    shape: tuple[int, ...]
    kind: str
    offset: int
    n_bytes: int
    compressed: bool


class MatFile:
    """The variables of a file of level 5; values are read on access."""

    def __init__(self, path: Path) -> None:
        """Read what the file holds.

        Raises:
            ValueError: it is not such a file, or is cut short.
            OSError: it cannot be read.
        """
        self._path = path
        self.variables: dict[str, Variable] = {}
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            if len(header) < HEADER_BYTES or header[126:128] not in (b"IM", b"MI"):
                raise ValueError("it is not a MATLAB file of level 5 or 7.3; save it again with: save -v7")
            self._order: Literal["<", ">"] = "<" if header[126:128] == b"IM" else ">"
            size = path.stat().st_size
            offset = HEADER_BYTES
            while offset < size:
                file.seek(offset)
                kind, n_bytes = self._tag(file.read(8))
                offset += 8
                if offset + n_bytes > size:
                    raise ValueError(f"it has {size:,} bytes, but states {offset + n_bytes:,}")
                if kind in (_MATRIX, _COMPRESSED):
                    content = file.read(min(n_bytes, HEAD_BYTES))
                    self._note(content, offset, n_bytes, compressed=kind == _COMPRESSED)
                offset += n_bytes

    def read(self, name: str) -> NDArray[Any]:
        """Return the values of a variable, of the type that MATLAB shows.

        Raises:
            ValueError: they are not what the variable states.
        """
        variable = self.variables[name]
        expected = math.prod(variable.shape)
        if variable.kind not in _CLASSES.values():
            raise ValueError(f"it holds {variable.kind}")
        if expected * np.dtype(variable.kind).itemsize > MAX_BYTES:
            raise ValueError(f"it states a shape of {variable.shape}, more than is read")
        with self._path.open("rb") as file:
            file.seek(variable.offset)
            content = file.read(variable.n_bytes)
        if variable.compressed:
            content = self._inflated(content, 8 * expected + HEAD_BYTES)
        parts = self._parts(content, 4)
        kind, values = parts[3]
        dtype = _VALUES.get(kind)
        if dtype is None or len(values) != expected * np.dtype(dtype).itemsize:
            raise ValueError("its values are not as many as it states")
        stored = np.frombuffer(values, np.dtype(dtype).newbyteorder(self._order))
        return stored.reshape(variable.shape, order="F").astype(variable.kind)

    def _note(self, content: bytes, offset: int, n_bytes: int, *, compressed: bool) -> None:
        if compressed:
            content = self._inflated(content, HEAD_BYTES)
        (_, flags), (_, dims), (_, name) = self._parts(content, 3)
        if len(flags) != 8 or not dims or len(dims) % 4:
            raise ValueError("it holds a variable without a shape")
        word = int(np.frombuffer(flags[:4], f"{self._order}u4")[0])
        shape = tuple(int(one) for one in np.frombuffer(dims, f"{self._order}i4"))
        if min(shape) < 0:
            raise ValueError(f"it states a shape of {shape}")
        kind = _CLASSES.get(word & 0xFF) or _OTHERS.get(word & 0xFF, "something other than a matrix")
        text = name.decode("latin-1")
        if text in self.variables or len(self.variables) >= MAX_VARIABLES:
            raise ValueError(f"it holds the variable '{text:.40}' twice, or too many of them")
        kind = "complex numbers" if word & _COMPLEX else kind
        self.variables[text] = Variable(shape, kind, offset, n_bytes, compressed)

    def _tag(self, head: bytes) -> tuple[int, int]:
        """Return type and length of an element whose tag takes eight bytes."""
        if len(head) < 8:
            raise ValueError("it ends within a variable")
        kind, n_bytes = np.frombuffer(head, f"{self._order}u4")
        return int(kind), int(n_bytes)

    def _parts(self, content: bytes, n: int) -> list[tuple[int, bytes]]:
        """Return the first n elements within a variable, each with its type; short ones lie within their tag."""
        parts: list[tuple[int, bytes]] = []
        offset = 0
        while len(parts) < n:
            kind, n_bytes = self._tag(content[offset : offset + 8])
            if kind >> 16:
                kind, n_bytes = kind & 0xFFFF, kind >> 16
                start, step = offset + 4, 8
                if n_bytes > 4:
                    raise ValueError("it holds an element that is longer than it can be")
            else:
                start, step = offset + 8, 8 + n_bytes + -n_bytes % 8
            if start + n_bytes > len(content):
                raise ValueError("it ends within a variable")
            parts.append((kind, content[start : start + n_bytes]))
            offset += step
        return parts

    def _inflated(self, content: bytes, max_bytes: int) -> bytes:
        """Return the inside of a compressed variable, no more than so many bytes of it."""
        try:
            inflated = zlib.decompressobj().decompress(content, max_bytes + 8)
        except zlib.error as error:
            raise ValueError(f"its compressed values are damaged: {error}") from error
        kind, _ = self._tag(inflated[:8])
        if kind != _MATRIX:
            raise ValueError("it holds something other than a matrix")
        return inflated[8:]
