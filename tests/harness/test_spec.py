from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zsarbench
from locations import ROOT
from zsarbench import hookimpl, results
from zsarbench.errors import UsageError, UsageErrors
from zsarbench.harness.resolve import resolve_run
from zsarbench.harness.settings import Problems, parse_captions
from zsarbench.harness.spec import (
    Execution,
    ExtractionRequest,
    Measurement,
    RunRequest,
    RunSpec,
    options_of,
    request,
)
from zsarbench.plugins import load_plugins
from zsarbench.plugins.loading import entry_points
from zsarbench.plugins.registry import Registrar


def problems(**arguments: object) -> list[str]:
    with pytest.raises(UsageErrors) as caught:
        resolve_run(RunRequest(**arguments), load_plugins())  # type: ignore[arg-type]
    return list(caught.value.problems)


def spec(**arguments: object) -> RunSpec:
    return resolve_run(RunRequest(**arguments), load_plugins())  # type: ignore[arg-type]


def test_all_mistakes_of_a_request_come_at_once() -> None:
    found = problems(
        method="cezzar",
        protocol="ucf101/truze-v3",
        visual="captoins",
        loss="triplett",
        settings=("los.margin=1", "margin=2"),
        dtype="float8",
        seeds=0,
        data_root=("ucf=/tmp", "ucf101=/no/such/folder", "folder="),
        seed=2**63 - 1,
        limit=10**20,
    )
    text = "\n".join(found)
    for expected in (
        "did you mean 'cezsar'",
        "did you mean 'ucf101/truze-v",
        "did you mean 'captions'",
        "did you mean 'triplet'",
        "did you mean 'loss'",
        "--set margin=2 is not of the form",
        "unknown dtype 'float8'",
        "--seeds is 0",
        "unknown dataset 'ucf'",
        "'/no/such/folder' does not exist",
        "--data-root folder= is not of the form DATASET=DIR",
        f"--seed is {2**63 - 1}; it is at most 4611686018427387903",
        f"--limit is {10**20}; it is at most",
    ):
        assert expected in text, expected


