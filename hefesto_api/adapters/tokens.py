"""Access tokens: JWTs (RFC 9068) signed with Ed25519 by keys that rotate.

The header of a token is never interpreted: it must be, byte for byte, one that we write. So a token cannot
choose its algorithm, point to a key of its own, or ask for an extension.
"""

from __future__ import annotations

import re
import threading
import time
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hefesto_api.adapters.secrets import SecretUnreadable
from hefesto_api.domain import clock, ids, signing
from hefesto_api.domain.claims import Claims
from hefesto_api.domain.errors import ServiceUnavailable
from hefesto_api.domain.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hefesto_api.adapters.secrets import Vault

ACCESS_SECONDS = 1800
LONGEST_SECONDS = 86_400  # that any token is good
LONGEST = 4096  # bytes
ISSUER = "urn:hefesto"
AUDIENCE = "urn:hefesto:api"
ALGORITHM = "EdDSA"
TYPE = "at+jwt"
SKEW = timedelta(seconds=5)  # by which the clocks of two of our machines may differ
_FRESH_SECONDS = 0.5  # after which the keys are read again, since somebody may have withdrawn one
_JWS = jwt.PyJWS([ALGORITHM])
_CLAIMS = msgspec.json.Decoder(Claims)  # strict in types, and all that has no default is required
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class InvalidToken(Exception):
    """A text is no access token of ours, or no longer (or not yet) one; the message says which, for logs."""


class Shelf(Protocol):
    """Where signing keys are kept."""

    def every(self) -> list[SigningKey]:
        """Return all keys."""

    def add(self, key: SigningKey, *, unless_since: datetime) -> None:
        """Keep a key, unless another was made since."""


class _Ring(NamedTuple):
    """The keys as they were read at a time of the monotonic clock, by the header that names each."""

    read_at: float
    by_header: Mapping[str, SigningKey]

    @property
    def keys(self) -> list[SigningKey]:
        """All of them."""
        return list(self.by_header.values())


