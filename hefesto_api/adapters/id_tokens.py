"""ID tokens of an OpenID provider (OpenID Connect Core 1.0, section 3.1.3.7): who signed, for whom, and when.

A token chooses neither its key nor its algorithm: the key is one that the provider publishes for signing, and
its kind tells which algorithms there can be.
"""

from __future__ import annotations

from datetime import timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, NamedTuple

import jwt

from hefesto_api.domain import clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST = 16 * 1024  # bytes
SKEW = timedelta(seconds=60)  # by which the provider's clock may differ from ours
OLDEST = timedelta(minutes=10)  # since the token was made: it comes straight from the provider
_LONGEST_SUBJECT = 255
_ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}
_REQUIRED = ("iss", "sub", "aud", "exp", "iat")
_LEAST_RSA_BITS = 2048
_LATEST = 1e15  # seconds


class Untrusted(Exception):
    """A token is not one to believe; the message says why, for the log."""


class UnknownKey(Untrusted):
    """A token names a key that is not among those at hand."""


class Key(NamedTuple):
    """A key that the provider signs with, and the algorithms that it can be for."""

    id: str | None
    public: Any
    algorithms: tuple[str, ...]


class Expected(NamedTuple):
    """What a token must say."""

    issuer: str
    audience: str
    nonce: str


def read_keys(document: Any) -> list[Key]:
    """Return the signing keys of a JWK set (RFC 7517), leaving out what cannot be one."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise Untrusted("The provider's keys are no JWK set.")
    return list(_usable(listed))


def verify(text: str, keys: list[Key], expected: Expected) -> dict[str, Any]:
    """Return what a token says; raises UnknownKey when a newer set of keys may help, else Untrusted."""
    if len(text) > LONGEST:
        raise Untrusted("The ID token is too long.")
    try:
        header = jwt.get_unverified_header(text)
    except (jwt.PyJWTError, ValueError) as error:
        raise Untrusted("The ID token is none.") from error
    key = _chosen(keys, header)
    claims = _signed(text, key)
    _check(claims, expected)
    return claims


def _usable(listed: list[Any]) -> Iterator[Key]:
    for item in listed:
        algorithms = _ALGORITHMS.get(str(item.get("kty"))) if isinstance(item, dict) else None
        if algorithms is None or item.get("use", "sig") != "sig" or "d" in item:
            continue
        try:
            public = jwt.PyJWK(item, algorithm=algorithms[0] if item["kty"] != "EC" else _of_curve(item)).key
        except (jwt.PyJWTError, ValueError, KeyError, TypeError):
            continue
        if item["kty"] == "RSA" and public.key_size < _LEAST_RSA_BITS:
            continue
        named = item.get("alg")
        if named is None or named in algorithms:
            yield Key(item.get("kid"), public, algorithms if named is None else (named,))


def _of_curve(item: Mapping[str, Any]) -> str:
    return {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[item["crv"]]


def _chosen(keys: list[Key], header: Mapping[str, Any]) -> Key:
    """Return the key that a token names, or the only one there is."""
    algorithm, named = header.get("alg"), header.get("kid")
    fitting = [key for key in keys if algorithm in key.algorithms and named in {None, key.id}]
    if not fitting:
        raise UnknownKey("The ID token is signed by none of the provider's keys.")
    if len(fitting) > 1:
        raise Untrusted("The ID token does not say which of the provider's keys signed it.")
    return fitting[0]


def _signed(text: str, key: Key) -> dict[str, Any]:
    # Claims are ours to check, by the one clock.
    options: Any = {"require": list(_REQUIRED), "verify_aud": False, "verify_iss": False, "verify_exp": False,
                    "verify_iat": False, "verify_nbf": False, "verify_sub": False}  # fmt: skip
    try:
        return jwt.decode(text, key.public, algorithms=list(key.algorithms), options=options)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Untrusted(f"The ID token's signature does not hold ({type(error).__name__}).") from error


def _check(claims: Mapping[str, Any], expected: Expected) -> None:
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    now = clock.now().timestamp()
    if claims["iss"] != expected.issuer:
        raise Untrusted("The ID token is another issuer's.")
    if expected.audience not in audience:
        raise Untrusted("The ID token is for somebody else.")
    if claims.get("azp", expected.audience) != expected.audience or (
        len(audience) > 1 and "azp" not in claims
    ):
        raise Untrusted("The ID token was given to somebody else.")
    if not _number(claims["exp"]) > now - SKEW.total_seconds():
        raise Untrusted("The ID token has expired.")
    if not now - OLDEST.total_seconds() < _number(claims["iat"]) < now + SKEW.total_seconds():
        raise Untrusted("The ID token was not made just now.")
    if _number(claims.get("nbf", 0)) > now + SKEW.total_seconds():
        raise Untrusted("The ID token is not good yet.")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not compare_digest(
        nonce.encode(errors="replace"), expected.nonce.encode()
    ):
        raise Untrusted("The ID token answers another sign-in.")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= _LONGEST_SUBJECT:
        raise Untrusted("The ID token does not say who signed in.")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LATEST:
        raise Untrusted("The ID token's times are no numbers.")
    return float(value)
