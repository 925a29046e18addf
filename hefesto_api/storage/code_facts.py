"""The facts of contents, kept by their hash, so that a file is read once and a restart stays warm."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from hefesto_api.domain import clock
from hefesto_api.storage.base import Blob, Session, Text, UtcDateTime, metadata, upsert

code_facts = sa.Table(
    "code_facts",
    metadata,
    sa.Column("sha256", Text, primary_key=True),
    sa.Column("variant", Text, primary_key=True),  # what of the name decides the language: its ending
    sa.Column("version", Text, primary_key=True),  # of the extraction and of the values' shape
    sa.Column("facts", Blob, nullable=False),
    sa.Column("kept_at", UtcDateTime, nullable=False),
    sa.Index(None, "kept_at"),
)

Key = tuple[str, str]
"""The hex SHA-256 of a content, and its variant."""


def lookup(session: Session, version: str, keys: Iterable[Key]) -> dict[Key, bytes]:
    """Return what is kept of contents under one version, by key."""
    wanted = set(keys)
    if not wanted:
        return {}
    asked = {"version": version, "hashes": sorted({sha256 for sha256, _ in wanted})}
    rows = session.execute(_LOOKUP, asked)
    return {(row[0], row[1]): row[2] for row in rows if (row[0], row[1]) in wanted}


def keep(session: Session, version: str, facts: Iterable[tuple[Key, bytes]]) -> None:
    """Keep facts; those that are kept already stay as they are."""
    now = clock.now()
    rows = [
        {"sha256": key[0], "variant": key[1], "version": version, "facts": blob, "kept_at": now}
        for key, blob in facts
    ]
    if rows:
        session.execute(_keep(session.dialect.name), rows)


def sweep(session: Session, before: datetime, *, limit: int = 500) -> int:
    """Delete at most `limit` facts kept before a time (what is needed is read anew); return how many."""
    return session.execute(_SWEEP, {"before": before, "limit": limit}).rowcount


@cache
def _keep(dialect: str) -> Any:
    return upsert(dialect, code_facts).on_conflict_do_nothing()


_c = code_facts.c
_LOOKUP = sa.select(_c.sha256, _c.variant, _c.facts).where(
    _c.sha256.in_(sa.bindparam("hashes", expanding=True)), _c.version == sa.bindparam("version")
)
_SWEEP = sa.delete(code_facts).where(
    sa.tuple_(_c.sha256, _c.variant, _c.version).in_(
        sa.select(_c.sha256, _c.variant, _c.version)
        .where(_c.kept_at < sa.bindparam("before", type_=UtcDateTime))
        .limit(sa.bindparam("limit"))
    )
)
