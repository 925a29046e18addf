"""An OpenID provider: what it publishes, where people are sent to sign in, and what their code is worth.

Its addresses and keys are kept for a while and asked for again when a token names a key that is not among
them, but not at every such token: strangers can make those up.
"""

from __future__ import annotations

import hashlib
import threading
import time
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus, urlencode, urlsplit

import orjson
from msgspec import Struct

from hefesto_api.adapters import id_tokens, logs, outgoing
from hefesto_api.adapters.id_tokens import Expected, UnknownKey, Untrusted
from hefesto_api.adapters.outgoing import CallFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hefesto_api.settings import Settings

KEPT_SECONDS = 600.0
ASKED_AGAIN_AFTER = 30.0  # seconds, before what is unknown is a reason to ask once more
_WELL_KNOWN = "/.well-known/openid-configuration"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class SignInRefused(Exception):
    """The provider vouches for nobody; the message says why, for the log."""


class ProviderUnavailable(Exception):
    """The provider cannot be asked, or what it publishes cannot be used."""


class Client(Struct, frozen=True):
    """What we are to the provider."""

    issuer: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Client({self.issuer!r}, {self.client_id!r})"


class Started(NamedTuple):
    """A sign-in under way: what must come back, and what proves that we began it."""

    state: str
    nonce: str
    verifier: str


class _Published(NamedTuple):
    """What the provider publishes, as it was read."""

    read_at: float
    about: Mapping[str, Any]
    keys: list[id_tokens.Key]


class OpenId:
    """One provider; threads may share it. `call` and `monotonic` are the world outside."""

    def __init__(
        self,
        client: Client,
        *,
        call: Callable[..., outgoing.Answer] = outgoing.call,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self._call = call
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._published: _Published | None = None
        self._asked_again_at = -ASKED_AGAIN_AFTER

    def authorization_url(self, started: Started, redirect_uri: str) -> str:
        """Return where to send the browser; raises ProviderUnavailable."""
        challenge = urlsafe_b64encode(hashlib.sha256(started.verifier.encode()).digest()).rstrip(b"=")
        query = {
            "response_type": "code",
            "client_id": self.client.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(dict.fromkeys(("openid", *self.client.scopes))),
            "state": started.state,
            "nonce": started.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        endpoint = self._known().about["authorization_endpoint"]
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def redeem(
        self, code: str, started: Started, redirect_uri: str, *, issuer: str | None = None
    ) -> dict[str, Any]:
        """Return what the provider says of who signed in; `issuer` is who gave the code, as it came along.

        Raises SignInRefused, or ProviderUnavailable.
        """
        published = self._known()
        demanded = published.about.get("authorization_response_iss_parameter_supported") is True
        if issuer != self.client.issuer and (issuer is not None or demanded):
            raise SignInRefused("The code is another issuer's.")  # RFC 9207
        answer = self._token(published.about, code, started.verifier, redirect_uri)
        expected = Expected(self.client.issuer, self.client.client_id, started.nonce)
        try:
            claims = self._verified(answer["id_token"], published, expected)
        except Untrusted as error:
            raise SignInRefused(str(error)) from error
        if "email" not in claims and published.about.get("userinfo_endpoint"):
            claims = {**self._userinfo(published.about, answer, claims["sub"]), **claims}
        return claims

    def _verified(self, text: str, published: _Published, expected: Expected) -> dict[str, Any]:
        try:
            return id_tokens.verify(text, published.keys, expected)
        except UnknownKey:
            return id_tokens.verify(text, self._newer(published).keys, expected)

    def _known(self) -> _Published:
        """Return what is published, as it was read a while ago."""
        with self._lock:
            held, now = self._published, self._monotonic()
            if held is not None and now - held.read_at < KEPT_SECONDS:
                return held
            try:
                self._published = self._read(now)
            except ProviderUnavailable:
                if held is None:
                    raise
                logs.of("openid").warning("provider_unavailable", issuer=self.client.issuer, exc_info=True)
                self._published = held._replace(read_at=now - KEPT_SECONDS + ASKED_AGAIN_AFTER)
            return self._published

    def _newer(self, than: _Published) -> _Published:
        """Return what is published now, unless that was asked for just now."""
        with self._lock:
            now = self._monotonic()
            if self._published is than and now - self._asked_again_at >= ASKED_AGAIN_AFTER:
                self._asked_again_at = now
                self._published = self._read(now)
            return self._published or than

    def _read(self, now: float) -> _Published:
        about = self._json("GET", self.client.issuer.rstrip("/") + _WELL_KNOWN)
        if about.get("issuer") != self.client.issuer:
            raise ProviderUnavailable("The provider calls itself something else than HEFESTO_OIDC_ISSUER.")
        for name in _ENDPOINTS:
            self._expect_address(about, name)
        try:
            keys = id_tokens.read_keys(self._json("GET", about["jwks_uri"]))
        except Untrusted as error:
            raise ProviderUnavailable(str(error)) from error
        return _Published(now, about, keys)

    def _expect_address(self, about: Mapping[str, Any], name: str) -> None:
        """Demand an address that is no less safe than the issuer's."""
        address = about.get(name)
        try:
            parts = urlsplit(address) if isinstance(address, str) else None
        except ValueError:
            parts = None
        allowed = {"https", urlsplit(self.client.issuer).scheme}
        if parts is None or not parts.hostname or parts.scheme not in allowed or not str(address).isascii():
            raise ProviderUnavailable(f"The provider's {name} is no address that can be trusted.")

    def _token(self, about: Mapping[str, Any], code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """Trade a code for tokens."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {}
        methods = about.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if not self.client.client_secret:
            form["client_id"] = self.client.client_id
        elif "client_secret_basic" in methods:
            headers["Authorization"] = _basic(self.client.client_id, self.client.client_secret)
        else:
            form |= {"client_id": self.client.client_id, "client_secret": self.client.client_secret}
        answer = self._json("POST", about["token_endpoint"], form=form, headers=headers)
        if not isinstance(answer.get("id_token"), str):
            raise SignInRefused("The provider answered without an ID token.")
        return answer

    def _userinfo(self, about: Mapping[str, Any], answer: Mapping[str, Any], subject: str) -> dict[str, Any]:
        """Return what the provider tells beside the ID token, if it is of the same person."""
        self._expect_address(about, "userinfo_endpoint")
        token = answer.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            return {}
        told = self._json("GET", about["userinfo_endpoint"], headers={"Authorization": f"Bearer {token}"})
        if told.get("sub") != subject:
            raise SignInRefused("The provider's user information is of somebody else.")
        return told

    def _json(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        """Return the object that an address answers."""
        try:
            answer = self._call(method, url, **more)
            told = orjson.loads(answer.body)
        except (CallFailed, orjson.JSONDecodeError) as error:
            raise ProviderUnavailable(f"The provider cannot be asked: {error}") from error
        if not isinstance(told, dict):
            raise ProviderUnavailable("The provider answered something else than an object.")
        if answer.status == 400 and method == "POST":
            raise SignInRefused(f"The provider refused the code: {str(told.get('error'))[:100]}.")
        if answer.status != 200:
            raise ProviderUnavailable(f"The provider answered with the status {answer.status}.")
        return told


def open_provider(settings: Settings) -> OpenId | None:
    """Return the provider that the settings name, if they do."""
    if not settings.oidc_issuer:
        return None
    scopes: Sequence[str] = settings.oidc_scopes
    return OpenId(
        Client(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, tuple(scopes))
    )


def _basic(name: str, secret: str) -> str:
    """Write the credentials as RFC 6749, section 2.3.1, has them: as a form would encode them."""
    return "Basic " + b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()
