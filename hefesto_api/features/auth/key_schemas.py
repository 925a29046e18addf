"""The wire forms of API keys."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.access import ROLES, SCOPES, TIERS
from hefesto_api.features.auth.keys import FIELDS, LONGEST_GRACE
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

_MOST_PROJECTS = 1000
_MOST_DAYS = 366


def scopes_field(**options: Any) -> basic.List[Any]:
    """Return the field of single scopes."""
    return basic.List(
        fields.Choice(SCOPES),
        validate=ma.validate.Length(max=len(SCOPES)),
        metadata={"uniqueItems": True},
        **options,
    )


def projects_field(**options: Any) -> basic.List[Any]:
    """Return the field of the projects that a caller is bound to; null for all."""
    return basic.List(
        fields.slug(),
        allow_none=True,
        validate=ma.validate.Length(max=_MOST_PROJECTS),
        metadata={
            "uniqueItems": True,
            "description": "Slugs; what lies in others does not exist. null: all.",
        },
        **options,
    )


class ApiKeySchema(Schema):
    """An API key: `hint` is its beginning; `scopes` are all that it may, its role's included."""

    id = basic.UUID(required=True)
    name = basic.String(required=True)
    hint = basic.String(required=True)
    role = basic.String(required=True, allow_none=True)
    scopes = basic.List(basic.String(), required=True)
    projects = basic.List(basic.String(), required=True, allow_none=True)
    tier = basic.String(required=True, validate=ma.validate.OneOf(TIERS))
    user_id = basic.UUID(required=True, allow_none=True)
    created_by = basic.String(required=True)
    is_active = basic.Boolean(required=True)
    require_signature = basic.Boolean(required=True)
    expires_at = basic.DateTime(required=True, allow_none=True)
    last_used_at = basic.DateTime(required=True, allow_none=True)
    rotated_at = basic.DateTime(required=True, allow_none=True)
    created_at = basic.DateTime(required=True)
    updated_at = basic.DateTime(required=True)


class NewSecretSchema(ApiKeySchema):
    """An API key with its secret, which is shown this once."""

    key = basic.String(required=True)
    signing_secret = basic.String(
        metadata={"description": "What its requests are signed with, when they must be; shown this once."}
    )


class RotatedKeySchema(NewSecretSchema):
    """An API key with its new secret; the former one counts until then."""

    former_valid_until = basic.DateTime(required=True, allow_none=True)


class KeyChangeSchema(Schema):
    """What of a key may be changed; a role or scopes replace both."""

    name = fields.text(200, least=1)
    role = fields.Choice(ROLES, allow_none=True)
    scopes = scopes_field()
    projects = projects_field()
    tier = fields.Choice(TIERS)
    expires_at = fields.Moment(end=True, allow_none=True)
    is_active = fields.Flag()


class NewKeySchema(KeyChangeSchema):
    """A key to be: with a role, with scopes, or with both."""

    class Meta(Schema.Meta):
        """A key begins active."""

        exclude = ("is_active",)

    name = fields.text(200, least=1, required=True)
    require_signature = fields.Flag(
        load_default=False, metadata={"description": "Whether its requests must be signed."}
    )
    user_id = basic.UUID(
        allow_none=True, metadata={"description": "Whose it is; only an admin may say so. null: nobody's."}
    )


class RotationSchema(Schema):
    """How a key is rotated."""

    MAY_BE_ABSENT = True

    grace_seconds = fields.Integer(
        load_default=0,
        validate=ma.validate.Range(0, int(LONGEST_GRACE.total_seconds())),
        metadata={"description": "How long the former secret counts beside the new one."},
    )


class KeysQuery(PageQuery):
    """The parameters of the list, which is in the order of creation."""

    FIELDS = FIELDS

    user_id = basic.UUID()
    is_active = fields.QueryFlag()


class UsageQuery(Schema):
    """Of how many days."""

    days = fields.QueryInteger(load_default=30, validate=ma.validate.Range(1, _MOST_DAYS))


class DayUsageSchema(Schema):
    """The requests of a day; `errors` were answered with 400 or more."""

    day = basic.Date(required=True)
    requests = basic.Integer(required=True)
    errors = basic.Integer(required=True)


class RouteUsageSchema(Schema):
    """The requests of a route, as `METHOD /template`."""

    route = basic.String(required=True)
    requests = basic.Integer(required=True)
    errors = basic.Integer(required=True)


class KeyUsageSchema(Schema):
    """What a key asked for; the latest seconds may be missing."""

    class Meta(Schema.Meta):
        """`from` is a word of the language, so the members are given by name."""

        include = {"from": basic.Date(required=True), "to": basic.Date(required=True)}  # noqa: RUF012 - the library's way

    id = basic.UUID(required=True)
    requests = basic.Integer(required=True)
    errors = basic.Integer(required=True)
    last_used_at = basic.DateTime(required=True, allow_none=True)
    by_day = basic.List(basic.Nested(DayUsageSchema), required=True)
    by_route = basic.List(basic.Nested(RouteUsageSchema), required=True)


ApiKeyListSchema = list_schema("ApiKeyList", ApiKeySchema, plural="api_keys")
