"""What the conformance kit does with its findings, from Python, from pytest and from the command line."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from zsarbench import hookimpl
from zsarbench.cli.main import Session, cli
from zsarbench.errors import NotGiven, UsageError, ZsarbenchError
from zsarbench.plugins import Host, load_plugins
from zsarbench.plugins.registry import KINDS
from zsarbench.testing import conformance, toys
from zsarbench.testing.causes import CAUSES
from zsarbench.testing.toys import ToyLoss, ToyText
from zsarbench.utils import seeding
from zsarbench_baselines.nearest_text import NearestText


def altered(base: type, **members: Any) -> type:
    return type(f"Broken{base.__name__}", (base,), members)


def narrow(self: Any, texts: Sequence[str]) -> Tensor:
    return ToyText.encode(self, texts)[:, :3]


class Unused(torch.nn.Module):
    """A loss with a parameter that no gradient reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, *given: Tensor) -> Tensor:
        return ToyLoss()(*given)


def host(**entries: tuple[str, str, str]) -> Host:
    """Return a host whose plugin `toy` registers entries (kind, name, target) of this module."""

    @hookimpl
    def zsarbench_register(registry: Any) -> None:
        for kind, name, target in entries.values():
            target = target if ":" in target else f"{__name__}:{target}"
            defaults = {"text": "minilm-l6"} if kind == "method" else None
            registry.add(kind, name, target, summary="A toy.", extra="offline", defaults=defaults)

    plugin = type("plugin", (), {"zsarbench_register": staticmethod(zsarbench_register)})
    return load_plugins(loaders={"toy": lambda: plugin})


class NoWeights(ToyText):
    def __init__(self) -> None:
        raise ZsarbenchError("the weights cannot be fetched from https://nowhere.example")


class BadDefault(ToyText):
    def __init__(self, *, width: int = -1) -> None:
        raise UsageError("width is below 1")


def test_a_problem_states_what_was_expected_what_happened_and_where_the_contract_is() -> None:
    problem = conformance.run_checks(altered(ToyText, encode=narrow), "text")[0]
    assert str(problem) == (
        "text 'BrokenToyText', gives-rows: expected (11, 16) float32, D being `dim`, but (11, 3) float32 was returned. "
        "The rule: `encode` gives a finite float32 row for any text: empty, very long, in any script; and 0 rows for 0 "
        "texts. Likely cause: no row for an empty text, or half precision. "
        "The contract: zsarbench.interfaces.TextEncoder.encode"
    )


def test_what_a_check_did_not_foresee_is_a_problem_with_its_place() -> None:
    class Raises(ToyText):
        def encode(self, texts: Sequence[str]) -> Tensor:
            raise KeyError("broken on purpose")

    messages = {problem.message for problem in conformance.run_checks(Raises, "text")}
    assert any("KeyError: 'broken on purpose' (test_conformance.py, line" in message for message in messages)


def test_what_is_unavailable_is_skipped_with_its_reason_and_tried_once() -> None:
    found = list(conformance.outcomes(conformance.subject_of(NoWeights, "text")))
    assert conformance.run_checks(NoWeights, "text") == []
    assert {one.skipped for one in found if one.check != "options-can-be-set"} == {
        "the weights cannot be fetched from https://nowhere.example"
    }


def test_defaults_that_do_not_build_are_a_bug() -> None:
    assert any("width is below 1" in problem.message for problem in conformance.run_checks(BadDefault, "text"))


def test_a_missing_target_is_a_bug_and_a_missing_extra_is_not() -> None:
    registry = host(a=("loss", "gone", "NoSuchLoss"), b=("loss", "extra", "no_such_package:Loss")).registry
    gone, extra = (conformance.subject_of(registry.get("loss", name)) for name in ("gone", "extra"))
    first, *others = conformance.outcomes(gone)
    assert first.problem is not None
    assert "has no attribute 'NoSuchLoss'" in first.problem.message
    assert "zsarbench_register" in first.problem.cause
    assert {one.skipped for one in others} == {"options-can-be-set found what stops all further checks"}
    assert all("pip install 'zsarbench[offline]'" in str(one.skipped) for one in conformance.outcomes(extra))


