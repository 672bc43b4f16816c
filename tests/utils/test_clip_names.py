"""Clips by the names that others give them."""

from __future__ import annotations

import unicodedata

import pytest

from zsarbench.utils.clip_names import ClipNames

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
