"""The wire form of signing in with a provider."""

from __future__ import annotations

from marshmallow import fields as basic

from hefesto_api.web.schemas import Schema


class ProviderLinkSchema(Schema):
    """Where the browser goes, so that the provider's account becomes one's own."""

    authorization_url = basic.String(required=True)


class ProviderIdentitySchema(Schema):
    """An account at a provider that stands for oneself; `email` is what was said when the two were linked."""

    id = basic.UUID(required=True)
    issuer = basic.String(required=True)
    subject = basic.String(required=True)
    email = basic.String(required=True, allow_none=True)
    created_at = basic.DateTime(required=True)


class IdentitiesSchema(Schema):
    """The accounts at providers that stand for oneself."""

    identities = basic.List(basic.Nested(ProviderIdentitySchema), required=True)
