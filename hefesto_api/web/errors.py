"""What can be wrong with a call as a call: the errors that only HTTP has."""

from __future__ import annotations

from typing import Any

from hefesto_api.domain.errors import HefestoError


class ValidationFailed(HefestoError):
    """Several values do not fit; `errors` is a list of `{field, message, type}`."""

    code = "VALIDATION_ERROR"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("The request's values do not fit.", errors=errors)


class LengthRequired(HefestoError):
    """The body says neither how long it is nor where it ends."""

    code = "MALFORMED_REQUEST"
    status = 411


class NotAcceptable(HefestoError):
    """The answer exists in none of the forms that the client takes."""

    code = "NOT_ACCEPTABLE"


class UnsupportedMediaType(HefestoError):
    """The body is of a type or an encoding that this route does not take."""

    code = "UNSUPPORTED_MEDIA_TYPE"


class AuthenticationRequired(HefestoError):
    """There are no credentials, or they are not good."""

    code = "AUTHENTICATION_REQUIRED"
    headers = {"WWW-Authenticate": 'Bearer realm="hefesto"'}  # noqa: RUF012 - read alone


class InvalidCredentials(AuthenticationRequired):
    """What was shown is no credential, or none that counts (any more); which of these is not told."""

    headers = {"WWW-Authenticate": 'Bearer realm="hefesto", error="invalid_token"'}  # noqa: RUF012 - read alone


class InvalidSignature(HefestoError):
    """The request does not show that it comes from who holds the secret."""

    code = "INVALID_SIGNATURE"
    headers = {"WWW-Authenticate": 'Bearer realm="hefesto"'}  # noqa: RUF012 - read alone


class InsufficientPermissions(HefestoError):
    """The caller may not do this."""

    code = "INSUFFICIENT_PERMISSIONS"

    def __init__(self, message: str, required_scope: str | None = None, **details: Any) -> None:
        super().__init__(message, required_scope=required_scope, **details)
