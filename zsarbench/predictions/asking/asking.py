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
from zsarbench.predictions.asking.questions import PROMPTS, Offered, Question, QuestionSettings
from zsarbench.predictions.scoring import Origin, ScoreRequest, score
from zsarbench.predictions.target import Target, target_of
from zsarbench.results.record import file_name
from zsarbench.utils.atomic import write_atomic
from zsarbench.utils.cache import cache_dir
from zsarbench.utils.cores import cores
from zsarbench.utils.targets import CACHE, OUT, check_folder, expanded

if TYPE_CHECKING:
    from zsarbench.plugins import Host
    from zsarbench.results import RunResult

_log = logging.getLogger(__name__)
SECONDS_PER_CLIP = 300.0  # after which a clip counts as undecodable
AHEAD = 2  # questions that wait for each one in flight


@dataclass(frozen=True, kw_only=True)
class AskRequest:
    """The options of `zsarbench ask`, unchecked.

    scoring: protocol, data and claims, as of `zsarbench score`; its file is the one that the answers are written to.
    prompt: a template of the user's, None for the own one. offers: whether names are offered. price: dollars for a
    million tokens of questions and of answers. partial: score although clips have no answer yet.
    """

    scoring: ScoreRequest
    question: Mapping[str, Any]
    prompt: str | None
    offers: bool
    endpoint: str | None
    concurrency: int
    seconds: float
    attempts: int
    price: tuple[float, float] | None
    partial: bool


@dataclass
class Outcome:
    """What became of the clips: answers and reasons by clip id, and how many questions were new."""

    answers: dict[str, Answer] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    unanswered: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    n_new: int = 0
    n_retries: int = 0

    def record(self, price: tuple[float, float] | None) -> dict[str, Any]:
        """Return what a result keeps of it: clips, questions, tokens and dollars, each question counted once."""
        once = {self.keys[clip]: answer for clip, answer in self.answers.items()}.values()
        tokens = sum(one.prompt_tokens for one in once), sum(one.completion_tokens for one in once)
        content: dict[str, Any] = {
            "clips": len(self.answers), "questions": len(once), "new": self.n_new, "retries": self.n_retries,
            "unreadable": len(self.unread), "unanswered": len(self.unanswered),
            "prompt_tokens": tokens[0], "completion_tokens": tokens[1],
            "models": dict(sorted(Counter(one.model for one in once).items())),
        }  # fmt: skip
        if price is not None:
            content["dollars"] = round(sum(n * each / 1e6 for n, each in zip(tokens, price, strict=True)), 6)
        return content


def ask(request: AskRequest, host: Host, progress: Progress) -> list[tuple[RunResult, Path]]:
    """Ask a model about every test clip, write its answers, score them, and return the results and their paths.

    Every answer is stored at once: an answered question is never sent again, by whatever run.

    Raises:
        UsageError: the protocol offers other names in each round, or a name, a file or the key lacks.
        ZsarbenchError: the endpoint refuses, or clips stayed without an answer; the same command asks for the rest.
    """
    scoring = request.scoring
    scoring.check(host.registry)
    target = target_of(host.registry, scoring.protocol, data_root=scoring.data_root, settings=scoring.settings)
    how = _how(request, target)
    folder = expanded(scoring.out) / file_name(target.protocol.name)
    check_folder(folder, "results", OUT)
    store = AnswerStore(_place(request, how))
    check_folder(store.path.parent, "answers", CACHE)
    with Endpoint(request.endpoint, seconds=request.seconds, attempts=request.attempts) as endpoint:
        outcome = _Pass(request, how, target, store, endpoint).run(progress)
    if outcome.unread:
        _log.warning("%d clips cannot be shown, and count as wrong: %s", len(outcome.unread),
                     describe_failures(outcome.unread))  # fmt: skip
    if outcome.unanswered and not request.partial:
        raise ZsarbenchError(
            f"{len(outcome.unanswered)} of {len(target.tested)} clips have no answer, e.g. "
            f"{describe_failures(outcome.unanswered)}; {len(outcome.answers)} answers are kept. Try: the same command "
            "again, or --partial to count these clips as wrong"
        )
    if not outcome.answers:
        raise ZsarbenchError(f"no clip of {target.protocol.name} can be shown: {describe_failures(outcome.unread)}")
    path = folder / f"{scoring.file.name}-{_digest(request.endpoint, asdict(how))}.jsonl"
    lines = [json.dumps({"clip": clip, "answer": outcome.answers[clip].text}, ensure_ascii=False)
             for clip in target.tested if clip in outcome.answers]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(path, ("\n".join(lines) + "\n").encode("utf-8", "replace"))
    origin = Origin(
        command=_command(request, how), options={"question": asdict(how)}, record=outcome.record(request.price)
    )
    return score(replace(scoring, file=path, words=True), host, origin)


