"""Verifying the audit log: whether every entry is as it was written, in its place, and none is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from msgspec import Struct

from hefesto_api.domain import chain
from hefesto_api.domain.errors import ServiceUnavailable, StorageError
from hefesto_api.storage.audit import HASHED, SEALS, STRANDS, Head, Ledger, audit_logs, audit_seals, heads
from hefesto_api.storage.base import Session, wire

AT_ONCE = 2000


class Verdict(Struct, frozen=True):
    """What a look at the whole log found.

    `checked` entries were looked at. `first_bad` is the first that is not as it should be: its id, or its
    place ("strand/number") when it is not there any more; `reason` says what is wrong with it. `seal` is the
    newest seal, as "number:hash".
    """

    valid: bool
    checked: int
    first_bad: str | None = None
    reason: str | None = None
    seal: str | None = None


class _Bad(Struct, frozen=True):
    place: str
    reason: str
    order: str = ""  # by which the first of several strands' is told


def verify(session: Session, ledger: Ledger, *, seal: str | None = None) -> Verdict:
    """Look at every entry, head and seal; `seal` is one that was noted elsewhere ("number:hash").

    What fails first in a strand ends the look at that strand: all behind it cannot be told apart.
    """
    try:
        key = ledger.key(session)
    except ServiceUnavailable as error:
        return Verdict(False, 0, reason=error.message)
    try:
        ends = {head.strand: head for head in heads(session)}
    except StorageError as error:
        _expect_unreadable(error)
        return Verdict(False, 0, "0/0", "a head cannot be read")
    if key is None:
        return _without_key(session, ends, seal)
    look = _Look(session, key, ends)
    look.whole(seal)
    first = min(look.bad, key=lambda one: one.order or "~", default=None)
    if first is None:
        return Verdict(True, look.checked, seal=look.newest_seal)
    return Verdict(False, look.checked, first.place, first.reason, look.newest_seal)


def glance(session: Session, ledger: Ledger) -> str | None:
    """Look at the heads and the newest entry of each strand alone; return what is wrong, if something is."""
    key = ledger.key(session)
    if key is None:
        return None
    for head in heads(session):
        if not head.is_proved(key):
            return "a head of the audit log was changed"
        if head.strand != SEALS and head.count > head.pruned:
            last = session.execute(_LAST, {"of_strand": head.strand}).first()
            if last is None or last.number != head.count or last.hash != head.last_hash:
                return "the newest entries of the audit log are not those that were written"
    return None


class _Look:
    """One look at the whole log, within one transaction."""

    def __init__(self, session: Session, key: bytes, ends: dict[int, Head]) -> None:
        self._session = session
        self._key = key
        self._ends = ends
        self.checked = 0
        self.bad: list[_Bad] = []
        self.newest_seal: str | None = None

    def whole(self, noted: str | None) -> None:
        for strand in (SEALS, *range(STRANDS[self._session.dialect.name])):
            if strand not in self._ends:
                self._blame(f"{strand}/0", "the head of this strand is missing")
        sealed = self._seals(noted)
        for strand, head in sorted(self._ends.items()):
            if not head.is_proved(self._key):
                self._blame(f"{strand}/{_told(head.count)}", "the head of this strand was changed")
            elif strand != SEALS:
                self._strand(head, sealed.get(strand, {}))
        self._strangers(sealed)

    def _blame(self, place: str, reason: str, order: str = "") -> None:
        self.bad.append(_Bad(place, reason, order))

    def _strand(self, head: Head, sealed: dict[int, bytes]) -> None:
        """Follow a strand from what was pruned to its head."""
        number, previous = head.pruned, head.pruned_hash
        for row in self._rows(head.strand):
            if isinstance(row, _Bad):
                self.bad.append(row)
                return
            self.checked += 1
            number += 1
            place = row.id if isinstance(row.id, str) else f"{head.strand}/{number}"
            reason = self._fault(row, head, number, previous)
            if reason is None and sealed.get(number, row.hash) != row.hash:
                reason = "it is not the entry that was sealed here"
            if reason:
                self._blame(place, reason, place)
                return
            previous = row.hash
        if number != head.count or previous != head.last_hash:
            self._blame(f"{head.strand}/{number + 1}", "entries are missing at the end")
        elif any(one > number for one in sealed):
            self._blame(f"{head.strand}/{number + 1}", "entries that were sealed are missing")

    def _fault(self, row: Any, head: Head, number: int, previous: bytes) -> str | None:
        if row.number != number:
            return "entries before it are missing, or it is not in its place"
        if number > head.count:
            return "nobody wrote it"
        if row.previous_hash != previous:
            return "it does not follow the entry before it"
        try:
            hashed = chain.entry_hash(self._key, tuple(row[: len(HASHED)]), previous)
        except (TypeError, ValueError, AttributeError):
            return "it was changed"
        return None if hashed == row.hash else "it was changed"

    def _rows(self, strand: int) -> Iterator[Any]:
        """Yield the entries of a strand in order, and what cannot even be read as such."""
        after = -1 << 62
        while True:
            asked = {"of_strand": strand, "after": after, "limit": AT_ONCE}
            try:
                rows = self._session.execute(_PART, asked).fetchall()
            except StorageError as error:
                _expect_unreadable(error)
                yield from self._one_by_one(strand, after)
                return
            yield from rows
            if len(rows) < AT_ONCE:
                return
            after = rows[-1].number

    def _one_by_one(self, strand: int, after: int) -> Iterator[Any]:
        """Yield entries up to the one that cannot be read: SQLite lets others write bytes as text."""
        while True:
            asked = {"of_strand": strand, "after": after, "limit": 1}
            try:
                row = self._session.execute(_PART, asked).first()
            except StorageError as error:
                _expect_unreadable(error)
                yield _Bad(f"{strand}/{max(after, 0) + 1}", "it cannot be read")
                return
            if row is None:
                return
            yield row
            after = row.number

    def _seals(self, noted: str | None) -> dict[int, dict[int, bytes]]:
        """Check the chain of seals; return which hash each sealed entry has, by strand and number."""
        sealed: dict[int, dict[int, bytes]] = {}
        head = self._ends.get(SEALS)
        number, previous = 0, chain.first_hash(self._key, SEALS)
        found = noted is None
        for row in self._read_seals():
            number += 1
            told = f"{number}:{row.hash.hex()}" if isinstance(row.hash, bytes) else ""
            if not self._is_sealed(row, number, previous):
                self._blame(f"seal {number}", "the seal was changed, or one before it is missing")
                return sealed
            found = found or told == noted
            previous = row.hash
            self.newest_seal = told
            for strand, count, last in orjson.loads(row.heads):
                if count > self._pruned(strand):
                    sealed.setdefault(strand, {})[count] = bytes.fromhex(last)
        if head is not None and (head.count != number or head.last_hash != previous):
            self._blame(f"seal {number + 1}", "seals are missing at the end")
        if not found:
            self._blame(f"seal {str(noted).partition(':')[0]}", "the log has no such seal")
        return sealed

    def _read_seals(self) -> list[Any]:
        try:
            return list(self._session.execute(_SEALS))
        except StorageError as error:
            _expect_unreadable(error)
            return []  # fewer than the head counts

    def _is_sealed(self, row: Any, number: int, previous: bytes) -> bool:
        values = (row.number, row.sealed_at, row.entries, row.heads)
        try:
            hashed = chain.seal_hash(self._key, values, previous)
        except (TypeError, ValueError):
            return False
        return bool(row.number == number and row.previous_hash == previous and hashed == row.hash)

    def _pruned(self, strand: int) -> int:
        head = self._ends.get(strand)
        return head.pruned if head and head.is_proved(self._key) else 0

    def _strangers(self, sealed: dict[int, dict[int, bytes]]) -> None:
        """Blame entries of strands that there are not, and strands that were sealed and are gone."""
        for strand in sealed.keys() - self._ends.keys():
            self._blame(f"{strand}/1", "a strand that was sealed is missing")
        for row in self._session.execute(_PLACES):
            if row.strand not in self._ends or row.strand == SEALS:
                self._blame(f"{row.strand}/{row.number}", "nobody wrote it")


def _expect_unreadable(error: StorageError) -> None:
    """Go on when it is a value that cannot be read; raise what says that the database is away."""
    if error.details.get("reason") not in {"failed", "damaged"}:
        raise error


def _without_key(session: Session, ends: dict[int, Head], seal: str | None) -> Verdict:
    """Judge a log without a key: fine as long as there is nothing in it."""
    place = session.execute(_PLACES.limit(1)).first()
    if place is not None or ends:
        return Verdict(False, 0, "0/1", "the key of the log is missing")
    if seal is not None:
        return Verdict(False, 0, f"seal {seal.partition(':')[0]}", "the log has no such seal")
    return Verdict(True, 0)


def _told(value: Any) -> str:
    return str(value)[:40]


_l = audit_logs.c
_TEXTS = [wire(_l[name]).label(name) if name == "timestamp" else _l[name] for name in HASHED]
_PART = (
    sa.select(*_TEXTS, _l.previous_hash, _l.hash)
    .where(_l.strand == sa.bindparam("of_strand"), _l.number > sa.bindparam("after"))
    .order_by(_l.number)
    .limit(sa.bindparam("limit"))
)
_LAST = (
    sa.select(_l.number, _l.hash)
    .where(_l.strand == sa.bindparam("of_strand"))
    .order_by(_l.number.desc())
    .limit(1)
)
_PLACES = sa.select(_l.strand, sa.func.min(_l.number).label("number")).group_by(_l.strand)
_s = audit_seals.c
_SEALS = sa.select(
    _s.number, wire(_s.sealed_at).label("sealed_at"), _s.entries, _s.heads, _s.previous_hash, _s.hash
).order_by(_s.number)
