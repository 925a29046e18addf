"""The wire forms of OAuth clients."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.access import SCOPES, TIERS
from hefesto_api.domain.redirects import LONGEST, is_redirect_uri
from hefesto_api.features.auth.oauth.clients import FIELDS, GRANT_TYPES
from hefesto_api.web import fields
from hefesto_api.web.paging import PageQuery, list_schema
from hefesto_api.web.schemas import Schema

_ONCE = {"description": "Shown this once; only a hash of it is kept. Null for a public client."}
_URIS = {
    "description": "Where answers may be sent, compared to the letter: https, or http on loopback.",
    "uniqueItems": True,
}
_MOST_URIS = 20


def _redirect_uri(value: str) -> None:
    if not is_redirect_uri(value):
        raise ma.ValidationError(
            "An address by https (by http only on loopback), without user, fragment or odd characters."
        )


def _scopes(**options: Any) -> basic.List[Any]:
    return basic.List(
        fields.Choice(SCOPES),
        validate=ma.validate.Length(1, len(SCOPES)),
        metadata={"description": "What it may do at most; never more than its maker."},
        **options,
    )


def _projects(**options: Any) -> basic.List[Any]:
    return basic.List(
        fields.slug(),
        validate=ma.validate.Length(max=1000),
        allow_none=True,
        metadata={"description": "Where it may do that; null is wherever its maker may."},
        **options,
    )


class OAuthClientSchema(Schema):
    """An OAuth client; `id` is its client_id."""

    id = basic.UUID(required=True)
    name = basic.String(required=True)
    confidential = basic.Boolean(required=True)
    grant_types = basic.List(basic.String(), required=True)
    redirect_uris = basic.List(basic.String(), required=True)
    scopes = basic.List(basic.String(), required=True)
    projects = basic.List(basic.String(), required=True, allow_none=True)
    tier = basic.String(required=True)
    user_id = basic.String(
        required=True, allow_none=True, metadata={"description": "Whose it is; null: the installation's."}
    )
    created_by = basic.String(required=True)
    is_active = basic.Boolean(required=True)
    last_used_at = basic.DateTime(required=True, allow_none=True)
    rotated_at = basic.DateTime(required=True, allow_none=True)
    created_at = basic.DateTime(required=True)
    updated_at = basic.DateTime(required=True)


class MadeOAuthClientSchema(OAuthClientSchema):
    """A client with its secret."""

    client_secret = basic.String(required=True, allow_none=True, metadata=_ONCE)


class _Given(Schema):
    """What may be said of a client in any case."""

    redirect_uris = basic.List(
        basic.String(validate=[ma.validate.Length(max=LONGEST), _redirect_uri]),
        validate=ma.validate.Length(max=_MOST_URIS),
        metadata=_URIS,
    )
    grant_types = basic.List(
        fields.Choice(GRANT_TYPES),
        validate=ma.validate.Length(1, len(GRANT_TYPES)),
        metadata={"uniqueItems": True},
    )
    tier = fields.Choice(TIERS)

    @ma.post_load
    def once(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Keep each member of a list once."""
        for name in ("scopes", "projects"):
            if data.get(name) is not None:
                data[name] = sorted(set(data[name]))
        for name in ("redirect_uris", "grant_types"):
            if name in data:
                data[name] = list(dict.fromkeys(data[name]))
        return data


class OAuthClientChangeSchema(_Given):
    """What of a client may be changed."""

    name = fields.text(200, least=1)
    scopes = _scopes()
    projects = _projects()
    is_active = fields.Flag()


class NewOAuthClientSchema(_Given):
    """A client to be."""

    name = fields.text(200, least=1, required=True)
    confidential = fields.Flag(
        load_default=True,
        metadata={
            "description": "Whether it can keep a secret: a page or an app on somebody's device cannot."
        },
    )
    scopes = _scopes(required=True)
    projects = _projects(load_default=None)

    @ma.post_load
    def complete(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Fill in what follows: with redirect URIs people are asked, without a client calls for itself."""
        uris = data.setdefault("redirect_uris", [])
        data.setdefault(
            "grant_types", ["authorization_code", "refresh_token"] if uris else ["client_credentials"]
        )
        return data


class OAuthClientsQuery(PageQuery):
    """The parameters of the list, the oldest first."""

    FIELDS = FIELDS


OAuthClientListSchema = list_schema("OAuthClientList", OAuthClientSchema, plural="oauth_clients")


class OAuthGrantSchema(Schema):
    """What you let a client do in your name."""

    id = basic.UUID(required=True)
    client_id = basic.UUID(required=True)
    client = basic.String(required=True, metadata={"description": "The client's name."})
    scopes = basic.List(basic.String(), required=True)
    created_at = basic.DateTime(required=True)
    expires_at = basic.DateTime(required=True, metadata={"description": "When it ends unless it is renewed."})


class OAuthGrantsSchema(Schema):
    """All that you let clients do."""

    oauth_grants = basic.List(basic.Nested(OAuthGrantSchema), required=True)
