"""Users: people who log in, what they may do, and in which projects."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock, emails, ids
from hefesto_api.domain.access import ROLES
from hefesto_api.domain.errors import Conflict, NotFound
from hefesto_api.storage.base import Json, Session, Text, UtcDateTime, metadata

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("email", Text, nullable=False, unique=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("password_hash", Text),
    sa.Column("role", Text, nullable=False),
    sa.Column("projects", Json),
    sa.Column("tier", Text, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("token_epoch", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("last_login_at", UtcDateTime),
    sa.Index(None, "role"),
)
_u = users.c


class UserRecord(Struct, frozen=True):
    """A row of `users`; `projects` None are all, `password_hash` None: no login by password.

    Raising `token_epoch` revokes every token that was given out before.
    """

    id: str
    email: str
    name: str
    password_hash: str | None
    role: str
    projects: list[str] | None
    tier: str
    is_active: bool
    token_epoch: int
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None

    def __repr__(self) -> str:
        return f"UserRecord({self.id!r}, {self.email!r}, {self.role!r})"

    @property
    def scopes(self) -> frozenset[str]:
        """What the role allows."""
        return ROLES.get(self.role, frozenset())


_ALL = sa.select(users)
_BY_ID = _ALL.where(_u.id == sa.bindparam("id"))
_HOLD = sa.select(_u.id).where(_u.id == sa.bindparam("id")).with_for_update()
_BY_EMAIL = _ALL.where(_u.email == sa.bindparam("email"))
_COUNT = sa.select(sa.func.count()).select_from(users)


def create(
    session: Session,
    email: str,
    *,
    role: str,
    name: str | None = None,
    password_hash: str | None = None,
    projects: Collection[str] | None = None,
    tier: str = "pro",
) -> UserRecord:
    """Insert a user and return it; raises Conflict when the address is taken."""
    address, now = emails.normal(email), clock.now()
    if by_email(session, address) is not None:
        raise Conflict(f"There is a user {address} already.", resource_type="user")
    bound = None if projects is None else sorted(projects)
    made = UserRecord(
        ids.new_id(), address, name or address, password_hash, role, bound, tier, True, 0, now, now, None
    )
    session.execute(sa.insert(users), structs.asdict(made))
    return made


def find(session: Session, user_id: str) -> UserRecord | None:
    """Return a user, if there is one of that id."""
    row = session.execute(_BY_ID, {"id": user_id}).first()
    return None if row is None else UserRecord(*row)


def get(session: Session, user_id: str) -> UserRecord:
    """Return a user; raises NotFound."""
    found = find(session, user_id)
    if found is None:
        raise NotFound("user", user_id)
    return found


def held(session: Session, user_id: str) -> UserRecord:
    """Return a user whom nobody else changes until the transaction ends; raises NotFound."""
    if session.execute(_HOLD, {"id": user_id}).first() is None:
        raise NotFound("user", user_id)
    return get(session, user_id)


def by_email(session: Session, email: str) -> UserRecord | None:
    """Return the user of an address, however it is spelled."""
    row = session.execute(_BY_EMAIL, {"email": emails.normal(email)}).first()
    return None if row is None else UserRecord(*row)


def every(session: Session) -> list[UserRecord]:
    """Return all users, the oldest first."""
    return [UserRecord(*row) for row in session.execute(_ALL.order_by(_u.id))]


def page(
    session: Session,
    *,
    limit: int,
    offset: int = 0,
    after: str | None = None,
    role: str | None = None,
    is_active: bool | None = None,
) -> tuple[list[UserRecord], int]:
    """Return a page of the users, the oldest first, and how many there are."""
    wanted = [
        *([] if role is None else [_u.role == role]),
        *([] if is_active is None else [_u.is_active == is_active]),
    ]
    behind = [] if after is None else [_u.id > after]
    statement = _ALL.where(*wanted, *behind).order_by(_u.id).limit(limit).offset(offset)
    total = session.execute(_COUNT.where(*wanted)).scalar_one()
    return [UserRecord(*row) for row in session.execute(statement)], total


def change(session: Session, user_id: str, **fields: Any) -> UserRecord:
    """Set columns of a user; raises NotFound."""
    session.execute(sa.update(users).where(_u.id == user_id).values(**fields, updated_at=clock.now()))
    return get(session, user_id)


def revoke_tokens(session: Session, user_id: str) -> None:
    """Let no token count that the user was given so far."""
    session.execute(sa.update(users).where(_u.id == user_id).values(token_epoch=_u.token_epoch + 1))


def logged_in(session: Session, user_id: str, moment: datetime) -> None:
    """Note a login."""
    session.execute(sa.update(users).where(_u.id == user_id).values(last_login_at=moment))


def delete(session: Session, user_id: str) -> None:
    """Delete a user with what is theirs, keys included; raises NotFound."""
    if session.execute(sa.delete(users).where(_u.id == user_id)).rowcount != 1:
        raise NotFound("user", user_id)
