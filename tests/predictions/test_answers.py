"""Answers that were paid for, in a file of lines: kept as they come, and read again whatever a kill left."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from records import changeable, positional
from zsarbench.errors import ZsarbenchError
from zsarbench.predictions.asking import answers
from zsarbench.predictions.asking.answers import Answer, AnswerStore

ANSWER = Answer(text="golf \ud83d", model="m", prompt_tokens=3, completion_tokens=1)
LINE = json.dumps({"key": "k", "text": "golf", "model": "m", "prompt_tokens": 3, "completion_tokens": 1})


def stored(path: Path, content: str) -> AnswerStore:
    """Return the store of a file of this content."""
    path.write_text(content, encoding="utf-8")
    return AnswerStore(path)


def test_each_answer_is_one_line_and_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.jsonl"
    store = AnswerStore(path)
    for key in ("k", "l", "k"):
        store.add(key, ANSWER)
    assert (len(store), store.get("k"), store.get("other")) == (2, ANSWER, None)
    assert [json.loads(line)["key"] for line in path.read_text(encoding="utf-8").splitlines()] == ["k", "l", "k"]
    again = AnswerStore(path)
    assert again.get("l") == Answer(text="golf ?", model="m", prompt_tokens=3, completion_tokens=1)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("", 1),
        (f"{LINE}\n", 2),
        (LINE, 2),  # all but the end of the line arrived
        (f"{LINE}\n{LINE[:20]}", 3),
    ],
)
def test_what_a_kill_cut_short_stays_by_itself(tmp_path: Path, content: str, lines: int) -> None:
    store = stored(tmp_path / "a.jsonl", content)
    for key in ("l", "m"):
        store.add(key, ANSWER)
    text = store.path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert len(text.splitlines()) == lines + 1
    assert "" not in text.splitlines()
    again = AnswerStore(store.path)
    assert [again.get(key) is not None for key in ("k", "l", "m")] == [LINE in content, True, True]


@pytest.mark.parametrize(
    ("line", "kept", "named"),
    [
        (LINE, True, False),
        (" ", False, False),
        ("[]", False, True),
        ("{", False, True),
        (LINE.replace('"k"', "3"), False, True),
        (LINE.replace('"golf"', "3"), False, True),
        (LINE.replace("3", '"many"'), False, True),
        (LINE.replace('"model"', '"who"'), False, True),
        (LINE.replace("3", "-2"), False, False),
        (LINE.replace("3", "-1"), True, False),  # no tokens in all
    ],
)
def test_a_line_that_is_no_answer_is_left_out_and_named(
    tmp_path: Path, line: str, kept: bool, named: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        store = stored(tmp_path / "a.jsonl", f"\n{line}\n")
    assert len(store) == kept
    assert ("line 2 of " in caplog.text and "is not an answer" in caplog.text) is named


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ZsarbenchError, match="answers cannot be kept in "):
        AnswerStore(tmp_path / "file" / "a.jsonl").add("k", ANSWER)


def test_an_answer_cannot_be_changed() -> None:
    assert (changeable(answers), positional(answers)) == ([], [])
