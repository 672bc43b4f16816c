"""Reads damaged and hostile files through every reader of files that others write; each is read or refused in words.

python tests/campaigns/fuzz.py --seed 0 --trials 20000

A trial fails where a reader raises anything but an error for users, says not which file it is about, hangs, or takes
memory that the file does not have.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import resource
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
import mutations
from common import Campaign
from mutations import Mutation

HASH = "0123456789abcdef" * 4  # of the protocol that sample results state
MAX_GROWTH = 600_000  # kB that the peak of memory may rise in one trial
JSON_FILE = (mutations.json_value, mutations.json_value, mutations.any_bytes, mutations.encoded)
TEXT_FILE = (mutations.line_values, mutations.line_values, mutations.any_bytes, mutations.encoded)
BYTES_FILE = (mutations.any_bytes,)


@dataclass(frozen=True)
class Reader:
    """A reader of foreign files: a valid sample, what it is mutated by, and how a file of that name is read.

    share: how many trials it gets for one of the others.
    """

    sample: Path
    mutations: tuple[Mutation, ...]
    read: Callable[[Path], Any]
    share: int = 1


def readers(folder: Path) -> dict[str, Reader]:
    """Return all readers by kind, with valid samples in a folder."""
    readers = {**_results(folder), **_arrays(folder), **_texts(folder), **_protocols(folder), **_stored(folder)}
    readers |= _predictions(folder)
    for kind, reader in readers.items():
        reader.read(reader.sample)  # the samples themselves are valid
        assert reader.sample.read_bytes(), kind
    return readers


def _results(folder: Path) -> dict[str, Reader]:
    from samples import sample_result, sample_scores
    from zsarbench import results
    from zsarbench.interfaces import Round
    from zsarbench.reports import formats
    from zsarbench.reports import table as tables
    from zsarbench.reports.leaderboard import board, build, check, digests, site
    from zsarbench.reports.paired import paired

    several = sample_scores(n_rounds=3, n_seeds=2, setting="gzsl")
    path = results.write(sample_result(several, setting="gzsl", seeds=(0, 1)), several, folder / "results")
    unread = sample_scores(unread=[3])
    small = results.write(sample_result(unread, "other"), unread, folder / "small")
    other = results.write(sample_result(sample_scores(skill=2.0), "best"), sample_scores(skill=2.0), folder / "small")

    def registered(name: str) -> check.KnownProtocol:
        candidates = tuple(f"Class{number}" for number in range(12))
        return check.KnownProtocol(hash=HASH, version=1, rounds={0: (Round(0, 0, (), candidates), None)})

    def read(file: Path) -> None:
        result = results.read(file)
        table = tables.build([result, results.read(path)])
        for reporter in (formats.Rich(100), formats.Markdown(), formats.Csv(), formats.Latex(), formats.Json()):
            reporter.render(table)
        whole = board.build_board([result], [])
        site.page(whole)
        build.markdown(whole)
        check.result_problems(file.parent, registered)

    def read_scores(file: Path) -> None:
        content = json.loads(small.read_text(encoding="utf-8"))
        content["predictions"] = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        result = file.with_suffix(".json")
        result.write_text(json.dumps(content), encoding="utf-8")
        check.result_problems(result.parent, registered)
        paired([result, other])

    digests.seal(folder / "small")

    def read_digests(file: Path) -> None:
        folder_of = file.parent
        if file.name != digests.FILE:
            file = file.rename(folder_of / digests.FILE)
        digests.digest_problems(folder_of)

    return {
        "result": Reader(path, JSON_FILE, read, 3),
        "scores": Reader(small.with_suffix(".npz"), (mutations.archive,), read_scores, 2),
        "digests": Reader(folder / "small" / digests.FILE, TEXT_FILE, read_digests),
    }


def _arrays(folder: Path) -> dict[str, Reader]:
    import numpy as np
    import safetensors.torch
    import torch

    from zsarbench.interfaces import Clips, ClipSource
    from zsarbench_encoders.feature_files import FeatureFiles
    from zsarbench_encoders.weights import read_state_dict

    features = folder / "features" / "clip.npy"
    features.parent.mkdir()
    np.save(features, np.arange(12, dtype=np.float32).reshape(4, 3))
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.int64)}
    safetensors.torch.save_file(state, folder / "state.safetensors")
    torch.save(state, folder / "state.pt")
    torch.save(state, folder / "legacy.pt", _use_new_zipfile_serialization=False)

    def read_features(file: Path) -> None:
        encoder = FeatureFiles(folder=file.parent, dim=3)
        encoder.encode(Clips(("clip",), sources=(ClipSource(file.stem, str(file), None, None, ()),)))

    return {
        "npy": Reader(features, (mutations.array,), read_features, 2),
        "safetensors": Reader(folder / "state.safetensors", BYTES_FILE, read_state_dict),
        "torch": Reader(folder / "state.pt", BYTES_FILE, read_state_dict),
        "torch-legacy": Reader(folder / "legacy.pt", BYTES_FILE, read_state_dict),
    }


def _texts(folder: Path) -> dict[str, Reader]:
    import numpy as np

    from zsarbench.data import class_texts
    from zsarbench.results import reported
    from zsarbench_datasets.folder import Folder
    from zsarbench_encoders.words import WordVectors

    (folder / "list.csv").write_text(
        "clip,label,start,end,group,split\na.mp4,run,0,1.5,g1,test\nb.mp4,jump,,,g2,train\n"
    )
    (folder / "texts.csv").write_text("class,text\nrun,To move fast.\njump,To leap.\nrun,Again.\n")
    (folder / "words.txt").write_text("2 3\nrun 0.1 0.2 0.3\njump 1 2 3\n")
    vectors = b"".join(word + b" " + np.arange(3, dtype="<f4").tobytes() + b"\n" for word in (b"run", b"high_jump"))
    (folder / "words.bin").write_bytes(b"2 3\n" + vectors)
    (folder / "reported.toml").write_text(
        '[[rows]]\nmethod = "A"\nprotocol = "toy/half"\nmetric = "top1"\nvalue = 0.5\ntrain = "seen"\npaper = "P"\n'
        'table = "T"\nevidence = "P"\nsource = "s"\nstd = 0.01\n'
    )
    dataset = Folder(annotations=folder / "list.csv")

    def read_clips(file: Path) -> None:
        clips = Folder(annotations=file)
        for _ in (clips.manifest(), clips.splits(), clips.classes, clips.revision):
            pass

    def read_words(file: Path) -> None:
        WordVectors(file=str(file)).encode(["run fast", ""])

    return {
        "clip-csv": Reader(folder / "list.csv", TEXT_FILE, read_clips, 2),
        "class-texts": Reader(folder / "texts.csv", TEXT_FILE, lambda file: class_texts.load(dataset, str(file))),
        "words-text": Reader(
            folder / "words.txt", TEXT_FILE, lambda file: WordVectors(file=str(file)).encode(["run x"])
        ),
        "words-binary": Reader(
            folder / "words.bin", BYTES_FILE, lambda file: WordVectors(file=str(file)).encode(["run"])
        ),
        "reported": Reader(folder / "reported.toml", TEXT_FILE, reported.read),
    }


def _predictions(folder: Path) -> dict[str, Reader]:
    import numpy as np
    import openpyxl

    from zsarbench.predictions.files import read
    from zsarbench.predictions.foreign_results import read_figure
    from zsarbench.predictions.layouts import Reading
    from zsarbench.predictions.matching import Classes, matched
    from zsarbench.utils.clip_names import ClipNames

    names, clips = ("run", "jump", "swim"), ("a/1", "a/2")
    (folder / "lists.json").write_text('{"a/1": ["run", "jump"], "2.mp4": {"swim": 0.5, "run": 0.25}, "a/3": 1}')
    (folder / "rows.jsonl").write_text(
        '{"clip": "a/1", "labels": ["run", 2], "scores": [0.5, 0.1]}\n'
        '{"clip": "a/2", "answer": "B", "options": ["run", "jump"]}\n'
    )
    (folder / "samples.jsonl").write_text(
        '{"doc_id": 0, "target": "A", "filtered_resps": ["A"], "doc": {"video": "1.mp4", "options": ["run", "swim"]}}\n'
        '{"doc_id": 2, "target": "1", "filtered_resps": [["0.5", "True"], [2, false], ["1", "False"]], "id": "1"}\n'
        '{"doc_id": 1, "target": "B", "filtered_resps": "", "acc": {"video_id": "a/2"}, "input": "A. run\\nB. swim"}\n'
    )
    (folder / "table.tsv").write_text(
        '"index"\t"video"\t"question"\t"answer"\t"candidates"\t"prediction"\n'
        '"0"\t"a/1"\t"What?"\t"A"\t"[\'A. run\', \'B. swim\']"\t"(B)"\n'
    )
    (folder / "mteb.json").write_text(
        '{"task_name": "KZeroShot", "dataset_revision": "0f", "scores": {"test": [{"accuracy": 0.5}]}}'
    )
    (folder / "ranks.csv").write_text("video,rank,label,score\na/1,1,run,0.5\na/1,2,jump,0.1\na/2,1,swim,1\n")
    book = openpyxl.Workbook()
    for row in (("video", "rank", "label", "score"), ("a/1", 1, "run", 0.5), ("a/1", 2, "jump", None), ("a/2", 1, 2)):
        book.active.append(row)
    book.save(folder / "ranks.xlsx")
    (folder / "mteb_predictions.json").write_text(
        '{"mteb_model_meta": {"model_name": "m"}, "default": {"test": [[0.5, 0.25, 1e-3], [0.0, 1.0, 0.5]]}}'
    )
    np.savez(folder / "matrix.npz", clips=np.array(clips), classes=np.array(names), scores=np.eye(2, 3))

    def read_all(file: Path, order: tuple[str, ...] | None = None) -> None:
        given = read(file, Reading({}, names, clips=order)).predictions
        named = [prediction for prediction in given if prediction.answer is None]
        matched(
            named, dict(zip(clips, names, strict=False)), frozenset(range(3)), ClipNames(clips), Classes(names, {})
        ).account.lines()

    return {
        "predictions-json": Reader(folder / "lists.json", JSON_FILE, read_all),
        "predictions-lines": Reader(folder / "rows.jsonl", TEXT_FILE, read_all),
        "predictions-csv": Reader(folder / "ranks.csv", TEXT_FILE, read_all),
        "predictions-samples": Reader(folder / "samples.jsonl", TEXT_FILE, read_all),
        "predictions-table": Reader(folder / "table.tsv", TEXT_FILE, read_all),
        "figures": Reader(folder / "mteb.json", JSON_FILE, read_figure),
        "predictions-mteb": Reader(folder / "mteb_predictions.json", JSON_FILE, lambda file: read_all(file, clips)),
        "predictions-xlsx": Reader(folder / "ranks.xlsx", (mutations.package,), read_all),
        "predictions-npz": Reader(folder / "matrix.npz", (mutations.archive,), read_all),
    }


def _protocols(folder: Path) -> dict[str, Reader]:
    from zsarbench import protocols
    from zsarbench.harness import sweep_file
    from zsarbench.plugins import load_plugins

    registry = load_plugins().registry
    (folder / "splits").mkdir()
    (folder / "protocols").mkdir()
    names = folder / "splits" / "names.txt"
    names.write_text("# a list\n[seen]\nrun\njump\n[unseen]\nswim\nfall\n")
    protocol = folder / "protocols" / "own.toml"
    protocol.write_text(
        'name = "own/half"\nversion = 1\ndataset = "sketch"\nsetting = "zsl"\nsummary = "Own."\nsource = "Own."\n'
        '[[rounds]]\nseen = "@names#seen"\ncandidates = "@names#unseen"\n'
    )
    rows = folder / "rows.toml"
    rows.write_text(
        'protocols = ["sketch/compositional"]\n[[rows]]\nmethods = ["chance"]\n[[rows]]\nmethods = ["cezsar"]\n'
        'label = "b"\nsettings = ["loss.margin=0.5"]\n'
    )

    def read_list(file: Path) -> None:
        target = names.with_name("other.txt")
        target.write_bytes(file.read_bytes())
        copy = protocol.with_name("copy.toml")
        copy.write_text(protocol.read_text().replace("@names", "@other"))
        protocols.load(registry, str(copy))

    return {
        "protocol": Reader(protocol, TEXT_FILE, lambda file: protocols.load(registry, str(file)), 2),
        "class-list": Reader(names, TEXT_FILE, read_list),
        "sweep-file": Reader(rows, TEXT_FILE, sweep_file.read),
    }


def _stored(folder: Path) -> dict[str, Reader]:
    import torch

    from zsarbench.features import FeatureStore
    from zsarbench.features.key import FeatureKey
    from zsarbench.features.store.shards import read_sidecar
    from zsarbench_cezsar import checkpoints

    stored = FeatureStore(folder / "store").open(FeatureKey("toy", "1", {"name": "x", "options": {}}, {}), 3)
    stored.adopt(stored.write({"a": torch.ones(2, 3), "b": torch.zeros(1, 3)}))
    sidecar = next(path for path in (folder / "store").rglob("*.json") if path.with_suffix(".safetensors").exists())
    place = folder / "checkpoint"
    tensors = {"best": dict(torch.nn.Linear(2, 2).state_dict())}
    checkpoints.write(place, tensors, {"best": "best-0000.safetensors"}, {"identity": "x", "epoch": 0})

    def read_checkpoint(file: Path) -> None:
        if file.name != "checkpoint.json":
            for other in place.glob("*.safetensors"):
                (file.parent / other.name).write_bytes(other.read_bytes())
            file = file.rename(file.with_name("checkpoint.json"))
        if (found := checkpoints.stored(file.parent)) is not None:
            found.tensors("best")

    return {
        "sidecar": Reader(sidecar, JSON_FILE, lambda file: read_sidecar(file.parent, file.stem)),
        "checkpoint": Reader(place / "checkpoint.json", JSON_FILE, read_checkpoint),
    }


def one(reader: Reader, folder: Path, rng: random.Random) -> str:
    """Read one mutated file, and return "read" or "refused"."""
    from zsarbench.errors import ZsarbenchError

    content = rng.choice(reader.mutations)(reader.sample.read_bytes(), rng)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        file = Path(place) / reader.sample.name
        file.write_bytes(content)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            reader.read(file)
        except ZsarbenchError as error:
            str(error).encode("utf-8", "surrogateescape")
            outcome = "refused" if str(error).strip() else "wrong"
        else:
            outcome = "read"
        return "memory" if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > MAX_GROWTH else outcome


def run(campaign: Campaign, folder: Path, trials: int, *, first: int = 0, only: list[str] | None = None) -> Campaign:
    """Try so many files in all, or of each kind that is named."""
    logging.disable(logging.CRITICAL)
    try:
        all_readers = readers(folder)
        shares = sum(reader.share for reader in all_readers.values())
        for kind, reader in all_readers.items():
            if only and kind not in only:
                continue
            for number in range(first, first + (trials if only else max(1, trials * reader.share // shares))):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    campaign.trial(kind, number, lambda: one(reader, folder, campaign.rng(kind, number)))  # noqa: B023
    finally:
        logging.disable(logging.NOTSET)
    return campaign


KINDS = (
    "result", "scores", "digests", "npy", "safetensors", "torch", "torch-legacy", "clip-csv", "class-texts",
    "words-text", "words-binary", "reported", "protocol", "class-list", "sweep-file", "sidecar", "checkpoint",
    "predictions-json", "predictions-lines", "predictions-csv", "predictions-samples", "predictions-table", "figures",
    "predictions-mteb", "predictions-xlsx", "predictions-npz",
)  # fmt: skip


def main() -> int:
    given = common.arguments(KINDS, 20_000)
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign("fuzz", given.seed)
        return run(campaign, Path(folder), given.trials, first=given.first, only=given.only).finish()


if __name__ == "__main__":
    sys.exit(main())