class Tokens:
    """Mints and verifies the access tokens of one installation; safe to use from several threads."""

    def __init__(self, vault: Vault, shelf: Shelf, *, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self._vault = vault
        self._shelf = shelf
        self._ring = _Ring(0.0, {})
        self._private: dict[str, Ed25519PrivateKey] = {}
        self._lock = threading.Lock()

    def mint_access(
        self,
        subject: str,
        *,
        kind: str = "user",
        scopes: Collection[str] = (),
        session: str = "",
        client: str = "",
        epoch: int = 0,
        seconds: int = ACCESS_SECONDS,
    ) -> str:
        """Return a token for a subject, good from now on for so many seconds."""
        moment = clock.now()
        now = int(moment.timestamp())
        claims = Claims(
            iss=self.issuer,
            aud=AUDIENCE,
            sub=subject,
            jti=ids.new_id(),
            iat=now,
            nbf=now,
            exp=now + seconds,
            type="access",
            kind=kind,
            scope=" ".join(sorted(scopes)),
            sid=session,
            client_id=client,
            epoch=epoch,
        )
        key_id, key = self._signer(moment)
        return jwt.encode(
            msgspec.to_builtins(claims), key, algorithm=ALGORITHM, headers={"kid": key_id, "typ": TYPE}
        )

    def verify_access(self, text: str) -> Claims:
        """Return what a token says; raises InvalidToken, and nothing else, for whatever is not one.

        Whether its session still stands is for the caller to look up.
        """
        if len(text) > LONGEST or not _FORM.fullmatch(text):
            raise InvalidToken("it is not a token")
        now = clock.now()
        claims = self._checked(text, self._key_of(text[: text.index(".")], now))
        if claims.exp <= now.timestamp():
            raise InvalidToken("it has expired")
        if max(claims.nbf, claims.iat) > (now + SKEW).timestamp():
            raise InvalidToken("it is not good yet")
        if not claims.iat <= claims.nbf < claims.exp <= claims.iat + LONGEST_SECONDS:
            raise InvalidToken("its times make no sense")
        return claims

    def public_jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return the public keys as a JWK set (RFC 7517, 8037), those that are yet to sign included."""
        now = clock.now()
        self._signer(now)  # makes the first key, or the next one when it is time
        keys = signing.verifying(self._fresh().keys, now)
        return {"keys": [_jwk(key) for key in keys]}

    def forget(self) -> None:
        """Read the keys again before the next token; they are never older than half a second."""
        with self._lock:
            self._ring = _Ring(0.0, {})

    def _checked(self, text: str, key: Ed25519PublicKey) -> Claims:
        try:
            claims = _CLAIMS.decode(_JWS.decode(text, key, algorithms=[ALGORITHM]))
        except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InvalidToken(str(error)) from None
        if (claims.iss, claims.aud, claims.type) != (self.issuer, AUDIENCE, "access"):
            raise InvalidToken("it is for another purpose")
        return claims

    def _key_of(self, header: str, now: datetime) -> Ed25519PublicKey:
        """Return the key that a header names; a header of our form may name one that another process made."""
        ring = self._fresh()
        if header not in ring.by_header and len(header) == _HEADER_LENGTH:
            ring = self._read(ring)
        key = ring.by_header.get(header)
        if key is None or key not in signing.verifying(ring.keys, now):
            raise InvalidToken("its header is not one of ours, or its key has gone")
        return Ed25519PublicKey.from_public_bytes(key.public)

    def _signer(self, now: datetime) -> tuple[str, Ed25519PrivateKey]:
        """Return the key that signs now, made if it is time for one or if none can be unsealed."""
        ring = self._fresh()
        if signing.is_due(ring.keys, now):
            ring = self._add(now, unless_since=now - signing.SIGNS_FOR + signing.PUBLISHED_BEFORE)
        usable = self._usable(ring)
        if not usable:
            usable = self._usable(self._add(now, unless_since=now))
        key = signing.signing(usable, now)
        if key is None:
            raise ServiceUnavailable("There is no key to sign tokens with.", service="tokens")
        return key.id, self._private[key.id]

    def _usable(self, ring: _Ring) -> list[SigningKey]:
        return [key for key in ring.keys if self._unsealed(key)]

    def _unsealed(self, key: SigningKey) -> bool:
        if key.id not in self._private:
            try:
                raw = self._vault.decrypt(key.sealed, purpose=signing.PURPOSE, row=key.id)
            except SecretUnreadable:
                return False  # sealed with a key that is gone: what it signed is still verified
            self._private[key.id] = Ed25519PrivateKey.from_private_bytes(raw)
        return True

    def _add(self, now: datetime, *, unless_since: datetime) -> _Ring:
        private = Ed25519PrivateKey.generate()
        key_id = ids.new_id()
        sealed = self._vault.encrypt(private.private_bytes_raw(), purpose=signing.PURPOSE, row=key_id)
        key = SigningKey(key_id, private.public_key().public_bytes_raw(), sealed, now)
        self._shelf.add(key, unless_since=unless_since)
        return self._read(self._ring)

    def _fresh(self) -> _Ring:
        ring = self._ring
        is_fresh = ring.by_header and time.monotonic() - ring.read_at < _FRESH_SECONDS
        return ring if is_fresh else self._read(ring)

    def _read(self, seen: _Ring) -> _Ring:
        """Read the keys, unless another thread did since `seen`."""
        with self._lock:
            if self._ring is seen:
                read_at = time.monotonic()
                self._ring = _Ring(read_at, {_header(key.id): key for key in self._shelf.every()})
            return self._ring


def _header(key_id: str) -> str:
    """Write the only header that a token of this key may have."""
    text = f'{{"alg":"{ALGORITHM}","kid":"{key_id}","typ":"{TYPE}"}}'
    return _base64url(text.encode())


def _jwk(key: SigningKey) -> dict[str, str]:
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": _base64url(key.public),
        "kid": key.id,
        "use": "sig",
        "alg": ALGORITHM,
    }


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


_HEADER_LENGTH = len(_header(ids.new_id()))
