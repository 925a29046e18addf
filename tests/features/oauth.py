"""What tests of OAuth share: clients made through the routes, and the calls that programs make."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from hefesto_api.domain import clock
from hefesto_api.features.auth import sessions
from hefesto_api.storage.sessions import Place
from tests.access import bearer, make_key
from tests.answers import data_of

if TYPE_CHECKING:
    from hefesto_api.storage.users import UserRecord
    from tests.features.conftest import Service
    from werkzeug.test import TestResponse

CLIENTS = "/api/v1/auth/oauth-clients"
BACK = "https://app.example/back?tenant=1"


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
