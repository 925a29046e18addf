"""The OpenAPI document: what flask-smorest gathers, completed so that every possible answer is in it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import flask_smorest
import orjson
from apispec.ext.marshmallow import MarshmallowPlugin

from hefesto_api.version import __version__
from hefesto_api.web import fields, limits, schemas
from hefesto_api.web.envelope import PROBLEM, answer_http_error

if TYPE_CHECKING:
    from flask import Flask, Response
    from werkzeug.exceptions import HTTPException

VERSION = "3.0.3"
KEY = "hefesto.openapi"
# Our own names: those of http.HTTPStatus differ between versions of Python.
ERRORS = {
    400: ("MalformedRequest", "The request cannot be read."),
    401: ("AuthenticationRequired", "There are no credentials, or they are not good."),
    403: ("InsufficientPermissions", "The caller may not do this."),
    404: ("NotFound", "There is no such resource."),
    406: ("NotAcceptable", "The answer exists in none of the accepted forms."),
    409: ("Conflict", "The state of the resource does not allow this."),
    411: ("LengthRequired", "The body does not say how long it is."),
    412: ("PreconditionFailed", "If-Match does not hold."),
    413: ("PayloadTooLarge", "The body is larger than the limit."),
    415: ("UnsupportedMediaType", "The body is of a type that this route does not take."),
    422: ("ValidationError", "Values do not fit; `details.errors` says which."),
    429: ("RateLimitExceeded", "Too many requests; see Retry-After."),
    500: ("InternalError", "The service failed; `details.request_id` finds the cause in its log."),
    503: ("ServiceUnavailable", "A part of the service cannot take this now."),
}
_ALWAYS = (400, 403, 406, 500, 503)
_WITH_BODY = (411, 413, 415, 422)


class Api(flask_smorest.Api):  # type: ignore[misc] # flask-smorest is untyped
    """flask-smorest's registry with our errors and our component names.

    It describes the routes when somebody first asks: that took two thirds of the time that making an
    application takes, in every process, and most of them are never asked.
    """

    ERROR_SCHEMA = schemas.ErrorAnswer

    def __init__(self, app: Flask, **options: Any) -> None:
        self._undescribed: list[flask_smorest.Blueprint] = []
        self._describing = threading.Lock()
        super().__init__(app, **options)

    def register_blueprint(self, blp: flask_smorest.Blueprint) -> None:
        """Register a blueprint's routes; they are described later."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp)
        self._undescribed.append(blp)

    def described(self) -> dict[str, Any]:
        """Return the document, with all routes that are registered."""
        with self._describing:
            for blp in self._undescribed:
                blp.register_views_in_doc(self, self._app, self.spec, name=blp.name, parameters=None)
                self.spec.tag({"name": blp.name, "description": blp.description})
            self._undescribed.clear()
            return cast("dict[str, Any]", self.spec.to_dict())

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an HTTP error in the envelope."""
        return answer_http_error(error)

    def _register_pagination_header(self) -> None:
        """Leave flask-smorest's own way of paging out of the document."""

    def _register_etag_headers(self) -> None:
        """Leave its way of tagging out as well."""

    def _register_responses(self) -> None:
        for name, description in (*ERRORS.values(), ("DEFAULT_ERROR", "Any other error.")):
            self.spec.components.response(name, _error_response(description), lazy=True)


def install(app: Flask) -> Api:
    """Make the registry of an application's documented routes."""
    app.config.update(API_TITLE="Hefesto API", API_VERSION=__version__, OPENAPI_VERSION=VERSION)
    plugin = MarshmallowPlugin(schema_name_resolver=cast("Any", schemas.name_of))
    api = Api(app, spec_kwargs={"marshmallow_plugin": plugin, "info": _INFO})
    fields.register(plugin)
    api.spec.components.security_scheme("bearerAuth", _BEARER)
    app.extensions[KEY] = api
    return api


def document(app: Flask) -> dict[str, Any]:
    """Return the OpenAPI document of an application, the same for the same routes."""
    api: Api = app.extensions[KEY]
    return api.described()


def document_text(app: Flask) -> bytes:
    """Write the document for people and for version control."""
    return orjson.dumps(document(app), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def complete_operation(
    doc: dict[str, Any], about: dict[str, Any], *, method: str, **_: Any
) -> dict[str, Any]:
    """Add to an operation its id, its scope and the errors that it can answer."""
    doc["operationId"] = about["operation_id"]
    scope = about.get("scope")
    doc["security"] = [{"bearerAuth": []}, {}] if _asks(about) else []
    if scope:
        doc["x-required-scope"] = scope
    if about.get("takes_much"):
        doc["x-body-limit"] = "HEFESTO_MAX_UPLOAD_MB"
    responses = doc.setdefault("responses", {})
    for status in _possible(doc, about, method):
        responses[status] = _named(responses.get(status), status)
    return doc


def _asks(about: dict[str, Any]) -> bool:
    """Tell whether a route asks who calls."""
    return "scope" in about or "authenticated" in about


def _possible(doc: dict[str, Any], about: dict[str, Any], method: str) -> list[int]:
    statuses = [*_ALWAYS, 401] if _asks(about) else list(_ALWAYS)
    if not limits.is_unlimited(about):
        statuses.append(429)
    if about["has_path_parameters"]:
        statuses.append(404)
    if doc.get("parameters"):
        statuses.append(422)
    if "requestBody" in doc or "requestBody" in about.get("manual_doc", {}):
        statuses.extend(_WITH_BODY)
    if method in {"put", "patch", "delete"}:
        statuses.append(412)
    return sorted(set(statuses))


def _named(present: Any, status: int) -> Any:
    """Keep what a route says of a status itself; name our own response where it says nothing."""
    return present if isinstance(present, dict) else ERRORS[status][0]


def _error_response(description: str) -> dict[str, Any]:
    content = {
        "application/json": {"schema": schemas.ErrorAnswer},
        PROBLEM: {"schema": schemas.Problem},
    }
    return {"description": description, "content": content}


_INFO = {
    "description": "Knows where code is weak and, when production breaks, which line, why, and how sure.",
    "license": {"name": "MIT"},
}
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key or an access token. Optional in open mode.",
}
