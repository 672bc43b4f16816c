"""`zsarbench score`: predictions in every form give one row, and every row of a file is accounted for."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from listed import NAMES, Place, clips_of, findings
from zsarbench import results
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.plugins import load_plugins
from zsarbench.predictions import identity
from zsarbench.reports.leaderboard import check
from zsarbench.results import RunResult

CLIPS = clips_of(5)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a list of 60 clips of 12 classes, without videos, and a protocol over all of them."""
    return Place.make(tmp_path, CLIPS).path


@pytest.fixture
def score(place: Path) -> Callable[..., RunResult]:
    """Score a file of the folder with further words, and return the result."""

    def run(file: str, *words: str, protocol: str = "mine") -> RunResult:
        [result] = Place(place, CLIPS).score(file, *words, protocol=protocol)
        return result

    return run


def matrix() -> np.ndarray:
    """Scores (60, 12) of which about 60 % have the true class first; no two of a row are equal."""
    rng = np.random.default_rng(5)
    scores = rng.permuted(np.tile(np.arange(12.0), (len(CLIPS), 1)), axis=1)
    scores[np.arange(len(CLIPS)), [NAMES.index(name) for name in CLIPS.values()]] += rng.integers(-4, 12, len(CLIPS))
    return scores + np.arange(12) / 100


def lists(k: int = 5) -> dict[str, list[str]]:
    """The best classes of `matrix`, best first."""
    return {clip: [NAMES[at] for at in np.argsort(-row)[:k]] for clip, row in zip(CLIPS, matrix(), strict=True)}


def top(k: int, ranked: Mapping[str, Sequence[str]]) -> float:
    """Top-k over all clips, counted by hand."""
    return sum(name in ranked.get(clip, ())[:k] for clip, name in CLIPS.items()) / len(CLIPS)


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def as_matrix_npz(place: Path) -> str:
    np.savez(place / "a.npz", clips=np.array(list(CLIPS)), classes=np.array(NAMES), scores=matrix())
    return "a.npz"


def as_matrix_json(place: Path) -> str:
    write(place / "b.json", {"clips": list(CLIPS), "classes": NAMES, "scores": matrix().tolist()})
    return "b.json"


def as_matrix_csv(place: Path) -> str:
    frame = pd.DataFrame(matrix(), columns=list(NAMES))
    frame.insert(0, "video", [f"/data/videos/{clip}.avi" for clip in CLIPS])
    frame.to_csv(place / "c.csv", index=False, sep=";")
    return "c.csv"


def as_lists_json(place: Path) -> str:
    write(place / "d.json", lists())
    return "d.json"


def as_lists_csv(place: Path) -> str:
    with (place / "e.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip_id", *(f"label{k}" for k in range(1, 6))])
        rows.writerows([f"{clip}.mp4", *ranked] for clip, ranked in lists().items())
    return "e.csv"


def as_ranks_csv(place: Path) -> str:
    rows = [(clip, rank, name) for clip, ranked in lists().items() for rank, name in enumerate(ranked, start=1)]
    pd.DataFrame(rows[::-1], columns=["clip", "rank", "label"]).to_csv(place / "f.csv", index=False)
    return "f.csv"


def as_scored_lines(place: Path) -> str:
    rows = zip(CLIPS, matrix(), strict=True)
    lines = [
        json.dumps({"clip": clip, "scores": {name: row[at] for at, name in enumerate(NAMES)}, "label": "the truth"})
        for clip, row in rows
    ]
    (place / "g.jsonl").write_text("\n".join(lines))
    return "g.jsonl"


def as_spelled_lines(place: Path) -> str:
    """Class names in other spellings and clips by file name alone."""
    spelled = {
        clip.split("/")[-1]: [name.upper().replace(" ", "_") for name in names] for clip, names in lists().items()
    }
    lines = [json.dumps({"clip": f"{clip}.webm", "labels": names}) for clip, names in spelled.items()]
    (place / "h.jsonl").write_text("\n".join(lines))
    return "h.jsonl"


def as_parquet(place: Path) -> str:
    frame = pd.DataFrame({"id": list(CLIPS), "labels": list(lists().values())})
    frame.to_parquet(place / "i.parquet")
    return "i.parquet"


def as_xlsx(place: Path) -> str:
    frame = pd.DataFrame(matrix(), columns=list(NAMES))
    frame.insert(0, "clip", [f"{clip}.avi" for clip in CLIPS])
    frame.to_excel(place / "j.xlsx", index=False, engine="openpyxl")
    return "j.xlsx"


