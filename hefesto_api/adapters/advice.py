"""Asking a language model: an OpenAI-compatible service or Gemini, one question and one bounded answer.

The address is the operator's own, as that of an OpenID provider: it may lie in a private network. Nobody else
can name one; redirects are not followed.
"""

from __future__ import annotations

import math
import threading
import unicodedata
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import orjson
from msgspec import Struct

from hefesto_api.adapters import outgoing
from hefesto_api.adapters.outgoing import CallFailed
from hefesto_api.domain.errors import ServiceUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.settings import Settings

MOST_WRITTEN = 2000  # tokens of an answer, those that a model thinks with included
MOST_TEXT = 8000  # characters of an answer
MOST_ANSWER = 512 * 1024  # bytes
AT_ONCE = 4  # calls of one process: the others have threads left
_OVERHEAD = 200  # tokens that services put around a question
_MOST_TOKENS = 10_000_000  # that a service may say it counted
_GEMINI, _OPENAI = "generativelanguage.googleapis.com", "api.openai.com"


class Question(Struct, frozen=True):
    """What a model is told: what it is to do, and what about (data, never orders)."""

    task: str
    facts: str


class Reply(Struct, frozen=True):
    """What a model said; `cost_micros` is in millionths of a dollar, `is_cut`: it had more to say."""

    text: str
    cost_micros: int
    is_cut: bool


class AdviceFailed(Exception):
    """There is no answer that can be shown; `cost_micros` is what it costs all the same."""

    def __init__(self, message: str, cost_micros: int) -> None:
        super().__init__(message)
        self.cost_micros = cost_micros


class Advisor:
    """A model behind an address; threads share it."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.llm_url
        self._key = settings.llm_key
        self._seconds = settings.llm_seconds
        self._prices = settings.llm_input_price_usd, settings.llm_output_price_usd
        self._seats = threading.BoundedSemaphore(AT_ONCE)
        self.model = settings.llm_model
        host = urlsplit(self._url).hostname or ""
        self._is_gemini = (settings.llm_api or ("gemini" if host == _GEMINI else "openai")) == "gemini"
        # The newer name, which OpenAI's own models demand and others do not know yet.
        self._most_written = "max_completion_tokens" if host == _OPENAI else "max_tokens"

    @property
    def name(self) -> str:
        """What answers: the same question to another one is another question."""
        parts = urlsplit(self._url)
        return f"{parts.hostname}:{parts.port}{parts.path} {self.model}"

    def dearest(self, question: Question) -> int:
        """Return what a question costs at most: no service makes more than one token of a byte."""
        size = len(question.task.encode()) + len(question.facts.encode())
        return self._cost(size + _OVERHEAD, MOST_WRITTEN)

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Hold one of the few calls there may be at once; raises ServiceUnavailable."""
        if not self._seats.acquire(blocking=False):
            raise ServiceUnavailable(
                "Others are being advised; try again in a moment.", service="llm", reason="busy"
            )
        try:
            yield
        finally:
            self._seats.release()

    def ask(self, question: Question) -> Reply:
        """Ask, and wait for the answer; raises AdviceFailed.

        What is not known to be free is counted at its dearest: calls that broke off, answers without counts.
        """
        dearest = self.dearest(question)
        url, headers, body = self._request(question)
        try:
            answer = outgoing.call(
                "POST", url, json=body, headers=headers, seconds=self._seconds, most=MOST_ANSWER
            )
        except CallFailed as error:
            raise AdviceFailed(str(error), dearest) from error
        if not 200 <= answer.status < 300:
            raise AdviceFailed(f"The language model's service answers {answer.status}.", 0)
        try:
            told = orjson.loads(answer.body)
            text, is_cut, counts = (_of_gemini if self._is_gemini else _of_openai)(told)
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError) as error:
            raise AdviceFailed("The language model's answer is not of its form.", dearest) from error
        cost = dearest if counts is None else self._cost(*counts)
        text = shown(text)
        if not text:
            raise AdviceFailed("The language model has nothing to say.", cost)
        return Reply(text[:MOST_TEXT], cost, is_cut or len(text) > MOST_TEXT)

    def _cost(self, read: int, written: int) -> int:
        return math.ceil(read * self._prices[0] + written * self._prices[1])  # a price of a million tokens

    def _request(self, question: Question) -> tuple[str, dict[str, str], bytes]:
        base = self._url.rstrip("/")
        if self._is_gemini:
            return self._request_of_gemini(base, question)
        url = base if base.endswith("/chat/completions") else f"{base}/chat/completions"
        messages = [{"role": "system", "content": question.task}, {"role": "user", "content": question.facts}]
        body = {"model": self.model, "messages": messages, self._most_written: MOST_WRITTEN, "stream": False}
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return url, headers, orjson.dumps(body)

    def _request_of_gemini(self, base: str, question: Question) -> tuple[str, dict[str, str], bytes]:
        url = f"{base}/models/{quote(self.model, safe='')}:generateContent"
        body = {
            "systemInstruction": {"parts": [{"text": question.task}]},
            "contents": [{"role": "user", "parts": [{"text": question.facts}]}],
            "generationConfig": {"maxOutputTokens": MOST_WRITTEN},
        }
        return url, {"x-goog-api-key": self._key} if self._key else {}, orjson.dumps(body)


def shown(text: str) -> str:
    """Return a text without signs that cannot be seen: they turn lines around, or steer terminals."""
    plain = text.replace("\r\n", "\n")
    return "".join(
        sign for sign in plain if sign in "\n\t" or unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Co"}
    ).strip()


def _of_openai(told: Any) -> tuple[str, bool, tuple[int, int] | None]:
    choice = told["choices"][0]
    counts = _counts(told.get("usage"), ("prompt_tokens",), ("completion_tokens",))
    return str(choice["message"]["content"] or ""), choice.get("finish_reason") == "length", counts


def _of_gemini(told: Any) -> tuple[str, bool, tuple[int, int] | None]:
    first = told["candidates"][0]
    parts = first["content"].get("parts", [])
    text = "".join(str(part.get("text", "")) for part in parts if not part.get("thought"))
    written = ("candidatesTokenCount", "thoughtsTokenCount")
    counts = _counts(told.get("usageMetadata"), ("promptTokenCount",), written)
    return text, first.get("finishReason") == "MAX_TOKENS", counts


def _counts(usage: Any, read: tuple[str, ...], written: tuple[str, ...]) -> tuple[int, int] | None:
    """Return the tokens that were read and written; None unless they are told and can be true."""
    if not isinstance(usage, dict) or read[0] not in usage or written[0] not in usage:
        return None
    numbers = [[usage.get(name) or 0 for name in names] for names in (read, written)]
    if not all(type(one) is int and 0 <= one <= _MOST_TOKENS for some in numbers for one in some):
        return None
    return sum(numbers[0]), sum(numbers[1])