def test_names_are_checked_before_torch_is_imported() -> None:
    code = (
        "import sys\nfrom zsarbench.plugins import load_plugins\nfrom zsarbench.harness.resolve import resolve_run\n"
        "from zsarbench.harness.spec import RunRequest\n"
        "try: resolve_run(RunRequest('cezzar', visual='nope'), load_plugins())\n"
        "except Exception as error: print(error)\n"
        "print('torch' in sys.modules or 'timm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "did you mean 'cezsar'" in done.stdout
    assert done.stdout.strip().endswith("False")


def test_options_are_checked_against_the_chosen_parts() -> None:
    (found,) = problems(method="cezsar", settings=("loss.margn=1",))
    assert "unknown option of loss triplet 'margn'; did you mean 'margin'" in found
    (found,) = problems(method="cezsar", settings=("loss.margin=wide",))
    assert "'margin' of loss triplet is float, not 'wide'" in found


def test_options_of_the_data_set_that_is_learnt_from(tmp_path: Path) -> None:
    arguments = {"method": "cezsar", "protocol": "sketch/compositional", "train_on": "activitynet-captions"}
    set_ = (f"train_dataset.train={tmp_path / 'train.json'}", "train_dataset.lists=train,val_2")
    found = spec(**arguments, settings=set_).what.train_dataset
    assert found is not None
    assert found.options["lists"] == ("train", "val_2")
    assert found.options["train"] == tmp_path / "train.json"
    (problem,) = problems(**arguments, settings=("train_dataset.list=train",))
    assert "did you mean 'lists'" in problem
    (problem,) = problems(method="cezsar", settings=("train_dataset.lists=train",))
    assert "method 'cezsar' has no train_dataset part for --set train_dataset.lists. Try: --train-on DATASET" in problem


def test_labelled_classes_are_learnt_from_data_that_has_some() -> None:
    (problem,) = problems(method="eszsl", protocol="sketch/compositional", train_on="activitynet-captions")
    assert "'eszsl' learns from labelled classes, and data set 'activitynet-captions' has none" in problem
    found = spec(method="eszsl", protocol="sketch/compositional", train_on="activitynet")
    assert found.what.train_on == "activitynet"


def test_command_line_wins_over_protocol_over_method() -> None:
    by_protocol = spec(method="cezsar", protocol="sketch/compositional")
    assert by_protocol.what.parts["visual"].name == "efficientnet-lite0"
    by_user = spec(method="cezsar", protocol="sketch/compositional", visual="timm", settings=("loss.margin=0.25",))
    assert by_user.what.parts["visual"].name == "timm"
    assert by_user.what.parts["loss"].options["margin"] == 0.25
    assert by_user.what.parts["loss"].sources == {"margin": "command line"}
    assert by_user.what.parts["negatives"].name == "cosine-window"  # neither says otherwise: the method's


def test_a_method_that_learns_is_refused_where_nothing_is_seen() -> None:
    (found,) = problems(method="cezsar", protocol="ucf101/all", visual="captions", text="minilm-l6")
    assert found.startswith("not applicable: method 'cezsar' learns from")


def test_parts_that_a_method_lacks_are_refused() -> None:
    (found,) = problems(method="chance", negatives="uniform")
    assert "method 'chance' has no negatives part" in found


def test_controls_that_show_nothing_are_refused() -> None:
    (found,) = problems(method="nearest-text", protocol="ucf101/all", control="shuffle-labels")
    assert "reads no labels" in found


def test_identity_is_of_the_run_and_not_of_the_machine(tmp_path: Path) -> None:
    here = spec(method="nearest-text", protocol="ucf101/all")
    there = spec(
        method="nearest-text", protocol="ucf101/all", out="elsewhere", data_root=(f"ucf101={tmp_path}",), threads=1
    )
    other = spec(method="nearest-text", protocol="ucf101/all", seed=1)
    assert here.what == there.what != other.what
    assert here.what.identity() == there.what.identity() != other.what.identity()
    assert here.command == there.command == "zsarbench run --method nearest-text --protocol ucf101/all"
    assert (there.where.out, there.where.data_root, there.where.threads) == ("elsewhere", {"ucf101": str(tmp_path)}, 1)


@dataclass(frozen=True, kw_only=True)
class Longer(Measurement):
    """A measurement with an option that did not exist when earlier results were measured."""

    temperature: float = 1.0


def test_an_option_that_is_added_leaves_the_identity_of_earlier_runs_as_it_is() -> None:
    what = spec(method="chance").what
    assert Longer(**vars(what)).identity() == what.identity()
    assert Longer(**vars(what), temperature=2.0).identity() == {**what.identity(), "temperature": 2.0}


def test_every_committed_result_states_the_spec_that_its_id_is_of() -> None:
    files = sorted((ROOT / "benchmarks" / "results").glob("*/*.json"))
    assert files
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        assert results.spec_id(content["spec"]) == content["spec_id"], file


@pytest.mark.parametrize(
    "pattern",
    [
        "sketch-compositional/chance-",
        "sketch-compositional/eszsl-",
        "sketch-compositional/er-",
        "ucf101-truze-v1/cezsar-",
        "ucf101-all/zsarcap-",
    ],
)
def test_the_command_of_a_committed_result_resolves_to_its_spec(pattern: str) -> None:
    for file in (ROOT / "benchmarks" / "results").glob(f"{pattern}*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        found = resolve_run(RunRequest.from_command(content["command"]), load_plugins())
        assert json.dumps(found.what.identity(), sort_keys=True) == json.dumps(content["spec"], sort_keys=True)
        assert results.spec_id(found.what.identity()) == content["spec_id"]


# --- commands ---------------------------------------------------------------------------------------------------------


def test_the_command_repeats_the_request() -> None:
    repeated = request("cezsar", settings=("loss.margin=0.5", "method.d_model=64"), seeds=3, control="shuffle-captions")
    assert repeated.to_command() == (
        "zsarbench run --method cezsar --set loss.margin=0.5 --set method.d_model=64 --seeds 3 "
        "--control shuffle-captions"
    )


WORDS = st.text("ab=.,:'\"$ \\é-", min_size=1, max_size=6)
PLACES = st.none() | WORDS


@given(
    st.builds(
        RunRequest,
        WORDS,
        protocol=WORDS,
        visual=PLACES,
        text=PLACES,
        loss=PLACES,
        settings=st.lists(WORDS).map(tuple),
        seed=st.integers(0),
        seeds=st.integers(1),
        train_on=WORDS,
        class_text=PLACES,
        limit=st.none() | st.integers(1),
    )
)
def test_a_command_is_read_back_as_the_request_that_it_was_written_from(original: RunRequest) -> None:
    assert RunRequest.from_command(original.to_command()) == original


def test_what_is_of_one_machine_is_in_no_command() -> None:
    local = {option.name for option in options_of(RunRequest)} & {item.name for item in fields(Execution)}
    assert local == {"data_root", "device", "threads", "executor", "out", "strict", "refit"}
    changed = RunRequest("chance", data_root=("a=b",), device="cuda", threads=3, executor="ray", out="x", strict=True,
                         refit=True)  # fmt: skip
    assert changed.to_command() == "zsarbench run --method chance"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("zsarbench compare --method chance", "is not a command of the form: zsarbench run --method NAME"),
        ("zsarbench run --metod chance", "unknown option of run '--metod'; did you mean '--method'"),
        ("zsarbench run --method", "--method takes a value"),
        ("zsarbench run --method chance --seeds many", "--seeds takes a number"),
        ("zsarbench run --seeds 3", "names no method"),
    ],
)
def test_another_command_is_refused(command: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        RunRequest.from_command(command)


def test_the_default_protocol_is_the_one_a_plugin_declares() -> None:
    plain, named = spec(method="chance"), spec(method="chance", protocol="sketch/compositional")
    assert plain.what.protocol.name == named.what.protocol.name == "sketch/compositional"
    assert plain.command == named.command == "zsarbench run --method chance"
    with pytest.raises(UsageErrors, match=r"no plugin declares a default\. Try: --protocol NAME"):
        resolve_run(RunRequest("chance"), load_plugins(["benchmarks"]))


def test_an_unknown_argument_from_python_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'protocol'"):
        request("chance", protocl="ucf101/all")
    with pytest.raises(UsageError, match="Try: settings=…"):
        request("chance", set=["dataset.clips_per_class=1"])


def test_python_has_values_in_other_forms_which_are_taken() -> None:
    plain = RunRequest("chance", out="a/b", seed=3, limit=2, partial=True, settings=("dataset.clips_per_class=1",))
    taken = request(
        np.str_("chance"),
        out=Path("a") / "b",
        seed=np.int64(3),
        limit=np.uint8(2),
        partial=np.bool_(True),
        settings=(text for text in ["dataset.clips_per_class=1"]),
    )
    assert taken == plain
    assert taken.to_command() == plain.to_command()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"method": 3}, "--method is 3; it takes text"),
        ({"method": None}, "--method is None; it takes text"),
        ({"protocol": 3}, "--protocol is 3; it takes text"),
        ({"train_on": ["seen"]}, "--train-on is ['seen']; it takes text"),
        ({"settings": None}, "--set is None; it takes a list of texts"),
        ({"settings": "loss.margin=1"}, "--set is 'loss.margin=1'; it takes a list of texts"),
        ({"settings": {"loss.margin": 1}}, "--set is {'loss.margin': 1}; it takes a list of texts"),
        ({"data_root": {"ucf101": "/x"}}, "--data-root is {'ucf101': '/x'}; it takes a list of texts"),
        ({"limit": float("nan")}, "--limit is nan; it takes a whole number"),
    ],
)
def test_a_value_of_no_form_is_named_and_nothing_is_looked_up_by_it(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageErrors) as caught:
        zsarbench.run(**{"method": "chance", **arguments})
    assert caught.value.problems == (says,)


