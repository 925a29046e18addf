"""Every operation of the whole application, as its OpenAPI document tells."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hefesto_api.web import openapi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

SOME_ID = "0198c0de-0000-7000-8000-000000000000"


class Operation(NamedTuple):
    """One operation, with an address at which nothing is."""

    method: str
    url: str
    template: str
    about: dict[str, Any]


def operations_of(document: dict[str, Any]) -> Iterator[Operation]:
    """Yield each operation of a document."""
    for template, item in document["paths"].items():
        for method in ("get", "post", "put", "patch", "delete"):
            if method in item:
                url = re.sub(r"\{[^}]+\}", SOME_ID, template)
                yield Operation(method.upper(), url, template, item[method])


_documents: list[dict[str, Any]] = []


@pytest.fixture
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The OpenAPI document of the application, which is the same for the same routes."""
    if not _documents:
        app: Flask = request.getfixturevalue("app")
        _documents.append(openapi.document(app))
    return deepcopy(_documents[0])


@pytest.fixture
def operations(document: dict[str, Any]) -> list[Operation]:
    """All operations of the application."""
    found = list(operations_of(document))
    assert len(found) >= 10
    return found