def as_lists_npz(place: Path) -> str:
    """The best classes with their scores, in any order."""
    order = np.argsort(-matrix(), axis=1)[:, [3, 0, 4, 1, 2]]
    scores = np.take_along_axis(matrix(), order, axis=1)
    np.savez(place / "k.npz", clips=np.array(list(CLIPS)), labels=np.array(NAMES)[order], scores=scores)
    return "k.npz"


NEEDS = {as_parquet: "pyarrow", as_xlsx: "openpyxl"}
FORMS = (as_matrix_npz, as_matrix_json, as_matrix_csv, as_lists_json, as_lists_csv, as_ranks_csv, as_scored_lines,
         as_spelled_lines, as_parquet, as_xlsx, as_lists_npz)  # fmt: skip


def test_the_same_predictions_give_the_same_row_in_every_form(place: Path, score: Callable[..., RunResult]) -> None:
    rows = {form.__name__: score(form(place)) for form in FORMS if find_spec(NEEDS.get(form, "pandas"))}
    for name, result in rows.items():
        assert result.summary["top1_per_video"].mean == top(1, lists()), name
        assert result.summary["top5_per_video"].mean == top(5, lists()), name
        assert (result.rounds[0].n_expected, result.rounds[0].n_scored) == (60, 60), name
        assert findings(result) == {}, name
    assert len({result.spec_id for result in rows.values()}) == 1
    assert len({json.dumps(result.to_json()["summary"]) for result in rows.values()}) == 1


def as_listed_from_one(place: Path) -> str:
    """The order of `NAMES`, as UCF-101 lists its classes."""
    (place / "classInd.txt").write_text("\n".join(f"{number} {name}" for number, name in enumerate(NAMES, start=1)))
    return str(place / "classInd.txt")


def test_indices_stand_for_the_classes_of_a_named_order(place: Path, score: Callable[..., RunResult]) -> None:
    order = [NAMES[at] for at in np.random.default_rng(1).permutation(12)]
    (place / "order.txt").write_text("\n".join(order))
    (place / "from-one.txt").write_text("\n".join(f"{number} {name}" for number, name in enumerate(order, start=1)))
    (place / "ids.csv").write_text("\n".join(["id,name", *(f"{number},{name}" for number, name in enumerate(order))]))
    whole = {clip: [order.index(name) for name in names] for clip, names in lists().items()}
    write(place / "zero.json", whole)
    write(place / "one.json", {clip: [number + 1 for number in numbers] for clip, numbers in whole.items()})
    pd.DataFrame({"clip": list(CLIPS), "prediction": [names[0] for names in whole.values()]}).to_csv(
        place / "single.csv", index=False
    )
    np.savez(place / "bare.npz", clips=np.array(list(CLIPS)), scores=matrix())
    expected = score(as_lists_json(place)).spec_id
    assert score("zero.json", "--class-order", str(place / "order.txt")).spec_id == expected
    assert score("zero.json", "--class-order", str(place / "ids.csv")).spec_id == expected
    assert score("one.json", "--class-order", str(place / "from-one.txt")).spec_id == expected
    (place / "names.txt").write_text("\n".join(NAMES))
    assert score("bare.npz", "--class-order", str(place / "names.txt")).spec_id == expected
    top1 = score("single.csv", "--class-order", str(place / "order.txt")).summary
    assert top1["top1_per_video"].mean == top(1, lists())
    assert top1["top5_per_video"].mean == top(1, lists()), "one class for a clip earns nothing at five"
    with pytest.raises(ZsarbenchError, match=r"their order is not known. Try: --class-order FILE"):
        score("zero.json")
    with pytest.raises(ZsarbenchError, match="does not name their classes"):
        score("bare.npz")
    assert score("bare.npz", "--class-order", as_listed_from_one(place)).spec_id == expected
    with pytest.raises(UsageError, match="from 1 to 12, but the order has 0 to 11; the file seems to count from 1"):
        score("one.json", "--class-order", str(place / "order.txt"))
    with pytest.raises(UsageError, match="from 0 to 11, but the order has 1 to 12; the file seems to count from 0"):
        score("zero.json", "--class-order", str(place / "from-one.txt"))
    (place / "twice.txt").write_text("\n".join([*order[:11], order[0]]))
    with pytest.raises(UsageError, match="twice; which class is the other one"):
        score("zero.json", "--class-order", str(place / "twice.txt"))


