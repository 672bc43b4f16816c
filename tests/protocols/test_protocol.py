from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsarbench import protocols
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import Round
from zsarbench.plugins import load_plugins

HEAD = """
name = "toy/one"
version = 1
dataset = "toy"
setting = "{setting}"
summary = "A toy."
source = "made for a test"
"""
TOY = SimpleNamespace(classes=("Salsa Spin", "Archery", "Yo Yo", "Diving"), aliases={"Salsa Spins": "Salsa Spin"})


def write(folder: Path, body: str, setting: str = "zsl") -> Path:
    path = folder / "protocols" / "toy.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD.format(setting=setting) + body, encoding="utf-8")
    return path


def rounds_of(folder: Path, body: str, setting: str = "zsl") -> tuple[Any, ...]:
    return protocols.read(write(folder, body, setting)).on(TOY)


def test_lists_are_read_from_files_and_aliases_become_official_names(tmp_path: Path) -> None:
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "unseen.txt").write_text("# source: a test\nsalsa spins\nyo_yo\n", encoding="utf-8")
    (item,) = rounds_of(tmp_path, '[[rounds]]\nseen = ["archery"]\ncandidates = "@unseen"\n')
    assert item.seen == ("Archery",)
    assert item.candidates == ("Salsa Spin", "Yo Yo")
    assert item.unseen == item.candidates


@pytest.mark.parametrize(
    ("body", "setting", "message"),
    [
        ('[[rounds]]\ncandidates = ["Archery", "archery"]', "zsl", "lists twice: Archery"),
        (
            '[[rounds]]\nseen = ["Archery"]\ncandidates = ["Archery", "Yo Yo"]',
            "zsl",
            "both seen and candidate are: Archery",
        ),
        (
            '[[rounds]]\nseen = ["Diving"]\ncandidates = ["Archery", "Yo Yo"]',
            "gzsl",
            "some seen classes are not candidates",
        ),
        ('[[rounds]]\ncandidates = ["Archer", "Yo Yo"]', "zsl", "did you mean 'Archery'"),
        ('[[rounds]]\ncandidates = ["Yo Yo"]', "zsl", "a choice needs two"),
        (
            '[[rounds]]\nseen = ["Diving"]\nvalidation = ["Yo Yo"]\ncandidates = ["Archery", "Salsa Spin"]',
            "zsl",
            "validation classes of round 0 .* are not seen: Yo Yo.*validation_only = true",
        ),
        (
            'duplicate_of = 7\ncandidates = ["Archery", "Yo Yo"]',
            "zsl",
            "round 1 .* states that it repeats round 7, but no earlier round has its classes and clips",
        ),
        (
            'duplicate_of = 0\ncandidates = ["Archery", "Yo Yo"]',
            "zsl",
            "round 1 .* states that it repeats round 0, but",
        ),
        (
            'duplicate_of = 0\ncandidates = ["Archery", "Diving"]\ntrain_list = "train1"',
            "zsl",
            "round 1 .* states that it repeats round 0, but",
        ),
        ('candidates = ["diving", "archery"]', "zsl", "round 1 .* of round 0. Try: duplicate_of = 0"),
    ],
)
def test_lists_that_break_the_setting_are_refused(tmp_path: Path, body: str, setting: str, message: str) -> None:
    if not body.startswith("[["):
        body = '[[rounds]]\ncandidates = ["Archery", "Diving"]\n[[rounds]]\n' + body
    with pytest.raises(ZsarbenchError, match=message):
        rounds_of(tmp_path, body, setting)


def test_all_that_is_wrong_with_the_rounds_is_reported_at_once(tmp_path: Path) -> None:
    body = '[[rounds]]\nseen = ["Archer"]\ncandidates = ["Divin", "Yo Yo"]\n[[rounds]]\ncandidates = ["Yo Yo"]\n'
    with pytest.raises(ZsarbenchError) as caught:
        rounds_of(tmp_path, body)
    problems = str(caught.value).splitlines()
    assert len(problems) == 3
    for line, part in zip(problems, ("seen of round 0", "candidates of round 0", "round 1 of protocol"), strict=True):
        assert part in line


def test_rounds_that_repeat_another_are_known(tmp_path: Path) -> None:
    body = '[[rounds]]\ncandidates = ["Archery", "Diving"]\n[[rounds]]\ncandidates = ["Yo Yo", "Diving"]\n'
    protocol = protocols.read(
        write(tmp_path, body + '[[rounds]]\ncandidates = ["diving", "Archery"]\nduplicate_of = 0')
    )
    assert len(protocol.with_official_names(TOY)) == 3
    assert ([item.duplicate_of for item in protocol.rounds], protocol.n_distinct) == ([None, None, 0], 2)


