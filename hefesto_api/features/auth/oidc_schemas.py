"""The wire form of signing in with a provider."""

from __future__ import annotations

from marshmallow import fields as basic

from hefesto_api.web.schemas import Schema


class ProviderLinkSchema(Schema):
    """Where the browser goes, so that the provider's account becomes one's own."""

    authorization_url = basic.String(required=True)
