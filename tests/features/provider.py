"""An OpenID provider for tests: a real HTTP server on loopback that signs in whomever it is told to."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT_ID = "hefesto & co"
CLIENT_SECRET = "p+w/ %secret"


class Provider:
    """What it says of people, and how it misbehaves: tests change its attributes."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {"sub": "1", "email": "ann@example.com", "email_verified": True}
        self.userinfo: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.left_out: set[str] = set()
        self.about: dict[str, Any] = {}
        self.signed: Callable[[dict[str, Any]], str] = self.sign
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.headers: dict[str, str] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.rotate("one")
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def rotate(self, key_id: str) -> None:
        """Sign with another key from now on, and publish no other."""
        self.key_id, self.key = key_id, generate_private_key(SECP256R1())

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign an ID token."""
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": self.key_id})

    def jwk(self) -> dict[str, Any]:
        """Return the public key."""
        told: dict[str, Any] = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {**told, "kid": self.key_id, "use": "sig", "alg": "ES256"}

    def agree(self, address: str) -> str:
        """Do what the browser does there: return the way back with a code and the state."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{self.issuer}/authorize?")
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        # providers add parameters of their own
        return f"{asked['redirect_uri']}?code={code}&state={asked['state']}&session_state=x.y&scope=openid"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(provider._told(self.path, self.headers))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answer(provider._token(self.path, body, self.headers.get("Authorization", "")))

            def answer(self, told: tuple[int, bytes]) -> None:
                status, body = told
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **provider.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def _told(self, path: str, headers: Any) -> tuple[int, bytes]:
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps(self._configuration()).encode()
        if path == "/keys":
            unusable = [{"kty": "oct", "k": "AAAA"}, {"kty": "new"}, "x", {**self.jwk(), "use": "enc"}]
            return 200, json.dumps({"keys": [*unusable, self.jwk()]}).encode()
        assert (path, headers["Authorization"]) == ("/userinfo", "Bearer theirs")
        return 200, json.dumps(self.userinfo).encode()

    def _configuration(self) -> dict[str, Any]:
        ends = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys",
                "userinfo_endpoint": "userinfo"}  # fmt: skip
        told = {name: f"{self.issuer}/{path}" for name, path in ends.items()}
        return {"issuer": self.issuer, **told, **self.about}

    def _token(self, path: str, body: str, shown: str) -> tuple[int, bytes]:
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        form = {name: values[0] for name, values in parse_qs(body).items()}
        name, _, secret = b64decode(shown.removeprefix("Basic ")).decode().partition(":")
        assert (unquote_plus(name), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)
        asked = self._codes.pop(form["code"], None)
        if asked is None or not self._matches(asked, form):
            return 400, b'{"error": "invalid_grant"}'
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
                  **self.person, **self.claims}  # fmt: skip
        token = self.signed({name: value for name, value in claims.items() if name not in self.left_out})
        return 200, json.dumps({"id_token": token, "access_token": "theirs", "token_type": "Bearer"}).encode()

    def _matches(self, asked: dict[str, str], form: dict[str, str]) -> bool:
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        proven = urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        return proven and form["redirect_uri"] == asked["redirect_uri"]
