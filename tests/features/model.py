"""A stand-in of a language model's service on loopback, in the forms of OpenAI and of Gemini."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ModelStandIn:
    """Answers with `status` and `raw`, or else with `text`; remembers what it was asked."""

    def __init__(self) -> None:
        self.text = "The list is empty."
        self.status = 200
        self.raw: bytes | None = None
        self.counts: tuple[int, int] | None = (100, 10)
        self.heard: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.gate = threading.Event()
        self.gate.set()
        made = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                made.heard.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                made.gate.wait(10)
                text = made.answer(self.path) if made.raw is None else made.raw
                with suppress(OSError):  # who asked may be gone
                    self.send_response(made.status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ModelStandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> bytes:
        """Return an answer of the form that the path belongs to."""
        if path.endswith(":generateContent"):
            parts = [{"text": "(thinks)", "thought": True}, {"text": self.text}]
            told: dict[str, Any] = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}
            names = ("usageMetadata", "promptTokenCount", "candidatesTokenCount")
        else:
            told = {"choices": [{"message": {"content": self.text}, "finish_reason": "stop"}]}
            names = ("usage", "prompt_tokens", "completion_tokens")
        if self.counts is not None:
            told[names[0]] = {names[1]: self.counts[0], names[2]: self.counts[1]}
        return json.dumps(told).encode()
