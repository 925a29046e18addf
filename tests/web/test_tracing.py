"""Ids of requests, and what the log tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.web import tracing
from structlog.testing import capture_logs
from tests.answers import error_of

if TYPE_CHECKING:
    from flask.testing import FlaskClient

ITEM = "/api/v1/sample/3"


def test_a_sound_id_comes_back(client: FlaskClient) -> None:
    assert client.get(ITEM, headers={"X-Request-ID": "abc-123.4"}).headers["X-Request-ID"] == "abc-123.4"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", "<script>", '"'])
def test_an_unsound_one_is_replaced(client: FlaskClient, given: str) -> None:
    made = client.get(ITEM, headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert made != given
    assert len(made) == 32


def test_every_request_has_its_own_id(client: FlaskClient) -> None:
    assert client.get(ITEM).headers["X-Request-ID"] != client.get(ITEM).headers["X-Request-ID"]


def logged(client: FlaskClient, *args: Any, **kwargs: Any) -> Any:
    with capture_logs() as lines:
        client.open(*args, **kwargs)
    return lines


def test_each_request_has_one_line_without_secrets(client: FlaskClient) -> None:
    headers = {"Authorization": "Bearer hef_secret"}
    lines = logged(client, f"{ITEM}?token=hunter2&limit=1&API_KEY=hunter2", headers=headers)
    (line,) = [line for line in lines if line["part"] == "access"]
    assert (line["method"], line["path"], line["status"]) == ("GET", ITEM, 422)
    assert line["query"] == "token=***&limit=1&API_KEY=***"
    assert "hunter2" not in str(lines)
    assert "hef_secret" not in str(lines)


def test_a_fault_of_ours_is_logged_and_not_shown(client: FlaskClient) -> None:
    with capture_logs() as lines:
        response = client.post("/api/v1/sample", json={"name": "broken"})
    assert response.status_code == 500
    assert error_of(response, "INTERNAL_ERROR")["request_id"] == response.headers["X-Request-ID"]
    assert b"shadow" not in response.data
    (fault,) = [line for line in lines if line["part"] == "errors"]
    assert isinstance(fault["exc_info"], RuntimeError)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ""),
        ("a=1", "a=1"),
        ("token=", "token=***"),
        ("x_token=1&b=2&client_secret=3", "x_token=***&b=2&client_secret=***"),
        ("monkey=1", "monkey=***"),
    ],
)
def test_secrets_in_queries_are_masked(query: str, shown: str) -> None:
    assert tracing.masked_query(query) == shown
