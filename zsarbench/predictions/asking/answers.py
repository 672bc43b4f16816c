"""Answers that were paid for: a file of JSON lines, to which each is added at once, and which survives any kill."""

from __future__ import annotations

import json
import logging
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from zsarbench.errors import ZsarbenchError
from zsarbench.utils.foreign import guarded

_log = logging.getLogger(__name__)
_WHAT = "answers file"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model answered. model: as it calls itself. Tokens are those of the prompt and of the answer."""

    text: str
    model: str
    prompt_tokens: int
    completion_tokens: int


class AnswerStore:
    """Answers by the key of their question, in one file; several threads and processes may add to it."""

    def __init__(self, path: Path) -> None:
        """Read what is there.

        Raises:
            ZsarbenchError: the file cannot be read.
        """
        self.path = path
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._ends_whole = True
        if path.exists():
            with guarded(_WHAT, path):
                content = path.read_bytes()
            self._ends_whole = content.endswith(b"\n") or not content
            for number, line in enumerate(content.splitlines(), start=1):
                self._take(line, number)

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> Answer | None:
        """Return the answer to a question, None where it was never answered."""
        return self._answers.get(key)

    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer; it is on the disk when this returns.

        Raises:
            ZsarbenchError: the file cannot be written.
        """
        line = json.dumps({"key": key} | asdict(answer), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        with self._lock:
            # A line that a kill cut short stays by itself, and is not read.
            line, self._ends_whole = (line if self._ends_whole else b"\n" + line), True
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
                try:
                    os.write(file, line)
                    os.fsync(file)
                finally:
                    os.close(file)
            except OSError as error:
                raise ZsarbenchError(f"answers cannot be kept in {self.path}: {error.strerror}") from error
            self._answers[key] = answer

    def _take(self, line: bytes, number: int) -> None:
        if not line.strip():
            return
        try:
            content = json.loads(line)
            key = content.pop("key")
            answer = Answer(**content)
            if not isinstance(key, str) or not isinstance(answer.text, str):
                raise TypeError
            tokens = int(answer.prompt_tokens) + int(answer.completion_tokens)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            _log.warning("line %d of %s is not an answer, and is left out", number, self.path)
            return
        if tokens >= 0:
            self._answers[key] = answer
