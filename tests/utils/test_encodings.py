"""The likely encoding of a file that is not UTF-8."""

from __future__ import annotations

import codecs

import pytest

from zsarbench.utils.encodings import CUT_OFF, likeness

LATIN, WIDE = "WINDOWS-1252", "GB18030"


def encoding(content: bytes) -> str:
    """Return the name of the likely encoding of bytes that are not UTF-8."""
    with pytest.raises(UnicodeDecodeError) as found:
        content.decode()
    return likeness(content, found.value.start)[1]


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (codecs.BOM_UTF32_LE, "UTF-32"),
        (codecs.BOM_UTF32_BE, "UTF-32"),
        (codecs.BOM_UTF16_LE, "UTF-16"),
        (codecs.BOM_UTF16_BE, "UTF-16"),
        (b"PK\x03\x04", ""),
        (b"\xd0\xcf\x11\xe0", ""),
        (b"\x1f\x8b", ""),
    ],
)
def test_a_mark_at_the_beginning_decides(mark: bytes, name: str) -> None:
    assert likeness(mark + b"capo\xe9ira is long", 0)[1] == name


def test_archives_are_named() -> None:
    assert "zip archive or an Excel workbook" in likeness(b"PK\x03\x04abc", 4)[0]
    assert "gunzip" in likeness(b"\x1f\x8babc", 1)[0]


@pytest.mark.parametrize("form", ["UTF-16LE", "UTF-16BE"])
def test_every_other_byte_of_latin_letters_is_nul_in_utf_16(form: str) -> None:
    assert likeness("clip,label".encode(form), None) == (f"it looks like {form}", form)
    assert likeness("ab".encode(form), None)[1] == form
    assert likeness(("a" * 50_000).encode(form), None)[1] == form
    assert likeness(("aaa舞舞" * 20_000).encode(form), None)[1] == form
    half = ("ab" + "舞" * 2).encode(form)  # as many letters as signs
    assert likeness(half, None) == ("it holds a NUL character", "")
    assert likeness(("abc" + "舞" * 2).encode(form), None)[1] == form


def test_a_nul_alone_is_named() -> None:
    assert likeness(b"abc\0def", None) == ("it holds a NUL character", "")
    assert likeness(b"a\0b", None)[1] == ""


@pytest.mark.parametrize("lacking", [1, 2, 3])
def test_a_file_that_ends_inside_a_character_is_cut_off(lacking: int) -> None:
    content = "dance 💃".encode()[:-lacking]
    assert likeness(content, 6) == CUT_OFF


def test_a_byte_that_ends_no_character_is_not_cut_off() -> None:
    assert encoding("café".encode("latin-1") + b"x") == LATIN
    assert encoding("caf\xe9 au lait".encode("latin-1")) == LATIN
    assert encoding(b"caf\xff") == LATIN


def test_single_accents_are_of_latin_letters_and_pairs_of_chinese_ones() -> None:
    assert encoding("capoéira, façade, ÖÄ".encode("latin-1")) == LATIN
    assert encoding("跳舞, 射箭 and golf".encode("gb18030")) == WIDE
    assert encoding("跳舞 é".encode("gb18030")[:-2] + b"\xe9 x") == ""
    assert encoding(b"\xff\xfd\xfc abc") == ""
    assert encoding(b"\xe9 \xe9 \xff\xfd\xfc\xfb") == LATIN
    assert encoding(b"\xe9 \xff\xfd\xfc\xfb ") == ""


def test_only_what_stands_around_the_place_is_looked_at() -> None:
    accents, signs = "é ".encode("latin-1"), "跳舞 ".encode("gb18030")
    far = accents * 16_384
    assert likeness(far + b"a" * 16_384 + signs * 9, len(far) + 16_384)[1] == WIDE
    assert likeness(signs + b"a" * 16_384 + far, 0)[1] == WIDE
    assert likeness(signs + b"a" * 8192 + far, 0)[1] == LATIN
    assert likeness(accents * 9 + b"a" * 8192 + signs, 18 + 8192)[1] == LATIN
