"""Samples of lmms-eval and predictions of VLMEvalKit: answers of the model, never the true classes stored with them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from listed import NAMES, Place, clips_of, findings
from zsarbench.errors import ZsarbenchError
from zsarbench.results import RunResult

CLIPS = clips_of(2)
WRONG = frozenset(list(CLIPS)[:6])
"""The clips whose answer is another class; what a file calls its target, or answer, is always the true one."""


def other(name: str) -> str:
    return NAMES[(NAMES.index(name) + 5) % len(NAMES)]


def reply(clip: str) -> str:
    return other(CLIPS[clip]) if clip in WRONG else CLIPS[clip]


def options(clip: str) -> list[str]:
    """Three options, of which B is the answer."""
    return [NAMES[(NAMES.index(reply(clip)) + 1) % 12], reply(clip), NAMES[(NAMES.index(reply(clip)) + 2) % 12]]


def lettered(clip: str, form: str = "{}. {}") -> str:
    return "\n".join(form.format(*pair) for pair in zip("ABC", options(clip), strict=True))


def sample(number: int, clip: str, answer: Any, **more: Any) -> dict[str, Any]:
    """A line of a sample log as lmms-eval writes it, without what names the clip."""
    return {"doc_id": number, "target": CLIPS[clip], "filtered_resps": answer, "token_counts": [None], "doc_hash": "0f",
            "input": "What happens?\nAnswer with the label only.", "acc": float(clip not in WRONG)} | more  # fmt: skip


def row(number: int, clip: str, prediction: str, **more: Any) -> dict[str, Any]:
    """A row of VLMEvalKit: its `answer` is the true one."""
    return {"index": number, "video": clip.split("/")[1], "question": "What happens?", "answer": CLIPS[clip],
            "prediction": prediction} | more  # fmt: skip


def by_mapping(rows: list[RunResult]) -> Mapping[str, RunResult]:
    return {str(one.method.options["mapping"]): one for one in rows}


def top1(one: RunResult) -> float:
    return one.summary["top1_per_video"].mean


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path, CLIPS)


@pytest.mark.parametrize("words", [(), ("--words",)])
@pytest.mark.parametrize(
    "named",
    [
        lambda clip: {"doc": {"id": 7, "video": f"{clip}.mp4", "question": "What happens?"}},
        lambda clip: {"acc": {"video_id": clip, "score": 1.0}},
        lambda clip: {"video_path": f"/data/videos/{clip}.mp4", "acc": math.nan},
    ],
    ids=["doc", "metric", "sample"],
)
def test_a_sample_of_lmms_eval_is_found_by_whatever_names_its_video(
    place: Place, named: Any, words: tuple[str, ...]
) -> None:
    lines = [sample(number, clip, [reply(clip)], **named(clip)) for number, clip in enumerate(CLIPS)]
    rows = by_mapping(place.score(place.write("x_samples_ssv2.jsonl", lines), *words))
    assert {top1(one) for one in rows.values()} == {18 / 24}
    assert set(rows) == {"exact", "inclusion"}


def test_samples_without_a_clip_are_placed_by_the_clips_that_row_numbers_stand_for(place: Place) -> None:
    lines = [sample(number, clip, reply(clip)) for number, clip in enumerate(CLIPS)]
    file = place.write("samples.jsonl", lines[::-1])
    with pytest.raises(ZsarbenchError, match=r"doc_id is the number of a row. Try: --clip-order FILE"):
        place.score(file)
    (place.path / "order.txt").write_text("\n".join(f"{clip}.webm" for clip in CLIPS))
    row = by_mapping(place.score(file, "--clip-order", str(place.path / "order.txt")))["exact"]
    assert (top1(row), findings(row)) == (18 / 24, {})
    assert "--clip-order order.txt" in row.command
    (place.path / "order.txt").write_text("\n".join(list(CLIPS)[:5]))
    with pytest.raises(ZsarbenchError, match="is of row 23, but the order of clips has 5 rows"):
        place.score(file, "--clip-order", str(place.path / "order.txt"))


@pytest.mark.parametrize(
    "more",
    [
        lambda clip: {"input": f"Question: what?\nOption:\n{lettered(clip, '({}) {}')}\nOnly give the best option."},
        lambda clip: {"doc": {"video": clip, "candidates": options(clip), "answer": CLIPS[clip]}},
    ],
    ids=["prompt", "doc"],
)
def test_a_letter_of_lmms_eval_is_an_option_of_the_prompt_or_the_doc(place: Place, more: Any) -> None:
    lines = [{"video": clip} | sample(number, clip, [["(B)"]], **more(clip)) for number, clip in enumerate(CLIPS)]
    rows = by_mapping(place.score(place.write("samples.jsonl", lines)))
    assert (top1(rows["choice"]), top1(rows["exact"])) == (18 / 24, 0.0)


LOSSES = ["0.9375", "0.53125", "2.0"]
"""Of three options as models of lmms-eval give them, the mean over tokens: the second has the smallest."""


def pairs(values: list[str]) -> list[list[str]]:
    """Return the responses of a task with `output_type: multiple_choice`: number and whether it is greedy, as texts."""
    return [[value, str(n == 1)] for n, value in enumerate(values)]


@pytest.mark.parametrize(
    "values",
    [LOSSES, [f"-{value}" for value in LOSSES], [one for value in LOSSES for one in (value, "0.1")]],
    ids=["losses", "log-likelihoods", "mutual information"],
)
def test_likelihoods_of_lmms_eval_are_scores_of_the_options_in_its_doc(place: Place, values: list[str]) -> None:
    """v0.3.5 keeps `doc`; the target of a multiple choice is the number of the true option."""
    lines = []
    for number, clip in enumerate(CLIPS):
        listed = options(clip) if clip not in WRONG else [CLIPS[clip], *options(clip)[1:]]
        doc = {"video_name": clip.split("/")[1], "options": listed, "answer_id": listed.index(CLIPS[clip])}
        more = {"doc": doc, "target": str(doc["answer_id"]), "resps": [[pair] for pair in pairs(values)]}
        lines.append(sample(number, clip, pairs(values), **more))
    [one] = place.score(place.write("samples.jsonl", lines))
    assert (top1(one), one.method.options["mapping"], findings(one)) == (18 / 24, "labels", {})
    assert one.summary["top5_per_video"].mean == 1.0, "the true class is among the three options"


def test_likelihoods_that_name_no_options_are_of_the_classes_in_the_users_order(place: Place) -> None:
    """Since v0.4 `doc` and `arguments` are left out of the log; `input` is the question alone."""
    order = [*NAMES[6:], *NAMES[:6]]
    lines = []
    for number, clip in enumerate(CLIPS):
        losses = ["0.25" if name == reply(clip) else f"1.{place}" for place, name in enumerate(order)]
        more = {"video": clip, "input": "What happens?", "target": str(order.index(CLIPS[clip]))}
        lines.append(sample(number, clip, pairs(losses), **more))
    file = place.write("samples.jsonl", lines)
    with pytest.raises(
        ZsarbenchError, match=r"12 likelihoods, and the sample does not name 12 options; .* Try: --class-order"
    ):
        place.score(file)
    (place.path / "order.txt").write_text("\n".join(order))
    [one] = place.score(file, "--class-order", str(place.path / "order.txt"))
    assert (top1(one), findings(one)) == (18 / 24, {})
    (place.path / "order.txt").write_text("\n".join(order[::-1]))
    [one] = place.score(file, "--class-order", str(place.path / "order.txt"))
    assert findings(one) == {"other-truth": 24}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([["0.5", "True"], ["-0.5", "False"], ["1", "False"]], "likelihoods below and above 0"),
        ([["0.5", "True"], ["0.1", "False"]], "2 likelihoods, and the sample does not name 2 options"),
        ([["0.5", "True"]], "filtered_resps that are neither one text nor a likelihood for each option"),
        ([["0.5", "True"], ["much", "False"], ["1", "False"]], "neither one text nor a likelihood"),
        ([["golf", "diving"], ["golf"]], "neither one text nor a likelihood"),
    ],
)
def test_responses_that_are_no_choice_are_refused(place: Place, answer: Any, message: str) -> None:
    lines = [{"video": clip} | sample(0, clip, answer, doc={"options": options(clip)}) for clip in CLIPS]
    with pytest.raises(ZsarbenchError, match=message):
        place.score(place.write("samples.jsonl", lines))


def test_a_loss_that_is_no_number_makes_its_clip_wrong(place: Place) -> None:
    losses = [pairs(["nan" if n < 4 else "1", "0.5", "2"]) for n in range(len(CLIPS))]
    lines = [{"video": clip} | sample(n, clip, losses[n], doc={"options": options(clip)})
             for n, clip in enumerate(CLIPS)]  # fmt: skip
    [one] = place.score(place.write("samples.jsonl", lines))
    assert (top1(one), findings(one)) == (18 / 24, {"empty": 4})


def as_tsv(place: Place, rows: list[dict[str, Any]]) -> str:
    with (place.path / "M_Mine.tsv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), delimiter="\t", quoting=csv.QUOTE_ALL)
        table.writeheader()
        table.writerows(rows)
    return "M_Mine.tsv"


def as_json(place: Place, rows: list[dict[str, Any]]) -> str:
    (place.path / "M_Mine.json").write_text(json.dumps(rows, indent=4))
    return "M_Mine.json"


def as_xlsx(place: Place, rows: list[dict[str, Any]]) -> str:
    pytest.importorskip("openpyxl", reason="the extra `xlsx` is not installed")
    pd.DataFrame(rows).to_excel(place.path / "M_Mine.xlsx", engine="openpyxl", index=False)
    return "M_Mine.xlsx"


@pytest.mark.parametrize("write", [as_tsv, as_json, as_xlsx])
@pytest.mark.parametrize(
    "more",
    [
        lambda clip: dict(zip("ABC", options(clip), strict=True)),
        lambda clip: {"candidates": repr(lettered(clip).splitlines())},
        lambda clip: {"candidates": repr(options(clip))},
        lambda clip: {"question": f"What happens?\n{lettered(clip)}\nAnswer with the letter."},
    ],
    ids=["columns", "lettered candidates", "candidates", "question"],
)  # fmt: skip
def test_predictions_of_vlmevalkit_are_scored_and_not_their_true_classes(place: Place, write: Any, more: Any) -> None:
    rows = by_mapping(place.score(write(place, [row(n, clip, "B.", **more(clip)) for n, clip in enumerate(CLIPS)])))
    assert (top1(rows["choice"]), top1(rows["exact"])) == (18 / 24, 0.0)
    file = write(place, [row(n, clip, reply(clip)) for n, clip in enumerate(CLIPS)])
    rows = by_mapping(place.score(file, "--words"))
    assert {name: top1(one) for name, one in rows.items()} == {"exact": 18 / 24, "inclusion": 18 / 24}


@pytest.mark.parametrize("write", [as_json, as_xlsx])
def test_empty_cells_of_pandas_and_answers_that_failed_are_nothing(place: Place, write: Any) -> None:
    failed = "Failed to obtain answer via API."
    rows = [row(n, clip, failed if n < 4 else reply(clip), start=math.nan, D=math.nan) for n, clip in enumerate(CLIPS)]
    one = by_mapping(place.score(write(place, rows)))["exact"]
    assert (top1(one), findings(one)) == (18 / 24, {"empty": 4})


def test_a_field_that_the_user_names_is_read_as_in_any_other_file(place: Place) -> None:
    rows = [row(n, clip, reply(clip), raw=CLIPS[clip]) for n, clip in enumerate(CLIPS)]
    assert top1(by_mapping(place.score(as_json(place, rows), "--field", "answer=raw"))["exact"]) == 1.0


def test_an_order_of_other_clips_is_detected_by_the_true_classes(place: Place) -> None:
    letters = "".join("CAB"[n % 3] for n in range(len(CLIPS)))
    lines = [sample(n, clip, reply(clip), target=letters[n], input=lettered_with(clip, letters[n]))
             for n, clip in enumerate(CLIPS)]  # fmt: skip
    file, order = place.write("samples.jsonl", lines), place.path / "order.txt"
    order.write_text("\n".join(CLIPS))
    assert findings(by_mapping(place.score(file, "--clip-order", str(order)))["exact"]) == {}
    order.write_text("\n".join([*list(CLIPS)[1:], *list(CLIPS)[:1]]))  # one row off: half are of another class
    one = by_mapping(place.score(file, "--clip-order", str(order)))["exact"]
    assert findings(one) == {"other-truth": 12}
    file = as_json(place, [row(n, clip, reply(clip), answer="golf") for n, clip in enumerate(CLIPS)])
    assert findings(by_mapping(place.score(file))["exact"]) == {"other-truth": 22}


def lettered_with(clip: str, letter: str) -> str:
    """A prompt in which the option of a letter is the true class."""
    return "\n".join(f"({one}) {CLIPS[clip] if one == letter else f'other {one}'}" for one in "ABC")


def test_another_data_set_of_the_same_name_is_detected_by_its_clips(place: Place) -> None:
    """The first of two protocols has all classes, the file the clips of six, and some that nobody knows."""
    place.add_protocol("six", NAMES[:6])
    few = [clip for clip in CLIPS if CLIPS[clip] in NAMES[:6]]
    lines = [sample(n, clip, CLIPS[clip], video=clip) for n, clip in enumerate(few)]
    lines += [sample(99, few[0], "golf", video=f"another{n}") for n in range(3)]
    file = place.write("samples_mine.jsonl", lines)
    whole = by_mapping(place.score(file))["exact"]
    assert (top1(whole), findings(whole)) == (0.5, {"missing": 12, "absent-classes": 6, "unknown": 3})
    six = by_mapping(place.score(file, protocol="six"))["exact"]
    assert (top1(six), findings(six)) == (1.0, {"unknown": 3})
