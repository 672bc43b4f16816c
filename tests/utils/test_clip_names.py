"""Clips by the names of others: ids, file names, paths, other names, and times behind them."""

from __future__ import annotations

import unicodedata

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


WRITTEN = "capoéira/é1"  # as keyboards do
ON_MACOS = unicodedata.normalize("NFD", WRITTEN)


@pytest.mark.parametrize(
    "form", [WRITTEN, ON_MACOS, f"videos/{WRITTEN}.mp4", f"{ON_MACOS}.mp4", "é1", "capoéira\\é1.mov"]
)
@pytest.mark.parametrize("clip", [WRITTEN, ON_MACOS])
def test_a_name_is_found_in_both_unicode_forms(clip: str, form: str) -> None:
    assert ClipNames([clip, "swimming/b1"]).find(form) == clip


def test_two_clips_that_differ_in_unicode_form_alone_are_told_apart_by_it() -> None:
    names = ClipNames([WRITTEN, ON_MACOS])
    assert (names.find(WRITTEN), names.find(ON_MACOS)) == (WRITTEN, ON_MACOS)


def test_another_name_is_found_in_both_unicode_forms() -> None:
    names = ClipNames(["x1", "x2"], {"x1": ON_MACOS, "x2": "swimming/b1"})
    assert (names.find(WRITTEN), names.find(ON_MACOS)) == ("x1", "x1")


def test_the_id_of_a_file_whose_name_is_not_utf8_is_found() -> None:
    assert ClipNames(["a/bad\\xe9", "a/b"]).find("a/bad\\xe9") == "a/bad\\xe9"


@pytest.mark.parametrize("ending", [".mts", ".3gp", ".GIF", ".npy"])
def test_the_ending_of_any_file_of_a_clip_may_stand_behind_its_name(ending: str) -> None:
    assert ClipNames(["a/x1", "b/x2"]).find(f"x1{ending}") == "a/x1"
