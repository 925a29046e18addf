"""The list of the audit log: filters, pages by key or offset, a capped count, and entries for an export."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.errors import NotFound
from hefesto_api.storage.audit import SAID, audit_logs
from hefesto_api.storage.base import Session, Text, UtcDateTime, like_any_case, wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hefesto_api.storage.database import Database

EXACT_TO = 10_000
AT_ONCE = 500
_l = audit_logs.c


class Filter(Struct, frozen=True):
    """Which entries are wanted; None asks for any.

    `q` is looked for in the action, what was changed, the ids and the names. `start` and `end` are inclusive.
    """

    user_id: str | None = None
    action: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    project: str | None = None
    ip_address: str | None = None
    request_id: str | None = None
    outcome: str | None = None
    q: str | None = None
    start: datetime | None = None
    end: datetime | None = None


class Entry(Struct, frozen=True):
    """An entry as it goes over the wire; `timestamp` is text, `changes` JSON."""

    id: str
    timestamp: str
    user_id: str
    user_name: str
    credential: str
    action: str
    resource_type: str
    resource_id: str | None
    project: str | None
    outcome: str
    changes: dict[str, Any]
    ip_address: str | None
    user_agent: str | None
    request_id: str | None


def page(
    session: Session,
    wanted: Filter,
    *,
    limit: int,
    offset: int = 0,
    after: tuple[datetime, str] | None = None,
    descending: bool = True,
) -> list[Entry]:
    """Return a page by time; `after` is the (timestamp, id) of the last entry of the page before."""
    values = _values(wanted) | {"limit": limit, "offset": offset}
    if after is not None:
        values |= {"after_time": after[0], "after_id": after[1]}
    statement = _page(_asked(wanted), descending, after is not None)
    return [_entry(row) for row in session.execute(statement, values)]


def count(session: Session, wanted: Filter, *, exact_to: int = EXACT_TO) -> tuple[int, bool]:
    """Count entries up to a cap; tell whether the count is exact."""
    found = session.execute(_count(_asked(wanted)), _values(wanted) | {"most": exact_to + 1}).scalar_one()
    return (found, True) if found <= exact_to else (exact_to, False)


def one(session: Session, entry_id: str) -> Entry:
    """Return an entry; raises NotFound."""
    row = session.execute(_ONE, {"id": entry_id}).first()
    if row is None:
        raise NotFound("audit_log", entry_id)
    return _entry(row)


def every(db: Database, wanted: Filter) -> Iterator[Entry]:
    """Yield the entries from the oldest on; no transaction is open while a slow reader takes his time."""
    after = None
    while True:
        with db.read() as session:
            part = page(session, wanted, limit=AT_ONCE, after=after, descending=False)
        yield from part
        if len(part) < AT_ONCE:
            return
        after = key_of(part[-1])


def key_of(entry: Entry) -> tuple[datetime, str]:
    """Return the key that the page behind an entry starts after."""
    return datetime.fromisoformat(entry.timestamp), entry.id


def _entry(row: Any) -> Entry:
    values = row._asdict()
    try:
        values["changes"] = orjson.loads(values["changes"])
    except orjson.JSONDecodeError:  # somebody changed it; verifying says so
        values["changes"] = {"unreadable": values["changes"]}
    return Entry(**values)


def _asked(wanted: Filter) -> frozenset[str]:
    return frozenset(name for name, value in structs.asdict(wanted).items() if value is not None)


def _values(wanted: Filter) -> dict[str, Any]:
    values = {name: value for name, value in structs.asdict(wanted).items() if value is not None}
    if wanted.q is not None:
        escaped = wanted.q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values["q"] = f"%{escaped}%"
    return values


_SEARCHED = (
    _l.action, _l.changes, _l.resource_type, _l.resource_id, _l.user_id, _l.user_name, _l.user_agent,
)  # fmt: skip
_CONDITIONS: dict[str, sa.ColumnElement[bool]] = {
    "q": sa.or_(*(like_any_case(column, sa.bindparam("q", type_=Text)) for column in _SEARCHED)),
    "start": _l.timestamp >= sa.bindparam("start", type_=UtcDateTime),
    "end": _l.timestamp <= sa.bindparam("end", type_=UtcDateTime),
    **{
        name: _l[name] == sa.bindparam(name, type_=Text)
        for name in (
            "user_id", "action", "resource_type", "resource_id", "project", "ip_address", "request_id",
            "outcome",
        )
    },
}  # fmt: skip
_COLUMNS = [wire(_l[name]).label(name) if name == "timestamp" else _l[name] for name in SAID]
_ONE = sa.select(*_COLUMNS).where(_l.id == sa.bindparam("id"))


def _conditions(asked: frozenset[str]) -> list[sa.ColumnElement[bool]]:
    return [_CONDITIONS[name] for name in sorted(asked)]


@lru_cache(maxsize=256)
def _count(asked: frozenset[str]) -> sa.Select[Any]:
    some: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(audit_logs)
    some = some.where(*_conditions(asked)).limit(sa.bindparam("most"))
    return sa.select(sa.func.count()).select_from(some.subquery())


@lru_cache(maxsize=256)
def _page(asked: frozenset[str], descending: bool, keyed: bool) -> sa.Select[Any]:
    key = (_l.timestamp, _l.id)
    statement = sa.select(*_COLUMNS).where(*_conditions(asked))
    if keyed:
        given = sa.tuple_(sa.bindparam("after_time", type_=UtcDateTime), sa.bindparam("after_id", type_=Text))
        here = sa.tuple_(*key)
        statement = statement.where(here < given if descending else here > given)
    statement = statement.order_by(*(column.desc() if descending else column.asc() for column in key))
    return statement.limit(sa.bindparam("limit")).offset(sa.bindparam("offset"))
