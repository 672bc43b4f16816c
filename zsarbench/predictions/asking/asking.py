"""From a protocol to a file of answers and its results: every test clip is shown to a model, each question once."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsarbench.data.class_texts import words_of
from zsarbench.data.manifest import clip_sources
from zsarbench.data.video.decoding import Decoded, DecodePool
from zsarbench.data.video.failures import describe_failures
from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.interfaces import Progress, Sampling
from zsarbench.predictions.asking.answers import Answer, AnswerStore
from zsarbench.predictions.asking.endpoint import Endpoint, Unanswered
from zsarbench.predictions.asking.frames import FitInto, jpegs
from zsarbench.predictions.asking.questions import PROMPTS, Asking, Offered, Question
from zsarbench.predictions.scoring import Origin, ScoreRequest, score
from zsarbench.predictions.target import Target, target_of
from zsarbench.results.record import file_name
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.cache import cache_dir
from zsarbench.utils.cores import cores
from zsarbench.utils.targets import CACHE, OUT, check_folder

if TYPE_CHECKING:
    from zsarbench.plugins import Host
    from zsarbench.results import RunResult

_log = logging.getLogger(__name__)
SECONDS_PER_CLIP = 300.0  # after which a clip counts as undecodable
FLAGS = {"frames_per_second": "--fps", "max_frames": "--frames", "image_size": "--size",
         "temperature": "--temperature", "max_tokens": "--max-tokens"}  # fmt: skip
"""Of how a model is asked, on the command line."""
AHEAD = 2  # questions that wait for each that is being asked


@dataclass(frozen=True, kw_only=True)
class AskRequest:
    """What `zsarbench ask` is asked for.

    scoring: protocol, data and claims, as of `zsarbench score`; its file is the one that the answers are written to.
    prompt: a template of the user's, None for the own one. offers: whether names are offered. price: dollars for a
    million tokens of questions and of answers. partial: score although clips have no answer yet.
    """

    scoring: ScoreRequest
    asking: Mapping[str, Any]
    prompt: str | None = None
    offers: bool = True
    endpoint: str | None = None
    concurrency: int = 8
    seconds: float = 120.0
    attempts: int = 6
    price: tuple[float, float] | None = None
    partial: bool = False

    def to_command(self) -> str:
        """Return the command line that asks again, elsewhere: without folders and files of this machine."""
        words = ["zsarbench", "ask", "--model", str(self.asking["model"])]
        words += ["--endpoint", self.endpoint] if self.endpoint else []
        words += [] if self.offers else ["--open"]
        words += ["--prompt", "FILE"] if self.prompt is not None else []
        for name, flag in FLAGS.items():
            if name in self.asking and self.asking[name] != getattr(Asking, name):
                words += [flag, str(self.asking[name])]
        words += self.scoring.options()
        return shlex.join(words)


@dataclass
class Asked:
    """What became of the clips: answers and reasons by clip id, and how many questions were asked anew."""

    answers: dict[str, Answer] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    n_asked: int = 0
    n_retries: int = 0

    def record(self, price: tuple[float, float] | None) -> dict[str, Any]:
        """Return what a result keeps of it: clips, questions, tokens and dollars, each question counted once."""
        once = {self.keys[clip]: answer for clip, answer in self.answers.items()}.values()
        tokens = sum(one.prompt_tokens for one in once), sum(one.completion_tokens for one in once)
        content: dict[str, Any] = {
            "clips": len(self.answers), "questions": len(once), "asked_now": self.n_asked, "retries": self.n_retries,
            "unreadable": len(self.unread), "unanswered": len(self.unanswered),
            "prompt_tokens": tokens[0], "completion_tokens": tokens[1],
            "models": dict(sorted(Counter(one.model for one in once).items())),
        }  # fmt: skip
        if price is not None:
            content["dollars"] = round(sum(n * each / 1e6 for n, each in zip(tokens, price, strict=True)), 6)
        return content


def ask(request: AskRequest, host: Host, progress: Progress) -> list[tuple[RunResult, Path]]:
    """Ask a model about every test clip, write its answers, score them, and return the results and their paths.

    Every answer is kept at once: what was answered is not asked again, by whatever run.

    Raises:
        UsageError: the protocol offers other names in each round, or a name, a file or the key lacks.
        ZsarbenchError: the endpoint refuses, or clips stayed without an answer; the same command asks for the rest.
    """
    scoring = request.scoring
    scoring.claim.check(host.registry)
    target = target_of(host.registry, scoring.protocol, data_root=scoring.data_root, settings=scoring.settings)
    how = _how(request, target)
    folder = Path(scoring.out) / file_name(target.protocol.name)
    check_folder(folder, "results", OUT)
    store = AnswerStore(_place(request, how))
    check_folder(store.path.parent, "answers", CACHE)
    with Endpoint(request.endpoint, seconds=request.seconds, attempts=request.attempts) as endpoint:
        asked = _Round(request, how, target, store, endpoint).run(progress)
    if asked.unread:
        _log.warning("%d clips cannot be shown, and count as wrong: %s", len(asked.unread),
                     describe_failures(asked.unread))  # fmt: skip
    if asked.unanswered and not request.partial:
        raise ZsarbenchError(
            f"{len(asked.unanswered)} of {len(target.tested)} clips have no answer, e.g. "
            f"{describe_failures(asked.unanswered)}; {len(asked.answers)} answers are kept. Try: the same command "
            "again, or --partial to count these clips as wrong"
        )
    if not asked.answers:
        raise ZsarbenchError(f"no clip of {target.protocol.name} can be shown: {describe_failures(asked.unread)}")
    path = folder / f"{scoring.file.name}-{store.path.stem}.jsonl"
    lines = [json.dumps({"clip": clip, "answer": asked.answers[clip].text}, ensure_ascii=False)
             for clip in target.tested if clip in asked.answers]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(path, ("\n".join(lines) + "\n").encode("utf-8", "replace"))
    origin = Origin(command=request.to_command(), options={"asked": asdict(how)}, record=asked.record(request.price))
    return score(replace(scoring, file=path, words=True), host, origin)


def _how(request: AskRequest, target: Target) -> Asking:
    """Return how the model is asked under a protocol.

    Raises:
        UsageError: its rounds have other candidates each, which one question cannot offer.
    """
    offered: Offered = "nothing" if not request.offers else "choices" if target.choices else "candidates"
    if offered == "candidates" and len({frozenset(item.candidates) for item in target.rounds}) > 1:
        raise UsageError(
            f"each round of {target.protocol.name} has candidates of its own, and a clip is asked about once. "
            "Try: --open, which offers none, or a protocol of one round"
        )
    return Asking(prompt=request.prompt or PROMPTS[offered], offered=offered, **request.asking)


def _place(request: AskRequest, how: Asking) -> Path:
    """Return the file of the answers of a model at an endpoint, in the cache."""
    where = hashlib.sha256(f"{request.endpoint}\n{how.model}".encode()).hexdigest()[:12]
    return cache_dir() / "answers" / f"{where}.jsonl"


class _Round:
    """One pass over the test clips: decoded ahead in processes, asked in threads, each answer kept where it arrives."""

    def __init__(
        self, request: AskRequest, how: Asking, target: Target, store: AnswerStore, endpoint: Endpoint
    ) -> None:
        self._request, self._how, self._target, self._store, self._endpoint = request, how, target, store, endpoint
        self._asked = Asked()
        self._clips: dict[str, list[str]] = defaultdict(list)  # by the key of a question that is being asked
        self._pending: dict[Future[Answer], str] = {}
        self._candidates = [words_of(name) for number, name in enumerate(target.dataset.classes)
                            if number in target.candidates]  # fmt: skip

    def run(self, progress: Progress) -> Asked:
        """Ask about all clips; an interrupt, or a refusal of all questions, lets what is being asked end first."""
        how, request = self._how, self._request
        sources = clip_sources(self._target.manifest.set_index("clip_id"), self._target.tested)
        decoding = DecodePool(
            FitInto(how.image_size), Sampling(how.frames_per_second, how.max_frames), workers=cores(),
            seconds_per_clip=SECONDS_PER_CLIP, max_ahead=AHEAD * request.concurrency,
        )  # fmt: skip
        with progress.task(f"asking {how.model}", len(sources)) as bar:
            threads = ThreadPoolExecutor(request.concurrency, thread_name_prefix="asking")
            try:
                with decoding:
                    for decoded in decoding.decode(sources):
                        self._take(decoded, threads)
                        bar.advance(1, f"{self._asked.n_asked} asked")
                        while len(self._pending) > AHEAD * request.concurrency:
                            self._collect()
                while self._pending:
                    self._collect()
            except BaseException:
                self._endpoint.stop()
                raise
            finally:
                threads.shutdown(wait=True, cancel_futures=True)
        self._asked.n_retries = self._endpoint.n_retries
        return self._asked

    def _take(self, decoded: Decoded, threads: ThreadPoolExecutor) -> None:
        clip = decoded.source.clip_id
        if decoded.frames is None:
            self._asked.unread[clip] = decoded.failure.reason if decoded.failure else "it has no frames"
            return
        question = self._how.question(self._options(clip), jpegs(decoded.frames))
        self._asked.keys[clip] = question.key
        if (answer := self._store.get(question.key)) is not None:
            self._asked.answers[clip] = answer
            return
        self._clips[question.key].append(clip)
        if len(self._clips[question.key]) == 1:
            self._pending[threads.submit(self._answer, question)] = question.key

    def _options(self, clip: str) -> Sequence[str]:
        if self._how.offered == "choices":
            return [words_of(name) for name in self._target.choices[clip]]
        return self._candidates if self._how.offered == "candidates" else ()

    def _answer(self, question: Question) -> Answer:
        answer = self._endpoint.ask(question)
        self._store.add(question.key, answer)
        return answer

    def _collect(self) -> None:
        """Wait for an answer, and note which clips it is of."""
        done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
        for future in done:
            clips = self._clips.pop(self._pending.pop(future))
            try:
                answer = future.result()
            except Unanswered as error:
                self._asked.unanswered |= dict.fromkeys(clips, str(error))
                continue
            self._asked.n_asked += 1
            self._asked.answers |= dict.fromkeys(clips, answer)
