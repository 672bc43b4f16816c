"""`zsarbench ask` against a server that errs, stalls and rambles: every answer is kept, and none is paid for twice."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from chat import COMPLETION_TOKENS, PROMPT_TOKENS, Chat
from click.testing import CliRunner, Result
from forked import Forked
from PIL import Image

from zsarbench import results
from zsarbench.cli.main import cli, main

pytest.importorskip("openai", reason="the extra `mllm` is not installed")
N_CLIPS = 500
CLASSES = ("clapping", "jumping", "reading", "waving")
PROTOCOL = f"""
name = "mine/four"
version = 1
dataset = "folder"
setting = "zsl"
summary = "Four classes."
source = "made for a test"
[[rounds]]
candidates = {json.dumps(list(CLASSES))}
"""
SIDE, BITS = 16, 12  # pixels of a field; a clip's number stands in its frames as black and white fields


def label(number: int) -> str:
    return CLASSES[number % len(CLASSES)]


def answer_to(number: int) -> str:
    """The right class, but for every tenth clip, which gets a refusal, and every 25th plus 3, which gets another."""
    if number % 10 == 0:
        return "I'm sorry, I cannot tell."
    return CLASSES[(number + 1) % len(CLASSES)].upper() if number % 25 == 3 else f"{label(number).capitalize()}."


class Model(ThreadingHTTPServer):
    """A chat model that reads a clip's number from its image; one in twenty requests fails in some way."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.n_requests = 0
        self.answered: Counter[int] = Counter()
        self.requests: list[dict[str, Any]] = []
        self.faults = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(Chat):
    server: Model

    def respond(self, question: dict[str, Any]) -> None:
        model = self.server
        with model.lock:
            model.n_requests += 1
            turn = model.n_requests
            model.requests = [*model.requests[-3:], question]
        if question["model"] == "none":
            self.reply(404, b'{"error": {"message": "no such model"}}')
        elif model.faults and turn % 20 == 0:
            self.fail(turn // 20 % 5)
        else:
            super().respond(question)

    def answer(self, question: dict[str, Any]) -> str:
        number = read_number(question["messages"][0]["content"][1]["image_url"]["url"])
        with self.server.lock:
            self.server.answered[number] += 1
        return answer_to(number)

    def fail(self, kind: int) -> None:
        if kind == 0:
            self.reply(500, b'{"error": {"message": "overloaded"}}')
        elif kind == 1:
            self.reply(429, b'{"error": {"message": "slowly"}}', **{"retry-after": "0.05"})
        elif kind == 2:
            self.reply(200, b'{"id": "1", "choices": []}')
        elif kind == 3:
            self.reply(200, b'{"id": "1", "choi')
        else:
            time.sleep(1.5)  # longer than an attempt may take


def read_number(url: str) -> int:
    image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("L")
    fields = np.asarray(image).reshape(3, SIDE, 4, SIDE).mean(axis=(1, 3)).ravel()
    return sum(int(field > 127) << bit for bit, field in enumerate(fields))


@pytest.fixture
def model() -> Iterator[Model]:
    with Model() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 500 clips of one frame, their list and a protocol."""
    folder = tmp_path_factory.mktemp("videos")
    rows = ["clip,label"]
    for number in range(N_CLIPS):
        fields = np.array([number >> bit & 1 for bit in range(BITS)], dtype=np.uint8).reshape(3, 4)
        frame = np.repeat(np.kron(255 * fields, np.ones((SIDE, SIDE), np.uint8))[..., None], 3, axis=2)
        with av.open(str(folder / f"{number:04}.avi"), "w") as container:
            stream: Any = container.add_stream("mjpeg", rate=1, options={"qscale": "2"})
            stream.width, stream.height, stream.pix_fmt = 4 * SIDE, 3 * SIDE, "yuvj420p"
            container.mux([*stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")), *stream.encode(None)])
        rows.append(f"{number:04}.avi,{label(number)}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    (folder / "four.toml").write_text(PROTOCOL)
    return folder


def words(videos: Path, model: Model, out: Path, *more: str) -> list[str]:
    return [
        "ask", "--model", "toy", "--endpoint", model.url, "--protocol", str(videos / "four.toml"),
        "--data-root", f"folder={videos}", "--set", f"dataset.annotations={videos / 'clips.csv'}",
        "--out", str(out), "--timeout", "1", "--price", "2", "10", "--text", "hashed-words", *more,
    ]  # fmt: skip


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), obj={})


def test_killed_twice_every_clip_is_asked_once_and_no_answer_is_lost(
    videos: Path, model: Model, tmp_path: Path
) -> None:
    for number, until in enumerate((150, 330)):
        process = Forked(tmp_path / f"process{number}", main, words(videos, model, tmp_path / "out"))
        while sum(model.answered.values()) < until:
            assert process.code is None, process.stderr
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    done = invoked(*words(videos, model, tmp_path / "out", "--json"))
    assert done.exit_code == 0, done.output
    by_mapping = {one["method"]["options"]["mapping"]: one for one in json.loads(done.stdout)}
    exact = by_mapping["exact"]
    wrong = sum(number % 10 == 0 or number % 25 == 3 for number in range(N_CLIPS))
    assert exact["summary"]["top1_per_video"]["mean"] == pytest.approx(1 - wrong / N_CLIPS)
    counted = exact["method"]["record"]["questions"]
    assert counted["clips"] == counted["questions"] == N_CLIPS
    assert counted["prompt_tokens"] == N_CLIPS * PROMPT_TOKENS
    assert counted["dollars"] == pytest.approx(N_CLIPS * (2 * PROMPT_TOKENS + 10 * COMPLETION_TOKENS) / 1e6)
    assert counted["unanswered"] == 0
    kept = [json.loads(line) for path in Path(os.environ["ZSARBENCH_CACHE"]).glob("answers/*.jsonl")
            for line in path.read_text().splitlines() if line.startswith("{") and line.endswith("}")]  # fmt: skip
    assert len(kept) == len({one["key"] for one in kept}) == N_CLIPS
    # What was under way at a kill, eight questions at most, was answered but never arrived.
    assert sorted(model.answered) == list(range(N_CLIPS))
    assert sum(model.answered.values()) <= N_CLIPS + 2 * 8 + N_CLIPS // 20
    before = model.n_requests
    again = invoked(*words(videos, model, tmp_path / "again"))
    assert again.exit_code == 0
    assert "0 new questions" in again.stderr
    assert model.n_requests == before


def test_the_question_is_recorded_in_the_result(videos: Path, model: Model, tmp_path: Path) -> None:
    model.faults = False
    few = tmp_path / "few"
    few.mkdir()
    for number in range(1, 9):
        (few / f"{number:04}.avi").write_bytes((videos / f"{number:04}.avi").read_bytes())
    (few / "twin.avi").write_bytes((videos / "0001.avi").read_bytes())
    (few / "broken.avi").write_bytes(b"no video")
    rows = [f"{number:04}.avi,{label(number)}" for number in range(1, 9)]
    (few / "clips.csv").write_text("\n".join(["clip,label", *rows, f"twin.avi,{label(1)}", "broken.avi,waving"]) + "\n")
    (few / "four.toml").write_text(PROTOCOL)
    done = invoked(*words(few, model, tmp_path / "out", "--frames", "1", "--name", "toy-model"))
    assert done.exit_code == 0, done.output
    assert sum(model.answered.values()) == 8  # the twin is the same question
    assert "1 clips cannot be shown, and count as wrong: 1 × cannot be decoded" in done.stderr.replace("\n", " ")
    [path] = [path for path in results.find(tmp_path / "out")
              if results.read(path).method.options["mapping"] == "exact"]  # fmt: skip
    result = results.read(path)
    how = result.method.options["question"]
    assert how["model"] == "toy"
    assert "{options}" in how["prompt"]
    assert how["max_frames"] == 1
    assert "--frames 1" in result.command
    assert f"folder={few}" not in result.command
    assert result.summary["top1_per_video"].mean == pytest.approx(8 / 10)  # 3 is answered wrongly, broken not at all
    sent = model.requests[-1]["messages"][0]["content"][0]["text"]
    assert "\n".join(CLASSES) in sent
    done = invoked(*words(few, model, tmp_path / "out", "--open"))
    assert len(list((tmp_path / "out").rglob("answers-*.jsonl"))) == 2  # each question has its own answers
    assert "clapping" not in model.requests[-1]["messages"][0]["content"][0]["text"]


def test_refusals_of_the_endpoint_are_one_line(videos: Path, model: Model, tmp_path: Path) -> None:
    given = words(videos, model, tmp_path / "out")
    given[2] = "none"
    done = invoked(*given)
    assert "the endpoint refuses" in str(done.exception) or "the endpoint refuses" in done.output
    before = model.n_requests
    assert before <= 40
    for name in ("--text", "--format"):
        done = invoked(*words(videos, model, tmp_path / "out", name, "no-such-name"))
        assert "no-such-name" in f"{done.exception}{done.output}"
    assert model.n_requests == before
    without = [word for word in words(videos, model, tmp_path / "out") if word not in ("--endpoint", model.url)]
    done = invoked(*without)
    assert "OPENAI_API_KEY is not set" in f"{done.exception}{done.output}"
