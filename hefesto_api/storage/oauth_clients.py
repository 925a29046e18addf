"""OAuth clients: programs that call for themselves or for people; of their secrets only hashes are kept."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock, ids
from hefesto_api.domain.errors import NotFound
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata

oauth_clients = sa.Table(
    "oauth_clients",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("secret_hash", Text),
    sa.Column("grant_types", Json, nullable=False),
    sa.Column("redirect_uris", Json, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("projects", Json),
    sa.Column("tier", Text, nullable=False),
    sa.Column("user_id", Text, sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.Column("created_by", Text, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("last_used_at", UtcDateTime),
    sa.Column("rotated_at", UtcDateTime),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index(None, "user_id", "id"),
)
_c = oauth_clients.c


class ClientRecord(Struct, frozen=True):
    """A row of `oauth_clients`.

    `secret_hash` None: a public client, which can keep no secret. It may what its `scopes` say, in its
    `projects` (None: in all), and never more than the user may to whom it belongs.
    """

    id: str
    name: str
    secret_hash: str | None
    grant_types: list[str]
    redirect_uris: list[str]
    scopes: list[str]
    projects: list[str] | None
    tier: str
    user_id: str | None
    created_by: str
    is_active: bool
    last_used_at: datetime | None
    rotated_at: datetime | None
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        return f"ClientRecord({self.id!r}, {self.name!r})"

    @property
    def is_public(self) -> bool:
        """Whether it has no secret."""
        return self.secret_hash is None


_ALL = sa.select(oauth_clients)
_BY_ID = _ALL.where(_c.id == sa.bindparam("id"))
_COUNT = sa.select(sa.func.count()).select_from(oauth_clients)


def create(
    session: Session,
    name: str,
    *,
    created_by: str,
    secret_hash: str | None,
    grant_types: Collection[str],
    redirect_uris: Collection[str],
    scopes: Collection[str],
    projects: Collection[str] | None = None,
    tier: str = "pro",
    user_id: str | None = None,
) -> ClientRecord:
    """Insert a client and return it."""
    now = clock.now()
    made = ClientRecord(
        id=ids.new_id(),
        name=name,
        secret_hash=secret_hash,
        grant_types=list(grant_types),
        redirect_uris=list(redirect_uris),
        scopes=sorted(scopes),
        projects=None if projects is None else sorted(projects),
        tier=tier,
        user_id=user_id,
        created_by=created_by,
        is_active=True,
        last_used_at=None,
        rotated_at=None,
        created_at=now,
        updated_at=now,
    )
    session.execute(sa.insert(oauth_clients), structs.asdict(made))
    return made


def find(session: Session, client_id: str) -> ClientRecord | None:
    """Return a client, if there is one of that id."""
    row = session.execute(_BY_ID, {"id": client_id}).first()
    return None if row is None else ClientRecord(*row)


def get(session: Session, client_id: str) -> ClientRecord:
    """Return a client; raises NotFound."""
    found = find(session, client_id)
    if found is None:
        raise NotFound("oauth_client", client_id)
    return found


def page(
    session: Session, *, user_id: str | None, limit: int, offset: int = 0, after: str | None = None
) -> tuple[list[ClientRecord], int]:
    """Return a page of all clients, or of a user's, the oldest first, and how many there are."""
    wanted = [] if user_id is None else [_c.user_id == user_id]
    behind = [] if after is None else [_c.id > after]
    statement = _ALL.where(*wanted, *behind).order_by(_c.id).limit(limit).offset(offset)
    total = session.execute(_COUNT.where(*wanted)).scalar_one()
    return [ClientRecord(*row) for row in session.execute(statement)], total


def change(session: Session, client_id: str, **fields: Any) -> ClientRecord:
    """Set columns of a client; raises NotFound."""
    session.execute(
        sa.update(oauth_clients).where(_c.id == client_id).values(**fields, updated_at=clock.now())
    )
    return get(session, client_id)


def used(session: Session, client_id: str, moment: datetime) -> None:
    """Note that a client was given something."""
    session.execute(sa.update(oauth_clients).where(_c.id == client_id).values(last_used_at=moment))


def delete(session: Session, client_id: str) -> None:
    """Delete a client with all that it was given; raises NotFound."""
    if session.execute(sa.delete(oauth_clients).where(_c.id == client_id)).rowcount != 1:
        raise NotFound("oauth_client", client_id)
