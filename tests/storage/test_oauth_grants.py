"""Grants, codes and refresh tokens: used once, and gone when nothing needs them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
from hefesto_api.domain import clock
from hefesto_api.storage import oauth_clients, oauth_grants, upkeep, users
from hefesto_api.storage.oauth_grants import CodeRecord, GrantRecord, RefreshRecord

if TYPE_CHECKING:
    from hefesto_api.storage.base import Session
    from hefesto_api.storage.database import Database

NOW = clock.now()
DAY = timedelta(days=1)


def filled(session: Session) -> None:
    """Keep one grant that ended long ago, one that ended just now, and a code of each."""
    user = users.create(session, "ann@example.com", role="developer")
    client = oauth_clients.create(
        session,
        "Board",
        created_by="tests",
        secret_hash=None,
        grant_types=["authorization_code"],
        redirect_uris=["https://app.example/"],
        scopes=["read:findings"],
    )
    for name, ended in (("old", NOW - 40 * DAY), ("new", NOW - timedelta(hours=1))):
        oauth_grants.add(
            session, GrantRecord(name, client.id, user.id, ["read:findings"], 0, ended - DAY, ended)
        )
        oauth_grants.add_refresh(session, RefreshRecord(f"refresh {name}", name, ended - DAY, ended))
        oauth_grants.add_code(
            session,
            CodeRecord(
                name, client.id, user.id, 0, "https://app.example/", [], "c", name, ended - DAY, ended
            ),
        )


def test_what_ended_long_ago_goes(db: Database) -> None:
    with db.write() as session:
        filled(session)
    upkeep.run(db)
    with db.read() as session:
        assert session.execute(sa.select(oauth_grants.oauth_grants.c.id)).scalars().all() == ["new"]
        assert oauth_grants.find_refresh(session, "refresh old") is None
        assert oauth_grants.find_refresh(session, "refresh new") is not None
        assert oauth_grants.find_code(session, "old") is None
        assert oauth_grants.find_code(session, "new") is not None


def test_what_is_used_or_too_old_is_used_by_nobody(db: Database) -> None:
    before = NOW - 2 * DAY
    with db.write() as session:
        filled(session)
        assert [oauth_grants.use_code(session, "new", moment) for moment in (NOW, before, before)] == [
            False,
            True,
            False,
        ]
        assert [
            oauth_grants.use_refresh(session, "refresh new", moment) for moment in (NOW, before, before)
        ] == [
            False,
            True,
            False,
        ]
        assert [oauth_grants.revoke(session, "new", NOW) for _ in range(2)] == [True, False]


def test_what_belongs_to_a_client_goes_with_it(db: Database) -> None:
    with db.write() as session:
        filled(session)
        client_id = session.execute(sa.select(oauth_clients.oauth_clients.c.id)).scalar_one()
        assert oauth_grants.revoke_all(session, client_id, NOW) == 2
        oauth_clients.delete(session, client_id)
        assert oauth_grants.standing(session, "new") is None
        assert oauth_grants.find_code(session, "new") is None
        assert oauth_grants.find_refresh(session, "refresh new") is None