def test_validation_classes_for_choosing_only_are_neither_seen_nor_candidates(tmp_path: Path) -> None:
    body = '[[rounds]]\nseen = ["Yo Yo"]\nvalidation = ["{}"]\ncandidates = ["Archery", "Diving"]\n'
    seen, only = body.format("Yo Yo"), "validation_only = true\n" + body.format("Salsa Spin")
    protocol = protocols.read(write(tmp_path, only))
    (item,) = protocol.with_official_names(TOY)
    assert (item.seen, item.given, item.unseen) == (("Yo Yo",), ("Yo Yo", "Salsa Spin"), ("Archery", "Diving"))
    assert protocol.hash(TOY) != protocols.read(write(tmp_path, seen)).hash(TOY)
    for name in ("Yo Yo", "Diving"):
        with pytest.raises(ZsarbenchError, match=f"for choosing only, but seen or candidates too: {name}"):
            rounds_of(tmp_path, "validation_only = true\n" + body.format(name))


def test_a_data_set_without_classes_says_what_to_type(tmp_path: Path) -> None:
    bare = SimpleNamespace(classes=(), aliases={})
    with pytest.raises(
        ZsarbenchError, match=r"has no classes without further options. Try: --data-root toy=DIR, or --set dataset"
    ):
        protocols.read(write(tmp_path, '[[rounds]]\ncandidates = ["a", "b"]')).with_official_names(bare)


GOOD = '[[rounds]]\ncandidates = ["Archery", "Diving"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rounds = []", "rounds must not be empty"),
        ("rounds = 3", "rounds must be a list, not 3"),
        (GOOD + 'seed = "x"', r'rounds\[0\].seed must be a whole number from 0, not "x"'),
        (GOOD + "seed = true", "seed must be a whole number from 0, not true"),
        (GOOD + 'duplicate_of = "0"', r'rounds\[0\].duplicate_of must be a whole number from 0, not "0"'),
        (GOOD + "train_list = 1", "train_list must be the name of a list of the data set, not 1"),
        (GOOD + "seen = [1]", r'rounds\[0\].seen must be a list of names, or "@FILE", not \[1\]'),
        ('metrics = ["top1_per_video"]\n' + GOOD, "unknown field 'metrics'"),
        (
            'n_clips = "many"\n' + GOOD,
            'n_clips must be a number of test clips, or a list of one for each round, not "many"',
        ),
        ("n_clips = 0\n" + GOOD, "n_clips must be a number of test clips"),
        ("n_clips = [3, 4]\n" + GOOD, "n_clips has 2 counts for 1 rounds"),
        ('validation_only = "no"\n' + GOOD, 'validation_only must be true or false, not "no"'),
        (GOOD + '[parts]\nvisuals = "captions"', "parts: unknown key 'visuals'; did you mean 'visual'"),
        (GOOD + "[parts]\nvisual = 1", "parts.visual must be the name of a component, not 1"),
        (GOOD + "[options.methods.x]\ny = 1", "options: unknown key 'methods'; did you mean 'method'"),
        (GOOD + "[options.method]\nx = 1", "options.method.x must be a table of options of one component, not 1"),
        ("options.method.x.day = 2026-01-31\n" + GOOD, "options.method.x.day is the date or time 2026-01-31; write it"),
    ],
)
def test_fields_of_another_form_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        protocols.read(write(tmp_path, text))


@pytest.mark.parametrize(("old", "new"), [("version = 1", 'version = "one"'), ("version = 1", "version = 0")])
def test_a_version_is_a_number(tmp_path: Path, old: str, new: str) -> None:
    path = write(tmp_path, GOOD)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ZsarbenchError, match="version must be a whole number from 1"):
        protocols.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = [", "not valid TOML"),
        ('name = "x"\n', "(?s)version is missing.*rounds is missing"),
        ("name = 1\n[colour]\n", "(?s)name must be text that is not empty, not 1.*unknown field 'colour'"),
        (HEAD.format(setting="zls") + "[[rounds]]\ncandidates=[]", "unknown setting 'zls'; did you mean 'zsl'"),
        (HEAD.format(setting="zsl") + 'sumary = "x"\n[[rounds]]\ncandidates=[]', "did you mean 'summary'"),
        (
            HEAD.format(setting="zsl") + "[[rounds]]\nunseen=[]",
            r"rounds\[0\]: unknown field 'unseen'; did you mean 'seen'",
        ),
        (HEAD.format(setting="zsl") + "[[rounds]]\nseen=[]", r"rounds\[0\].candidates is missing"),
        (HEAD.format(setting="zsl") + '[[rounds]]\ncandidates="@nowhere"', "list '@nowhere' .* does not exist"),
    ],
)
def test_malformed_files_are_explained(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ZsarbenchError, match=message):
        protocols.read(path)


