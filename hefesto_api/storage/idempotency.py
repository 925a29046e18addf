"""Answers kept for `Idempotency-Key`: a request that is sent again gets the first answer again."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import clock
from hefesto_api.domain.errors import Conflict, Invalid
from hefesto_api.storage.base import Blob, Json, Session, Text, UtcDateTime, metadata, upsert

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("scope", Text, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    sa.Column("request_hash", Text, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("response_status", sa.Integer),
    sa.Column("response_headers", Json),
    sa.Column("response_body", Blob),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Index(None, "expires_at"),
)

KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=5)  # a request that takes longer lost its process: the key is free again
_t = idempotency_keys.c


class Answer(Struct, frozen=True):
    """The first answer to a request."""

    status: int
    headers: dict[str, str]
    body: bytes


def claim(
    session: Session, scope: str, key: str, request_hash: str, *, now: datetime | None = None
) -> Answer | None:
    """Return the answer to replay; None when the request is new and now ours to answer.

    `scope` is whose key it is and on which route. Raises Conflict while the first request still runs,
    Invalid when the key was used for another request.
    """
    moment = now or clock.now()
    session.execute(_FREE, {"of_scope": scope, "of_key": key, "now": moment})
    row = {
        "scope": scope, "key": key, "request_hash": request_hash, "status": "running",
        "created_at": moment, "expires_at": moment + ABANDONED,
    }  # fmt: skip
    if session.execute(_insert(session.dialect.name), row).first() is not None:
        return None
    return _replay(session, scope, key, request_hash)


def keep(session: Session, scope: str, key: str, answer: Answer, *, now: datetime | None = None) -> None:
    """Keep the answer to a claimed request for a day."""
    values = {
        "of_scope": scope, "of_key": key, "new_status": answer.status, "headers": answer.headers,
        "body": answer.body, "until": (now or clock.now()) + KEPT,
    }  # fmt: skip
    session.execute(_KEEP, values)


def release(session: Session, scope: str, key: str) -> None:
    """Give up a claim, after a failure that a second try may cure."""
    session.execute(_RELEASE, {"of_scope": scope, "of_key": key})


def purge(session: Session, *, now: datetime | None = None) -> int:
    """Delete what expired; return how many."""
    return session.execute(sa.delete(idempotency_keys).where(_t.expires_at < (now or clock.now()))).rowcount


def _replay(session: Session, scope: str, key: str, request_hash: str) -> Answer:
    row = session.execute(_FIND, {"of_scope": scope, "of_key": key}).one()
    if row.request_hash != request_hash:
        raise Invalid("Idempotency-Key", "this key was used for another request", "reused")
    if row.status == "running":
        raise Conflict("A request with this Idempotency-Key is still running.", reason="running")
    return Answer(row.response_status, row.response_headers, row.response_body)


@cache
def _insert(dialect: str) -> Any:
    return upsert(dialect, idempotency_keys).on_conflict_do_nothing().returning(_t.key)


_SAME = sa.and_(_t.scope == sa.bindparam("of_scope"), _t.key == sa.bindparam("of_key"))
_FIND = sa.select(idempotency_keys).where(_SAME)
_FREE = sa.delete(idempotency_keys).where(_SAME, _t.expires_at < sa.bindparam("now", type_=UtcDateTime))
_RELEASE = sa.delete(idempotency_keys).where(_SAME, _t.status == "running")
_KEEP = (
    sa.update(idempotency_keys)
    .where(_SAME)
    .values(
        status="done",
        response_status=sa.bindparam("new_status"),
        response_headers=sa.bindparam("headers", type_=Json),
        response_body=sa.bindparam("body", type_=Blob),
        expires_at=sa.bindparam("until", type_=UtcDateTime),
    )
)