def test_a_missing_member_is_one_bug_and_not_one_for_every_check() -> None:
    class Unfitted:
        learns_from, class_independent, score = "nothing", True, NearestText.score

    problems = conformance.run_checks(Unfitted, "method")
    assert [(one.check, one.message) for one in problems] == [
        ("interface-is-complete", "expected the members of Method, but fit is missing")
    ]


def test_a_method_may_refuse_parts_before_it_is_given_any_clip() -> None:
    class Cosine(NearestText):
        def score(self, clips: Any, classes: Any, context: Any) -> Tensor:
            steps = clips.rows(range(len(clips.ids)))
            mean = (steps.values * steps.mask[..., None]).sum(1) / steps.mask.sum(1, keepdim=True)
            texts = torch.stack([context.parts.text.encode(one.texts).mean(0) for one in classes])
            return torch.nn.functional.normalize(mean, dim=1) @ torch.nn.functional.normalize(texts, dim=1).T

    def accept(self: Any, parts: Any) -> None:
        pass

    assert conformance.run_checks(Cosine, "method") == []
    [problem] = conformance.run_checks(altered(Cosine, check_parts=accept), "method")
    assert problem.check == "any-dimensions"


def test_chosen_options_stand_in_for_defaults() -> None:
    class Narrow(ToyText):
        def __init__(self, *, width: int = -1) -> None:
            super().__init__()
            if width < 1:
                raise UsageError("width is below 1")
            self.width = width

    assert conformance.run_checks(Narrow, "text", chosen={"width": 2}) == []


def test_a_component_without_its_kind_and_a_kind_that_is_none_are_refused() -> None:
    with pytest.raises(UsageError, match="what kind of component"):
        conformance.run_checks(ToyText)
    with pytest.raises(UsageError, match="did you mean 'loss'"):
        conformance.checks_for("los")


def test_parametrize_gives_a_test_every_check_of_a_plugin() -> None:
    session_host = host(
        a=("loss", "sound", "zsarbench.testing.toys:ToyLoss"),
        b=("loss", "bad", "Unused"),
        c=("text", "nothing", "NoWeights"),
    )
    mark = conformance.parametrize(session_host.registry, plugin="toy", kinds=["loss", "text"])
    cases = {str(case): case for case in mark.args[1]}
    assert len(cases) == 2 * len(conformance.checks_for("loss")) + len(conformance.checks_for("text"))
    cases["loss-sound-gradient-flows"]()
    with pytest.raises(pytest.fail.Exception, match="a gradient of the parameter weight, but it has none"):
        cases["loss-bad-gradient-flows"]()
    with pytest.raises(pytest.skip.Exception, match="cannot be fetched"):
        cases["text-nothing-gives-rows"]()


# --- the verb ---------------------------------------------------------------------------------------------------------


def typed(session_host: Host, *arguments: str) -> Any:
    return CliRunner().invoke(cli, ["check", *arguments], obj={"session": Session((), session_host)})


def test_the_verb_prints_the_bugs_of_a_plugin_and_exits_with_1() -> None:
    session_host = host(a=("loss", "sound", "zsarbench.testing.toys:ToyLoss"), b=("loss", "bad", "Unused"))
    done = typed(session_host, "toy")
    assert done.exit_code == 1
    assert "loss sound: no bug (12 of 12 checks passed)" in done.output
    assert "gradient-flows: expected a gradient of the parameter weight, but it has none" in done.output
    assert "contract: zsarbench.interfaces.Loss" in done.output
    assert "24 checks of 2 components: 1 bug, 0 not tried here" in done.output
    assert typed(session_host, "sound").exit_code == 0