def test_a_value_of_another_type_is_refused() -> None:
    found = "\n".join(problems(method="chance", seeds="3", strict="yes", settings="loss.margin=1", visual=3, seed=True))
    for expected in (
        "--seeds is '3'; it takes a whole number",
        "--strict is 'yes'; it takes true or false",
        "--visual is 3; it takes text",
        "--seed is True; it takes a whole number",
    ):
        assert expected in found


# --- hooks and names --------------------------------------------------------------------------------------------------


def test_a_plugin_objects_by_what_and_where_a_run_is() -> None:
    class Objecting:
        @hookimpl
        def zsarbench_check_run(self, spec: RunSpec) -> list[str]:
            return [f"{spec.what.method.name} on {spec.what.protocol.name}, written to {spec.where.out}"]

    host = load_plugins(loaders=entry_points() | {"objecting": Objecting})
    found = resolve_run(RunRequest("chance", out="here"), host)
    assert found.objections == ("objecting: chance on sketch/compositional, written to here",)


@pytest.mark.parametrize("name", ["seen", "none"])
def test_no_data_set_is_called_what_train_on_calls_something_else(name: str) -> None:
    class Colliding:
        @hookimpl
        def zsarbench_register(self, registry: Registrar) -> None:
            registry.add("dataset", name, "zsarbench.testing.toys:Nothing", summary="A toy.")

    (failure,) = load_plugins(loaders={"colliding": Colliding}).failures
    assert f"a dataset cannot be called '{name}'" in failure.reason


