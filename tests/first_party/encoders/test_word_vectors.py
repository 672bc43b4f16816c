"""Word vectors: the forms of files, the rule for words, and the real vectors of UCF-101's class names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from locations import GOLDEN
from zsarbench.errors import ZsarbenchError
from zsarbench.interfaces import TextEncoder
from zsarbench.utils.class_names import readable
from zsarbench_datasets.ucf101 import UCF101
from zsarbench_encoders.words import WordVectors

LABELS = Path("sandipan211/LoCATe-GAT/214d3e1dffcb2c461d12b5e3e89d5c668f6a3003/datasets/Label.mat")
VECTORS = {"dog": (1.0, 0.0, 2.0), "Paris": (0.0, 1.0, 0.0), "new_york": (5.0, 5.0, 5.0), "paris": (9.0, 9.0, 9.0),
           "runs": (-1.0, 4.0, 0.5)}  # fmt: skip


def glove(vectors: Mapping[str, tuple[float, ...]]) -> bytes:
    return "".join(f"{word} {' '.join(map(str, vector))}\n" for word, vector in vectors.items()).encode()


def word2vec(vectors: Mapping[str, tuple[float, ...]]) -> bytes:
    return b"%d 3\n" % len(vectors) + glove(vectors).replace(b"\n", b" \n")


def binary(vectors: Mapping[str, tuple[float, ...]]) -> bytes:
    rows = [word.encode() + b" " + np.array(vector, dtype="<f4").tobytes() + b"\n" for word, vector in vectors.items()]
    return b"%d 3\n" % len(vectors) + b"".join(rows)


def encoder(tmp_path: Path, content: bytes, name: str = "vectors.txt", max_words: int | None = None) -> WordVectors:
    (tmp_path / name).write_bytes(content)
    return WordVectors(file=str(tmp_path / name), max_words=max_words)


def rows(vectors: WordVectors, *texts: str) -> list[tuple[float, ...]]:
    return [tuple(row) for row in vectors.encode(texts).tolist()]


@pytest.mark.parametrize(("form", "name"), [(glove, "a.txt"), (word2vec, "a.vec"), (binary, "a.bin")])
def test_every_form_of_file_gives_the_same_rows(tmp_path: Path, form: object, name: str) -> None:
    vectors = encoder(tmp_path, form(VECTORS), name)  # type: ignore[operator]
    assert isinstance(vectors, TextEncoder)
    assert vectors.dim == 3
    assert rows(vectors, *VECTORS) == list(VECTORS.values())


def test_a_text_is_the_mean_of_its_words_and_unknown_ones_are_left_out(tmp_path: Path) -> None:
    vectors = encoder(tmp_path, glove(VECTORS))
    assert rows(vectors, "dog runs", "The dog, it runs!", "RUNS") == [
        (0.0, 2.0, 1.25),
        (0.0, 2.0, 1.25),
        VECTORS["runs"],
    ]


def test_words_are_looked_up_as_written_before_lower_case(tmp_path: Path) -> None:
    vectors = encoder(tmp_path, glove(VECTORS))
    assert rows(vectors, "Paris", "PARIS", "paris") == [VECTORS["Paris"], VECTORS["paris"], VECTORS["paris"]]


def test_a_phrase_of_its_own_comes_before_the_mean(tmp_path: Path) -> None:
    vectors = encoder(tmp_path, glove(VECTORS))
    assert rows(vectors, "New York", "New York runs") == [VECTORS["new_york"], VECTORS["runs"]]


def test_a_text_of_unknown_words_is_zero_and_a_warning_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = encoder(tmp_path, glove(VECTORS))
    assert rows(vectors, "xyzzy", "", "dog")[:2] == [(0.0, 0.0, 0.0)] * 2
    assert "2 of 3 texts have no known word, e.g. 'xyzzy'" in caplog.text
    assert vectors.encode([]).shape == (0, 3)


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from([*VECTORS, "unknown"]), max_size=5).map(" ".join), max_size=8))
def test_a_row_depends_on_its_text_alone(texts: list[str]) -> None:
    vectors = WordVectors(file=str(GOLDEN / "words.txt"))
    alone = [vectors.encode([text])[0] for text in texts]
    assert all(torch.equal(*pair) for pair in zip(vectors.encode(texts), alone, strict=True))


def test_words_with_blanks_and_repeated_words(tmp_path: Path) -> None:
    vectors = encoder(tmp_path, b"dog 1 2 3\n. . 4 5 6\ndog 7 8 9\n")
    assert rows(vectors, "dog") == [(1.0, 2.0, 3.0)]


def test_max_words_stops_reading(tmp_path: Path) -> None:
    vectors = encoder(tmp_path, glove(VECTORS) + b"not a vector\n", max_words=2)
    assert rows(vectors, "dog", "paris", "runs") == [VECTORS["dog"], (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]


def test_space_and_fingerprint_are_the_file_s(tmp_path: Path) -> None:
    one, same = encoder(tmp_path, glove(VECTORS)), encoder(tmp_path, glove(VECTORS), "copy.txt")
    other = encoder(tmp_path, glove({**VECTORS, "dog": (1.0, 0.0, 2.5)}), "other.txt")
    assert one.space == same.space != other.space
    assert one.fingerprint == same.fingerprint
    assert one.fingerprint["weights_sha256"] != other.fingerprint["weights_sha256"]
    assert len(one.fingerprint["weights_sha256"]) == 64


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "a.txt", "no vectors"),
        (b"dog\n", "a.txt", "no vectors"),
        (b"dog 1 2 3\nrun 1 2\n", "a.txt", "line 2 is not a word and 3 numbers"),
        (b"dog 1 2 3\nrun 1 x 3\n", "a.txt", "line 2"),
        (b"dog 1 2 nan\n", "a.txt", "line 1"),
        (b"2 3\ndog 1 2 3\nrun 1 2\n", "a.txt", "line 3"),
        (b"3 3\ndog 1 2 3\nrun 1 2 3\n", "a.txt", "states 3 words, and it holds 2: it may be cut off"),
        (binary(VECTORS)[:-9], "a.bin", "it ends in word 5 of 5"),
        (glove(VECTORS), "a.bin", "first line"),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(tmp_path: Path, content: bytes, name: str, reason: str) -> None:
    with pytest.raises(ZsarbenchError, match=reason) as caught:
        encoder(tmp_path, content, name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_file_is_needed_and_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ZsarbenchError, match=r"--set text\.file=FILE"):
        WordVectors()
    with pytest.raises(ZsarbenchError, match="nowhere"):
        WordVectors(file=str(tmp_path / "nowhere.txt"))


@pytest.mark.realdata
def test_real_vectors_of_class_names_know_every_class_of_ucf101(
    mirror: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """300-d word2vec vectors of class names: sandipan211/LoCATe-GAT, datasets/Label.mat (MIT)."""
    from scipy.io import loadmat

    table = loadmat(mirror / LABELS, squeeze_me=True)["VideoLabel"]["UCF101"].item()
    of_class = dict(zip(table["ClassName"].item(), table["WordVec"].item(), strict=True))
    lines = (f"{readable(name).lower().replace(' ', '_')} {' '.join(map(str, row))}" for name, row in of_class.items())
    vectors = encoder(tmp_path, "\n".join(lines).encode())
    texts = UCF101().class_texts("name")
    found = vectors.encode([described.texts[0] for described in texts])
    assert vectors.dim == 300
    assert not caplog.records
    expected = torch.tensor(np.stack([of_class[described.name] for described in texts]), dtype=torch.float32)
    torch.testing.assert_close(found, expected)
    unit = torch.nn.functional.normalize(found, dim=1)
    cello = [described.name for described in texts].index("PlayingCello")
    nearest = (unit @ unit[cello]).topk(6).indices.tolist()
    assert all(texts[index].name.startswith("Playing") for index in nearest)


def test_a_byte_order_mark_is_not_a_letter_and_another_encoding_is_refused(tmp_path: Path) -> None:
    assert rows(encoder(tmp_path, b"\xef\xbb\xbf" + glove(VECTORS)), "dog") == [VECTORS["dog"]]
    for content, message in (
        ("dog 1 2 3\ncaf\u00e9 4 5 6\n".encode("latin-1"), "line 2 is not UTF-8 text: it looks like Windows-1252"),
        ("dog 1 2 3\n".encode("utf-16"), "line 1 is not UTF-8 text: it looks like UTF-16"),
    ):
        with pytest.raises(ZsarbenchError, match=message):
            encoder(tmp_path, content)