def test_a_protocol_of_the_users_is_a_file(tmp_path: Path) -> None:
    registry = load_plugins().registry
    path = write(tmp_path, '[[rounds]]\ncandidates = ["Archery", "Diving"]\n')
    assert protocols.load(registry, str(path)).name == "toy/one"
    with pytest.raises(UsageError, match="does not exist"):
        protocols.load(registry, str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match="did you mean 'ucf101/truze-v2'"):
        protocols.load(registry, "ucf101/truze2")


def test_the_hash_covers_the_lists_and_not_their_spelling_or_order(tmp_path: Path) -> None:
    def digest(body: str) -> str:
        return protocols.read(write(tmp_path, body)).hash(TOY)

    base = digest('[[rounds]]\nseen = ["Diving"]\ncandidates = ["Archery", "Yo Yo"]')
    assert base == digest('[[rounds]]\nseen = ["diving"]\ncandidates = ["yoyo", "ARCHERY"]')
    assert base != digest('[[rounds]]\nseen = ["Salsa Spin"]\ncandidates = ["Archery", "Yo Yo"]')
    assert base != digest('[[rounds]]\nseen = ["Diving"]\ncandidates = ["Archery", "Yo Yo"]\ntest_clips = ["a"]')
    assert base == digest('[options.method.x]\ny = 1\n[[rounds]]\nseen = ["Diving"]\ncandidates = ["Archery", "Yo Yo"]')


@given(st.permutations(["Salsa Spin", "Archery", "Yo Yo", "Diving"]), st.integers(0, 2))
def test_clips_of_a_round_are_those_of_its_classes_and_never_overlap(names: list[str], n_seen: int) -> None:
    manifest = pd.DataFrame(
        {"clip_id": [f"{name}-{number}" for name in sorted(names) for number in range(3)]}
        | {"label": [name for name in sorted(names) for _ in range(3)]}
    )
    item = Round(0, 0, tuple(names[:n_seen]), tuple(names[n_seen:]))
    train, test = protocols.round_clips(item, manifest)
    assert len(train) == 3 * n_seen
    assert len(test) == 3 * (4 - n_seen)
    assert not set(train) & set(test)


def test_training_on_test_clips_and_unknown_clips_are_refused() -> None:
    manifest = pd.DataFrame({"clip_id": ["a", "b", "c"], "label": ["A", "A", "B"]})
    with pytest.raises(ZsarbenchError, match=r"trains on 1 of its test clips, e.g. 'b'"):
        protocols.round_clips(Round(0, 0, ("A",), ("A", "B"), train_clips=("a", "b"), test_clips=("b", "c")), manifest)
    with pytest.raises(ZsarbenchError, match=r"1 clips are not in the manifest, e.g. 'zz'"):
        protocols.round_clips(Round(0, 0, (), ("A", "B"), test_clips=("zz",)), manifest)
    with pytest.raises(ZsarbenchError, match=r"train clips of round 0: 1 clips are of other classes .* e.g. 'c'"):
        protocols.round_clips(Round(0, 0, ("A",), ("A", "B"), train_clips=("a", "c")), manifest)
    for item in (
        Round(0, 0, (), ("A", "B"), test_clips=("a",)),
        Round(0, 0, (), ("A", "C")),
    ):
        with pytest.raises(ZsarbenchError, match=r"round 0 has no clip to test of 1 candidates, e.g. '[BC]'"):
            protocols.round_clips(item, manifest)


@pytest.mark.once
@pytest.mark.parametrize("name", load_plugins().registry.names("protocol"))
def test_every_registered_protocol_holds(name: str) -> None:
    registry = load_plugins().registry
    protocol = protocols.load(registry, name)
    dataset = registry.get("dataset", protocol.dataset).load()()
    rounds = protocol.with_official_names(dataset)
    assert rounds
    assert protocol.source
    assert len(protocol.hash(dataset)) == 64
    for item in rounds:
        if item.seen and name != "sketch/validation":  # whose candidates are the validation classes of another one
            assert item.validation, "a protocol with seen classes names those that stand for unseen ones"
