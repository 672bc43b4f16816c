"""What a chat model behind an OpenAI-compatible API answers over HTTP."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

PROMPT_TOKENS, COMPLETION_TOKENS = 100, 3


class Chat(BaseHTTPRequestHandler):
    """Reads questions and writes answers; who derives from it says in `answer` what the model answers."""

    def do_POST(self) -> None:
        self.respond(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def respond(self, question: dict[str, Any]) -> None:
        """Write the model's answer to the body of a request."""
        message = {"role": "assistant", "content": self.answer(question)}
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS, "total_tokens": 103}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "toy-1", "choices": [choice],
                 "usage": usage}  # fmt: skip
        self.reply(200, json.dumps(reply).encode())

    def answer(self, question: dict[str, Any]) -> str:
        """Return what the model says."""
        raise NotImplementedError

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
