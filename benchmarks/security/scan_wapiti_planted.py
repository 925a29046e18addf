"""The fault that wapiti must find: a page that writes what it is sent, as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response
from hefesto_api.app import FEATURES, create_app
from hefesto_api.web import fields
from hefesto_api.web.blueprint import Blueprint
from hefesto_api.web.schemas import Schema
from hefesto_api.web.scopes import require

if TYPE_CHECKING:
    from flask import Flask

blp = Blueprint("planted", url_prefix="/api/v1/planted", description="A fault.")


class GreetingQuery(Schema):
    """Whom to greet."""

    name = fields.text(2000)


@blp.route("", methods=["GET"])
@require("read:config")
@blp.arguments(GreetingQuery, location="query")
@blp.response(200, content_type="text/html")
def greet(query: dict[str, Any]) -> Response:
    """Greet somebody."""
    return Response(f"<html><body><p>Hello {query.get('name', '')}</p></body></html>", mimetype="text/html")


class _Planted:
    blp = blp


def app() -> Flask:
    """Make the service with its fault."""
    return create_app(features=(*FEATURES, _Planted()))
