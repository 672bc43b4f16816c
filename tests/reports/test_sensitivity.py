"""How accuracy depends on an option: which results make a line, what cannot be drawn, and the figure of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from samples import sample_result, sample_scores
from zsarbench import results
from zsarbench.cli.main import cli
from zsarbench.errors import UsageError
from zsarbench.reports.sensitivity import sensitivity

WEAK, STRONG = sample_scores(skill=0.2), sample_scores(skill=2.0)
PARTS = {"visual": "r3d-18", "text": "minilm-l6", "loss": "triplet"}


def result_of(frames: int = 8, loss: str = "triplet", scores: Any = WEAK, **more: Any) -> results.RunResult:
    options = {"visual": {"max_steps": frames}, "loss": {"margin": 1.0} if loss == "triplet" else {"temperature": 0.07}}
    return sample_result(scores, parts=PARTS | {"loss": loss}, part_options=options, **more)


def test_results_that_differ_in_one_option_are_a_line_in_the_order_of_its_values() -> None:
    found = sensitivity([result_of(16, scores=STRONG), result_of(2), result_of(4)])
    assert found.option == "visual.max_steps"
    assert (found.values, found.numeric) == (("2", "4", "16"), True)
    assert list(found.lines) == [""]
    assert found.lines[""]["16"] == result_of(16, scores=STRONG).summary["top1_per_video"]
    assert found.lines[""]["2"].mean < found.lines[""]["16"].mean
    assert found.chance == pytest.approx(found.lines[""]["2"].chance)


def test_other_options_make_lines_of_their_own() -> None:
    given = [result_of(frames, loss) for frames in (2, 4) for loss in ("triplet", "info-nce")]
    found = sensitivity(given, over="visual.max_steps")
    assert {label: list(line) for label, line in found.lines.items()} == {
        "loss=info-nce": ["2", "4"],
        "loss=triplet": ["2", "4"],
    }
    by_loss = sensitivity(given, over="loss", metric="top1_per_class")
    assert (by_loss.values, by_loss.numeric) == (("info-nce", "triplet"), False)
    assert list(by_loss.lines) == ["visual.max_steps=2", "visual.max_steps=4"]
    assert by_loss.metric == "top-1/class"


def test_class_texts_and_methods_are_axes_too() -> None:
    texts = [results.ClassTextInfo(form, sha256=digit * 64) for form, digit in (("name", "1"), ("prompts.json", "2"))]
    given = [sample_result(WEAK, class_text=text, spec_id=text.sha256[:8]) for text in texts]
    found = sensitivity(given)
    assert (found.option, found.values) == ("class_text", ("name", "prompts.json"))
    assert sensitivity([sample_result(WEAK, "er"), sample_result(WEAK, "conse")]).values == ("conse", "er")


def test_what_cannot_share_a_line_is_left_out_with_its_reason() -> None:
    other = result_of(32, protocol="toy/other", created="2026-01-01T00:00:00Z")
    without = sample_result(WEAK, "er", parts={"text": "minilm-l6"})
    found = sensitivity([result_of(2), result_of(4), other, without], over="visual.max_steps")
    assert found.values == ("2", "4")
    assert {reason.split(": ")[1] for reason in found.left_out} == {
        "it is on toy/other",
        "it has no option visual.max_steps",
    }


@pytest.mark.parametrize(
    ("given", "over", "says"),
    [
        ([], None, "there is no result to draw"),
        ([result_of(2)], None, "differ in no option"),
        ([result_of(2), result_of(4, "info-nce")], None, "Try: --over loss"),
        ([result_of(2), result_of(4)], "visual.max_step", "did you mean 'visual.max_steps'"),
    ],
)
def test_what_cannot_be_drawn_says_what_to_type(given: list[results.RunResult], over: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        sensitivity(given, over=over)


def test_an_unknown_metric_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="top1_per_video"):
        sensitivity([result_of(2), result_of(4)], metric="top1")


def test_the_command_draws_numbers_as_lines_and_names_side_by_side(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    for frames, scores in ((1, WEAK), (16, STRONG)):
        for loss in ("triplet", "info-nce"):
            results.write(result_of(frames, loss, scores), scores, tmp_path / "results")
    for over in ("visual.max_steps", "loss"):
        command = ["plot", "sensitivity", str(tmp_path / "results"), "--over", over, "--out", str(tmp_path / "plots")]
        done = CliRunner().invoke(cli, command, obj={})
        assert done.exit_code == 0, done.output
        svg = (tmp_path / "plots" / f"sensitivity-toy-half-{over}.svg").read_text()
        assert all(f">{text}<" in svg for text in (over, "top-1/video in %", "chance"))
    assert ">visual.max_steps=16<" in svg
    assert (tmp_path / "plots" / "sensitivity-toy-half-loss.png").read_bytes()[:4] == b"\x89PNG"


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = CliRunner().invoke(cli, ["plot", "sensitivity", str(tmp_path)], obj={})
    assert isinstance(done.exception, UsageError)
    assert "pip install 'zsarbench[plot]'" in str(done.exception)
