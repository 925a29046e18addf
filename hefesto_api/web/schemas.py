"""The schemas of the wire that belong to no feature: the envelope, errors, and the wrapping of the others."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields

from hefesto_api.web.envelope import STATUS


class Schema(ma.Schema):
    """The base of every schema of ours: what it does not know, it ignores."""

    class Meta:
        """Clients send more than we know."""

        unknown = ma.EXCLUDE


class ErrorBody(Schema):
    """What went wrong."""

    code = fields.String(required=True, validate=ma.validate.OneOf(list(STATUS)))
    message = fields.String(required=True)
    details = fields.Dict(required=True, keys=fields.String())


class ErrorAnswer(Schema):
    """The envelope of an error."""

    success = fields.Boolean(required=True, validate=ma.validate.Equal(False))
    data = fields.Dict(required=True, allow_none=True)
    error = fields.Nested(ErrorBody, required=True)
    timestamp = fields.DateTime(required=True)


class Problem(Schema):
    """An error as RFC 9457 problem details."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    code = fields.String(required=True, validate=ma.validate.OneOf(list(STATUS)))
    details = fields.Dict(required=True, keys=fields.String())


_wrappers: dict[tuple[object, ...], ma.Schema] = {}


def wrapped(schema: ma.Schema | None) -> ma.Schema:
    """Return the envelope's schema around a schema; the same one for the same class and modifiers."""
    key = _identity(schema) if schema is not None else (None,)
    if key not in _wrappers:
        _wrappers[key] = _wrapper(schema)
    return _wrappers[key]


def name_of(schema: ma.Schema | type[ma.Schema]) -> str | None:
    """Name a schema in the OpenAPI document; None (written out in place) for a part of a schema."""
    if isinstance(schema, ma.Schema) and (schema.only or schema.exclude or schema.partial):
        return None
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema") or kind.__name__


def _identity(schema: ma.Schema) -> tuple[object, ...]:
    only = frozenset(schema.only) if schema.only is not None else None
    return type(schema), schema.many, only, frozenset(schema.exclude), str(schema.partial)


def _wrapper(schema: ma.Schema | None) -> ma.Schema:
    name = (name_of(schema) if schema is not None else "Empty") or f"{type(schema).__name__}Part"
    data = _data(schema)
    members = {
        "success": fields.Boolean(required=True, validate=ma.validate.Equal(True)),
        "data": data,
        "error": fields.Dict(required=True, allow_none=True),
        "timestamp": fields.DateTime(required=True),
    }
    kind: type[ma.Schema] = type(
        f"{name}{'List' if schema is not None and schema.many else ''}Answer", (Schema,), members
    )
    partial = schema is not None and name_of(schema) is None
    return kind(only=tuple(members)) if partial else kind()


def _data(schema: ma.Schema | None) -> fields.Field[Any]:
    if schema is None:
        return fields.Raw(required=True, allow_none=True)
    return fields.Nested(schema, required=True)