def test_a_shuffled_copy_is_the_same_row_and_a_cut_one_counts_what_it_lacks(
    place: Path, score: Callable[..., RunResult]
) -> None:
    whole = lists()
    shuffled = list(whole.items())
    np.random.default_rng(0).shuffle(shuffled)  # type: ignore[arg-type]
    write(place / "shuffled.json", {str(clip): list(names) for clip, names in shuffled})
    assert score("shuffled.json").spec_id == score(as_lists_json(place)).spec_id

    cut = dict(list(whole.items())[3:])
    write(place / "cut.json", cut)
    result = score("cut.json")
    assert findings(result) == {"missing": 3}
    assert (result.rounds[0].n_expected, result.rounds[0].n_scored) == (60, 57)
    assert result.summary["top1_per_video"].mean == top(1, cut)
    assert result.method.record["clips_in_file"]["top1_per_video"] == pytest.approx(top(1, cut) * 60 / 57)
    assert [failure.missing for failure in result.failures] == [True] * 3
    assert result.coverage is not None
    assert (result.coverage.n_test_missing, result.coverage.is_partial) == (3, False)

    write(place / "half.json", dict(list(whole.items())[:30]))
    half = score("half.json")
    assert half.coverage is not None
    assert half.coverage.is_partial  # shown, never ranked
    assert half.summary["top1_per_video"].ci95 is None


def test_a_duplicated_copy_counts_once_and_predictions_that_differ_not_at_all(
    place: Path, score: Callable[..., RunResult]
) -> None:
    rows = [{"clip": clip, "labels": names} for clip, names in lists().items()]
    (place / "twice.jsonl").write_text("\n".join(json.dumps(row) for row in [*rows, *rows]))
    twice = score("twice.jsonl")
    assert findings(twice) == {"repeated": 60}
    assert twice.spec_id == score(as_lists_json(place)).spec_id

    right = next(number for number, row in enumerate(rows) if row["labels"][0] == CLIPS[str(row["clip"])])
    other = {"clip": f"{rows[right]['clip']}.mp4", "labels": rows[right]["labels"][::-1]}
    (place / "torn.jsonl").write_text("\n".join(json.dumps(row) for row in [*rows, other]))
    torn = score("torn.jsonl")
    assert findings(torn) == {"contradictory": 1}
    assert torn.summary["top1_per_video"].mean == pytest.approx(top(1, lists()) - 1 / 60)

    spelled = {"clip": rows[right]["clip"], "labels": [name.upper() for name in rows[right]["labels"]]}
    (place / "spelled.jsonl").write_text("\n".join(json.dumps(row) for row in [*rows, spelled]))
    assert findings(score("spelled.jsonl")) == {"repeated": 1}

    text = json.dumps(lists())
    (place / "keys.json").write_text(text[:-1] + ", " + text[1:])  # every clip twice as a key
    assert findings(score("keys.json")) == {"repeated": 60}


def test_renamed_clips_and_classes_are_found_or_counted(place: Path, score: Callable[..., RunResult]) -> None:
    whole = lists()
    renamed = {f"Videos\\{clip}.AVI".replace("/", "\\"): names for clip, names in whole.items()}
    write(place / "paths.json", renamed)
    assert score("paths.json").spec_id == score(as_lists_json(place)).spec_id

    first = next(iter(whole))
    strange = {("nowhere" if clip == first else clip): names for clip, names in whole.items()}
    strange = {clip: ["yodelling" if name == "golf" else name for name in names] for clip, names in strange.items()}
    write(place / "strange.json", strange)
    result = score("strange.json")
    lost = {clip for clip, names in strange.items() if names[0] == "yodelling"}
    assert findings(result) == {"missing": 1, "unknown": 1, "unknown-labels": 1, "foreign": len(lost)}
    counted = {clip: names for clip, names in strange.items() if clip not in lost}
    assert result.summary["top1_per_video"].mean == top(1, counted)
    assert result.summary["top5_per_video"].mean == top(5, counted)

    write(place / "none.json", {f"x{number}": ["golf"] for number in range(3)})
    with pytest.raises(ZsarbenchError, match=r"none of the 60 test clips .* they name clips such as 'x0'"):
        score("none.json")


def test_clips_of_the_data_set_that_are_not_tested_are_left_out(place: Path, score: Callable[..., RunResult]) -> None:
    Place(place, CLIPS).add_protocol("half", NAMES[:6])
    result = score(as_lists_json(place), protocol="half")
    assert findings(result) == {"other": 30, "no-candidates": 6}
    among = {clip: [name for name in names if name in NAMES[:6]] for clip, names in lists().items()}
    right = sum(among[clip][:1] == [name] for clip, name in CLIPS.items() if name in NAMES[:6])
    assert result.summary["top1_per_video"].mean == right / 30


