from __future__ import annotations

from pathlib import Path

import pytest

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.plugins.registry import Entry, MissingPackage, NearEncoder, Registry


def filled() -> Registry:
    registry = Registry()
    registry.registrar("one").add("method", "cezsar", "json:loads", summary="A method.")
    return registry


def test_unknown_name_suggests_the_nearest_and_says_what_to_type() -> None:
    with pytest.raises(UsageError, match=r"unknown method 'cezzar'; did you mean 'cezsar'\?.*zsarbench list method"):
        filled().get("method", "cezzar")


def test_two_plugins_claiming_a_name_are_both_named() -> None:
    with pytest.raises(ZsarbenchError, match=r"'cezsar' is claimed by two plugins: 'one' and 'two'"):
        filled().registrar("two").add("method", "cezsar", "json:dumps", summary="Another.")


@pytest.mark.parametrize(
    ("kind", "name", "target", "summary", "message"),
    [
        ("methods", "x", "json:loads", "s", "did you mean 'method'"),
        ("method", "Upper", "json:loads", "s", "not of the form"),
        *(("method", name, "json:loads", "s", "not of the form") for name in ("a/", "a//b", "a/../../b")),
        ("method", "a" * 101, "json:loads", "s", "longer than 100 characters"),
        ("method", "x", "json.loads", "s", "not of the form package.module:Attr"),
        ("method", "x", "json:loads", " ", "no summary"),
    ],
)
def test_malformed_entries_are_refused(kind: str, name: str, target: str, summary: str, message: str) -> None:
    with pytest.raises(ZsarbenchError, match=message):
        Registry().registrar("p").add(kind, name, target, summary=summary)


def test_frozen_registry_refuses_entries() -> None:
    registry = filled()
    registry.freeze()
    with pytest.raises(ZsarbenchError, match="frozen; plugin 'late' is too late"):
        registry.registrar("late").add("loss", "x", "json:loads", summary="s")


def test_targets_load_on_request_and_name_the_extra_when_they_cannot() -> None:
    registry = filled()
    registry.registrar("one").add("text", "gone", "no_such_package.x:Y", summary="s", extra="offline")
    assert registry.get("method", "cezsar").load()("[1]") == [1]
    with pytest.raises(ZsarbenchError, match=r"no_such_package.*pip install 'zsarbench\[offline\]'"):
        registry.get("text", "gone").load()


def test_removing_a_plugin_takes_its_names_along() -> None:
    registry = filled()
    registry.registrar("two").add("method", "chance", "json:dumps", summary="s")
    registry.remove_plugin("one")
    assert registry.names("method") == ["chance"]


def declared() -> Registry:
    registry = Registry()
    plugin = registry.registrar("one")
    plugin.add("protocol", "toy/all", "json:toy.toml", summary="s")
    plugin.add("text", "words", "json:loads", summary="s")
    plugin.set_default_protocol("toy/all")
    plugin.set_near_encoder("words", min_cosine=0.5)
    return registry


def test_a_plugin_declares_the_default_protocol_and_what_finds_near_names() -> None:
    assert (Registry().default_protocol, Registry().near_encoder) == (None, None)
    registry = declared()
    assert registry.default_protocol == "toy/all"
    assert registry.near_encoder == NearEncoder("words", "one", 0.5)
    registry.remove_plugin("two")
    assert registry.near_encoder is not None
    registry.remove_plugin("one")
    assert (registry.default_protocol, registry.near_encoder) == (None, None)


def test_a_plugin_declares_something_about_its_own_names_alone_and_no_two_the_same() -> None:
    registry = declared()
    other = registry.registrar("two")
    with pytest.raises(ZsarbenchError, match=r"plugin 'two' declares something about text 'words', .* plugin 'one'"):
        other.set_near_encoder("words", min_cosine=0.1)
    with pytest.raises(UsageError, match="did you mean 'toy/all'"):
        other.set_default_protocol("toy/al")
    other.add("protocol", "toy/half", "json:toy.toml", summary="s")
    other.add("text", "letters", "json:loads", summary="s")
    with pytest.raises(ZsarbenchError, match="protocols 'toy/all' and 'toy/half' are both declared the default"):
        other.set_default_protocol("toy/half")
    with pytest.raises(ZsarbenchError, match="text encoders 'words' and 'letters' are both declared to find near"):
        other.set_near_encoder("letters", min_cosine=0.1)


def test_entries_come_by_kind_then_name() -> None:
    registry = filled()
    registry.registrar("p").add("dataset", "z", "json:loads", summary="s")
    registry.registrar("p").add("dataset", "a", "json:loads", summary="s")
    assert [entry.name for entry in registry] == ["a", "z", "cezsar"]


def test_trained_on_unknown_is_not_trained_on_nothing() -> None:
    assert Entry("text", "x", "a:b", "p", "s").trained_on is None


def test_protocol_files_of_a_package_are_added_by_their_header() -> None:
    registry = Registry()
    registry.registrar("benchmarks").add_protocols("zsarbench_benchmarks")
    entry = registry.get("protocol", "ucf101/truze-v1")
    assert entry.summary
    assert entry.source
    assert entry.path() == Path(entry.path()).resolve() or entry.path().is_file()


def test_a_package_that_is_not_there_is_told_from_one_that_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "only_a_folder").mkdir()
    (tmp_path / "there.py").write_text("")
    for name, line in (
        ("lacks", "import only_a_folder.part"),
        ("breaks", "import there.part"),
        ("own", "import own.x"),
    ):
        (tmp_path / f"{name}.py").write_text(f"{line}\n")
    registry = Registry()
    for name in ("lacks", "breaks", "own"):
        registry.registrar("p").add("loss", name, f"{name}:Loss", summary="s")
    with pytest.raises(MissingPackage) as caught:
        registry.get("loss", "lacks").load()
    assert (caught.value.package, caught.value.command) == ("only_a_folder", "pip install only_a_folder")
    for name in ("breaks", "own"):
        with pytest.raises(
            ZsarbenchError, match=f"loss '{name}' of plugin 'p' cannot be loaded: No module named"
        ) as error:
            registry.get("loss", name).load()
        assert not isinstance(error.value, MissingPackage)
        assert "Try" not in str(error.value)
