"""Production serves nothing in the clear, and every answer carries what keeps browsers safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api import settings as all_settings
from hefesto_api.app import create_app
from tests.answers import error_of
from tests.web import sample

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient

ITEM = "/api/v1/sample/3"
HOST = {"Host": "hefesto.example"}
PROXY = {"REMOTE_ADDR": "10.0.0.1"}
BY_HTTPS = {**HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}


def production(folder: Path, **environ: str) -> FlaskClient:
    given = {"HEFESTO_ENV": "production", "HEFESTO_AUTH": "open", "HEFESTO_TRUSTED_PROXIES": "10.0.0.0/8"}
    return create_app(all_settings.load({**given, **environ}, folder), features=(sample,)).test_client()


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"])
def test_what_comes_in_the_clear_is_sent_on(tmp_path: Path, method: str) -> None:
    answer = production(tmp_path).open(f"{ITEM}?limit=5&q=a%20b", method=method, headers=HOST)
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://hefesto.example{ITEM}?limit=5&q=a%20b"
    assert "Strict-Transport-Security" not in answer.headers  # it may not be told in the clear
    assert answer.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("host", "path", "location"),
    [
        ("HEFESTO.example:8080", "/a", "https://hefesto.example/a"),
        ("[2001:db8::1]:8080", "/a", "https://[2001:db8::1]/a"),
        ("hefesto.example", "/a//evil.example/a", "https://hefesto.example/a//evil.example/a"),
        ("hefesto.example", "/a%0d%0aSet-Cookie:x", "https://hefesto.example/a%0D%0ASet-Cookie:x"),
        ("hefesto.example", "/%C3%A9 b", "https://hefesto.example/%C3%A9%20b"),
    ],
)
def test_it_is_sent_to_the_same_thing(tmp_path: Path, host: str, path: str, location: str) -> None:
    answer = production(tmp_path).get(path, headers={"Host": host})
    assert (answer.status_code, answer.headers["Location"]) == (308, location)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example/@hefesto.example", "a b", "user@evil.example", ""])
def test_a_host_that_is_none_is_sent_nowhere(tmp_path: Path, host: str) -> None:
    answer = production(tmp_path).get(ITEM, headers={"Host": host})
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_what_a_trusted_proxy_took_by_https_is_served(tmp_path: Path) -> None:
    answer = production(tmp_path).get(ITEM, headers=BY_HTTPS, environ_base=PROXY)
    assert answer.status_code == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_a_strangers_word_for_it_is_not_taken(tmp_path: Path) -> None:
    answer = production(tmp_path).get(ITEM, headers=BY_HTTPS, environ_base={"REMOTE_ADDR": "203.0.113.9"})
    assert answer.status_code == 403  # and not sent in a circle, if it is a proxy that the settings forgot
    error_of(answer, "INSUFFICIENT_PERMISSIONS")
    assert "HEFESTO_TRUSTED_PROXIES" in answer.get_json()["error"]["message"]


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz", "/health/deep"])
def test_probes_are_answered_in_the_clear(tmp_path: Path, path: str) -> None:
    whole = create_app(
        all_settings.load({"HEFESTO_ENV": "production", "HEFESTO_AUTH": "open"}, tmp_path)
    ).test_client()
    assert whole.get(path, headers=HOST).status_code in {200, 503}


def test_a_collector_of_this_machine_may_read_metrics_in_the_clear(tmp_path: Path) -> None:
    whole = create_app(
        all_settings.load({"HEFESTO_ENV": "production", "HEFESTO_AUTH": "open"}, tmp_path)
    ).test_client()
    assert whole.get("/metrics").status_code == 200
    assert whole.get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 308
    assert whole.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 308


def test_elsewhere_nothing_is_sent_on(tmp_path: Path) -> None:
    answer = production(tmp_path, HEFESTO_ENV="development").get(ITEM, headers=HOST)
    assert answer.status_code == 200
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", ITEM, 200), ("GET", "/nowhere", 404), ("DELETE", ITEM, 405), ("POST", "/api/v1/sample", 500)],
)
def test_every_answer_carries_the_headers(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method, json={"name": "broken"})
    assert answer.status_code == status
    expected: dict[str, Any] = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "X-XSS-Protection": "0",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'",
        "X-API-Version": "v1",
    }
    assert {name: answer.headers.get(name) for name in expected} == expected
    for name in expected:
        assert len(answer.headers.getlist(name)) == 1, name
    assert "Server" not in answer.headers


@pytest.mark.parametrize("path", [ITEM, "/nowhere", "/"])
def test_trace_is_refused(client: FlaskClient, path: str) -> None:
    answer = client.open(path, method="TRACE", headers={"Authorization": "Bearer hef_secret"})
    assert answer.status_code in {404, 405}
    assert b"hef_secret" not in answer.data
