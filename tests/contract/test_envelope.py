"""The envelope is around every answer of every route, errors included."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hefesto_api.web.envelope import STATUS

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from tests.contract.conftest import Operation
    from werkzeug.test import TestResponse

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# What standards of their own rule: everything that does not answer application/json.
BARE = "application/json"


def check(response: TestResponse) -> Any:
    """Hold one answer to the envelope; return its body."""
    if response.status_code in {204, 302, 304} or not response.headers["Content-Type"].startswith(BARE):
        assert response.status_code < 400, (response.request.path, response.status_code)
        return None
    body = response.get_json()
    where = (response.request.method, response.request.path, response.status_code, body)
    assert list(body) == ["success", "data", "error", "timestamp"], where
    assert datetime.fromisoformat(body["timestamp"]).utcoffset() is not None
    assert body["timestamp"].endswith("Z")
    assert body["success"] is (body["error"] is None), where
    if body["error"] is not None:
        assert set(body["error"]) == {"code", "message", "details"}, where
        assert isinstance(body["error"]["details"], dict), where
        general = 400 if response.status_code < 500 else 503
        assert STATUS[body["error"]["code"]] in {response.status_code, general}, where
    return body


def answers(operation: Operation, method: str, url: str) -> bool:
    """Tell whether an operation is the one that answers at an address, perhaps beside others."""
    pattern = re.escape(operation.template).replace(re.escape("{file_path}"), ".+")
    return operation.method == method and bool(re.fullmatch(re.sub(r"\\{[^}]+\\}", "[^/]+", pattern), url))


def test_every_operation_answers_in_the_envelope(client: FlaskClient, operations: list[Operation]) -> None:
    for operation in operations:
        check(client.open(operation.url, method=operation.method, json={}))


def test_every_other_method_is_refused_in_the_envelope(
    client: FlaskClient, operations: list[Operation]
) -> None:
    for operation in operations:
        for method in METHODS:
            if not any(answers(other, method, operation.url) for other in operations):
                response = client.open(operation.url, method=method, json={})
                assert check(response)["error"]["code"] in {"METHOD_NOT_ALLOWED", "RESOURCE_NOT_FOUND"}
                if response.status_code == 405:
                    assert operation.method in response.headers["Allow"]


def test_every_body_of_another_type_is_refused_in_the_envelope(
    client: FlaskClient, operations: list[Operation]
) -> None:
    for operation in operations:
        if BARE in operation.about.get("requestBody", {}).get("content", {}):
            response = client.open(
                operation.url, method=operation.method, data=b"<x/>", content_type="text/xml"
            )
            assert check(response)["error"]["code"] == "UNSUPPORTED_MEDIA_TYPE", operation


def test_every_unknown_parameter_is_refused_in_the_envelope(
    client: FlaskClient, operations: list[Operation]
) -> None:
    for operation in operations:
        response = client.open(f"{operation.url}?no_such_parameter=1", method=operation.method)
        body = check(response)
        assert response.status_code == 422, operation
        assert body["error"]["details"]["errors"][0]["field"] == "no_such_parameter"


def test_unknown_paths_are_refused_in_the_envelope(client: FlaskClient) -> None:
    for method in METHODS:
        for path in ("/nowhere", "/api/v1/nowhere", "/api/v2", "/docs/assets/nothing.js"):
            response = client.open(path, method=method)
            details = check(response)["error"]["details"]
            assert response.status_code in {404, 405}
            if response.status_code == 404:
                assert {"resource_type", "resource_id"} <= set(details)


def test_no_content_type_but_our_own_escapes(client: FlaskClient) -> None:
    bare = {
        path: client.get(path).headers["Content-Type"].split(";")[0]
        for path in ("/metrics", "/docs", "/redoc", "/dashboard", "/openapi.json")
    }
    assert bare == {
        "/metrics": "text/plain",
        "/docs": "text/html",
        "/redoc": "text/html",
        "/dashboard": "text/html",
        "/openapi.json": "application/json",
    }
    assert "success" not in client.get("/openapi.json").get_json()
