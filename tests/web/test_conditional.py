"""Conditional requests, compression and the standing headers."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from flask.testing import FlaskClient

URL = "/api/v1/sample"
ITEM = f"{URL}/3"


@pytest.mark.parametrize("path", [URL, ITEM])
def test_what_has_not_changed_is_not_sent_again(client: FlaskClient, path: str) -> None:
    first = client.get(path)
    tag = first.headers["ETag"]
    for wanted in (tag, f"W/{tag}", "*", f'"other", {tag}'):
        again = client.get(path, headers={"If-None-Match": wanted})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == tag
        assert "Content-Type" not in again.headers
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_tag_is_of_the_data(client: FlaskClient) -> None:
    assert client.get(ITEM).headers["ETag"] == client.get(ITEM).headers["ETag"]
    assert client.get(ITEM).headers["ETag"] != client.get(f"{URL}/4").headers["ETag"]


def test_a_change_holds_to_its_condition(client: FlaskClient) -> None:
    tag = client.get(ITEM).headers["ETag"]
    for good in (tag, f"W/{tag}", "*"):
        assert client.patch(ITEM, json={"name": "new"}, headers={"If-Match": good}).status_code == 200
    refused = client.patch(ITEM, json={"name": "new"}, headers={"If-Match": '"old"'})
    assert refused.status_code == 412
    error_of(refused, "PRECONDITION_FAILED")


def test_large_answers_are_compressed_when_wanted(client: FlaskClient) -> None:
    plain = client.get(f"{URL}/text")
    packed = client.get(f"{URL}/text", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data)
    assert "Accept-Encoding" in packed.headers["Vary"]
    small = client.get(ITEM, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in small.headers
    refused = client.get(f"{URL}/text", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


@pytest.mark.parametrize("path", [ITEM, "/nowhere", "/docs"])
def test_every_answer_carries_the_standing_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-API-Version"] == "v1"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "private, no-cache"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe-inline" not in headers["Content-Security-Policy"].split("script-src")[-1].split(";")[0]
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("*/*", 200),
        ("application/*", 200),
        ("text/html, */*;q=0.1", 200),
        ("application/problem+json", 200),
        ("text/html", 406),
        ("application/json;q=0, text/plain", 406),
        ("image/png", 406),
    ],
)
def test_an_answer_comes_in_an_accepted_form_or_not_at_all(
    client: FlaskClient, accept: str, status: int
) -> None:
    response = client.get(ITEM, headers={"Accept": accept})
    assert response.status_code == status
    if status == 406:
        assert "application/json" in error_of(response, "NOT_ACCEPTABLE")["available"]


def test_errors_come_as_problem_details_when_asked(client: FlaskClient) -> None:
    response = client.get("/nowhere", headers={"Accept": "application/problem+json"})
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.get_json()
    assert (body["status"], body["title"], body["code"]) == (404, "Not Found", "RESOURCE_NOT_FOUND")
    assert body["instance"] == "/nowhere"
    assert data_of(client.get(ITEM, headers={"Accept": "application/problem+json"}))["id"] == 3