class Looking:
    """A method that uses no text part of its own."""

    learns_from = "nothing"

    @hookimpl
    def zsarbench_register(self, registry: Registrar) -> None:
        registry.add("method", "looking", f"{__name__}:Looking", summary="A toy.", defaults={"visual": "captions"})


def test_options_of_a_text_part_that_only_the_visual_part_reads_through_are_checked() -> None:
    host = load_plugins(loaders=entry_points() | {"looking": Looking})
    with pytest.raises(UsageErrors, match="did you mean 'dim'"):
        resolve_run(RunRequest("looking", visual="captions", text="hashed-words", settings=("text.dims=3",)), host)
    found = resolve_run(RunRequest("looking", visual="captions", text="hashed-words", settings=("text.dim=64",)), host)
    assert found.what.parts["text"].options["dim"] == 64


def test_nothing_is_stopped_refitted_or_partial_unless_it_is_requested() -> None:
    for of in (RunRequest("chance"), ExtractionRequest(visual="captions")):
        flags = {name: getattr(of, name) for name in ("strict", "refit", "partial") if hasattr(of, name)}
        assert set(flags.values()) == {False}
        assert (of.device, of.dtype, of.threads, of.executor) == ("auto", "float32", None, "local")
    run = RunRequest("chance")
    assert (run.seed, run.seeds, run.train_on, run.control, run.denominator) == (0, 1, "seen", "none", "all")
    where = spec(method="chance").where
    assert (where.strict, where.refit) == (False, False)
    assert spec(method="chance", strict=True).where.strict


def test_own_captions_are_read_by_data_set_and_their_mistakes_noted(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("clip,caption\na,a person waves\n")
    (tmp_path / "bad.csv").write_text("clip\na\n")
    given = ["folder=" + str(tmp_path / "mine.csv"), "ucf101=" + str(tmp_path / "bad.csv"), "folder", "fodler=x"]
    noted = Problems()
    found = parse_captions([*given, f"folder={tmp_path / 'bad.csv'}"], load_plugins().registry, noted)
    assert list(found) == ["folder"]
    assert found["folder"].of(["a"], "folder") == {"a": ("a person waves",)}
    with pytest.raises(UsageErrors) as caught:
        noted.raise_all()
    unread, form, name, twice = caught.value.problems
    assert "lacks the columns caption" in unread
    assert form == "--captions folder is not of the form DATASET=FILE, e.g. --captions folder=captions.csv"
    assert "did you mean 'folder'" in name
    assert twice == "--captions names data set 'folder' twice; put all its captions in one file"