def test_a_label_that_is_no_class_competes_with_the_candidates_alone(
    place: Path, score: Callable[..., RunResult]
) -> None:
    Place(place, CLIPS).add_protocol("half", NAMES[6:])
    scores = np.c_[np.full((60, 6), 9.0), matrix()[:, 6:] / 100, np.full(60, -1.0)]  # classes that are none come first
    clips, names = np.array(list(CLIPS)), [*NAMES, "background"]
    np.savez(place / "last.npz", clips=clips, scores=scores, classes=np.array(names))
    np.savez(place / "none.npz", clips=clips, scores=scores[:, :12], classes=np.array(NAMES))
    last, none = score("last.npz", protocol="half"), score("none.npz", protocol="half")
    assert findings(last) == {"other": 30, "unknown-labels": 1, "no-candidates": 6}
    assert {name: one.mean for name, one in last.summary.items()} == {
        name: one.mean for name, one in none.summary.items()
    }
    scores[:, 12] = 5.0  # below six classes that are no candidates, above all that are
    np.savez(place / "first.npz", clips=clips, scores=scores, classes=np.array(names))
    with pytest.raises(UsageError, match="30 clips have a first label that is not a class"):
        score("first.npz", protocol="half")


def test_what_the_user_states_is_in_the_result(place: Path, score: Callable[..., RunResult]) -> None:
    file = as_lists_json(place)
    result = score(file, "--source", "A paper, 2026, MIT")
    assert (result.method.name, result.method.source) == ("M", "A paper, 2026, MIT")
    assert result.method.trained_on is None
    assert result.contamination is not None
    assert [str(unknown) for unknown in result.contamination.unknown] == ["method M"]
    assert "score d.json --name M" in result.command
    assert [one.name for one in result.distributions or ()] == ["zsarbench"]  # of the protocol and the data set
    nothing = score(file, "--trained-on", "nothing")
    assert nothing.method.trained_on == ()
    assert nothing.contamination is not None
    assert nothing.contamination.unknown == ()
    trained = score(file, "--trained-on", "ucf101")
    assert trained.contamination is not None
    named = {overlap.candidate for overlap in trained.contamination.overlapping}
    assert named == {"archery", "biking", "bowling", "diving", "fencing", "kayaking", "surfing"}
    with pytest.raises(ZsarbenchError, match="chance is a registered method"):
        score(file, "--name", "chance")
    with pytest.raises(ZsarbenchError, match="unknown training data 'ucf10'; did you mean 'ucf101'"):
        score(file, "--train-on", "ucf10")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "x", "unknown ending 'txt'"),
        ("a.json", "[1, 2]", "item 0 is 1"),
        ("a.json", "3", "must be an object or a list"),
        ("a.json", "{}", "is empty"),
        ("a.json", '{"a": {"label": 3, "clip": [1]}}', "no text in 'clip'"),
        ("a.jsonl", '{"clip": "a"}', "what is predicted"),
        ("a.jsonl", '{"label": "golf"}', "no field that names the clip"),
        ("a.jsonl", '{"clip": "a", "label": true}', "neither a name nor an index"),
        ("a.jsonl", '{"clip": "a", "scores": {"golf": "much"}}', "'much', which is not a number"),
        ("a.csv", "video;label\na", "has none of the columns"),
        ("a.csv", "clip,golf,diving\na,1,high", "'high', which is not a number"),
        ("a.csv", "clip,rank,label\na,1,golf\na,1,diving", "a rank twice"),
        ("a.npz", "PK", "damaged"),
    ],
)
def test_a_file_that_is_none_is_one_clear_error(
    name: str, content: str, message: str, place: Path, score: Callable[..., RunResult]
) -> None:
    (place / name).write_text(content.replace("video;label", "film;label"))
    with pytest.raises(ZsarbenchError, match=message):
        score(name)


def test_what_does_not_exist_is_an_error_of_the_user(score: Callable[..., RunResult]) -> None:
    with pytest.raises(UsageError, match="does not exist or is not a file"):
        score("nowhere.json")


