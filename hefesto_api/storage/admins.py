"""Those who decide about the whole installation: there must be one who can get in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from hefesto_api.domain import clock
from hefesto_api.domain.errors import Conflict
from hefesto_api.storage.api_keys import api_keys
from hefesto_api.storage.base import Session
from hefesto_api.storage.users import users

_LOCK = 0x61646D696E73  # of PostgreSQL's advisory locks, the admins': "admins" in ASCII
_k, _u = api_keys.c, users.c
_USERS = (
    sa.select(sa.func.count())
    .select_from(users)
    .where(_u.role == "admin", _u.is_active, _u.projects.is_(None))
)
_KEYS = (
    sa.select(sa.func.count())
    .select_from(api_keys.outerjoin(users, _k.user_id == _u.id))
    .where(
        _k.role == "admin",
        _k.is_active,
        _k.projects.is_(None),
        sa.or_(_k.expires_at.is_(None), _k.expires_at > sa.bindparam("now")),
        sa.or_(_k.user_id.is_(None), sa.and_(_u.role == "admin", _u.is_active, _u.projects.is_(None))),
    )
)


def are_there(session: Session) -> bool:
    """Tell whether anybody at all can govern the installation: a user, or a key."""
    if session.execute(_USERS).scalar_one():
        return True
    return bool(session.execute(_KEYS, {"now": clock.now()}).scalar_one())


@contextmanager
def kept(session: Session, *, wanted: bool = True) -> Iterator[None]:
    """Undo what is done within if it would leave no admin where there was one; raises Conflict.

    Two who each remove another admin take turns.
    """
    if not wanted:
        yield
        return
    if session.dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    before = are_there(session)
    yield
    if before and not are_there(session):
        message = "This is the last admin; make another one first."
        raise Conflict(message, resource_type="admin", reason="last_admin")
