"""What people said about which findings are one: merges and partings, remembered for every later scan."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from msgspec import Struct, structs

from hefesto_api.domain.lifecycle import OWN, TAKEN, Apart, KnownFinding, Merged
from hefesto_api.storage.base import Blob, Json, Serial, Session, Text, UtcDateTime, metadata
from hefesto_api.storage.findings import findings, unpack_prints

MERGED = "merged"
PARTED = "parted"

finding_links = sa.Table(
    "finding_links",
    metadata,
    sa.Column("id", Serial, primary_key=True),
    sa.Column("project_id", Text, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("finding_id", Text, sa.ForeignKey("findings.id", ondelete="CASCADE"), nullable=False),
    sa.Column("other_id", Text, nullable=False),  # no foreign key: a parting outlives the other finding
    sa.Column("prints", Blob, nullable=False),
    sa.Column("place", Text, nullable=False),
    sa.Column("before", Json),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("created_by", Text),
    sa.UniqueConstraint("finding_id", "other_id", "kind"),
    sa.Index(None, "project_id"),
    sa.Index(None, "other_id"),
)


class FindingLink(Struct, frozen=True):
    """A row of `finding_links`.

    MERGED: `finding_id` is the finding that remains, `other_id` the one merged into it. `place` says what
    was seen last: OWN (of the two, the place that the remaining one has of its own), BOTH, or TAKEN (the
    remaining one has taken the other's). `prints` are those that the remaining one had at its own place,
    `before` is what had been decided about the merged one.
    PARTED: the two are never one again; there is a link each way. `prints` are the other's when they were
    parted.
    """

    id: int
    project_id: str
    kind: str
    finding_id: str
    other_id: str
    prints: bytes
    place: str
    before: dict[str, Any] | None
    created_at: datetime
    created_by: str | None


class Linked:
    """What people said of the findings of a project, for each of them."""

    def __init__(self, links: Iterable[FindingLink]) -> None:
        self._merged: dict[str, Merged] = {}
        self._apart: dict[str, list[Apart]] = {}
        for one in links:
            if one.kind == MERGED:
                merged = Merged(one.finding_id, one.id, one.place, unpack_prints(one.prints))
                self._merged[one.other_id] = merged
            else:
                apart = Apart(one.other_id, unpack_prints(one.prints))
                self._apart.setdefault(one.finding_id, []).append(apart)

    def told_of(self, known: KnownFinding) -> KnownFinding:
        """Return a finding with what was said of it."""
        if known.id in self._merged or known.id in self._apart:
            apart = tuple(self._apart.get(known.id, ()))
            return structs.replace(known, merged=self._merged.get(known.id), apart=apart)
        return known


_INSERT = sa.insert(finding_links)
_OF_PROJECT = sa.select(finding_links).where(finding_links.c.project_id == sa.bindparam("project_id"))
_OF_FINDING = (
    sa.select(finding_links)
    .where(
        sa.or_(
            finding_links.c.finding_id == sa.bindparam("id"), finding_links.c.other_id == sa.bindparam("id")
        )
    )
    .order_by(finding_links.c.id)
)
_SURVIVOR = sa.select(finding_links.c.finding_id).where(
    finding_links.c.other_id == sa.bindparam("id"), finding_links.c.kind == MERGED
)
_OF_ID = sa.update(finding_links).where(finding_links.c.id == sa.bindparam("of_id"))
_SET_PLACE = _OF_ID.values(place=sa.bindparam("new_place"))
_TAKE = _OF_ID.values(place=TAKEN, prints=sa.bindparam("own_prints"))


def add(session: Session, link: FindingLink) -> None:
    """Remember a link; its `id` is given by the database."""
    row = structs.asdict(link)
    del row["id"]
    session.execute(_INSERT, row)


def linked(session: Session, project_id: str) -> Linked:
    """Return all that was said of the findings of a project: links are made by hand, they are few."""
    rows = session.execute(_OF_PROJECT, {"project_id": project_id})
    return Linked(FindingLink(*row) for row in rows)


def of_finding(session: Session, finding_id: str) -> list[FindingLink]:
    """Return the links in which a finding stands on either side, oldest first."""
    return [FindingLink(*row) for row in session.execute(_OF_FINDING, {"id": finding_id})]


def survivor(session: Session, finding_id: str) -> str | None:
    """Return the id of the finding that another was merged into; None for one that stands for itself."""
    found: str | None = session.execute(_SURVIVOR, {"id": finding_id}).scalar()
    return found


def set_place(session: Session, link_id: int, place: str) -> None:
    """Note which places of a merge were seen."""
    session.execute(_SET_PLACE, {"of_id": link_id, "new_place": place})


def take(session: Session, link_id: int, own_prints: bytes) -> None:
    """Note that the remaining finding took the other place, and what it was known by until then."""
    session.execute(_TAKE, {"of_id": link_id, "own_prints": own_prints})


def give_back(session: Session, link_id: int, merged_id: str, prints: bytes) -> None:
    """Note that the remaining finding is at its own place again; `prints` are those of the other."""
    set_place(session, link_id, OWN)
    session.execute(sa.update(findings).where(findings.c.id == merged_id).values(prints=prints))


def remove(session: Session, one: str, other: str, kind: str) -> None:
    """Forget the links of a kind between two findings, whichever way."""
    pair = (one, other)
    session.execute(
        sa.delete(finding_links).where(
            finding_links.c.kind == kind,
            finding_links.c.finding_id.in_(pair),
            finding_links.c.other_id.in_(pair),
        )
    )


def merged_ids(project_id: str) -> sa.Select[tuple[str]]:
    """Return the query for the findings of a project that were merged into others."""
    return sa.select(finding_links.c.other_id).where(
        finding_links.c.project_id == project_id, finding_links.c.kind == MERGED
    )


def merged_into_any(remaining: sa.Select[Any]) -> sa.Select[tuple[str]]:
    """Return the query for the findings that were merged into any that a query of ids returns."""
    return sa.select(finding_links.c.other_id).where(
        finding_links.c.kind == MERGED, finding_links.c.finding_id.in_(remaining)
    )


def unsettled(session: Session, project_id: str) -> set[str]:
    """Return the files with a finding that was parted from another and that no scan has seen since."""
    statement = (
        sa.select(findings.c.file_path)
        .join(finding_links, finding_links.c.finding_id == findings.c.id)
        .where(
            finding_links.c.project_id == project_id,
            finding_links.c.kind == PARTED,
            findings.c.status != "resolved",
            findings.c.last_seen <= finding_links.c.created_at,
        )
    )
    return set(session.execute(statement).scalars())
