"""Reading the audit log: pages of it, all of it as a file, and whether it is as it was written."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from hefesto_api.domain import clock
from hefesto_api.domain.errors import Invalid
from hefesto_api.formats import csv
from hefesto_api.formats.safe import to_json
from hefesto_api.storage import audit_check, audit_list
from hefesto_api.storage.audit_list import Entry, Filter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hefesto_api.storage.audit import Ledger
    from hefesto_api.storage.audit_check import Verdict
    from hefesto_api.storage.database import Database
    from hefesto_api.web.paging import Page

FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
FIELDS = Entry.__struct_fields__
_FILTERS = (
    "user_id", "action", "resource_type", "resource_id", "project", "ip_address", "request_id", "outcome",
    "q",
)  # fmt: skip
_PIECE = 64 * 1024


class Listed(NamedTuple):
    """A page of entries, the key after which the next one starts, and how many there are in all."""

    items: list[Entry]
    next_key: tuple[str, str] | None
    total: int
    exact: bool


class Export(NamedTuple):
    """An export on its way: its pieces, what they are, and a name for the file."""

    pieces: Iterator[bytes]
    media_type: str
    name: str


def wanted(query: Mapping[str, Any]) -> Filter:
    """Return which entries a query asks for."""
    named = {name: query.get(name) for name in _FILTERS}
    return Filter(**named, start=query.get("start_date"), end=query.get("end_date"))


def listed(db: Database, query: Mapping[str, Any]) -> Listed:
    """Return a page of entries, the newest first unless sorted otherwise; raises Invalid for a cursor."""
    page: Page = query["page"]
    asked = wanted(query)
    after = None if page.cursor is None else _key_of(page.cursor)
    with db.read() as session:
        found = audit_list.page(
            session,
            asked,
            limit=page.limit + 1,
            offset=0 if after else page.offset,
            after=after,
            descending=page.descending or page.sort is None,
        )
        total, exact = audit_list.count(session, asked)
    shown = found[: page.limit]
    last = shown[-1] if len(found) > page.limit else None
    return Listed(shown, None if last is None else (last.timestamp, last.id), total, exact)


def read(db: Database, entry_id: str) -> Entry:
    """Return an entry; raises NotFound."""
    with db.read() as session:
        return audit_list.one(session, entry_id)


def verify(db: Database, ledger: Ledger, seal: str | None = None) -> Verdict:
    """Look at every entry; `seal` is one that was noted elsewhere ("number:hash")."""
    with db.read() as session:
        return audit_check.verify(session, ledger, seal=seal)


def export(db: Database, asked: Filter, kind: str) -> Export:
    """Write the entries that are asked for, the oldest first; each part is read when it is its turn."""
    write = _csv if kind == "csv" else _lines
    name = f"hefesto-audit-{clock.now():%Y%m%d}.{kind}"
    return Export(_joined(write(audit_list.every(db, asked))), FORMATS[kind], name)


def _lines(entries: Iterator[Entry]) -> Iterator[bytes]:
    for entry in entries:
        yield to_json(entry) + b"\n"


def _csv(entries: Iterator[Entry]) -> Iterator[bytes]:
    yield csv.row(FIELDS)
    for entry in entries:
        told = {name: getattr(entry, name) for name in FIELDS}
        told["changes"] = to_json(entry.changes).decode()
        yield csv.row(tuple("" if value is None else value for value in told.values()))


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield larger pieces: each costs the server a write."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= _PIECE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _key_of(cursor: tuple[Any, ...]) -> tuple[datetime, str]:
    try:
        moment, last_id = cursor
        found = datetime.fromisoformat(moment)
    except (ValueError, TypeError):
        raise Invalid("cursor", "This is no cursor of this list.") from None
    if found.tzinfo is None or not isinstance(last_id, str):
        raise Invalid("cursor", "This is no cursor of this list.")
    return found, last_id
