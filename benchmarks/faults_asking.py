"""Asking a service for writes and reads from several threads, and remembering what it acknowledged."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from benchmarks.service import Service

SETTLED = 30.0  # seconds within which what was acknowledged must be done
CODE = "def run(text):\n    return eval(text)\n"


class Answer(NamedTuple):
    """An answer: 0 stands for none at all."""

    status: int
    body: Any

    def told(self, *path: str) -> Any:
        """Return what is in `data` under these names."""
        found = (self.body or {}).get("data")
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    @property
    def reason(self) -> str:
        """Return why something was refused: the reason, else the code."""
        error = (self.body or {}).get("error") or {}
        return str((error.get("details") or {}).get("reason") or error.get("code") or "")


class Asked:
    """What was answered in a time, counted by kind, status and reason, with the longest wait."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int, str]] = Counter()
        self.longest = 0.0

    @property
    def refused(self) -> int:
        """How often something was answered 503."""
        return sum(count for (_, status, _), count in self.answers.items() if status == 503)

    def __str__(self) -> str:
        told: Counter[tuple[str, str]] = Counter()
        for (kind, status, reason), count in self.answers.items():
            told["reads" if kind == "read" else "writes", f"{status} {reason}".strip()] += count
        shown = ", ".join(f"{kind} {answer}: {count}" for (kind, answer), count in sorted(told.items()))
        return f"{shown}; at most {self.longest * 1000:.0f} ms"


class Asking:
    """Writes of three kinds and reads; `acknowledged` is where each that was taken can be seen."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self.acknowledged: list[tuple[str, str]] = []

    def use(self, service: Service) -> None:
        """Ask another service from now on, which holds the same data."""
        self._service = service

    def for_a_while(self, seconds: float) -> Asked:
        """Ask from five threads."""
        told = Asked()
        until = time.monotonic() + seconds
        kinds = ("project", "alert", "analysis", "read", "read")
        threads = [threading.Thread(target=self._ask, args=(kind, told, until)) for kind in kinds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return told

    def all_take_writes(self) -> bool:
        """Tell whether every write of some in a row is taken, by whichever process."""
        return all(self._write(kind).status < 300 for kind in ("project", "alert") * 8)

    def lost(self) -> list[str]:
        """Wait until all that was acknowledged is done; return what is not."""
        until = time.monotonic() + SETTLED
        missing = list(self.acknowledged)
        while missing and time.monotonic() < until:
            missing = [one for one in missing if not self._is_there(*one)]
            time.sleep(0.2 if missing else 0)
        return [f"{kind} {path}: {self._said(path)}" for kind, path in missing]

    def _said(self, path: str) -> str:
        answer = plainly(self._service, "GET", path)
        return f"{answer.status} {str(answer.body)[:300]}"

    def _ask(self, kind: str, told: Asked, until: float) -> None:
        while time.monotonic() < until:
            began = time.monotonic()
            answer = self._read() if kind == "read" else self._write(kind)
            with self._lock:
                told.answers[kind, answer.status, answer.reason] += 1
                told.longest = max(told.longest, time.monotonic() - began)
            time.sleep(0.02)

    def _read(self) -> Answer:
        return plainly(self._service, "GET", "/api/v1/alerts?limit=5")

    def _write(self, kind: str) -> Answer:
        name = f"a{uuid.uuid4().hex}"
        if kind == "project":
            answer = plainly(self._service, "POST", "/api/v1/projects", {"slug": name})
            path = f"/api/v1/projects/{name}"
        elif kind == "alert":
            body = {
                "alert_id": name,
                "alert_type": "error",
                "timestamp": "2026-11-21T12:00:00Z",
                "payload": {"error_type": "KeyError", "error_message": "x" * 2000},
            }
            answer = plainly(self._service, "POST", "/api/v1/iris/webhook", body)
            path = f"/api/v1/iris/webhook/{answer.told('webhook_id')}"
        else:
            asked = {"files": [{"path": "run.py", "content": CODE + f"# {name}\n"}], "async": True}
            answer = plainly(self._service, "POST", "/api/v1/analyze", asked)
            path = f"/api/v1/analyze/{answer.told('analysis_id')}"
        if 200 <= answer.status < 300:
            with self._lock:
                self.acknowledged.append((kind, path))
        return answer

    def _is_there(self, kind: str, path: str) -> bool:
        answer = plainly(self._service, "GET", path)
        field = {"alert": "processing_status", "analysis": "status"}.get(kind)
        return answer.status == 200 and (field is None or answer.told(field) == "completed")


def plainly(service: Service, method: str, path: str, body: Any = None, timeout: float = 30.0) -> Answer:
    """Ask once, and return whatever is answered."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{service.url}{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            return Answer(answer.status, _json(answer.read()))
    except urllib.error.HTTPError as error:
        return Answer(error.code, _json(error.read()))
    except OSError:
        return Answer(0, None)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
