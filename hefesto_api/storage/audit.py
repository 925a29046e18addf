"""The audit log: every entry is written in the transaction of what it tells of, and chained by a keyed hash.

An entry is numbered within its *strand* and holds the hash of the entry before it there. The strand's head
(how many entries, the hash of the last) is kept apart and proved by a hash of its own, so that the loss of
the newest entries shows as well. SQLite has one strand, since it has one writer. PostgreSQL has several, so
that writers do not stand in one line until the disk is done; `audit_seals` ties all strands into one chain.

The key is made with the first entry and kept sealed (`storage.secret_keys`): the keys of the vault come and
go, and old entries can still be verified. An installation without a vault keeps it as it is until there is
one: whoever may write to such a database can write entries that fit, and `/health/deep` says so.
"""

from __future__ import annotations

import logging
import os
import random
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import audit, chain, clock, ids
from hefesto_api.domain.errors import ServiceUnavailable
from hefesto_api.domain.redaction import redacted
from hefesto_api.domain.veil import veiled
from hefesto_api.storage import hot
from hefesto_api.storage.base import (
    Blob,
    Session,
    Text,
    UtcDateTime,
    clean,
    dump_json,
    metadata,
    upsert,
)
from hefesto_api.storage.secret_keys import kept_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hefesto_api.storage.secret_keys import Sealer

_log = logging.getLogger(__name__)  # structlog would cost `hefesto analyze` a tenth of its start

