from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zsarbench.errors import UsageError, UsageErrors
from zsarbench.harness.resolve import resolve
from zsarbench.harness.spec import RunRequest, RunSpec, command_of, request
from zsarbench.plugins import load_plugins


def problems(**asked: object) -> list[str]:
    with pytest.raises(UsageErrors) as caught:
        resolve(RunRequest(**asked), load_plugins())  # type: ignore[arg-type]
    return list(caught.value.problems)


def spec(**asked: object) -> RunSpec:
    return resolve(RunRequest(**asked), load_plugins())  # type: ignore[arg-type]


def test_all_mistakes_of_a_request_come_at_once() -> None:
    found = problems(
        method="cezzar",
        protocol="ucf101/truze-v3",
        visual="captoins",
        loss="triplett",
        settings=("los.margin=1", "margin=2"),
        dtype="float8",
        seeds=0,
        data_root=("ucf=/tmp", "ucf101=/no/such/folder"),
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
    ):
        assert expected in text, expected


def test_names_are_checked_before_torch_is_imported() -> None:
    code = (
        "import sys\nfrom zsarbench.plugins import load_plugins\nfrom zsarbench.harness.resolve import resolve\n"
        "from zsarbench.harness.spec import RunRequest\n"
        "try: resolve(RunRequest('cezzar', visual='nope'), load_plugins())\n"
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
    asked = {"method": "cezsar", "protocol": "sketch/compositional", "train_on": "activitynet-captions"}
    set_ = (f"train_dataset.train={tmp_path / 'train.json'}", "train_dataset.lists=train,val_2")
    found = spec(**asked, settings=set_).train_dataset
    assert found is not None
    assert found.options["lists"] == ("train", "val_2")
    assert found.options["train"] == tmp_path / "train.json"
    (told,) = problems(**asked, settings=("train_dataset.list=train",))
    assert "did you mean 'lists'" in told
    (told,) = problems(method="cezsar", settings=("train_dataset.lists=train",))
    assert "has no data set to set it of. Try: --train-on DATASET" in told


def test_labelled_classes_are_learnt_from_data_that_has_some() -> None:
    (told,) = problems(method="eszsl", protocol="sketch/compositional", train_on="activitynet-captions")
    assert "'eszsl' learns from labelled classes, and data set 'activitynet-captions' has none" in told
    found = spec(method="eszsl", protocol="sketch/compositional", train_on="activitynet")
    assert found.train_on == "activitynet"


def test_command_line_wins_over_protocol_over_method() -> None:
    by_protocol = spec(method="cezsar", protocol="sketch/compositional")
    assert by_protocol.parts["visual"].name == "efficientnet-lite0"
    by_user = spec(method="cezsar", protocol="sketch/compositional", visual="timm", settings=("loss.margin=0.25",))
    assert by_user.parts["visual"].name == "timm"
    assert by_user.parts["loss"].options["margin"] == 0.25
    assert by_user.parts["loss"].sources == {"margin": "command line"}
    assert by_user.parts["negatives"].name == "cosine-window"  # neither says otherwise: the method's


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
    assert here.identity() == there.identity() != other.identity()
    assert here.command == there.command == "zsarbench run --method nearest-text --protocol ucf101/all"


def test_the_command_repeats_the_request() -> None:
    asked = request("cezsar", settings=("loss.margin=0.5", "method.d_model=64"), seeds=3, control="shuffle-captions")
    assert command_of(asked) == (
        "zsarbench run --method cezsar --set loss.margin=0.5 --set method.d_model=64 --seeds 3 "
        "--control shuffle-captions"
    )


def test_the_default_protocol_is_the_one_a_plugin_declares() -> None:
    plain, named = spec(method="chance"), spec(method="chance", protocol="sketch/compositional")
    assert plain.protocol.name == named.protocol.name == "sketch/compositional"
    assert plain.command == named.command == "zsarbench run --method chance"
    with pytest.raises(UsageErrors, match=r"no plugin declares a default\. Try: --protocol NAME"):
        resolve(RunRequest("chance"), load_plugins(["benchmarks"]))


def test_an_unknown_argument_from_python_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'protocol'"):
        request("chance", protocl="ucf101/all")
