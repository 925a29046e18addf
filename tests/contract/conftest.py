"""Every operation of the whole application, as its OpenAPI document tells."""

from __future__ import annotations

import re
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


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of the application."""
    return openapi.document(app)


@pytest.fixture
def operations(document: dict[str, Any]) -> list[Operation]:
    """All operations of the application."""
    found = list(operations_of(document))
    assert len(found) >= 10
    return found