audit_logs = sa.Table(
    "audit_logs",
    metadata,
    sa.Column("strand", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", Text, nullable=False, unique=True),
    sa.Column("timestamp", UtcDateTime, nullable=False),
    sa.Column("user_id", Text, nullable=False),
    sa.Column("user_name", Text, nullable=False),
    sa.Column("credential", Text, nullable=False),
    sa.Column("action", Text, nullable=False),
    sa.Column("resource_type", Text, nullable=False),
    sa.Column("resource_id", Text),
    sa.Column("project", Text),
    sa.Column("outcome", Text, nullable=False),
    sa.Column("changes", Text, nullable=False),  # JSON as it was hashed; a database's own would rewrite it
    sa.Column("ip_address", Text),
    sa.Column("user_agent", Text),
    sa.Column("request_id", Text),
    sa.Column("previous_hash", Blob, nullable=False, unique=True),
    sa.Column("hash", Blob, nullable=False),
    sa.Index(None, "timestamp", "id"),
    sa.Index(None, "user_id", "timestamp"),
    sa.Index(None, "action", "timestamp"),
    sa.Index(None, "resource_id", "timestamp"),
    sa.Index(None, "request_id"),
    sqlite_with_rowid=False,
)
audit_strands = sa.Table(
    "audit_strands",
    metadata,
    sa.Column("strand", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("last_hash", Blob, nullable=False),
    sa.Column("pruned", sa.BigInteger, nullable=False),
    sa.Column("pruned_hash", Blob, nullable=False),
    sa.Column("proof", Blob, nullable=False),
)
audit_seals = sa.Table(
    "audit_seals",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sealed_at", UtcDateTime, nullable=False),
    sa.Column("entries", sa.BigInteger, nullable=False),
    sa.Column("heads", Text, nullable=False),
    sa.Column("previous_hash", Blob, nullable=False, unique=True),
    sa.Column("hash", Blob, nullable=False),
)
audit_keys = sa.Table(
    "audit_keys",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("key", Blob, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

NAME = "audit"  # of the key
SEALS = -1  # the strand of the seals themselves
STRANDS = {"sqlite": 1, "postgresql": 16}
MOST_CHANGES = 8 * 1024  # characters of JSON
_LENGTHS = {
    "user_id": 200, "user_name": 200, "credential": 200, "action": 100, "resource_type": 100,
    "resource_id": 300, "project": 100, "ip_address": 100, "user_agent": 300, "request_id": 128,
}  # fmt: skip
SAID = (
    "id", "timestamp", "user_id", "user_name", "credential", "action", "resource_type", "resource_id",
    "project", "outcome", "changes", "ip_address", "user_agent", "request_id",
)  # fmt: skip
HASHED = ("strand", "number", *SAID)
"""The columns that an entry's hash is of, in their order."""


class Head(Struct, frozen=True):
    """A row of `audit_strands`: where a strand ends, and up to where it was pruned."""

    strand: int
    count: int
    last_hash: bytes
    pruned: int
    pruned_hash: bytes
    proof: bytes

    def is_proved(self, key: bytes) -> bool:
        """Tell whether somebody who has the key wrote this."""
        try:
            return self.proof == _proof(
                key, self.strand, self.count, self.last_hash, self.pruned, self.pruned_hash
            )
        except (AttributeError, TypeError):  # SQLite keeps a text in a column of bytes
            return False


class Ledger:
    """Writes entries; `vault` opens what seals the log's key. One for each database of a process."""

    def __init__(self, vault: Callable[[], Sealer]) -> None:
        self._open = vault
        self._opening = threading.RLock()
        self._is_opening = self._is_open = False
        self._vault: Sealer | None = None
        self._refusal = ServiceUnavailable("The vault is being opened.", service="secrets")
        self._key: bytes | None = None

    def prepare(self) -> None:
        """Open the vault, which reads and writes the database itself: before a transaction, once."""
        if not self._is_open:
            with self._opening:
                self._unlock()

    def _unlock(self) -> None:
        if self._is_open or self._is_opening:  # the vault's own transaction comes by here
            return
        self._is_opening = True
        try:
            self._vault = self._open()
        except ServiceUnavailable as error:
            if error.details.get("reason") != "no_key":
                raise
            self._refusal = error
        finally:
            self._is_opening = False
        self._is_open = True

    def append(self, session: Session, actor: audit.Actor, notes: Sequence[audit.Note]) -> None:
        """Write notes as the newest entries, in the transaction of what they tell of."""
        key = self._key or self._ready(session)
        head = _free_strand(session, key)
        number, last = head.count, head.last_hash
        for note in notes:
            number += 1
            row = _row(head.strand, number, note, note.actor or actor)
            hashed = chain.entry_hash(key, tuple(row.values()), last)
            row["timestamp"] = datetime.fromisoformat(row["timestamp"])
            hot.change(session, _INSERT, {**row, "previous_hash": last, "hash": hashed})
            last = hashed
        move(session, key, head, count=number, last_hash=last)

    def key(self, session: Session) -> bytes | None:
        """Return the key that entries are hashed with; None before the first entry.

        Raises what the vault raises when it cannot read it.
        """
        if self._key is None:
            sealed = session.execute(_SEALED, {"name": NAME}).scalar()
            if sealed is None:
                return session.execute(_PLAIN, {"name": NAME}).scalar()
            self._key = urlsafe_b64decode(self._sealer().decrypt(sealed, purpose="kept key", row=NAME))
        return self._key

    def _ready(self, session: Session) -> bytes:
        """Return the key; it is made, or sealed, when it was not yet, and then not remembered.

        The transaction may still fail, and the key with it.
        """
        key = self.key(session)
        if self._key is not None:
            return self._key
        if key is not None and self._vault is None:
            return key
        key = self._kept(session, key or os.urandom(32))
        for strand in (SEALS, *range(STRANDS[session.dialect.name])):
            session.execute(_make(session.dialect.name, audit_strands), _empty_strand(key, strand))
        return key

    def _sealer(self) -> Sealer:
        self.prepare()
        if self._vault is None:
            raise self._refusal
        return self._vault

    def _kept(self, session: Session, key: bytes) -> bytes:
        """Keep the key, sealed if that can be; return it, or the one of a process that was faster."""
        dialect = session.dialect.name
        row: dict[str, Any] = {"name": NAME, "created_at": clock.now()}
        if self._vault is None:
            session.execute(_make(dialect, audit_keys), {**row, "key": key})
            return bytes(session.execute(_PLAIN, {"name": NAME}).scalar_one())
        sealed = self._vault.encrypt(urlsafe_b64encode(key), purpose="kept key", row=NAME)
        session.execute(_make(dialect, kept_keys), {**row, "secret": sealed})
        session.execute(sa.delete(audit_keys))
        kept = session.execute(_SEALED, {"name": NAME}).scalar_one()
        return urlsafe_b64decode(self._vault.decrypt(kept, purpose="kept key", row=NAME))


def is_sealed(session: Session) -> bool:
    """Tell whether the log's key is sealed, or there is none yet."""
    return session.execute(_PLAIN, {"name": NAME}).scalar() is None


def move(session: Session, key: bytes, head: Head, **changed: Any) -> None:
    """Write a strand's head anew, proved; whoever calls this holds the strand."""
    values = {name: changed.get(name, getattr(head, name)) for name in _HEAD}
    proof = _proof(key, head.strand, *values.values())
    hot.change(session, _MOVE, {"of_strand": head.strand, "new_proof": proof, **_named_new(values)})


def hold(session: Session, strand: int) -> Head:
    """Return a strand's head, which nobody else writes until the transaction ends."""
    return Head(*session.execute(_HOLD, {"of_strand": strand}).one())


def heads(session: Session) -> list[Head]:
    """Return the heads of all strands, that of the seals first."""
    return [Head(*row) for row in session.execute(_HEADS)]


def _free_strand(session: Session, key: bytes) -> Head:
    """Return the head of a strand that is nobody else's until the transaction ends.

    A head that was not written by us is left as it is, for whoever verifies, and another strand taken.
    """
    after = SEALS
    while found := hot.fetch(session, _FREE, {"after": after}):
        head = Head(*found[0])
        if head.is_proved(key):
            return head
        _log.error("audit_head_was_changed strand=%s", head.strand)
        after = head.strand
    if session.dialect.name == "postgresql":  # perhaps all are in use
        row = session.execute(_HOLD, {"of_strand": random.randrange(STRANDS["postgresql"])}).first()  # noqa: S311
        if row is not None and Head(*row).is_proved(key):
            return Head(*row)
    return _new_strand(session, key)


def _new_strand(session: Session, key: bytes) -> Head:
    strand = (session.execute(_LAST_STRAND).scalar() or 0) + 1
    values = _empty_strand(key, strand)
    session.execute(sa.insert(audit_strands), values)
    return Head(**values)


def _empty_strand(key: bytes, strand: int) -> dict[str, Any]:
    first = chain.first_hash(key, strand)
    values = {"count": 0, "last_hash": first, "pruned": 0, "pruned_hash": first}
    return {"strand": strand, **values, "proof": _proof(key, strand, *values.values())}


def _proof(key: bytes, strand: int, *values: Any) -> bytes:
    return chain.head_hash(key, strand, *values)


def _row(strand: int, number: int, note: audit.Note, actor: audit.Actor) -> dict[str, Any]:
    """Return an entry as it is hashed: its columns in their order, times as text."""
    said: dict[str, Any] = {
        "strand": strand,
        "number": number,
        "id": ids.new_id(),
        "timestamp": clock.rfc3339(clock.now()),
        "user_id": actor.user_id,
        "user_name": actor.user_name,
        "credential": actor.credential,
        "action": note.action,
        "resource_type": note.resource_type,
        "resource_id": note.resource_id,
        "project": note.project,
        "outcome": note.outcome,
        "changes": changes_json(note.changes),
        "ip_address": actor.ip_address,
        "user_agent": actor.user_agent,
        "request_id": actor.request_id,
    }
    for name, most in _LENGTHS.items():
        value = said[name]
        if value is not None:
            said[name] = clean(veiled(str(value))[:most])
    return said


def changes_json(changes: Any) -> str:
    """Write what an entry tells of changes: secrets masked, and never more than fits."""
    text = dump_json(redacted(changes))
    if len(text) > MOST_CHANGES:
        text = dump_json(redacted(changes, most_text=60))
    if len(text) > MOST_CHANGES:
        text = dump_json({"left_out": sorted(map(str, changes))[:20], "characters": len(text)})
    return text


def _named_new(values: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


@cache
def _make(dialect: str, table: sa.Table) -> Any:
    return upsert(dialect, table).on_conflict_do_nothing()


_s = audit_strands.c
_HEAD = ("count", "last_hash", "pruned", "pruned_hash")
_INSERT = sa.insert(audit_logs)
_SEALED = sa.select(kept_keys.c.secret).where(kept_keys.c.name == sa.bindparam("name"))
_PLAIN = sa.select(audit_keys.c.key).where(audit_keys.c.name == sa.bindparam("name"))
_HEADS = sa.select(audit_strands).order_by(_s.strand)
_LAST_STRAND = sa.select(sa.func.max(_s.strand))
_FREE = (
    sa.select(audit_strands)
    .where(_s.strand > sa.bindparam("after"))
    .order_by(_s.strand)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_HOLD = sa.select(audit_strands).where(_s.strand == sa.bindparam("of_strand")).with_for_update()
_MOVE = (
    sa.update(audit_strands)
    .where(_s.strand == sa.bindparam("of_strand"))
    .values({name: sa.bindparam(f"new_{name}", type_=_s[name].type) for name in (*_HEAD, "proof")})
)
