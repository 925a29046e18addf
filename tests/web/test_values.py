"""Bodies: values are what they seem, unknown ones are ignored, errors name their place."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hefesto_api.web import fields
from tests.answers import data_of, error_of

if TYPE_CHECKING:
    from flask.testing import FlaskClient

URL = "/api/v1/sample"


def test_unknown_fields_are_ignored(client: FlaskClient) -> None:
    data = data_of(client.post(URL, json={"name": "new", "colour": "red", "inner": {"id": 1, "far": 2}}))
    assert data["name"] == "new"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 21}, "name"),
        ({"name": "a", "size": "5"}, "size"),
        ({"name": "a", "size": 5.0}, "size"),
        ({"name": "a", "size": True}, "size"),
        ({"name": "a", "ratio": "0.5"}, "ratio"),
        ({"name": "a", "urgent": 1}, "urgent"),
        ({"name": "a", "urgent": "true"}, "urgent"),
        ({"name": "a", "tags": "x"}, "tags"),
        ({"name": "a", "tags": ["ok", "too long"]}, "tags.1"),
        ({"name": "a", "inner": {"id": []}}, "inner.id"),
        ({"name": "a", "inner": 5}, "inner"),
        ([], "body"),
        ("text", "body"),
        (5, "body"),
        (None, "body"),
    ],
)
def test_a_value_that_does_not_fit_is_named(client: FlaskClient, body: Any, field: str) -> None:
    response = client.post(URL, data=orjson.dumps(body), content_type="application/json")
    assert response.status_code == 422
    assert [error["field"] for error in error_of(response, "VALIDATION_ERROR")["errors"]] == [field]


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml",
             "application/json; charset=latin-1"]
)  # fmt: skip
def test_other_types_of_body_are_refused(client: FlaskClient, kind: str) -> None:
    response = client.post(URL, data=b'{"name": "a"}', headers={"Content-Type": kind} if kind else {})
    assert response.status_code == 415
    error_of(response, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/JSON; charset=UTF-8", "application/vnd.x+json"]
)
def test_json_has_several_names(client: FlaskClient, kind: str) -> None:
    data_of(client.post(URL, data=b'{"name": "a"}', content_type=kind))


def test_a_body_may_be_compressed(client: FlaskClient) -> None:
    packed = gzip.compress(b'{"name": "a"}')
    response = client.post(
        URL, data=packed, content_type="application/json", headers={"Content-Encoding": "gzip"}
    )
    assert data_of(response)["name"] == "a"


def test_a_large_body_is_refused(client: FlaskClient) -> None:
    packed = gzip.compress(b'{"name": "' + b"a" * 11 * 1024 * 1024 + b'"}')
    response = client.post(
        URL, data=packed, content_type="application/json", headers={"Content-Encoding": "gzip"}
    )
    assert response.status_code == 413
    assert error_of(response, "PAYLOAD_TOO_LARGE")["limit_bytes"] == 10 * 1024 * 1024


def test_files_are_taken_from_a_form(client: FlaskClient) -> None:
    form = {"project": "shop", "archive": (io.BytesIO(b"z" * 300_000), "a.zip")}
    data = data_of(client.post(f"{URL}/upload", data=form))
    assert data == {"form": {"project": "shop"}, "files": {"archive": 300_000}}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"x", "multipart/form-data", 415),
        (b"not a form", "multipart/form-data; boundary=b", 400),
        (b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx", "multipart/form-data; boundary=b", 400),
        (b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\0\r\n--b--\r\n",
         "multipart/form-data; boundary=b", 400),
        (b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" * 2 + b"--b--\r\n",
         "multipart/form-data; boundary=b", 422),
    ],
)  # fmt: skip
def test_what_is_no_form_is_refused(client: FlaskClient, body: bytes, kind: str, status: int) -> None:
    response = client.post(f"{URL}/upload", data=body, headers={"Content-Type": kind})
    assert response.status_code == status, response.data


def test_moments_are_inclusive_days_or_instants() -> None:
    start, end = fields.Moment(), fields.Moment(end=True)
    assert start.deserialize("2026-01-02").isoformat() == "2026-01-02T00:00:00+00:00"
    assert end.deserialize("2026-01-02").isoformat() == "2026-01-02T23:59:59.999999+00:00"
    assert end.deserialize("2026-01-02T03:04:05Z").isoformat() == "2026-01-02T03:04:05+00:00"
    assert start.deserialize("2026-01-02T03:04:05+02:00").isoformat() == "2026-01-02T01:04:05+00:00"
