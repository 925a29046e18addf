"""Services that ask for credentials, and what tests show them: a conftest or test imports the fixtures.

`from tests.access import required_service  # noqa: F401 - fixture`
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hefesto_api.domain import api_keys as texts
from hefesto_api.domain import clock
from hefesto_api.runtime import Runtime
from hefesto_api.storage import api_keys, sessions, users

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hefesto_api.storage.users import UserRecord
    from tests.features.conftest import Service

SECRET_KEY = "a key of tests that is long enough to be one"


@pytest.fixture
def required_service(make_service: Callable[..., Service], sqlite_url: str) -> Service:
    """A service on SQLite that asks for credentials and works nothing off; needs features/conftest.py."""
    return make_service(
        sqlite_url,
        HEFESTO_AUTH="required",
        HEFESTO_SECRET_KEY=SECRET_KEY,
        HEFESTO_WAIT_SECONDS="0.05",
    )


def bearer(credential: str) -> dict[str, str]:
    """Return the headers that show a credential."""
    return {"Authorization": f"Bearer {credential}"}


def make_key(
    service: Service | Runtime,
    role: str | None = None,
    *,
    scopes: Collection[str] = (),
    projects: Collection[str] | None = None,
    tier: str = "enterprise",
    name: str = "a key",
    is_active: bool = True,
    **columns: Any,
) -> dict[str, str]:
    """Make an API key beside the routes, and return the headers that show it."""
    secret = texts.new_key()
    with _runtime(service).db.write() as session:
        made = api_keys.create(
            session,
            name,
            texts.digest(secret),
            texts.hint(secret),
            created_by="tests",
            role=role,
            scopes=scopes,
            projects=projects,
            tier=tier,
            **columns,
        )
        if not is_active:
            api_keys.change(session, made.id, is_active=False)
    return bearer(secret)


def make_user(
    service: Service | Runtime,
    email: str = "somebody@example.com",
    role: str = "developer",
    *,
    password_hash: str | None = None,
    projects: Collection[str] | None = None,
    tier: str = "pro",
) -> UserRecord:
    """Make a user beside the routes; who logs in needs the hash of a password."""
    with _runtime(service).db.write() as session:
        return users.create(
            session, email, role=role, password_hash=password_hash, projects=projects, tier=tier
        )


def session_of(service: Service | Runtime, user: UserRecord) -> dict[str, str]:
    """Log a user in beside the routes, and return the headers that show the access token."""
    held, now = _runtime(service), clock.now()
    place = sessions.Place("192.0.2.1", "192.0.2.1", "tests")
    with held.db.write() as session:
        started = sessions.start(
            session, user.id, user.token_epoch, place, now=now, until=now + timedelta(days=30)
        )
    token = held.tokens.mint_access(user.id, scopes=user.scopes, session=started.id, epoch=user.token_epoch)
    return bearer(token)


def _runtime(service: Service | Runtime) -> Runtime:
    return service if isinstance(service, Runtime) else service.runtime
