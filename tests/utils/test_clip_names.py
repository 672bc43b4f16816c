"""Clips by the names that others give them."""

from __future__ import annotations

from unicodedata import normalize

from zsarbench.utils.clip_names import ClipNames


def test_accents_are_the_same_however_a_file_system_writes_them() -> None:
    for own, other in (("NFC", "NFD"), ("NFD", "NFC")):
        clips = ClipNames([normalize(own, "café/Übung"), normalize(own, "café/Uebung")])
        for path in ("café/Übung", "/data/café/Übung.mp4", "Übung"):
            assert clips.find(normalize(other, path)) == normalize(own, "café/Übung"), (own, path)
    both = [normalize(form, "Übung") for form in ("NFC", "NFD")]
    assert [ClipNames(both).find(clip) for clip in both] == both, "two clips stay two"
