"""What tests of OAuth share: clients made through the routes, and the calls that programs make."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode

import pytest
from hefesto_api.domain import clock
from hefesto_api.features.auth import sessions
from hefesto_api.storage.sessions import Place
from tests.access import SECRET_KEY, bearer, make_key, make_user
from tests.answers import data_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from hefesto_api.storage.users import UserRecord
    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

CLIENTS = "/api/v1/auth/oauth-clients"
BACK = "https://app.example/back?tenant=1"
ANN = "ann@example.com"
PASSWORD = "correct horse battery staple"
_PROOF = re.compile(r'name="proof" value="([^"]+)"')


@pytest.fixture
def oauth_service(make_service: Callable[..., Service], sqlite_url: str) -> Service:
    """A service that asks for credentials and counts no calls, with a user who is called Ann."""
    settings = {"HEFESTO_AUTH": "required", "HEFESTO_SECRET_KEY": SECRET_KEY, "HEFESTO_RATE_LIMITS": "off"}
    made = make_service(sqlite_url, **settings)
    make_user(made, ANN, "developer", password_hash=password_hash(made))
    return made


_hashes: list[str] = []


def password_hash(service: Service) -> str:
    """Hash the password of the tests, once."""
    if not _hashes:
        _hashes.append(service.runtime.passwords.hash(PASSWORD))
    return _hashes[0]


class Browser:
    """Somebody's browser at the pages of the service; it keeps cookies."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.last: TestResponse

    def question(self, client: dict[str, Any], challenge: str | None = None, **change: Any) -> str:
        """Return the address to which an application sends people."""
        asked = {
            "response_type": "code",
            "client_id": client["id"],
            "redirect_uri": BACK,
            "code_challenge": challenge or pkce()[1],
            "code_challenge_method": "S256",
            **change,
        }
        return f"/oauth/authorize?{urlencode(asked, doseq=True)}"

    def open(self, question: str) -> TestResponse:
        """Look at the page."""
        self.last = self.service.client.get(question)
        return self.last

    def post(self, question: str, form: dict[str, str], headers: dict[str, str]) -> TestResponse:
        """Send a form, whatever is in it."""
        self.last = self.service.client.post(question, data=form, headers=headers)
        return self.last

    def proof(self, question: str) -> str:
        """Return what a form of the page carries."""
        found = _PROOF.search(self.open(question).get_data(as_text=True))
        assert found is not None
        return found[1]

    def send(self, question: str, **form: str) -> TestResponse:
        """Press a button of the page."""
        headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
        return self.post(question, {"proof": self.proof(question), **form}, headers)

    def sign_in(self, question: str, email: str, password: str = PASSWORD) -> TestResponse:
        """Fill the first page in."""
        return self.send(question, act="sign-in", email=email, password=password, totp="")

    def signed_in(self, client: dict[str, Any], email: str, **change: Any) -> str:
        """Sign in, if that has not been done, and return the address of the question."""
        question = self.question(client, **change)
        if "wants access" not in self.open(question).get_data(as_text=True):
            assert self.sign_in(question, email).status_code == 303
        return question

    def cookie(self) -> str:
        """Return the cookie of the pages."""
        found = self.service.client.get_cookie("hefesto_authorize", path="/oauth/authorize")
        assert found is not None
        return found.value


def redeem(service: Service, client: dict[str, Any], code: str, verifier: str, **form: str) -> TestResponse:
    """Trade a code for tokens."""
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": verifier,
        **form,
    }
    if client["client_secret"] is None:
        return ask(service, "/oauth/token", {"client_id": client["id"], **asked})
    return ask(service, "/oauth/token", asked, basic(client))


def made(service: Service, as_: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """Make a client through the routes, as an admin unless somebody else is named."""
    wanted = {"name": "Grafana", "scopes": ["read:findings", "read:alerts"], **fields}
    answer = service.client.post(CLIENTS, json=wanted, headers=as_ or make_key(service, "admin"))
    assert answer.status_code == 201, answer.get_json()
    told: dict[str, Any] = data_of(answer)
    return told


def session_of(service: Service, user: UserRecord) -> dict[str, str]:
    """Log a user in beside the routes, and return the headers that show it."""
    held = service.runtime
    place = Place("127.0.0.1", "127.0.0.1", "tests")
    with held.db.write() as session:
        started, refresh = sessions.begin(session, user, place, clock.now())
    desk = sessions.Desk(held.db, held.vault, held.tokens, held.passwords)
    return bearer(sessions.issued(desk, user, started.id, refresh).access_token)


def basic(client: dict[str, Any], secret: str | None = None) -> dict[str, str]:
    """Return the header by which a client shows who it is."""
    shown = f"{quote_plus(client['id'])}:{quote_plus(secret or client['client_secret'])}"
    return {"Authorization": f"Basic {b64encode(shown.encode()).decode()}"}


def ask(service: Service, path: str, form: dict[str, Any], headers: Any = None) -> TestResponse:
    """Post a form, and hold the answer to what every such answer has."""
    answer = service.client.post(path, data=form, headers=headers)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer


def own_token(service: Service, client: dict[str, Any], **form: str) -> dict[str, Any]:
    """Return what a client is given for itself."""
    answer = ask(service, "/oauth/token", {"grant_type": "client_credentials", **form}, basic(client))
    assert answer.status_code == 200, answer.get_json()
    told: dict[str, Any] = answer.get_json()
    return told


def pkce() -> tuple[str, str]:
    """Return a verifier and its challenge."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, urlsafe_b64encode(digest).rstrip(b"=").decode()