def test_the_verb_prints_json() -> None:
    done = typed(host(b=("loss", "bad", "Unused"), c=("text", "none", "NoWeights")), "toy", "--json")
    rows = {(row["name"], row["check"]): row for row in json.loads(done.stdout)}
    assert rows["bad", "gradient-flows"]["problem"]["contract"] == "zsarbench.interfaces.Loss"
    assert rows["bad", "is-finite-on-ties"]["problem"] is None
    assert "cannot be fetched" in rows["none", "gives-rows"]["skipped"]


def test_the_verb_names_what_does_not_exist() -> None:
    session_host = host(
        a=("loss", "triplet", "zsarbench_cezsar.losses:Triplet"), b=("loss", "sound", "zsarbench.testing.toys:ToyLoss")
    )
    with pytest.raises(UsageError, match="did you mean 'triplet'"):
        raise typed(session_host, "tripled").exception
    with pytest.raises(UsageError, match=r"--set loss\.magrin=2 is not an option of loss triplet"):
        raise typed(session_host, "triplet", "--set", "loss.magrin=2").exception
    with pytest.raises(UsageError, match="option 'margin' of loss triplet is float, not 'much'"):
        raise typed(session_host, "triplet", "--set", "loss.margin=much").exception
    assert typed(session_host, "triplet", "--set", "loss.margin=0.5").exit_code == 0


def test_the_verb_says_why_a_plugin_was_left_out() -> None:
    def fails() -> Any:
        raise ImportError("no module named nothing")

    with pytest.raises(ZsarbenchError, match="plugin 'gone' cannot be loaded: ImportError: no module named nothing"):
        raise typed(load_plugins(loaders={"gone": fails}), "gone").exception


def test_nothing_of_an_unseen_class_is_in_the_toy_training_set() -> None:
    train = toys.train_set()
    captions = " ".join(sentence for sentences in train.clips.captions or () for sentence in sentences)
    assert not any(name in captions for name in toys.UNSEEN)
    assert not set(toys.UNSEEN) & {one.name for one in train.classes}
    assert dataclasses.replace(train, labels=None).labels is None
    assert len(set(train.groups)) == len(train.clips) // 2


def test_every_check_states_its_rule_and_the_likely_cause_of_a_finding() -> None:
    checks = [check for kind in KINDS for check in conformance.checks_for(kind)]
    assert len(checks) > 70
    for check in checks:
        assert (check.run.__doc__ or "").strip(), check.name
        assert (check.kind, check.name) in CAUSES or ("", check.name) in CAUSES, check
    known = {(check.kind, check.name) for check in checks} | {("", check.name) for check in checks}
    assert set(CAUSES) <= known


def test_toys_do_not_touch_the_global_random_state() -> None:
    with seeding.fork_rng(seeding.generator(0, "x")):
        before = torch.random.get_rng_state()
        toys.train_set()
        assert torch.equal(before, torch.random.get_rng_state())


class NeedsAFile(NearestText):
    def fit(self, train: Any, context: Any) -> None:
        raise NotGiven("the method has no file. Try: --set method.file=FILE")


def test_what_only_its_user_has_is_not_a_bug() -> None:
    found = list(conformance.outcomes(conformance.subject_of(NeedsAFile, "method")))
    assert [one.problem for one in found if one.problem] == []
    assert {one.skipped for one in found if one.skipped} == {"the method has no file. Try: --set method.file=FILE"}


def made_by(error: BaseException) -> type:
    def init(self: Any) -> None:
        raise error

    return altered(ToyLoss, __init__=init)


@pytest.mark.parametrize(
    ("component", "check", "says"),
    [
        (lambda video, positive, negative: 0.0, "options-can-be-set", "leads to a function"),
        (made_by(ValueError("no weights")), "options-are-stored", "ValueError: no weights"),
        (made_by(SystemExit(4)), "options-are-stored", "it tried to end the program"),
    ],
)
def test_what_cannot_be_built_is_one_problem(component: Any, check: str, says: str) -> None:
    (problem,) = conformance.run_checks(component, "loss")
    assert problem.check == check
    assert says in problem.message
