"""Class texts: forms, files, and sentences chosen from documents by nearness to the class's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from zsarbench.data import class_texts
from zsarbench.data.class_texts import choose, load, nearest, parse, sentences_of, words_of
from zsarbench.errors import UsageError, UsageErrors, ZsarbenchError
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.spec import request
from zsarbench.interfaces import ClassText
from zsarbench.plugins import load_plugins
from zsarbench_datasets.ucf101 import UCF101

LONG = "and so on for as many words as a sentence of a document has to have at least"


class Counts:
    """Counts the words that matter here."""

    dim, space, fingerprint = 3, "counts", {}
    words = ("rowing", "ski", "jump")

    def encode(self, texts: Sequence[str]) -> Tensor:
        return torch.tensor([[float(text.lower().split().count(word)) for word in self.words] for text in texts]) + 0.1


class Toy:
    """Two classes, whose texts the tests set."""

    classes = ("Rowing", "ski_jump")
    aliases = {"Boating": "Rowing"}  # noqa: RUF012

    def __init__(self, **texts: tuple[str, ...]) -> None:
        self.texts = texts

    def class_texts(self, form: str) -> list[ClassText]:
        return [ClassText(name, texts) for name, texts in self.texts.items()]


def dataset(**texts: tuple[str, ...]) -> Any:
    return Toy(**texts)


def test_a_rule_is_a_form_or_file_a_colon_and_a_count() -> None:
    assert parse("documents:nearest-10") == ("documents", 10)
    assert parse("/some/place/docs.csv:nearest-1") == ("/some/place/docs.csv", 1)
    assert parse("sentence") == ("sentence", None)


@pytest.mark.parametrize("unfit", ["documents:nearest-0", "documents:nearest", "documents:top-3", "documents:"])
def test_another_rule_is_refused(unfit: str) -> None:
    with pytest.raises(UsageError, match=r"does not end in a rule.*Try: --class-text documents:nearest-10"):
        parse(unfit)


@given(st.text(st.characters(exclude_characters=":/\\\n", exclude_categories=["Cs"]), min_size=1), st.integers(1, 999))
def test_every_count_is_read_back(form: str, count: int) -> None:
    assert parse(f"{form}:nearest-{count}") == (form, count)
    assert parse(form) == (form, None)


def test_sentences_end_at_marks_and_at_lines() -> None:
    text = "One  two three. Four five?\nSix seven\n\n Eight nine ten! One two three."
    assert sentences_of([text, "Eight nine ten!"], 2) == [
        "One two three.", "Four five?", "Six seven", "Eight nine ten!",
    ]  # fmt: skip
    assert sentences_of([text], 3) == ["One two three.", "Eight nine ten!"]


def test_the_nearest_come_first_and_equals_keep_their_order() -> None:
    sentences = ["ski", "rowing b", "rowing a", "none"]
    assert nearest(sentences, "rowing", Counts(), 3) == ["rowing b", "rowing a", "none"]
    assert len(nearest(sentences, "rowing", Counts(), 99)) == 4


def test_the_rule_chooses_for_each_class_by_its_own_name() -> None:
    document = f"Menu. Rowing {LONG}. Ski jump {LONG}. Nothing {LONG}."
    texts = {name: ClassText(name, (document,)) for name in Toy.classes}
    chosen = choose(texts, "documents:nearest-1", Counts())
    assert {name: described.texts for name, described in chosen.items()} == {
        "Rowing": (f"Rowing {LONG}.",), "ski_jump": (f"Ski jump {LONG}.",),
    }  # fmt: skip


def test_a_class_without_a_long_sentence_keeps_its_texts() -> None:
    texts = {"Rowing": ClassText("Rowing", ("Short one.", "Rowing it"))}
    assert choose(texts, "documents:nearest-2", Counts())["Rowing"].texts == ("Rowing it", "Short one.")


def test_without_a_rule_texts_stay_as_they_are() -> None:
    texts = {"Rowing": ClassText("Rowing", ("Short one.",))}
    assert choose(texts, "sentence", None) is texts


def test_a_rule_needs_a_text_part() -> None:
    with pytest.raises(UsageError, match=r"this run has none\. Try: --class-text documents$"):
        choose({}, "documents:nearest-3", None)


def test_a_rule_is_checked_before_a_run_begins() -> None:
    host = load_plugins()
    with pytest.raises(UsageErrors, match=r"this run has none\. Try: --class-text sentence$"):
        resolve_run(request("chance", class_text="sentence:nearest-3"), host)
    with pytest.raises(UsageErrors, match="does not end in a rule"):
        resolve_run(request("eszsl", class_text="sentence:best"), host)
    assert (
        resolve_run(request("eszsl", class_text="sentences:nearest-3"), host).what.class_text == "sentences:nearest-3"
    )


def test_names_become_words() -> None:
    names = ("HandstandPushups", "brush_hair", "yoga")
    assert [words_of(name) for name in names] == ["handstand pushups", "brush hair", "yoga"]


# --- files ---


def csv(tmp_path: Path, text: str) -> str:
    (tmp_path / "texts.csv").write_text(text, encoding="utf-8")
    return str(tmp_path / "texts.csv")


def test_a_file_gives_one_text_a_row_by_any_spelling(tmp_path: Path) -> None:
    file = csv(tmp_path, 'class,text\nboating,"Two\nlines"\nSki Jump, down \nrowing,again\n')
    found = load(dataset(), file + ":nearest-3")
    assert {name: described.texts for name, described in found.items()} == {
        "Rowing": ("Two\nlines", "again"), "ski_jump": ("down",),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,text\nRowing,a\n", "lack 1 classes, e.g. 'ski_jump'"),
        ("class,text\nRowing,a\nski jump,\n", "of class 'ski_jump' are empty"),
        ("name,text\nRowing,a\n", "lacks the columns class; its first line is 'name,text'"),
        ("class,text\nRowin,a\n", "line 2: unknown class 'Rowin'; did you mean 'Rowing'"),
        ("", "lacks the columns class, text; it is empty"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        load(dataset(), csv(tmp_path, text))


def test_a_json_file_gives_a_text_or_a_list_for_each_class(tmp_path: Path) -> None:
    path = tmp_path / "texts.json"
    path.write_text('{"rowing": ["Oars.", "A boat."], "Ski Jump": "To leap."}', encoding="utf-8")
    texts = load(Toy(), str(path))
    assert {name: text.texts for name, text in texts.items()} == {
        "Rowing": ("Oars.", "A boat."),
        "ski_jump": ("To leap.",),
    }
    for content, message in (
        ("[]", "must be an object"),
        ('{"rowing": [3]}', "has 3, which is not text"),
        ('{"yodel": "x"}', "unknown class 'yodel'"),
        ("{", "is not valid JSON"),
    ):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(UsageError, match=message):
            load(Toy(), str(path))


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"class texts .*none\.csv does not exist"):
        load(dataset(), str(tmp_path / "none.csv"))


def test_a_form_must_describe_every_class() -> None:
    with pytest.raises(ZsarbenchError, match=r"lack 1 classes, e\.g\. 'ski_jump'"):
        load(dataset(Rowing=("a",)), "sentence")


@pytest.mark.realdata
def test_real_documents_give_ten_sentences_for_nearly_every_class(mirror: Path) -> None:
    documents = UCF101().class_texts("documents")
    counts = {one.name: len(sentences_of(one.texts, class_texts.MIN_WORDS)) for one in documents}
    assert min(counts.values()) >= 1
    assert sum(count >= 10 for count in counts.values()) > 90


def test_a_file_is_read_as_spreadsheets_save_it(tmp_path: Path) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_bytes("\ufeffClass;Text\r\nRowing;a boat; \r\nski jump;a hill, and snow\r\n".encode())
    assert load(dataset(), str(texts))["ski_jump"].texts == ("a hill, and snow",)
    texts.write_bytes("class,text\nRowing,un\u00e9\nski jump,b\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"line 2 is not UTF-8 text: it looks like Windows-1252"):
        load(dataset(), str(texts))
    texts.write_text("class,text\nRowing," + "word " * 100_000 + "\nski jump,b\n")
    assert len(load(dataset(), str(texts))["Rowing"].texts[0]) == 499_999
