"""The documentation of the API as pages that need no internet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from flask import Blueprint, current_app, redirect

from hefesto_api.adapters import heap
from hefesto_api.web import assets, openapi
from hefesto_api.web.envelope import Answer
from hefesto_api.web.limits import unlimited
from hefesto_api.web.scopes import public

if TYPE_CHECKING:
    from flask import Response
    from werkzeug import Response as BaseResponse

blp = Blueprint("pages", __name__)
_KEY = "hefesto.openapi_json"


@blp.get("/openapi.json")
@public
def openapi_json() -> Response:
    """Answer the OpenAPI document."""
    kept = current_app.extensions
    if _KEY not in kept:
        kept[_KEY] = heap.fitted(orjson.dumps(openapi.document(current_app)))
    answer = Answer(kept[_KEY])
    answer.data_json = kept[_KEY]
    return answer


@blp.get("/docs")
@public
def swagger_ui() -> Response:
    """Show the document in Swagger UI."""
    return assets.page("swagger.html", assets.VIEWER_POLICY)


@blp.get("/redoc")
@public
def redoc() -> Response:
    """Show the document in ReDoc."""
    return assets.page("redoc.html", assets.VIEWER_POLICY)


@blp.get("/docs/assets/<name>")
@public
@unlimited
def asset(name: str) -> Response:
    """Answer a file that the pages load."""
    return assets.answer(name)


@blp.get("/api/v1/<any('docs', 'redoc', 'openapi.json'):page>")
@public
def versioned(page: str) -> BaseResponse:
    """Lead from the versioned address to the page."""
    return redirect(f"/{page}", 302)
