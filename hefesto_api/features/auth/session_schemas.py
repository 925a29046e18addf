"""The wire forms of logging in, of sessions and of second factors."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields as basic

from hefesto_api.domain.access import ROLES, TIERS
from hefesto_api.domain.credentials import LONGEST
from hefesto_api.domain.emails import MOST as LONGEST_EMAIL
from hefesto_api.domain.passwords import LEAST, MOST
from hefesto_api.web import fields
from hefesto_api.web.schemas import Schema

_LONGEST_CODE = 64
_LONGEST_TYPED = 1024  # of a password that is compared: what is too long to be one is merely wrong


def _secret(most: int = _LONGEST_TYPED, **options: Any) -> basic.String:
    return fields.text(most, load_only=True, **options)


class RegistrationSchema(Schema):
    """Somebody who wants an account."""

    email = fields.email(required=True)
    password = _secret(
        MOST,
        required=True,
        metadata={"description": f"At least {LEAST} characters, of any kind; not one of the commonest."},
    )
    name = fields.text(200, least=1)


class LoginSchema(Schema):
    """Somebody who logs in; `totp` is a code of the authenticator app, or a backup code."""

    email = fields.text(LONGEST_EMAIL, required=True)
    password = _secret(required=True)
    totp = _secret(_LONGEST_CODE)


class RefreshSchema(Schema):
    """A refresh token, which is good once."""

    refresh_token = _secret(LONGEST, required=True)


class LogoutSchema(Schema):
    """Which session ends: by its refresh token, if not the one of the access token."""

    MAY_BE_ABSENT = True

    refresh_token = _secret(LONGEST)


class ProviderSchema(Schema):
    """A provider of identities: what it is called, and where a browser begins to sign in with it."""

    name = basic.String(required=True)
    login_url = basic.String(required=True)


class MethodsSchema(Schema):
    """How one gets in: whether credentials are wanted at all, and by which provider; null for none."""

    required = basic.Boolean(required=True)
    oidc = basic.Nested(ProviderSchema, required=True, allow_none=True)


class IssuedSchema(Schema):
    """What a client has a session with; `expires_in` are the seconds that the access token is good."""

    access_token = basic.String(required=True)
    refresh_token = basic.String(required=True)
    token_type = basic.String(required=True, validate=ma.validate.Equal("Bearer"))
    expires_in = basic.Integer(required=True)


class MeSchema(Schema):
    """Who calls; `kind` is user, key or client, and what only users have is null for the others."""

    id = basic.String(required=True)
    kind = basic.String(required=True)
    name = basic.String(required=True)
    email = basic.String(required=True, allow_none=True)
    role = basic.String(required=True, allow_none=True, validate=ma.validate.OneOf(tuple(ROLES)))
    scopes = basic.List(basic.String(), required=True)
    projects = basic.List(basic.String(), required=True, allow_none=True)
    tier = basic.String(required=True, validate=ma.validate.OneOf(TIERS))
    mfa_enabled = basic.Boolean(required=True, allow_none=True)
    backup_codes_left = basic.Integer(required=True, allow_none=True)
    session_id = basic.String(required=True, allow_none=True)
    created_at = basic.DateTime(required=True, allow_none=True)
    last_login_at = basic.DateTime(required=True, allow_none=True)


class PasswordSchema(Schema):
    """A change of one's own password."""

    current_password = _secret(required=True)
    new_password = _secret(MOST, required=True)


class SessionSchema(Schema):
    """A session; `expires_at` is when it ends unless it is used."""

    id = basic.UUID(required=True)
    ip_address = basic.String(required=True)
    user_agent = basic.String(required=True)
    is_current = basic.Boolean(required=True)
    created_at = basic.DateTime(required=True)
    last_used_at = basic.DateTime(required=True)
    expires_at = basic.DateTime(required=True)


class SessionsSchema(Schema):
    """One's own sessions."""

    sessions = basic.List(basic.Nested(SessionSchema), required=True)


class EndedSchema(Schema):
    """How many sessions were ended."""

    ended = basic.Integer(required=True)


class TicketSchema(Schema):
    """A ticket for one socket; `expires_in` are seconds."""

    ticket = basic.String(required=True)
    expires_in = basic.Integer(required=True)


class ConfirmationSchema(Schema):
    """The password once more; not needed in the first minutes after a login."""

    MAY_BE_ABSENT = True

    password = _secret()


class CodeSchema(ConfirmationSchema):
    """A code of the second factor, called `totp` or `code`."""

    MAY_BE_ABSENT = False

    totp = _secret(_LONGEST_CODE, required=True)

    @ma.pre_load
    def take_either(self, data: Any, **_: Any) -> Any:
        """Take the other name."""
        if isinstance(data, dict) and "totp" not in data and "code" in data:
            return {**data, "totp": data["code"]}
        return data


class FactorSchema(Schema):
    """A second factor to be: for the app, typed or as the content of a QR code."""

    secret = basic.String(required=True)
    otpauth_uri = basic.String(required=True)


class BackupCodesSchema(Schema):
    """Codes for when the app is lost, each good once; they are shown this once."""

    enabled = basic.Boolean(required=True)
    backup_codes = basic.List(basic.String(), required=True)