def _how(request: AskRequest, target: Target) -> QuestionSettings:
    """Return the question for the model under a protocol.

    Raises:
        UsageError: its rounds have other candidates each, which one question cannot offer.
    """
    offered: Offered = "nothing" if not request.offers else "choices" if target.choices else "candidates"
    if offered == "candidates" and len({frozenset(item.candidates) for item in target.rounds}) > 1:
        raise UsageError(
            f"each round of {target.protocol.name} has candidates of its own, but there is one question per clip. "
            "Try: --open, which offers none, or a protocol of one round"
        )
    return QuestionSettings(prompt=request.prompt or PROMPTS[offered], offered=offered, **request.question)


def _command(request: AskRequest, how: QuestionSettings) -> str:
    """Return the command line that repeats a request elsewhere: without folders and files of this machine."""
    words = ["zsarbench", "ask", "--model", how.model]
    words += ["--endpoint", request.endpoint] if request.endpoint else []
    words += [] if request.offers else ["--open"]
    words += ["--prompt", "FILE"] if request.prompt is not None else []
    return shlex.join([*words, *how.words(), *request.scoring.options()])


def _place(request: AskRequest, how: QuestionSettings) -> Path:
    """Return the file of the answers of a model at an endpoint, in the cache."""
    return cache_dir() / "answers" / f"{_digest(request.endpoint, how.model)}.jsonl"


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


class _Pass:
    """One pass over the test clips: decoded ahead in processes, asked in threads, each answer stored on arrival."""

    def __init__(
        self, request: AskRequest, how: QuestionSettings, target: Target, store: AnswerStore, endpoint: Endpoint
    ) -> None:
        self._request, self._how, self._target, self._store, self._endpoint = request, how, target, store, endpoint
        self._outcome = Outcome()
        self._clips: dict[str, list[str]] = defaultdict(list)  # by the key of a question in flight
        self._pending: dict[Future[Answer], str] = {}
        self._candidates = [words_of(name) for number, name in enumerate(target.dataset.classes)
                            if number in target.candidates]  # fmt: skip

    def run(self, progress: Progress) -> Outcome:
        """Ask about all clips; an interrupt, or a refusal of all questions, lets questions in flight end first."""
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
                        bar.advance(1, f"{self._outcome.n_new} new")
                        while len(self._pending) > AHEAD * request.concurrency:
                            self._collect()
                while self._pending:
                    self._collect()
            except BaseException:
                self._endpoint.stop()
                raise
            finally:
                threads.shutdown(wait=True, cancel_futures=True)
        self._outcome.n_retries = self._endpoint.n_retries
        return self._outcome

    def _take(self, decoded: Decoded, threads: ThreadPoolExecutor) -> None:
        clip = decoded.source.clip_id
        if decoded.frames is None:
            self._outcome.unread[clip] = decoded.failure.reason if decoded.failure else "it has no frames"
            return
        question = self._how.question(self._options(clip), jpegs(decoded.frames))
        self._outcome.keys[clip] = question.key
        if (answer := self._store.get(question.key)) is not None:
            self._outcome.answers[clip] = answer
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
                self._outcome.unanswered |= dict.fromkeys(clips, str(error))
                continue
            self._outcome.n_new += 1
            self._outcome.answers |= dict.fromkeys(clips, answer)
