"""Mutations of valid files: of any bytes, of the values of JSON and TOML, of arrays and archives of arrays."""

from __future__ import annotations

import io
import json
import random
import re
import zipfile
from collections.abc import Callable
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**20, 10**400, 0.5, -0.0, 1e308, 5e-324)
TEXTS = (
    "", " ", "\x00", "\x1b[2J", "a\nb", "\ufeff", "é", "e\u0301", "\ud83d\ude00", "../x", "/etc/passwd", "~",
    "a" * 5000,
    "=1+1", "<script>", "\\input{x}", "nan", "NaN", "null", "true", "1e999", "$a$ {b}", "%s %d {0}", "\u202e", "0x10",
)  # fmt: skip
RAW_JSON = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, str(10**400), '"\\ud800"', "[" * 2000,
    "[" * 120 + "]" * 120,
    '{"a":' * 150 + "1" + "}" * 150, "01", "'a'", "[1,]", '{"a":1,"a":2}', "\x00", "//", "1" + "0" * 300 + ".5",
)  # fmt: skip
BYTES = (
    b"\x00", b"\xff", b"\n", b"\r", b"\r\n", b'"', b"'", b",", b"\\", b"\x1b", b"\xef\xbb\xbf", b"\xff\xfe", b"[" * 300,
    b"9" * 100, b"PK\x03\x04", b"PK\x05\x06", b"\x93NUMPY", b"\xed\xa0\x80", b" " * 200, b"a" * 70_000, b"-", b"e99999",
)  # fmt: skip


def any_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return a file with some bytes changed, cut, repeated, moved or put in."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 4, 16, 200)))
        match rng.randrange(7):
            case 0 if data:
                place = rng.randrange(len(data))
                data[place] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
            case 2:
                del data[at:end]
            case 3:
                data[at:at] = data[at:end] * rng.choice((1, 2, 50))
            case 4:
                data[at:at] = rng.choice(BYTES)
            case 5:
                del data[at:]
            case _:
                data[at:end] = rng.randbytes(end - at)
    return bytes(data)


