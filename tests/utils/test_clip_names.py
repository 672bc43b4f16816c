"""Clips by the names of others: ids, file names, paths, other names, and times behind them."""

from __future__ import annotations

import pytest

from zsarbench.utils.clip_names import ClipNames

IDS = ("Archery/v_1", "Golf/v_1", "Golf/v_2", "x.y", "abc_000001_000002", "deep/in/z")
OTHERS = {"Golf/v_2": "second", "x.y": "twice", "deep/in/z": "twice", "Archery/v_1": "Golf/v_1"}


@pytest.mark.parametrize(
    ("text", "clip"),
    [
        ("Golf/v_2", "Golf/v_2"),
        (" v_2 ", "Golf/v_2"),
        ("v_2.avi", "Golf/v_2"),
        ("v_2.AVI", "Golf/v_2"),
        ("videos/Golf/v_2.mp4", "Golf/v_2"),
        ("videos\\Golf\\v_2.mp4", "Golf/v_2"),
        ("Golf/v_1.mp4", "Golf/v_1"),
        ("in/z", "deep/in/z"),
        ("x.y", "x.y"),
        ("x.y.mp4", "x.y"),
        ("abc_000001_000002", "abc_000001_000002"),
        ("v_2_000010_000020.mp4", "Golf/v_2"),
        ("second", "Golf/v_2"),
        ("folder/second.mp4", "Golf/v_2"),
    ],
)
def test_a_name_finds_its_clip(text: str, clip: str) -> None:
    assert ClipNames(IDS, OTHERS).find(text) == clip


@pytest.mark.parametrize(
    "text", ["v_1", "Tennis/v_2", "v_3", "x", "x.avi.y", "twice", "folder/twice", "", "/", ".", "abc", "v_2.doc"]
)
def test_what_names_no_clip_or_several_finds_none(text: str) -> None:
    assert ClipNames(IDS, OTHERS).find(text) is None


def test_an_id_comes_before_another_name() -> None:
    assert ClipNames(IDS, OTHERS).find("Golf/v_1") == "Golf/v_1"
    assert ClipNames(["a", "b"], {"a": "b"}).find("b") == "b"
