"""Arrays of others: every size is checked before memory is taken, and nothing but plain values is read."""

from __future__ import annotations

import io
import resource
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.array_files import ArrayForm, map_array, read_arrays, read_header


def npy(header: str, values: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return an `.npy` file with this header, whatever it says."""
    size = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + size + header.encode("latin-1") + values


def written(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def array_bytes(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


HUGE = "{'descr': '<f4', 'fortran_order': False, 'shape': (2500, 1000000000), }"


@pytest.mark.parametrize(
    "header",
    [
        HUGE,
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (10**30,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 30 + ",), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1L,",
        "  {'descr'\n   1",
        "(" * 5000,
        "\x00",
        "",
    ],
)
def test_a_header_that_no_sound_file_has_is_refused_and_named(header: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.npz", {"scores.npy": npy(header)})
    with pytest.raises(ZsarbenchError, match=r"scores file .*a\.npz cannot be read: it is damaged"):
        read_arrays(path, "scores file")
    single = tmp_path / "a.npy"
    single.write_bytes(npy(header))
    with pytest.raises(ValueError, match=r"^it"):
        map_array(single)


def test_a_header_of_ten_terabytes_takes_no_memory(tmp_path: Path) -> None:
    path = written(tmp_path / "a.npz", {"scores.npy": npy(HUGE, bytes(100))})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ZsarbenchError, match=r"array 'scores' states 10,000,000,000,000 bytes, but its entry has"):
        read_arrays(path, "scores file")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_an_archive_that_unpacks_to_more_than_may_be_read_is_refused_unread(tmp_path: Path) -> None:
    path = written(tmp_path / "bomb.npz", {"scores.npy": array_bytes(np.zeros(1000, np.float32))})
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24  # the size of the entry, in the archive's own list
    content[at : at + 4] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    with pytest.raises(ZsarbenchError, match=r"its arrays have 4,294,967,294 bytes; more than .* are not read"):
        read_arrays(path, "scores file")


def test_names_that_occur_twice_and_entries_that_are_not_arrays_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as archive:
        archive.writestr("a.npy", array_bytes(np.zeros(1)))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", array_bytes(np.zeros(1)))
    with pytest.raises(ZsarbenchError, match="2 entries, 1 of them with names of their own"):
        read_arrays(tmp_path / "twice.npz", "scores file")
    with pytest.raises(ZsarbenchError, match="'readme' is not an array"):
        read_arrays(written(tmp_path / "other.npz", {"readme": b"text"}), "scores file")
    with pytest.raises(ZsarbenchError, match="unknown method"):
        read_arrays(written(tmp_path / "lzma.npz", {"a.npy": array_bytes(np.zeros(1))}, zipfile.ZIP_LZMA), "file")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (np.zeros(2, np.float64), "holds float64, not float32"),
        (np.zeros((2, 2), np.float32), r"has shape \(2, 2\), not 1 dimensions"),
        (np.zeros(2, np.complex64), "holds complex64"),
    ],
)
def test_an_array_of_another_form_is_refused(values: Any, problem: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.npz", {"block3_scores.npy": array_bytes(values)})
    with pytest.raises(ZsarbenchError, match=f"array 'block3_scores' {problem}"):
        read_arrays(path, "scores file", {"block_scores": ArrayForm(1, "f", np.float32)})
    with pytest.raises(ZsarbenchError, match="'block3_scores', which this kind of file does not have"):
        read_arrays(path, "scores file", {})


@pytest.mark.parametrize("code", [0xD800, 0x110000, 0xFFFFFFFF])
def test_texts_that_hold_no_characters_are_refused(code: int, tmp_path: Path) -> None:
    content = array_bytes(np.array(["abc"]))
    path = written(tmp_path / "a.npz", {"clip_ids.npy": content[:-4] + code.to_bytes(4, "little")})
    with pytest.raises(ZsarbenchError, match="array 'clip_ids' holds values that are not text"):
        read_arrays(path, "scores file")


def test_what_numpy_wrote_comes_back_as_it_was(tmp_path: Path) -> None:
    arrays = {
        "text": np.array(["é", "日本", "\U0010ffff"]),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "empty": np.zeros((0, 4), np.float32),
        "scalar": np.array(3, np.int32),
        "mask": np.array([True, False]),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)  # type: ignore[arg-type]
    read = read_arrays(tmp_path / "a.npz", "file")
    assert list(read) == list(arrays)
    for name, values in arrays.items():
        assert read[name].dtype == values.dtype
        np.testing.assert_array_equal(read[name], values)
        np.save(tmp_path / "b.npy", values)
        if name != "text":
            np.testing.assert_array_equal(map_array(tmp_path / "b.npy"), values)


def test_a_file_that_is_shorter_or_longer_than_its_header_states_is_refused(tmp_path: Path) -> None:
    content = array_bytes(np.zeros(100))
    for other in (content[:-1], content + b"x"):
        (tmp_path / "a.npy").write_bytes(other)
        with pytest.raises(ValueError, match="but states an array of 800"):
            map_array(tmp_path / "a.npy")
    assert read_header(io.BytesIO(content)).shape == (100,)


def test_every_character_is_text_and_nothing_else_is(tmp_path: Path) -> None:
    texts = np.array(["a", "\U0010ffff", "\ud7ff\ue000"])
    read = read_arrays(written(tmp_path / "a.npz", {"names.npy": array_bytes(texts)}), "scores file")
    assert np.array_equal(read["names"], texts)
    for code in (0xD800, 0xDFFF, 0x110000):
        header = "{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }"
        path = written(tmp_path / "b.npz", {"names.npy": npy(header, code.to_bytes(4, "little"))})
        with pytest.raises(ZsarbenchError, match="array 'names' holds values that are not text"):
            read_arrays(path, "scores file")