def encoded(content: bytes, rng: random.Random) -> bytes:
    """Return a text file as another program would write it."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return any_bytes(content, rng)
    match rng.randrange(6):
        case 0:
            return text.encode("utf-16")
        case 1:
            return (text + "é").encode("latin-1", "replace")
        case 2:
            return b"\xef\xbb\xbf" + content
        case 3:
            return text.replace("\n", "\r\n").encode()
        case 4:
            return text.replace("\n", "\r").encode()
        case _:
            return text.replace(" ", "\u00a0").replace(",", ";").encode()


def json_value(content: bytes, rng: random.Random) -> bytes:
    """Return a JSON file with one place replaced, dropped, doubled or of another type."""
    value = json.loads(content)
    places = list(_places(value))
    parent, key = rng.choice(places)
    marker = "@@here@@"
    match rng.randrange(5):
        case 0:
            parent[key] = rng.choice(NUMBERS)
        case 1:
            parent[key] = rng.choice(TEXTS)
        case 2:
            del parent[key]
        case 3:
            other, place = rng.choice(places)
            parent[key] = rng.choice((None, [], {}, [parent[key]], {"a": parent[key]}, _copy(other, place), True))
        case _:
            parent[key] = marker
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    return text.replace(f'"{marker}"', rng.choice(RAW_JSON)).encode("utf-8", "surrogatepass")


def _copy(parent: Any, key: Any) -> Any:
    try:
        return json.loads(json.dumps(parent[key]))
    except (KeyError, IndexError):
        return 0


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    keys: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    for key in keys:
        found.append((value, key))
        found += _places(value[key])
    return found


def line_values(content: bytes, rng: random.Random) -> bytes:
    """Return a text of lines with a field of a line replaced, a line dropped, doubled, or put elsewhere."""
    lines = content.decode("utf-8", "replace").split("\n")
    at = rng.randrange(len(lines))
    fields = rng.choice((",", " ", "=", "\t"))
    match rng.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(rng.randrange(len(lines) + 1), lines[at])
        case 2:
            parts = lines[at].split(fields)
            parts[rng.randrange(len(parts))] = str(rng.choice((*NUMBERS, *TEXTS, *RAW_JSON)))
            lines[at] = fields.join(parts)
        case 3:
            lines[at] = lines[at] * rng.choice((2, 100))
        case _:
            lines[at] = str(rng.choice((*TEXTS, *RAW_JSON)))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2500000000000,), }",
    "{'descr': '<f8', 'fortran_order': True, 'shape': (-1, 4), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '>f4', 'fortran_order': False, 'shape': (3, 3), }",
    "{'descr': '<f4', 'shape': (3,), }",
    "{'descr': '<f4', 'fortran_order': 3, 'shape': [3], }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (3L,), }",
    "{'descr':\n  'x'\n 'y', ",
    "(" * 400,
    "__import__('os')",
    "[" * 60 + "]" * 60,
    "\x00",
)


def array(content: bytes, rng: random.Random) -> bytes:
    """Return an `.npy` file with another header, other values, or other bytes."""
    import numpy as np

    match rng.randrange(4):
        case 0:
            header = rng.choice(HEADERS).encode()
            version = rng.choice((b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x09"))
            return (
                b"\x93NUMPY"
                + version
                + len(header).to_bytes(2 if version[0] == 1 else 4, "little")
                + header
                + content[80:]
            )
        case 1:
            values = np.load(io.BytesIO(content))
            buffer = io.BytesIO()
            with np.errstate(all="ignore"):
                changed = _other_values(values, rng)
            np.save(buffer, changed, allow_pickle=False)
            return buffer.getvalue()
        case 2:
            at = rng.randrange(min(len(content), 128))
            data = bytearray(content)
            data[at] = rng.randrange(256)
            return bytes(data)
        case _:
            return any_bytes(content, rng)


def _other_values(values: Any, rng: random.Random) -> Any:
    import numpy as np

    match rng.randrange(7):
        case 0:
            return values.reshape(-1)
        case 1 if values.ndim:
            return values[:0]
        case 2 if values.dtype.kind in "iufb":
            return values.astype(rng.choice((np.int64, np.float64, np.float16, np.bool_, np.complex64, ">f4", "<U3")))
        case 3 if values.dtype.kind in "if" and values.size and values.ndim:
            changed = np.array(values)
            special = (np.nan, np.inf, -np.inf, 1e38) if values.dtype.kind == "f" else (-1, -2, 2**31 - 1, 10**6)
            changed.reshape(-1)[rng.randrange(values.size)] = rng.choice(special)
            return changed
        case 4 if values.ndim:
            return np.concatenate([values, values])
        case 5 if values.dtype.kind == "U" and values.size:
            changed = values.astype("<U60")
            changed.reshape(-1)[rng.randrange(values.size)] = rng.choice(TEXTS)[:60]
            return changed
        case _:
            return values[None]


def markup(content: bytes, rng: random.Random) -> bytes:
    """Return an XML document with an attribute, a text or a tag replaced, dropped or repeated, or other bytes."""
    text = content.decode("utf-8", "replace")
    places = list(re.finditer(r'(?<=")[^"<>]*(?=")|(?<=>)[^<>]+(?=<)|</?[^<>]+>', text))
    if not places or rng.random() < 0.2:
        return any_bytes(content, rng)
    place = rng.choice(places)
    new = rng.choice(("", place[0] * rng.choice((2, 100)), str(rng.choice((*NUMBERS, *TEXTS))), "&a;", "<f>1</f>"))
    return (text[: place.start()] + new + text[place.end() :]).encode("utf-8", "surrogatepass")


def archive(content: bytes, rng: random.Random) -> bytes:
    """Return an `.npz` file with another array, another set of arrays, or other bytes."""
    return _of_parts(content, rng, array)


def package(content: bytes, rng: random.Random) -> bytes:
    """Return a spreadsheet with another part, another set of parts, or other bytes."""
    return _of_parts(content, rng, markup)


def _of_parts(content: bytes, rng: random.Random, change: Mutation) -> bytes:
    if rng.random() < 0.25:
        return any_bytes(content, rng)
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        entries = {info.filename: source.read(info) for info in source.infolist()}
    name = rng.choice(list(entries))
    method = rng.choice(
        (zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    )
    match rng.randrange(8):
        case 0:
            del entries[name]
        case 1:
            entries[rng.choice(TEXTS[1:])[:200] or "x"] = entries[name]
        case 2:
            entries[rng.choice(list(entries))] = entries[name]
        case 3:
            entries[name] = any_bytes(entries[name], rng)
        case _:
            entries[name] = change(entries[name], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as target:
        for entry, data in entries.items():
            target.writestr(entry.encode("ascii", "replace").decode().replace("\x00", "0"), data)
    if rng.random() < 0.1:
        return any_bytes(buffer.getvalue(), rng)
    return buffer.getvalue()
