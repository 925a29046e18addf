"""Reading answers in tests: each reader checks the envelope first."""

from __future__ import annotations

from typing import Any


def data_of(response: Any) -> Any:
    """Return the data of a successful answer, having checked its envelope."""
    body = response.get_json()
    assert set(body) == {"success", "data", "error", "timestamp"}, body
    assert body["success"] is True, body
    assert body["error"] is None
    return body["data"]


def error_of(response: Any, code: str) -> Any:
    """Return the details of an error with a code, having checked its envelope."""
    body = response.get_json()
    assert set(body) == {"success", "data", "error", "timestamp"}, body
    assert body["success"] is False, body
    assert body["error"]["code"] == code, body
    assert body["error"]["message"]
    return body["error"]["details"]
