"""Who sent it: the schemes that senders sign or identify themselves with, compared in constant time.

Every function answers False for what is missing, stale, foreign or garbled, and for an empty secret;
none raises.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime

TOLERANCE = 300  # seconds that a signed timestamp may be off

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_WHSEC = b"whsec_"
_SIGNATURES = 20  # read of one webhook-signature header


def header(headers: Mapping[str, str], name: str) -> str:
    """Return a header's value, whatever the case of its name; "" when it is not there."""
    name = name.lower()
    return next((value for key, value in headers.items() if key.lower() == name), "")


def same(secret: bytes, given: bytes) -> bool:
    """Compare bytes in constant time; an empty secret equals nothing."""
    return bool(secret) and hmac.compare_digest(secret, given)


def hex_signature(secret: bytes, content: bytes, signature: str) -> bool:
    """Check a hexadecimal HMAC-SHA256 of the content."""
    given = signature.strip()
    if not secret or not _HEX.fullmatch(given):
        return False
    return hmac.compare_digest(hmac.digest(secret, content, hashlib.sha256), bytes.fromhex(given))


def prefixed(secret: bytes, body: bytes, headers: Mapping[str, str]) -> bool:
    """Check `X-Webhook-Signature: sha256=<hex HMAC of the raw body>`."""
    given = header(headers, "X-Webhook-Signature").strip()
    return given.startswith("sha256=") and hex_signature(secret, body, given.removeprefix("sha256="))


def fresh(timestamp: str, now: datetime) -> bool:
    """Tell whether a Unix time in seconds lies within 5 minutes of `now` (aware)."""
    digits = timestamp.strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        return False
    return abs(now.timestamp() - int(digits)) <= TOLERANCE


def standard(secret: bytes, body: bytes, headers: Mapping[str, str], now: datetime) -> bool:
    """Check Standard Webhooks 1.0 (`webhook-id`, `-timestamp`, `-signature`, v1); a stale one is refused."""
    message, timestamp = header(headers, "webhook-id").strip(), header(headers, "webhook-timestamp").strip()
    key = _key(secret)
    if not key or not message or not fresh(timestamp, now):
        return False
    content = _encoded(message) + b"." + timestamp.encode() + b"." + body
    expected = b"v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256))
    given = header(headers, "webhook-signature").split()[:_SIGNATURES]
    return any(hmac.compare_digest(expected, _encoded(each)) for each in given)


def _key(secret: bytes) -> bytes:
    if not secret.startswith(_WHSEC):
        return secret
    return _decoded(secret.removeprefix(_WHSEC))


def token(secret: bytes, headers: Mapping[str, str], query_token: str = "") -> bool:
    """Compare what an unsigned request carries: a Bearer token, a Basic password, or `?token=`.

    With Basic the secret is the password, or `user:password`. The header goes first.
    """
    scheme, _, value = header(headers, "Authorization").strip().partition(" ")
    if scheme.lower() == "bearer":
        return same(secret, _encoded(value.strip()))
    if scheme.lower() == "basic":
        return _basic(secret, value.strip())
    return same(secret, query_token.encode("utf-8", "surrogatepass"))


def _basic(secret: bytes, value: str) -> bool:
    pair = _decoded(_encoded(value))
    _, colon, password = pair.partition(b":")
    whole, part = same(secret, pair), same(secret, password)
    return bool(colon) and (whole or part)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _encoded(value: str) -> bytes:
    """Return a header's bytes as they came: servers hand them over as ISO 8859-1."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
