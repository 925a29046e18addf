"""The one shape of every JSON answer, and the one table from error codes to statuses.

The data is written to bytes once; the envelope is put around those bytes, and the ETag is theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from flask import Flask, Response, g, request
from flask.json.provider import JSONProvider
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.http import HTTP_STATUS_CODES

from hefesto_api.adapters import logs
from hefesto_api.domain import clock
from hefesto_api.domain.errors import HefestoError, NotFound
from hefesto_api.domain.veil import veiled_line

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS = {
    "MALFORMED_REQUEST": 400,
    "INVALID_FILE_PATH": 400,
    "AUTHENTICATION_REQUIRED": 401,
    "INVALID_SIGNATURE": 401,
    "INSUFFICIENT_PERMISSIONS": 403,
    "RESOURCE_NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "NOT_ACCEPTABLE": 406,
    "CONFLICT": 409,
    "PRECONDITION_FAILED": 412,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "VALIDATION_ERROR": 422,
    "RATE_LIMIT_EXCEEDED": 429,
    "ANALYSIS_FAILED": 500,
    "CORRELATION_FAILED": 500,
    "INTERNAL_ERROR": 500,
    "ANALYZER_UNAVAILABLE": 503,
    "STORAGE_ERROR": 503,
    "SERVICE_UNAVAILABLE": 503,
}
# The code of an error that only has a status: the first of the table, but for these.
_CODES = {status: code for code, status in reversed(STATUS.items())} | {
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
PROBLEM = "application/problem+json"
# What stands around the data of a success; behind the latter comes the time.
OPENING, CLOSING = b'{"success":true,"data":', b',"error":null,"timestamp":"'


class Answer(Response):
    """A response that still knows the bytes of its `data`, for the ETag."""

    default_mimetype = "application/json"
    data_json: bytes | None = None


class Wrapped:
    """The data of a successful answer on its way to be written."""

    __slots__ = ("data",)

    def __init__(self, data: Any) -> None:
        self.data = data


class OrjsonProvider(JSONProvider):
    """Flask's door to JSON, by orjson."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Write JSON as text."""
        return to_json(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read JSON; bodies of requests go through `strict_json` instead."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Answer with an object, or with a success that is to be wrapped."""
        if args and isinstance(args[0], Wrapped):
            return success(to_json(args[0].data))
        return Answer(to_json(args[0] if args else kwargs))


def to_json(value: Any) -> bytes:
    """Write a value as JSON: times in UTC with Z, msgspec structs as objects."""
    return orjson.dumps(value, default=msgspec.to_builtins, option=_OPTIONS)


def success(data_json: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Put the envelope around data that is JSON already."""
    now = clock.rfc3339(clock.now()).encode()
    body = OPENING + data_json + CLOSING + now + b'"}'
    answer = Answer(body, status=status, headers=headers)
    answer.data_json = data_json
    return answer


def failure(
    code: str,
    message: str,
    details: Mapping[str, Any] | None = None,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Answer an error: in the envelope, or as RFC 9457 problem details for a client that asks for them."""
    status = status or STATUS[code]
    told = {key: value for key, value in (details or {}).items() if value is not None}
    if status >= 500 and "request_id" in g:
        told.setdefault("request_id", g.request_id)
    if PROBLEM in request.headers.get("Accept", ""):
        problem = veiled_line(_problem(code, message, told, status))
        return Answer(problem, status=status, headers=headers, mimetype=PROBLEM)
    return Answer(failure_json(code, message, told), status=status, headers=headers)


def failure_json(code: str, message: str, details: Mapping[str, Any]) -> bytes:
    """Write an error in the envelope; a credential that a client sent where none belongs is not sent back."""
    error = {"code": code, "message": message, "details": details}
    now = clock.rfc3339(clock.now())
    return veiled_line(to_json({"success": False, "data": None, "error": error, "timestamp": now}))


def phrase(status: int) -> str:
    """Return the reason phrase of a status."""
    return HTTP_STATUS_CODES.get(status, "Error")


def install(app: Flask) -> None:
    """Make every answer of the application an enveloped one, errors included."""
    app.json = OrjsonProvider(app)
    app.response_class = Answer
    app.register_error_handler(HefestoError, answer_domain_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_unexpected_error)


def answer_domain_error(error: HefestoError) -> Answer:
    """Answer an error that the domain has a word for."""
    status = getattr(error, "status", None) or STATUS[error.code]
    if status >= 500:
        # Of what has a known reason there are thousands while a disk is full: it needs no traceback.
        reason = error.details.get("reason") if status == 503 else None
        known = {"reason": reason} if reason not in {None, "failed"} else {"exc_info": error}
        logs.of("errors").error("request_failed", code=error.code, **known)
    details = {"errors": [], **error.details} if error.code == "VALIDATION_ERROR" else error.details
    headers = getattr(error, "headers", None)
    return failure(error.code, error.message, details, status=status, headers=headers)


def answer_http_error(error: HTTPException) -> Response:
    """Answer an error that werkzeug raised; its text is shown, it never holds internals."""
    if error.response is not None:
        return error.response if isinstance(error.response, Response) else Answer(status=error.code)
    status = error.code or 500
    if status == 404:
        return answer_domain_error(NotFound("route", request.path))
    code = _CODES.get(status) or ("MALFORMED_REQUEST" if status < 500 else "INTERNAL_ERROR")
    details = _method_details(error) if isinstance(error, MethodNotAllowed) else {}
    headers = {name: value for name, value in error.get_headers() if name not in {"Content-Type", "Location"}}
    return failure(
        code, error.description or HTTP_STATUS_CODES[status], details, status=status, headers=headers
    )


def answer_unexpected_error(error: Exception) -> Answer:
    """Answer a fault of ours: logged with its traceback, told by the id of the request alone."""
    logs.of("errors").error("request_failed", code="INTERNAL_ERROR", exc_info=error)
    return failure("INTERNAL_ERROR", "The service failed; the log has the details under this request's id.")


def _method_details(error: MethodNotAllowed) -> dict[str, Any]:
    return {"method": request.method, "allowed": sorted(error.valid_methods or ())}


def _problem(code: str, message: str, details: Mapping[str, Any], status: int) -> bytes:
    return to_json(
        {
            "type": "about:blank",
            "title": phrase(status),
            "status": status,
            "detail": message,
            "instance": request.path,
            "code": code,
            "details": details,
        }
    )