def test_a_row_of_predictions_passes_the_check_and_a_forged_one_does_not(
    place: Path, score: Callable[..., RunResult]
) -> None:
    result = score(as_lists_json(place))
    [path] = (place / "out").rglob("*.json")
    registry = load_plugins().registry
    known = check.KnownProtocol(
        hash=result.protocol.hash,
        version=1,
        rounds={0: (type("R", (), {"seen": (), "unseen": NAMES, "candidates": NAMES}), None)},  # type: ignore[dict-item]
    )
    assert check.of_results({path: results.read(path)}, lambda name: known, registry) == []
    scores = results.read_scores(path)
    assert identity.problems(results.read(path), scores) == []

    content = json.loads(path.read_text())
    content["spec"]["predictions"] = "0" * 64
    content["spec_id"] = results.spec_id(content["spec"])
    forged = path.with_name(f"M-{content['spec_id']}-{path.stem.split('-')[-1]}.json")
    write(forged, content)
    [problem] = check.of_results({forged: results.read(forged)}, lambda name: known, registry)
    assert "its spec is of the predictions 00000000, but its scores are" in problem[1].text

    content["spec"]["method"]["name"] = content["method"]["name"] = "chance"
    content["spec_id"] = results.spec_id(content["spec"])
    write(forged, content)
    problems = check.of_results({forged: results.read(forged)}, lambda name: known, registry)
    assert any("named as the registered method 'chance'" in problem.text for _, problem in problems)

    results.compact(path)
    assert check.of_results({path: results.read(path)}, lambda name: known, registry) == []


def test_base_and_novel_classes_compete_apart_in_all_figures(place: Path, score: Callable[..., RunResult]) -> None:
    """What a file says of classes of the other kind decides nothing: no figure, no accuracy of a class, no identity."""
    seen = [NAMES[:5], NAMES[4:]]  # other classes in the second round
    head = (place / "mine.toml").read_text().split("[[rounds]]")[0].replace("zsl", "base-to-novel")
    rounds = [f"[[rounds]]\nseen = {list(one)}\ncandidates = {list(NAMES)}\ntrain_clips = []\n" for one in seen]
    scores = matrix()
    of = np.array([NAMES.index(name) for name in CLIPS.values()])
    for number, own in enumerate(seen):
        (place / "mine.toml").write_text(head + rounds[number])
        base = np.isin(NAMES, own)
        found = []
        for name, values in (("all", scores), ("own", np.where(base[of][:, None] == base, scores, -np.inf))):
            np.savez(place / f"{name}.npz", clips=np.array(list(CLIPS)), classes=np.array(NAMES), scores=values)
            found.append(score(f"{name}.npz"))
        assert found[0].summary == found[1].summary
        assert found[0].spec_id == found[1].spec_id
    (place / "mine.toml").write_text(head + "".join(rounds))
    score("all.npz")
    path = max(place.glob("out/*/*.json"), key=lambda path: len(results.read(path).rounds))
    stored = results.read_scores(path)
    for number, item in enumerate(stored.rounds):
        values, owner = stored.round(number)
        assert {str(name) for name in stored.class_names[item.classes[item.seen]]} == {*seen[number]}
        np.testing.assert_array_equal(np.isneginf(values), item.seen[owner][:, None] != item.seen)
    result, registry = results.read(path), load_plugins().registry
    assert results.recompute(path) == result

    def problems_of(result: RunResult) -> set[str]:
        rounds = {
            n: (type("R", (), {"seen": own, "unseen": (), "candidates": NAMES}), None) for n, own in enumerate(seen)
        }
        known = check.KnownProtocol(hash=result.protocol.hash, version=1, rounds=rounds)  # type: ignore[arg-type]
        return {problem.text for _, problem in check.of_results({path: result}, lambda name: known, registry)}

    of_both = "round 0 of its scores has scores of seen classes for clips of unseen ones, or the reverse"
    assert of_both not in problems_of(result)
    block = dataclasses.replace(stored.blocks[0], scores=np.nan_to_num(stored.blocks[0].scores, neginf=-99.0))
    content = dataclasses.replace(stored, blocks=(block, *stored.blocks[1:])).to_bytes()
    path.with_suffix(".npz").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    assert result.predictions is not None
    forged = dataclasses.replace(result, predictions=dataclasses.replace(result.predictions, sha256=digest))
    results.rewrite(forged, path)
    assert of_both in problems_of(forged)


def test_results_go_to_the_home_folder_that_a_shell_left_as_it_is(
    place: Path, score: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place / "home"))
    monkeypatch.chdir(place)
    score(as_lists_json(place), "--out=~/mine")
    assert len(results.find(place / "home" / "mine")) == 1
    assert not (place / "~").exists()
