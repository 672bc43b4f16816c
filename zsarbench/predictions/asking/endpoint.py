"""A chat model behind an OpenAI-compatible endpoint, queried until it answers."""

from __future__ import annotations

import logging
import os
import random
import threading
from typing import Any

from zsarbench.errors import UsageError, ZsarbenchError
from zsarbench.predictions.asking.answers import Answer
from zsarbench.predictions.asking.questions import Question
from zsarbench.utils.foreign import first_line

_log = logging.getLogger(__name__)
KEY = "OPENAI_API_KEY"
FIRST_DELAY, LONGEST_DELAY = 0.5, 60.0  # seconds before another attempt; each doubles the one before


class Unanswered(ZsarbenchError):
    """A question that stayed without an answer, for a reason that may pass or that is the question's own."""


class Endpoint:
    """Asks one question at a time; several threads may.

    url: None for the one of OpenAI. seconds: after which an attempt is given up. attempts: at each question.
    """

    def __init__(self, url: str | None, *, seconds: float, attempts: int) -> None:
        """Make the client; no request is sent yet.

        Raises:
            UsageError: the package `openai` is not installed, or there is no key for an endpoint that needs one.
        """
        try:
            import openai
        except ImportError as error:
            raise UsageError(
                "models are queried through the package openai. Try: pip install 'zsarbench[mllm]'"
            ) from error
        key = os.environ.get(KEY)
        if not key and url is None:
            raise UsageError(f"{KEY} is not set. Try: export {KEY}=KEY, or --endpoint http://localhost:8000/v1")
        self._openai = openai
        self._client = openai.OpenAI(base_url=url, api_key=key or "none", timeout=seconds, max_retries=0)
        self._attempts = attempts
        self._stopped = threading.Event()
        self._jitter = random.Random(0)
        self._lock = threading.Lock()
        self.n_retries = 0

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        self._client.close()

    def stop(self) -> None:
        """Let no further attempt begin."""
        self._stopped.set()

    def ask(self, question: Question) -> Answer:
        """Return the answer to a question.

        Raises:
            Unanswered: no attempt brought one, or the endpoint refuses this question.
            ZsarbenchError: the endpoint refuses every question: its key, address or model is wrong.
        """
        messages: Any = question.messages
        reason = "it was stopped"
        for attempt in range(self._attempts):
            if self._stopped.is_set():
                break
            try:
                return _answer_of(self._client.chat.completions.create(messages=messages, **question.settings))
            except (self._openai.AuthenticationError, self._openai.PermissionDeniedError,
                    self._openai.NotFoundError) as error:  # fmt: skip
                raise ZsarbenchError(
                    f"the endpoint refuses: {first_line(error)}. Try another key, address or model"
                ) from error
            except self._openai.BadRequestError as error:
                raise Unanswered(f"the endpoint refuses this question: {first_line(error)}") from error
            except (self._openai.APIError, ValueError) as error:  # among them time-outs, and answers that are not JSON
                reason = f"{type(error).__name__}: {first_line(error)}"
                if attempt + 1 < self._attempts:
                    with self._lock:
                        self.n_retries += 1
                    self._stopped.wait(self._delay(attempt, error))
        raise Unanswered(f"no answer in {self._attempts} attempts; the last: {reason}")

    def _delay(self, attempt: int, error: Exception) -> float:
        """Return the seconds to wait: what the endpoint asks for, or twice as long each time, spread by a half."""
        response = getattr(error, "response", None)
        stated = response.headers.get("retry-after", "") if response is not None else ""
        if stated.replace(".", "", 1).isdecimal():
            return min(float(stated), LONGEST_DELAY)
        return min(FIRST_DELAY * 2.0**attempt, LONGEST_DELAY) * self._jitter.uniform(0.5, 1.0)


def _answer_of(reply: Any) -> Answer:
    """Return the answer in a reply; a refusal is one too.

    Raises:
        ValueError: it is not a reply of a chat model.
    """
    try:
        message, usage = reply.choices[0].message, reply.usage
        text = message.content if message.content is not None else message.refusal
        tokens = (usage.prompt_tokens, usage.completion_tokens) if usage is not None else (0, 0)
        model = reply.model
    except (AttributeError, IndexError, TypeError):
        raise ValueError("the reply is malformed") from None
    if not isinstance(text, str) or not all(isinstance(number, int) and number >= 0 for number in tokens):
        raise ValueError("the reply holds no answer")
    return Answer(text=text, model=str(model), prompt_tokens=tokens[0], completion_tokens=tokens[1])
