"""Advice that a language model gave, and what it cost: reserved before it is asked, settled afterwards.

Money is counted in millionths of a dollar. What is reserved counts as spent, in the one statement that also
looks whether there is enough left: callers at the same time cannot spend more than there is. What a kill
leaves reserved stays so: whether the other side counted it is not known.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain import clock
from hefesto_api.storage.base import Session, Text, UtcDateTime, metadata, upsert

advice = sa.Table(
    "advice",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("correlation_id", Text, sa.ForeignKey("correlations.id", ondelete="CASCADE"), nullable=False),
    sa.Column("input_hash", Text, nullable=False),
    sa.Column("model", Text, nullable=False),
    sa.Column("text", Text, nullable=False),
    sa.Column("is_cut", sa.Boolean, nullable=False),
    sa.Column("with_code", sa.Boolean, nullable=False),
    sa.Column("cost_micros", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("created_by", Text, nullable=False),
    sa.UniqueConstraint("correlation_id", "input_hash"),
)
advice_months = sa.Table(
    "advice_months",
    metadata,
    sa.Column("month", Text, primary_key=True),
    sa.Column("spent_micros", sa.BigInteger, nullable=False),
    sa.Column("calls", sa.Integer, nullable=False),
    sa.Column("last_error", Text),
    sa.Column("last_called_at", UtcDateTime),
)
_m = advice_months.c
MICROS = 1_000_000  # of a dollar
WARNING_SHARE = 0.8


class AdviceRecord(Struct, frozen=True):
    """A row of `advice`; `input_hash` is of all that the model was told and who it is."""

    id: str
    correlation_id: str
    input_hash: str
    model: str
    text: str
    is_cut: bool
    with_code: bool
    cost_micros: int
    created_at: datetime
    created_by: str


class Month(Struct, frozen=True):
    """What a month (`2026-11`, in UTC) has cost, reserved or settled, and how its latest call ended."""

    month: str
    spent_micros: int = 0
    calls: int = 0
    last_error: str | None = None
    last_called_at: datetime | None = None

    def budget(self, limit_usd: float) -> dict[str, Any]:
        """Return what is spent of a budget, and in a word whether there is enough left."""
        spent = self.spent_micros / MICROS
        status = "OK"
        if limit_usd and spent >= WARNING_SHARE * limit_usd:
            status = "EXCEEDED" if spent >= limit_usd else "WARNING"
        return {"status": status, "spent_usd": round(spent, 6), "limit_usd": limit_usd}


_KNOWN = sa.select(advice).where(
    advice.c.correlation_id == sa.bindparam("correlation"), advice.c.input_hash == sa.bindparam("hash")
)
_LATEST = (
    sa.select(advice)
    .where(advice.c.correlation_id == sa.bindparam("correlation"))
    .order_by(advice.c.id.desc())
    .limit(1)
)
_MONTH = sa.select(advice_months).where(_m.month == sa.bindparam("of"))
_AMOUNT = sa.bindparam("amount", type_=sa.BigInteger)
_RESERVE = (
    sa.update(advice_months)
    .where(
        _m.month == sa.bindparam("of"),
        _m.spent_micros + _AMOUNT <= sa.bindparam("limit", type_=sa.BigInteger),
    )
    .values(spent_micros=_m.spent_micros + _AMOUNT, calls=_m.calls + 1)
)
_SETTLE = (
    sa.update(advice_months)
    .where(_m.month == sa.bindparam("of"))
    .values(
        spent_micros=_m.spent_micros + _AMOUNT,
        last_error=sa.bindparam("error", type_=Text),
        last_called_at=sa.bindparam("at", type_=UtcDateTime),
    )
)


def month_of(moment: datetime) -> str:
    """Name the month that a moment's costs count in."""
    return f"{moment:%Y-%m}"


def month(session: Session, name: str) -> Month:
    """Return what a month has cost."""
    row = session.execute(_MONTH, {"of": name}).first()
    return Month(name) if row is None else Month(*row)


def this_month(session: Session) -> Month:
    """Return what the month at hand has cost."""
    return month(session, month_of(clock.now()))


def reserve(session: Session, name: str, amount: int, limit: int) -> bool:
    """Count an amount as spent, unless the month would then cost more than the limit."""
    session.execute(_begin(session.dialect.name), {"month": name, "spent_micros": 0, "calls": 0})
    return session.execute(_RESERVE, {"of": name, "amount": amount, "limit": limit}).rowcount == 1


def settle(
    session: Session, name: str, reserved: int, spent: int, *, at: datetime, error: str | None = None
) -> None:
    """Put what a call really cost in the place of what was reserved for it; `error`: why it failed."""
    told = error and error[:500]
    session.execute(_SETTLE, {"of": name, "amount": spent - reserved, "error": told, "at": at})


def known(session: Session, correlation_id: str, input_hash: str) -> AdviceRecord | None:
    """Return the advice that was given on the same before."""
    row = session.execute(_KNOWN, {"correlation": correlation_id, "hash": input_hash}).first()
    return None if row is None else AdviceRecord(*row)


def latest(session: Session, correlation_id: str) -> AdviceRecord | None:
    """Return the latest advice on a correlation."""
    row = session.execute(_LATEST, {"correlation": correlation_id}).first()
    return None if row is None else AdviceRecord(*row)


def keep(session: Session, made: AdviceRecord) -> None:
    """Keep an advice; of two on the same the first stays."""
    insert = upsert(session.dialect.name, advice)
    session.execute(insert.on_conflict_do_nothing(), structs.asdict(made))


@cache
def _begin(dialect: str) -> Any:
    return upsert(dialect, advice_months).on_conflict_do_nothing(index_elements=["month"])
