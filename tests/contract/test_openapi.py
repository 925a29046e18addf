"""The OpenAPI document is valid, complete and the one that is published."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api import settings as all_settings
from hefesto_api.app import create_app, openapi_document
from hefesto_api.domain.access import SCOPES
from hefesto_api.web import openapi
from schemathesis.specs.openapi.definitions import OPENAPI_30
from tests.web import sample

if TYPE_CHECKING:
    from flask import Flask
    from flask.testing import FlaskClient
    from tests.contract.conftest import Operation

PUBLISHED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft4Validator(OPENAPI_30)
    assert [error.message for error in validator.iter_errors(document)] == []
    broken = {**document, "info": {}}
    assert list(validator.iter_errors(broken)), "the validator finds nothing"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = re.findall(r'"\$ref": ?"#/([^"]+)"', openapi_text(document))
    assert found
    for reference in set(found):
        place: Any = document
        for part in reference.split("/"):
            place = place[part]


def openapi_text(document: dict[str, Any]) -> str:
    return str(document).replace("'", '"')


def test_every_operation_is_described(operations: list[Operation]) -> None:
    ids = [operation.about["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))
    for operation in operations:
        assert operation.about["summary"].endswith("."), operation.template
        assert operation.about["tags"]
        assert operation.about.get("x-required-scope") in {None, *SCOPES}
        for parameter in operation.about.get("parameters", ()):
            assert parameter["schema"], operation.template


def test_every_operation_tells_its_errors(operations: list[Operation]) -> None:
    for operation in operations:
        told = set(operation.about["responses"])
        expected = {"400", "403", "406", "500", "503", "default"}
        if "requestBody" in operation.about:
            expected |= {"411", "413", "415", "422"}
        if operation.about.get("parameters"):
            expected |= {"422"}
        if "{" in operation.template:
            expected |= {"404"}
        assert expected <= told, operation.template
        assert any(status.startswith(("1", "2", "3")) for status in told), operation.template


def test_no_schema_is_named_by_its_number(document: dict[str, Any]) -> None:
    names = document["components"]["schemas"]
    assert not [name for name in names if re.search(r"\d$", name)]
    assert {"HealthAnswer", "ErrorAnswer"} <= set(names)


def test_answers_allow_for_what_is_added_later(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("additionalProperties") is not False, name


def test_the_document_is_the_same_each_time(app: Flask, tmp_path: Path) -> None:
    other = create_app(all_settings.load({"HEFESTO_PORT": "99"}, tmp_path))
    assert openapi_document(app) == openapi_document(other)


def test_the_published_document_is_this_one(app: Flask) -> None:
    assert PUBLISHED.read_bytes() == openapi_document(app), (
        "run: python -m hefesto_api.app > docs/openapi.json"
    )


def test_the_served_document_is_this_one(client: FlaskClient, document: dict[str, Any]) -> None:
    assert client.get("/openapi.json").get_json() == document


def test_a_features_own_words_are_in_its_document(tmp_path: Path) -> None:
    app = create_app(all_settings.load({}, tmp_path), features=(sample,))
    paths = openapi.document(app)["paths"]
    make = paths["/api/v1/sample"]["post"]
    assert "Idempotency-Key" in [parameter["name"] for parameter in make["parameters"]]
    listing = paths["/api/v1/sample"]["get"]
    assert listing["x-required-scope"] == "read:findings"
    names = {parameter["name"] for parameter in listing["parameters"]}
    assert names == {"limit", "offset", "cursor", "sort", "fields", "named", "since"}
