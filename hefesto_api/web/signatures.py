"""Signed requests: who calls with such a key shows with each request that he also holds its signing secret.

That secret never travels. What is signed says what is asked for, when, and with which body, so that a request
that somebody saw can be neither changed nor sent again.
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Flask, g, request

from hefesto_api.domain import clock
from hefesto_api.storage import signing_secrets
from hefesto_api.web import body
from hefesto_api.web.context import runtime
from hefesto_api.web.errors import InvalidSignature
from hefesto_api.web.scopes import principal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hefesto_api.domain.access import Principal

WINDOW = timedelta(minutes=5)
_ORIGIN = re.compile(r"^[A-Za-z]+://[^/?]*")  # as proxies are asked: GET http://host/path
_TIMESTAMP = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?", re.ASCII)
_SIGNATURE = re.compile(r"sha256=([0-9a-fA-F]{64})", re.ASCII)


def install(app: Flask) -> None:
    """Check the requests of keys that must sign, behind what finds out who calls."""
    app.before_request(verify)
    app.teardown_request(let_go)


def verify() -> None:
    """Let in a request of a key that must sign if it is signed, lately, and was not seen before.

    Raises InvalidSignature with the reason: missing, malformed, stale, wrong or replayed.
    """
    caller = principal()
    if not caller.must_sign:
        return
    timestamp, given = _given(request.environ)
    moment = _fresh(timestamp)
    g.signed_body, body_hash = body.spooled(request.environ, runtime().settings.max_upload_mb * body.MEGABYTE)
    signed = "\n".join((request.method, target(request.environ), timestamp, body_hash)).encode(
        "latin-1", "replace"
    )
    if not _is_by(caller, signed, given):
        raise InvalidSignature("The signature is not that of this request.", reason="wrong")
    _refuse_replay(caller, given, until=moment + WINDOW + timedelta(seconds=1))


def let_go(_error: BaseException | None = None) -> None:
    """Close the file that a body was read into."""
    spool = g.pop("signed_body", None)
    if spool is not None:
        spool.close()


def target(environ: Mapping[str, Any]) -> str:
    """Return the path and query as the client sent them, byte for byte."""
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if raw.startswith("/"):
        return raw
    if raw:
        return _ORIGIN.sub("", raw)
    query = environ.get("QUERY_STRING", "")
    return quote(environ.get("PATH_INFO", "").encode("latin-1")) + (f"?{query}" if query else "")


def _given(environ: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the timestamp and the signature that a request brings."""
    timestamp, text = environ.get("HTTP_X_SIGNATURE_TIMESTAMP", ""), environ.get("HTTP_X_SIGNATURE", "")
    if not timestamp or not text:
        message = "Requests with this key must be signed: X-Signature-Timestamp and X-Signature."
        raise InvalidSignature(message, reason="missing")
    found = _SIGNATURE.fullmatch(text)
    if found is None or not _TIMESTAMP.fullmatch(timestamp):
        message = (
            "X-Signature is sha256=<64 hexadecimal digits>, X-Signature-Timestamp a Unix time in seconds."
        )
        raise InvalidSignature(message, reason="malformed")
    return timestamp, bytes.fromhex(found[1])


def _fresh(timestamp: str) -> datetime:
    """Return the moment of a signature; raises InvalidSignature when it is not about now."""
    moment = datetime.fromtimestamp(float(timestamp), UTC)
    if abs(clock.now() - moment) > WINDOW:
        message = f"X-Signature-Timestamp is more than {WINDOW.seconds} seconds off."
        raise InvalidSignature(message, reason="stale", server_time=clock.rfc3339(clock.now()))
    return moment


def _is_by(caller: Principal, signed: bytes, given: bytes) -> bool:
    """Tell whether a signature is made with a secret of the key; while it is rotated there are two."""
    held = runtime()
    with held.db.read() as session:
        found = signing_secrets.of_key(session, caller.credential)
    good = False
    for key_hash, sealed in found:
        secret = held.vault.decrypt(sealed, purpose=signing_secrets.PURPOSE, row=key_hash)
        good |= hmac.compare_digest(hmac.digest(secret, signed, sha256), given)
    return good


def _refuse_replay(caller: Principal, given: bytes, *, until: datetime) -> None:
    digest = sha256(caller.credential.encode() + b"\0" + given).hexdigest()
    with runtime().db.write(durable=False, witnessed=False) as session:
        is_new = signing_secrets.is_new(session, digest, until)
    if not is_new:
        message = "This very request was made before; sign it anew to make it again."
        raise InvalidSignature(message, reason="replayed")
