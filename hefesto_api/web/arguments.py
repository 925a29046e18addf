"""Reading a call's arguments into values: bodies strictly, queries by what their route declares."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote_to_bytes

import marshmallow as ma
from flask import Flask, Request, current_app, g, request
from webargs.flaskparser import FlaskParser

from hefesto_api.domain.errors import MalformedRequest
from hefesto_api.web import body, strict_json
from hefesto_api.web.context import runtime
from hefesto_api.web.errors import UnsupportedMediaType, ValidationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KINDS = {"Missing data for required field.": "missing", "Field may not be null.": "null"}
_QUERIES = "hefesto.queries"
_REMEMBERED = 256  # characters of a query
_ANY = "any_query"


class Parser(FlaskParser):
    """webargs' parser with our reading of bodies and our errors."""

    DEFAULT_UNKNOWN_BY_LOCATION = {  # noqa: RUF012 - the library's own declaration
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "json": ma.EXCLUDE,
    }

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        """Return the JSON body; none at all is an empty object to a schema that may be absent."""
        if getattr(schema, "MAY_BE_ABSENT", False) and _is_bodiless(req.environ):
            return {}
        g.body = json_body(req)
        return g.body

    def parse(
        self, argmap: Any, req: Request | None = None, *, location: str | None = None, **more: Any
    ) -> Any:
        """Load a query by its schema at once: webargs' way to that costs more than the loading."""
        if location not in {"query", "querystring"} or not isinstance(argmap, ma.Schema):
            return super().parse(argmap, req, location=location, **more)
        query: str = request.environ.get("QUERY_STRING", "")
        load = _loaded if len(query) <= _REMEMBERED else _loaded.__wrapped__
        try:
            found: dict[str, Any] = load(argmap, query)
        except ma.ValidationError as error:
            raise ValidationFailed(list(flattened(error.messages_dict))) from None
        return {name: value.copy() if isinstance(value, list) else value for name, value in found.items()}

    def handle_error(
        self,
        error: ma.ValidationError,
        req: Request,
        schema: ma.Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Turn marshmallow's messages into ours."""
        messages = next(iter(error.messages_dict.values()))  # webargs puts them under the location's name
        raise ValidationFailed(list(flattened(messages)))


@lru_cache(maxsize=512)
def _loaded(schema: ma.Schema, _query: str) -> dict[str, Any]:
    """Load the query at hand by a schema, whose values come from its text alone.

    Pages ask for the same again and again: to load it took a tenth of what a list takes.
    """
    # `check_query` has refused the unknown.
    loaded: dict[str, Any] = schema.load(_parameters(schema), unknown=ma.EXCLUDE)
    return loaded


def _parameters(schema: ma.Schema) -> dict[str, Any]:
    """Return the query's parameters as a plain dict, lists for those that may be repeated."""
    return {
        name: values if isinstance(_field(schema, name), ma.fields.List) else values[0]
        for name, values in request.args.lists()
    }


def _field(schema: ma.Schema, name: str) -> ma.fields.Field[Any] | None:
    found = schema.load_fields.get(name)
    if found is not None and found.data_key in {None, name}:
        return found
    return next((one for one in schema.load_fields.values() if one.data_key == name), None)


def json_body(req: Request) -> Any:
    """Read, check and parse a JSON body; a call that was meant to have one and has none raises, too."""
    raw = body.read(req.environ, runtime().settings.max_body_mb * body.MEGABYTE)
    if not raw:
        raise MalformedRequest("There is no body: this route takes JSON.")
    _expect_json(req)
    return strict_json.loads(raw)


def _is_bodiless(environ: Mapping[str, Any]) -> bool:
    return environ.get("CONTENT_LENGTH") in {None, "", "0"} and "HTTP_TRANSFER_ENCODING" not in environ


def flattened(messages: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Yield `{field, message, type}` for each of marshmallow's messages; the field is a dotted path."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from flattened(inner, path if key == "_schema" else f"{path}.{key}".lstrip("."))
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            kind = _KINDS.get(message, "invalid")
            yield {"field": path or "body", "message": str(message), "type": kind}


def install(app: Flask) -> None:
    """Check every path and query before its route sees it."""
    app.before_request(check_target)


def declare_queries(app: Flask) -> None:
    """Note which query parameters each route of ours takes; call it when all routes are registered."""
    app.extensions[_QUERIES] = {
        endpoint: declared
        for endpoint, view in app.view_functions.items()
        if (declared := _declared(view)) is not None
    }


def any_query(view: Callable[..., Any]) -> Callable[..., Any]:
    """Declare a route that others send people to, with parameters of their own."""
    view._apidoc = {**getattr(view, "_apidoc", {}), _ANY: True}  # type: ignore[attr-defined] # noqa: SLF001
    return view


def check_target() -> None:
    """Refuse paths and queries that are not clean text, and queries that the route does not declare."""
    environ = request.environ
    path: str = environ.get("PATH_INFO", "")
    if not path.isascii() or "\0" in path:
        _clean(path.encode("latin-1"), "path")
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if "%" in raw and _BROKEN_PERCENT.search(raw):
        raise MalformedRequest("The address holds a percent sign without two hexadecimal digits.")
    query: str = environ.get("QUERY_STRING", "")
    if query:
        _check_query(query)


def _check_query(query: str) -> None:
    if "%" in query or not query.isascii() or "\0" in query:
        if _BROKEN_PERCENT.search(query):
            raise MalformedRequest("The query holds a percent sign without two hexadecimal digits.")
        _clean(unquote_to_bytes(query.encode("latin-1")), "query")
    declared = current_app.extensions[_QUERIES].get(request.endpoint or "")
    if declared is not None and (errors := list(_misfits(declared))):
        raise ValidationFailed(errors)


def _misfits(declared: Mapping[str, bool]) -> Iterator[dict[str, str]]:
    for name, values in request.args.lists():
        if name not in declared:
            near = ", ".join(sorted(declared)) or "none"
            yield {"field": name, "message": f"Unknown parameter; known: {near}.", "type": "unknown"}
        elif len(values) > 1 and not declared[name]:
            yield {"field": name, "message": "Given more than once.", "type": "repeated"}


def _clean(raw: bytes, where: str) -> None:
    if b"\0" in raw:
        raise MalformedRequest(f"The {where} holds a NUL byte.")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise MalformedRequest(f"The {where} is not UTF-8.") from None


def _declared(view: Callable[..., Any]) -> dict[str, bool] | None:
    """Return the query parameters of a view and whether each may be repeated; None: not a view of ours."""
    about = getattr(view, "_apidoc", None)
    if about is None or _ANY in about:
        return None
    parameters = about.get("arguments", {}).get("parameters", [])
    schemas = [item["schema"] for item in parameters if item["in"] in {"query", "querystring"}]
    instances = [schema() if isinstance(schema, type) else schema for schema in schemas]
    return {
        field.data_key or name: isinstance(field, ma.fields.List)
        for schema in instances
        for name, field in schema.load_fields.items()
    }


def _expect_json(req: Request) -> None:
    kind = req.mimetype
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType(
            f"This route takes application/json, not {kind[:100] or 'a body without a type'!r}."
        )
    if req.mimetype_params.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType("JSON is UTF-8; send no other charset.")
