"""A stand-in of a language model's service on loopback, in the forms of OpenAI and of Gemini."""

from __future__ import annotations

import json
import threading
from typing import Any

from tests.features.standin import Answer, Heard, StandIn


class ModelStandIn(StandIn):
    """Answers with `status` and `raw`, or else with `text`; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.url = f"{self.origin}/v1"
        self.text = "The list is empty."
        self.status = 200
        self.raw: bytes | None = None
        self.counts: tuple[int, int] | None = (100, 10)
        self.heard: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __exit__(self, *told: object) -> None:
        self.gate.set()
        super().__exit__(*told)

    def answered(self, heard: Heard) -> Answer:
        """Remember a request and answer it once the gate is open."""
        named = {name.lower(): value for name, value in heard.headers.items()}
        self.heard.append((heard.path, named, json.loads(heard.body)))
        self.gate.wait(60)
        text = self.answer(heard.path) if self.raw is None else self.raw
        return Answer(self.status, text, {"Content-Type": "application/json"})

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
